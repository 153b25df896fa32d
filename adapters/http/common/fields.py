"""Fields that JSON bodies and forms have in common, each named, bounded and checked."""

from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request
from pydantic import AfterValidator, Field, StringConstraints

from adapters.http.common.problems import HttpProblem
from adapters.http.common.text import check_text

SEGMENT_CHARACTERS = 8_192
MOST_TEXTS = 2_048
"""Inputs of one embedding request (OpenAI's bound)."""
LATEST_SECOND = 1_000_000.0
"""Seconds: eleven days, longer than any recording."""

Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Seconds = Annotated[float, Field(strict=True, ge=0, le=LATEST_SECOND, allow_inf_nan=False)]
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=SEGMENT_CHARACTERS)]


def _iso(words: str) -> str:
    """Return an ISO date or date-time as it came. Raises ValueError for what only looks like one."""
    try:
        datetime.fromisoformat(words)
    except ValueError as error:
        raise ValueError("is no day or time that there is") from error
    return words


RecordedAt = Annotated[
    str,
    StringConstraints(
        pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2})?)?$"
    ),
    AfterValidator(_iso),
    Field(description="ISO date or date-time of the conversation, where it was held; due dates count from its day"),
]

_TIMEOUT = "Seconds after which the result is of no use; then the job ends"
Timeout = Annotated[float, Field(strict=True, gt=0, le=LATEST_SECOND, allow_inf_nan=False, description=_TIMEOUT)]
FormTimeout = Annotated[float, Field(gt=0, le=LATEST_SECOND, allow_inf_nan=False, description=_TIMEOUT)]
"""The same in a form, where every value is text."""


async def json_only(request: Request) -> None:
    """Raise HttpProblem: 415 unless the body says that it is JSON, and what `check_text` raises."""
    media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if media_type != "application/json" and not (media_type.startswith("application/") and media_type.endswith("+json")):
        raise HttpProblem("unsupported_media_type", "Send application/json.")
    await check_text(request)


JsonOnly = Depends(json_only)
