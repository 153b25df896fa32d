"""Previews of guarded calls: the very call that would be made, held against the cache."""

from collections.abc import Mapping, Sequence

from adapters.guard.guard import CallGuard
from adapters.guard.models import (
    GuardedDiarizer,
    GuardedEmbedder,
    GuardedEntailmentJudge,
    GuardedItemFinder,
    GuardedLanguageModel,
    GuardedTranscriber,
)
from adapters.guard.probability_rules import Probabilities
from adapters.guard.reading_rules import Readings, in_words_given
from adapters.guard.stretch_rules import Stretches
from domain.audio import SpeechWindow
from domain.call import Answer, CallContext
from domain.canonical import Json
from domain.entailment import Claim
from domain.errors import ModelUnavailable
from domain.finding import Line
from domain.prompt import RenderedPrompt
from domain.transcript import RecognisedWindow
from ports.call_metering import Amounts
from ports.call_preview import CallPreview, Previewed, ServedPorts
from ports.embedder import InputType, LongTexts, Vectors
from ports.transcriber import TranscriptionOptions


class GuardedPreview(CallPreview):
    """Previews of the guarded ports. A cached answer that could not be served (too old, damaged) counts as none."""

    def __init__(
        self,
        guard: CallGuard,
        transcriber: GuardedTranscriber,
        language_model: GuardedLanguageModel,
        embedder: GuardedEmbedder,
        item_finder: GuardedItemFinder,
        entailment: GuardedEntailmentJudge,
        diarizer: GuardedDiarizer | None = None,
    ) -> None:
        self._guard = guard
        self._transcriber = transcriber
        self._language_model = language_model
        self._embedder = embedder
        self._item_finder = item_finder
        self._entailment = entailment
        self._diarizer = diarizer

    @property
    def served(self) -> ServedPorts:
        return ServedPorts(
            self._transcriber.identity,
            self._language_model.identity,
            self._embedder.identity,
            self._item_finder.identity,
            self._language_model.context_tokens,
            self._embedder.dimensions,
            self._item_finder.stretch_tokens,
            self._diarizer.identity if self._diarizer else None,
            self._embedder.cosines,
            self._diarizer.voices if self._diarizer else None,
            self._transcriber.scores,
        )

    async def transcription(
        self, window: SpeechWindow, options: TranscriptionOptions, context: CallContext
    ) -> Previewed[RecognisedWindow]:
        call = self._transcriber.call(window, options, context)
        return Previewed(call.spec, await self._guard.known(call))

    async def generation(self, prompt: RenderedPrompt, context: CallContext) -> Previewed[Mapping[str, Json]]:
        call = self._language_model.call(prompt, context)
        return Previewed(call.spec, await self._guard.known(call))

    async def embedding(
        self, texts: Sequence[str], input_type: InputType, context: CallContext, long_texts: LongTexts = LongTexts.REFUSE
    ) -> Previewed[Vectors]:
        call = self._embedder.call(texts, input_type, context, long_texts)
        return Previewed(call.spec, await self._guard.known(call))

    async def finding(self, lines: Sequence[Line], context: CallContext) -> Previewed[Readings]:
        call = self._item_finder.call(lines, context)
        answer = await self._guard.known(call)
        if answer is not None:
            answer = Answer(in_words_given(answer.value, lines), answer.provenance)
        return Previewed(call.spec, answer)

    async def judging(self, claims: Sequence[Claim], context: CallContext) -> Previewed[Probabilities]:
        call = self._entailment.call(claims, context)
        return Previewed(call.spec, await self._guard.known(call))

    async def listening(self, pcm: bytes, context: CallContext) -> Previewed[Stretches]:
        if self._diarizer is None:
            raise ModelUnavailable("no diarizer is served here", None)
        call = self._diarizer.call(pcm, context)
        return Previewed(call.spec, await self._guard.known(call))

    async def budget_left(self, tenant: str) -> Amounts:
        return await self._guard.budget_left(tenant)
