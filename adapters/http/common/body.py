"""What all JSON bodies and forms have in common."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

from domain.spoken_languages import code_of

UNKNOWN_LANGUAGE = "is no language that is known here, by its code, a tag or its English name"


def _code(language: str) -> str:
    """Return the ISO 639 code of a language that a caller named. Raises ValueError."""
    code = code_of(language)
    if code is None:
        raise ValueError(UNKNOWN_LANGUAGE)
    return code


LANGUAGE = r"^[A-Za-z]{2,}([-_ ][A-Za-z0-9]{2,})*$"
Language = Annotated[
    str,
    StringConstraints(max_length=64, pattern=LANGUAGE),
    AfterValidator(_code),
]
"""ISO 639, whatever way it was named."""


class Body(BaseModel):
    """Every field named; unknown ones are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)
