"""Speech to text, one window at a time."""

from abc import abstractmethod
from dataclasses import asdict, dataclass
from typing import Protocol

from domain.audio import SpeechWindow
from domain.call import Answer, CallContext, ModelIdentity
from domain.canonical import Json
from domain.transcript import RecognisedWindow
from domain.transcript_gates import ScoreScale

TRANSCRIBE, TRANSLATE = "transcribe", "translate"
"""What is written down: what was said, or that in English (the one language that Whisper translates into)."""


@dataclass(frozen=True, slots=True)
class TranscriptionOptions:
    """Everything about decoding that changes the text. No library default is relied upon (ADR 0010).

    `language` is an ISO 639-1 code of what is spoken, or None to detect it per window. `second_try`: whether a looping or
    improbable first answer is decoded once more, greedily and without repeating itself. `seed` is for a `temperature` above 0.
    `assume_speech`: somebody speaks here, whatever the model thinks: a text that it would take for silence is handed out.
    """

    language: str | None = None
    task: str = TRANSCRIBE
    beam_size: int = 5
    temperature: float = 0.0
    second_try: bool = True
    seed: int = 20
    assume_speech: bool = False
    word_timestamps: bool = True
    prompt: str | None = None

    def parameters(self) -> dict[str, Json]:
        return asdict(self)


class Transcriber(Protocol):
    """Recognises the speech in windows."""

    @property
    @abstractmethod
    def identity(self) -> ModelIdentity: ...

    @property
    @abstractmethod
    def scores(self) -> ScoreScale:
        """What the scores of its segments mean, as the model's descriptor has it."""

    @abstractmethod
    async def transcribe(
        self, window: SpeechWindow, options: TranscriptionOptions, context: CallContext
    ) -> Answer[RecognisedWindow]:
        """Return the segments of one window, in order, inside the window, times from the window's start.

        Silence gives no segments. Raises the ModelError kinds, BudgetExceeded, RateLimited or DeadlineExceeded.
        """
