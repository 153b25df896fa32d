"""Previews of guarded calls: the very call that would be made, held against the cache."""

from collections.abc import Mapping, Sequence

from adapters.guard.guard import CallGuard
from adapters.guard.models import GuardedEmbedder, GuardedLanguageModel, GuardedTranscriber
from domain.audio import SpeechWindow
from domain.call import CallContext
from domain.canonical import Json
from domain.prompt import RenderedPrompt
from domain.transcript import RecognisedWindow
from ports.call_metering import Amounts
from ports.call_preview import CallPreview, Previewed, ServedPorts
from ports.embedder import InputType, Vectors
from ports.transcriber import TranscriptionOptions


class GuardedPreview(CallPreview):
    """Previews of the three guarded ports. A cached answer that could not be served (too old, damaged) counts as none."""

    def __init__(
        self,
        guard: CallGuard,
        transcriber: GuardedTranscriber,
        language_model: GuardedLanguageModel,
        embedder: GuardedEmbedder,
    ) -> None:
        self._guard = guard
        self._transcriber = transcriber
        self._language_model = language_model
        self._embedder = embedder

    @property
    def served(self) -> ServedPorts:
        return ServedPorts(
            self._transcriber.identity,
            self._language_model.identity,
            self._embedder.identity,
            self._language_model.context_tokens,
            self._embedder.dimensions,
        )

    async def transcription(
        self, window: SpeechWindow, options: TranscriptionOptions, context: CallContext
    ) -> Previewed[RecognisedWindow]:
        call = self._transcriber.call(window, options, context)
        return Previewed(call.spec, await self._guard.known(call))

    async def generation(self, prompt: RenderedPrompt, context: CallContext) -> Previewed[Mapping[str, Json]]:
        call = self._language_model.call(prompt, context)
        return Previewed(call.spec, await self._guard.known(call))

    async def embedding(self, texts: Sequence[str], input_type: InputType, context: CallContext) -> Previewed[Vectors]:
        call = self._embedder.call(texts, input_type, context)
        return Previewed(call.spec, await self._guard.known(call))

    async def budget_left(self, tenant: str) -> Amounts:
        return await self._guard.budget_left(tenant)
