"""What all views of domain values have in common."""

from typing import Any, Self

from pydantic import BaseModel, model_validator


class View(BaseModel):
    """Takes its members from those of a domain value that are called alike, so that none is written out twice.

    Only what the view names leaves. What it says otherwise than the domain, or besides, `otherwise` tells.
    """

    @classmethod
    def of(cls, value: Any) -> Self:
        """The view of a domain value."""
        return cls.model_validate(value)

    @classmethod
    def otherwise(cls, value: Any) -> dict[str, Any]:
        """Members that are not those of the domain value."""
        return {}

    @model_validator(mode="before")
    @classmethod
    def _members(cls, value: Any) -> Any:
        if isinstance(value, (dict, cls)):
            return value
        own = {name: getattr(value, name) for name in cls.model_fields if hasattr(value, name)}
        return own | cls.otherwise(value)
