"""What the stages of a job hand to the steps that do the work: their two use cases, and what was said."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from application.recap.make_recap import RecapResult
from domain.audio import DecodedAudio
from domain.call import CallContext
from domain.template import Template
from domain.transcript import Segment, Transcript
from ports.transcriber import TranscriptionOptions


@dataclass(frozen=True, slots=True)
class Said:
    """What a recap is made of. `language` (ISO 639-1) is the one that was spoken; `recorded_at` an ISO date or date-time.

    `speakers`: what those of the transcript are called.
    """

    transcript_id: str | None
    segments: Sequence[Segment]
    language: str
    recorded_at: str | None
    speakers: tuple[str, ...] = ()


class Transcribe(Protocol):
    """`TranscribeAudio`, as the stages see it."""

    async def __call__(
        self,
        transcript_id: str,
        audio: DecodedAudio,
        options: TranscriptionOptions,
        context: CallContext,
        on_window: Callable[[int, int, Sequence[Segment]], Awaitable[None]],
    ) -> Transcript: ...


class Recapitulate(Protocol):
    """`MakeRecap`, as the stages see it."""

    async def __call__(
        self,
        recap_id: str,
        transcript_id: str | None,
        segments: Sequence[Segment],
        language: str,
        template: Template,
        context: CallContext,
        progress: Callable[[float], Awaitable[None]],
    ) -> RecapResult: ...
