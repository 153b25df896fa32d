"""What an estimate may be asked about, and which stages that can have."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from domain.errors import InvalidRequest
from domain.estimate import Stage
from domain.transcript import Segment
from ports.embedder import InputType


@dataclass(frozen=True, slots=True)
class Recording:
    """An uploaded recording in a file, with the options of the request."""

    source: Path
    language: str | None = None
    vocabulary: str | None = None
    template: str = "general"


@dataclass(frozen=True, slots=True)
class Length:
    """A recording of which only the length is known, in seconds; as if somebody spoke all the time."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Conversation:
    """Segments to recap, written in `language`."""

    segments: Sequence[Segment]
    language: str
    template: str = "general"


@dataclass(frozen=True, slots=True)
class Texts:
    """Texts to embed."""

    texts: Sequence[str]
    input_type: InputType = InputType.DOCUMENT


Asked: TypeAlias = Recording | Length | Conversation | Texts


def default_stages(asked: type[Asked]) -> frozenset[Stage]:
    """Return what the request of this kind would do: a recording becomes a conversation."""
    if asked is Texts:
        return frozenset({Stage.EMBEDDING})
    return frozenset({Stage.RECAP, Stage.EMBEDDING} if asked is Conversation else Stage)


def check_stages(asked: Asked, stages: frozenset[Stage]) -> None:
    """Raise InvalidRequest for stages that no request does with what was asked."""
    if isinstance(asked, Texts):
        fits = stages == {Stage.EMBEDDING}
    elif isinstance(asked, Conversation):
        fits = Stage.RECAP in stages and Stage.TRANSCRIPTION not in stages
    else:
        fits = Stage.TRANSCRIPTION in stages and (Stage.RECAP in stages or Stage.EMBEDDING not in stages)
    if not fits:
        possible = ", ".join(sorted(default_stages(type(asked))))
        raise InvalidRequest(f"These stages are not those of any request with this input; all of them: {possible}.")
