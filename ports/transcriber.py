"""Speech to text, one window at a time."""

from abc import abstractmethod
from dataclasses import asdict, dataclass
from typing import Protocol

from domain.audio import SpeechWindow
from domain.call import Answer, CallContext, ModelIdentity
from domain.canonical import Json
from domain.transcript import RecognisedWindow


@dataclass(frozen=True, slots=True)
class TranscriptionOptions:
    """Everything about decoding that changes the text. No library default is relied upon (ADR 0010).

    `language` is an ISO 639-1 code, or None to detect it per window. `fallback_temperature` and `seed` are those of the one,
    seeded second try that a looping or improbable first answer gets.
    """

    language: str | None = None
    task: str = "transcribe"
    beam_size: int = 5
    temperature: float = 0.0
    fallback_temperature: float = 0.4
    seed: int = 20
    word_timestamps: bool = True
    prompt: str | None = None

    def parameters(self) -> dict[str, Json]:
        return asdict(self)


class Transcriber(Protocol):
    """Recognises the speech in windows."""

    @property
    @abstractmethod
    def identity(self) -> ModelIdentity: ...

    @abstractmethod
    async def transcribe(
        self, window: SpeechWindow, options: TranscriptionOptions, context: CallContext
    ) -> Answer[RecognisedWindow]:
        """Return the segments of one window, in order, inside the window, times from the window's start.

        Silence gives no segments. Raises the ModelError kinds, BudgetExceeded, RateLimited or DeadlineExceeded.
        """
