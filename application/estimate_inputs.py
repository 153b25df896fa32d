"""What an estimate may be asked about, and which stages that can have."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from application.payloads import TemplateChoice
from application.speakers.asked import UP_TO_THE_SERVICE, SpeakersAsked
from domain.errors import InvalidRequest
from domain.estimate import Stage
from domain.transcript import Segment
from ports.embedder import InputType, LongTexts


@dataclass(frozen=True, slots=True)
class Recording:
    """An uploaded recording in a file, with the options of the request."""

    source: Path
    language: str | None = None
    vocabulary: str | None = None
    template: TemplateChoice = "general"
    speakers: SpeakersAsked = UP_TO_THE_SERVICE


@dataclass(frozen=True, slots=True)
class Length:
    """A recording of which only the length is known, in seconds; as if somebody spoke all the time."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Conversation:
    """Segments to recap, written in `language`."""

    segments: Sequence[Segment]
    language: str
    template: TemplateChoice = "general"


@dataclass(frozen=True, slots=True)
class Texts:
    """Texts to embed."""

    texts: Sequence[str]
    input_type: InputType = InputType.DOCUMENT
    long_texts: LongTexts = LongTexts.REFUSE


Asked: TypeAlias = Recording | Length | Conversation | Texts


def default_stages(asked: type[Asked]) -> frozenset[Stage]:
    """Return what the request of this kind would do: a recording becomes a conversation."""
    if asked is Texts:
        return frozenset({Stage.EMBEDDING})
    return frozenset(Stage) - {Stage.TRANSCRIPTION, Stage.SPEAKERS} if asked is Conversation else frozenset(Stage)


def check_stages(asked: Asked, stages: frozenset[Stage]) -> None:
    """Raise InvalidRequest for stages that no request does with what was asked."""
    if isinstance(asked, Texts):
        fits = stages == {Stage.EMBEDDING}
    elif isinstance(asked, Conversation):
        fits = Stage.RECAP in stages and Stage.TRANSCRIPTION not in stages
    else:
        alone = stages <= {Stage.TRANSCRIPTION, Stage.SPEAKERS}
        fits = Stage.TRANSCRIPTION in stages and (Stage.RECAP in stages or alone)
    if not fits:
        possible = ", ".join(sorted(default_stages(type(asked))))
        raise InvalidRequest(f"These stages are not those of any request with this input; all of them: {possible}.")
