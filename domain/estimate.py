"""What a request is going to take: calls, tokens, seconds and money, and how much of it is known already."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Stage(StrEnum):
    """A part of a job, by the kind of model that does it."""

    TRANSCRIPTION = "transcription"
    SPEAKERS = "speakers"
    RECAP = "recap"
    EMBEDDING = "embedding"
    FINDING = "finding"
    CHECKING = "checking"


@dataclass(frozen=True, slots=True)
class StageEstimate:
    """One stage. Of `calls`, `cached_calls` are answered by the cache; all else is what the others take.

    `seconds` is the time on a service that does nothing else; it and `cost_usd` are None where no rate of the model is known.
    """

    calls: int = 0
    cached_calls: int = 0
    audio_seconds: float = 0.0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = 0.0
    seconds: float | None = 0.0

    def __add__(self, other: "StageEstimate") -> "StageEstimate":
        return StageEstimate(
            self.calls + other.calls,
            self.cached_calls + other.cached_calls,
            self.audio_seconds + other.audio_seconds,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            None if self.cost_usd is None or other.cost_usd is None else self.cost_usd + other.cost_usd,
            None if self.seconds is None or other.seconds is None else self.seconds + other.seconds,
        )


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a request is going to take.

    `exact` says that the calls are known one by one; what the uncached ones take is judged in any case. `audio_seconds` and
    `speech_seconds` are those of the recording, None where there is none. `basis` says in short words how each part was found.
    `other_seconds` go to no model: claiming the job, decoding, finding speech, planning, storing.
    """

    exact: bool
    stages: Mapping[Stage, StageEstimate]
    basis: tuple[str, ...]
    audio_seconds: float | None = None
    speech_seconds: float | None = None
    other_seconds: float = 0.0

    @property
    def total(self) -> StageEstimate:
        """All stages together, and the seconds that go to no model."""
        return sum(self.stages.values(), StageEstimate(seconds=self.other_seconds))
