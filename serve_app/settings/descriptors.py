"""What the cosines of a model's vectors and its scores mean, where its configuration says so."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from domain.search import UNMEASURED, CosineScale
from domain.transcript_gates import ScoreScale
from domain.voice_clusters import ClusterRules


class CosineSettings(BaseModel):
    """What cosines of an embedding model mean: up to `unrelated` texts have nothing to do with one another, from `related` on
    they say the same, and from `same` on two lines of one conversation are about one matter.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    unrelated: float = Field(ge=-1, lt=1)
    related: float = Field(gt=-1, le=1)
    same: float = Field(default=UNMEASURED.same, gt=-1, le=1)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.related <= self.unrelated:
            raise ValueError("related is above unrelated")
        return self

    @property
    def scale(self) -> CosineScale:
        """Return the same as the core reads it."""
        return CosineScale(self.unrelated, self.related, self.same)


class VoiceSettings(BaseModel):
    """What cosines of a model of voices mean: `ClusterRules` says what each number is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    least_likeness: float = Field(gt=0)
    one_voice: float = Field(gt=0)
    half_heard_seconds: float = Field(ge=0)
    told_apart: float = Field(ge=0)
    same_voice: float | None = Field(default=None, gt=0)

    @property
    def rules(self) -> ClusterRules:
        """Return the same as the core reads it."""
        return ClusterRules(self.least_likeness, self.one_voice, self.half_heard_seconds, self.told_apart, self.same_voice)


class ScoreSettings(BaseModel):
    """What a transcriber's scores of its own text mean: `ScoreScale` says what each number is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    trusted: float = Field(le=0)
    improbable: float = Field(le=0)
    silent: float = Field(ge=0, le=1)
    faint: float = Field(le=0)
    sure: float = Field(le=0)
    faint_silent: float = Field(ge=0, le=1)

    @property
    def scale(self) -> ScoreScale:
        """Return the same as the core reads it."""
        return ScoreScale(**self.model_dump())
