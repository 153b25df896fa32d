"""Who speaks when: turns of numbered speakers, before anybody has a name, and what they are made from."""

from dataclasses import dataclass, replace

from domain.call import Provenance


@dataclass(frozen=True, slots=True)
class SpeakerTurn:
    """One speaker talking from `start` to `end`, in seconds of the recording.

    `speaker` counts from 0 in order of first speech. Turns of different speakers may overlap; those of one do not.
    """

    start: float
    end: float
    speaker: int


@dataclass(frozen=True, slots=True)
class SpeakerCount:
    """How many speakers a recording has, as far as the caller knows: `least` and `most`, both included; None where unknown."""

    least: int | None = None
    most: int | None = None


@dataclass(frozen=True, slots=True)
class SpokenVoice:
    """How one speaker of a recording sounds: a vector of length one, from `seconds` in which nobody else speaks."""

    vector: tuple[float, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class SpokenTurns:
    """The turns of a recording in order of their start, and the calls that they come from.

    `voices` by the number of the speaker; None for whom nothing was heard alone. They identify people: they live as long as
    the job, unless somebody asks to remember one.
    """

    turns: tuple[SpeakerTurn, ...]
    provenance: tuple[Provenance, ...] = ()
    voices: tuple[SpokenVoice | None, ...] = ()


@dataclass(frozen=True, slots=True)
class Stretch:
    """One of the speakers of a window talking without a break, in seconds.

    `speaker` tells those of one window apart and says nothing about other windows. `voice` is a vector of length one, taken from
    `voice_seconds` in which nobody else speaks; empty, with no seconds, where that was too little.
    """

    start: float
    end: float
    speaker: int
    voice: tuple[float, ...] = ()
    voice_seconds: float = 0.0

    @property
    def seconds(self) -> float:
        return self.end - self.start

    def shifted(self, seconds: float) -> "Stretch":
        return replace(self, start=self.start + seconds, end=self.end + seconds)


@dataclass(frozen=True, slots=True)
class HeardWindow:
    """What was heard of the sound from `start` to `end`, all in seconds of the recording."""

    start: float
    end: float
    stretches: tuple[Stretch, ...]
