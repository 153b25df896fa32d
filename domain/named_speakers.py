"""Who the speakers of a transcript are: found, labelled, and named by whoever knows them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from domain.errors import InvalidRequest

MOST_SPEAKERS = 32
"""Of one recording: a large meeting. Nobody follows more voices in a transcript."""


class SpeakerStatus(StrEnum):
    """Whether speakers were looked for, and whether that came to an end."""

    FOUND = "found"
    FAILED = "failed"
    OFF = "off"


class ToldBy(StrEnum):
    """What tells speakers apart: their voices, the channels of the recording, or that the caller knows of one only."""

    VOICE = "voice"
    CHANNEL = "channel"
    COUNT = "count"


@dataclass(frozen=True, slots=True)
class Recognised:
    """That the speaker at `index` of the labels is known: by which profile (its name then), and how much alike the voices are."""

    index: int
    name: str
    voice_id: str
    likeness: float


@dataclass(frozen=True, slots=True)
class NotRemembered:
    """Whose voice was not kept though somebody asked for it, and why: a short code."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class KnownVoices:
    """What came of the voices that the tenant keeps, where a request asked for them.

    `compared`: how many were held against this recording; `of_another_model` were made with another speaker model and say
    nothing. `remembered`: whose voice is kept now. `failure`: why nobody could be recognised, a short code.
    """

    compared: int = 0
    of_another_model: int = 0
    recognised: tuple[Recognised, ...] = ()
    remembered: tuple[str, ...] = ()
    not_remembered: tuple[NotRemembered, ...] = ()
    failure: str | None = None


def label_of(index: int) -> str:
    """Return what the speaker who is heard first, second, ... is called before anybody has a name."""
    return f"Speaker {index + 1}"


@dataclass(frozen=True, slots=True)
class Speakers:
    """The speakers of a transcript, in order of first speech. `reason`: why they were not found, a short code.

    `labels` are what they were called when they were found and never change, `names` what they are called now; two of one name
    are one speaker to a reader. `said_by`: for each segment the place of its speaker, None where nobody knows.
    """

    status: SpeakerStatus = SpeakerStatus.OFF
    reason: str | None = None
    told_by: ToldBy | None = None
    labels: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    said_by: tuple[int | None, ...] = ()
    voices: KnownVoices | None = None

    def name_of(self, index: int | None) -> str | None:
        return None if index is None else self.names[index]

    @property
    def merged(self) -> Mapping[str, tuple[str, ...]]:
        """The labels behind each name that several have."""
        shared = {name: tuple(label for label, other in self._called if other == name) for name in dict.fromkeys(self.names)}
        return {name: labels for name, labels in shared.items() if len(labels) > 1}

    @property
    def _called(self) -> list[tuple[str, str]]:
        return list(zip(self.labels, self.names, strict=True))

    def renamed(self, names: Mapping[str, str]) -> "Speakers":
        """Return them with new names, by their labels or the names they have now. Doing it twice is doing it once.

        A name that another has already makes one speaker of two. Raises InvalidRequest for who is not among them, for two names
        of one speaker, and for the label of a speaker who is called otherwise.
        """
        new: dict[int, str] = {}
        for known, name in names.items():
            for index in self._indices(known):
                if new.setdefault(index, name) != name:
                    raise InvalidRequest(f"`{self.labels[index]}` is to be called two things at once.")
        called = tuple(new.get(index, name) for index, name in enumerate(self.names))
        for index, name in enumerate(called):
            other = self.labels.index(name) if name in self.labels else index
            if called[other] != name:
                raise InvalidRequest(f"`{name}` is the label of another speaker, who is called `{called[other]}`.")
        return replace(self, names=called)

    def _indices(self, known: str) -> list[int]:
        """A label names one speaker, a name all who have it."""
        if known in self.labels:
            return [self.labels.index(known)]
        indices = [index for index, name in enumerate(self.names) if name == known]
        if not indices:
            there = ", ".join(f"`{name}`" for name in dict.fromkeys(self.names))
            raise InvalidRequest(f"No speaker of this transcript has that name; there are: {there or 'none'}.")
        return indices

    def as_found(self) -> "Speakers":
        """Return them as they were before anybody renamed them."""
        return replace(self, names=self.labels)


NOT_LOOKED_FOR = Speakers()
