"""Model calls as they would be, looked at without being made."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from domain.audio import SpeechWindow
from domain.call import Answer, CallContext, CallSpec, ModelIdentity
from domain.canonical import Json
from domain.entailment import Claim
from domain.finding import Line, LineReading
from domain.prompt import RenderedPrompt
from domain.search import UNMEASURED, CosineScale
from domain.speakers import Stretch
from domain.transcript import RecognisedWindow
from domain.transcript_gates import UNMEASURED_SCORES, ScoreScale
from domain.voice_clusters import ClusterRules
from ports.call_metering import Amounts
from ports.embedder import InputType, LongTexts, Vectors
from ports.transcriber import TranscriptionOptions

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Previewed(Generic[Value]):
    """What a call would be, and its answer when the cache holds one for the caller's scope."""

    spec: CallSpec
    answer: Answer[Value] | None


@dataclass(frozen=True, slots=True)
class ServedPorts:
    """What a plan asks of the model ports besides calls: who answers, within which bounds, and what their vectors mean."""

    transcriber: ModelIdentity
    language_model: ModelIdentity
    embedder: ModelIdentity
    item_finder: ModelIdentity
    context_tokens: int
    dimensions: int
    stretch_tokens: int
    diarizer: ModelIdentity | None = None
    cosines: CosineScale = UNMEASURED
    voices: ClusterRules | None = None
    scores: ScoreScale = UNMEASURED_SCORES


class CallPreview(Protocol):
    """Says of each model call whether its answer is known. No model runs, nothing is written or paid.

    Every method raises what the port itself raises for a request without meaning, and StorageFailed.
    """

    @property
    @abstractmethod
    def served(self) -> ServedPorts: ...

    @abstractmethod
    async def transcription(
        self, window: SpeechWindow, options: TranscriptionOptions, context: CallContext
    ) -> Previewed[RecognisedWindow]:
        """Preview `Transcriber.transcribe`."""

    @abstractmethod
    async def generation(self, prompt: RenderedPrompt, context: CallContext) -> Previewed[Mapping[str, Json]]:
        """Preview `LanguageModel.generate`."""

    @abstractmethod
    async def embedding(
        self, texts: Sequence[str], input_type: InputType, context: CallContext, long_texts: LongTexts = LongTexts.REFUSE
    ) -> Previewed[Vectors]:
        """Preview `Embedder.embed`."""

    @abstractmethod
    async def finding(self, lines: Sequence[Line], context: CallContext) -> Previewed[tuple[LineReading, ...]]:
        """Preview `ItemFinder.find`."""

    @abstractmethod
    async def judging(self, claims: Sequence[Claim], context: CallContext) -> Previewed[tuple[float, ...]]:
        """Preview `EntailmentJudge.judge`."""

    @abstractmethod
    async def listening(self, pcm: bytes, context: CallContext) -> Previewed[tuple[Stretch, ...]]:
        """Preview `Diarizer.listen`. Raises ModelUnavailable where none is served."""

    @abstractmethod
    async def budget_left(self, tenant: str) -> Amounts:
        """Return what the tenant may still use in this period; infinite where it has no limit."""
