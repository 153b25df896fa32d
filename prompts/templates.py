"""Templates of recaps: `prompts/templates/NAME.toml`, each with a version, its sections in order, a length and instructions."""

import re
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Final

from domain.canonical import sha256_of
from domain.errors import InvalidRequest
from domain.template import Template

TEMPLATES: Final = Path(__file__).parent / "templates"
KEYS: Final = {"version", "sections", "length", "instructions"}


def template_names() -> tuple[str, ...]:
    """Return the names of all templates."""
    return tuple(sorted(path.stem for path in TEMPLATES.glob("*.toml")))


def template(name: str) -> Template:
    """Return a template. Raises LookupError for one that does not exist, ValueError for a file that is none."""
    return _read(name)[0]


def template_version(name: str) -> str:
    """Return the version that the file of a template gives itself. Raises as `template` does."""
    return _read(name)[1]


def template_digest(name: str) -> str:
    """Return the SHA-256 over all that shapes a recap: sections, length, instructions. Raises as `template` does."""
    found = template(name)
    return sha256_of({"sections": list(found.sections), "length": found.length, "instructions": dict(found.instructions)})


@lru_cache(maxsize=64)
def _read(name: str) -> tuple[Template, str]:
    if name not in template_names():
        raise LookupError(f"no template {name}")
    return parse_template(name, (TEMPLATES / f"{name}.toml").read_text(encoding="utf-8"))


def parse_template(name: str, text: str) -> tuple[Template, str]:
    """Read the text of a template file; return it and its version. Raises ValueError when it is no whole, sound template."""
    head = tomllib.loads(text)
    if head.keys() - KEYS or not re.fullmatch(r"v[1-9]\d*", str(head.get("version"))):
        raise ValueError(f"templates/{name}.toml: a version (v1, v2, ...) and nothing but {sorted(KEYS)}")
    try:
        found = Template(name, tuple(head["sections"]), head.get("instructions", {}), head["length"])
    except (KeyError, InvalidRequest) as error:
        raise ValueError(f"templates/{name}.toml: {error}") from error
    return found, head["version"]
