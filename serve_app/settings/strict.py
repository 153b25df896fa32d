"""What all groups of settings have in common."""

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """A group of settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)
