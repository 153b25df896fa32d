"""What the cosines of an embedding model mean, where its configuration says so."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class CosineSettings(BaseModel):
    """What cosines of an embedding model mean: up to `unrelated` texts have nothing to do with one another, from `related` on
    they say the same.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    unrelated: float = Field(ge=-1, lt=1)
    related: float = Field(gt=-1, le=1)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.related <= self.unrelated:
            raise ValueError("related is above unrelated")
        return self
