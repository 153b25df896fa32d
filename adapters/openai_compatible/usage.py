"""What the answers of all three routes have in common."""

from typing import Any

from domain.call import Usage
from domain.errors import InvalidModelOutput


def first(values: object, what: str) -> dict[str, Any]:
    """Return the one object of a list of one. Raises InvalidModelOutput."""
    if not isinstance(values, list) or len(values) != 1 or not isinstance(values[0], dict):
        raise InvalidModelOutput(f"{what} does not hold one object")
    return values[0]


def tokens(usage: object) -> Usage:
    """Return the usage that a server reports; none at all when it reports nothing readable (the budget then charges the most)."""
    if not isinstance(usage, dict):
        return Usage()
    details = usage.get("prompt_tokens_details")
    cached = _count(details.get("cached_tokens")) if isinstance(details, dict) else 0
    return Usage(0.0, _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens")), cached)


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0
