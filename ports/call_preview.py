"""Model calls as they would be, looked at without being made."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from domain.audio import SpeechWindow
from domain.call import Answer, CallContext, CallSpec, ModelIdentity
from domain.canonical import Json
from domain.prompt import RenderedPrompt
from domain.transcript import RecognisedWindow
from ports.call_metering import Amounts
from ports.embedder import InputType, Vectors
from ports.transcriber import TranscriptionOptions

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Previewed(Generic[Value]):
    """What a call would be, and its answer when the cache holds one for the caller's scope."""

    spec: CallSpec
    answer: Answer[Value] | None


@dataclass(frozen=True, slots=True)
class ServedPorts:
    """What a plan asks of the model ports besides calls: who answers, and within which bounds."""

    transcriber: ModelIdentity
    language_model: ModelIdentity
    embedder: ModelIdentity
    context_tokens: int
    dimensions: int


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
    async def embedding(self, texts: Sequence[str], input_type: InputType, context: CallContext) -> Previewed[Vectors]:
        """Preview `Embedder.embed`."""

    @abstractmethod
    async def budget_left(self, tenant: str) -> Amounts:
        """Return what the tenant may still use in this period; infinite where it has no limit."""
