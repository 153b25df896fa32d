"""The model ports, each a raw backend behind the guard."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from adapters.guard.call import CallRecord, GuardedCall, OutputRules
from adapters.guard.guard import CallGuard
from adapters.guard.json_rules import JsonRules
from adapters.guard.probability_rules import Probabilities, ProbabilityRules
from adapters.guard.reading_rules import ReadingRules, Readings, in_words_given
from adapters.guard.stretch_rules import Stretches, StretchRules
from adapters.guard.transcript_rules import TranscriptRules
from adapters.guard.vector_rules import VectorRules
from domain.audio import BYTES_PER_SAMPLE, SAMPLE_RATE, SpeechWindow
from domain.call import Answer, CallContext, CallKind, CallSpec, ModelIdentity, PromptReference, Usage
from domain.canonical import Json, sha256_of
from domain.entailment import Claim
from domain.errors import InvalidRequest
from domain.finding import Line
from domain.search import UNMEASURED, CosineScale
from domain.transcript import RecognisedWindow
from domain.transcript_gates import UNMEASURED_SCORES, ScoreScale
from domain.voice_clusters import ClusterRules
from ports.diarizer import LONGEST_WINDOW_S, Diarizer
from ports.embedder import Embedder, InputType, LongTexts, Vectors
from ports.entailment_judge import EntailmentJudge
from ports.item_finder import ItemFinder
from ports.language_model import LanguageModel, RenderedPrompt
from ports.model_backend import (
    DiarizeRequest,
    EmbedRequest,
    EntailRequest,
    FindRequest,
    GenerateRequest,
    ModelBackend,
    ModelRequest,
    TranscribeRequest,
)
from ports.transcriber import Transcriber, TranscriptionOptions

Value = TypeVar("Value")

TOKENS_PER_MESSAGE = 32
"""Tokens that a chat template may add around one message."""
TOKENS_PER_TEXT = 8
"""Special tokens that an encoder may add around one text."""
TOKENS_PER_LINE = 4
"""Tokens that an item finder may add to a speaker and a text to make them a line."""
MOST_LINES = 2048
"""Lines of one call: what an item finder reads at most (8,192 tokens), in lines of four tokens."""

MOST_CLAIMS = 64
"""Claims of one call: a chapter of a recap has two or three."""


class _Guarded:
    """What all ports have in common: whose model it is, and how a call of it is put together."""

    def __init__(self, backend: ModelBackend, guard: CallGuard) -> None:
        self._backend = backend
        self._guard = guard

    @property
    def identity(self) -> ModelIdentity:
        return self._backend.identity

    def _call(
        self,
        kind: CallKind,
        content: Json | bytes,
        request: ModelRequest,
        rules: OutputRules[Value],
        at_most: Usage,
        context: CallContext,
        parameters: Mapping[str, Json] | None = None,
        prompt: PromptReference | None = None,
    ) -> GuardedCall[Value]:
        """Return the call of `request`. Its key is over `content`, model, prompt, and `parameters` or those of the request."""
        named = request.parameters if parameters is None else parameters
        spec = CallSpec(kind, sha256_of(content), self.identity, named, prompt)
        record = CallRecord(started=self._guard.clock.monotonic())
        return GuardedCall(spec, context, request, self._backend, rules, at_most, record)


class GuardedTranscriber(_Guarded, Transcriber):
    """Transcription by `backend` through the guard."""

    def __init__(self, backend: ModelBackend, guard: CallGuard, scores: ScoreScale = UNMEASURED_SCORES) -> None:
        super().__init__(backend, guard)
        self._scores = scores

    @property
    def scores(self) -> ScoreScale:
        return self._scores

    def call(self, window: SpeechWindow, options: TranscriptionOptions, context: CallContext) -> GuardedCall[RecognisedWindow]:
        """Return the call that `transcribe` makes."""
        request = TranscribeRequest(window.pcm, options.parameters(), window.left)
        rules, at_most = TranscriptRules(window.seconds), Usage(audio_seconds=window.seconds)
        return self._call(CallKind.TRANSCRIBE, window.pcm, request, rules, at_most, context)

    async def transcribe(
        self, window: SpeechWindow, options: TranscriptionOptions, context: CallContext
    ) -> Answer[RecognisedWindow]:
        return await self._guard(self.call(window, options, context))


class GuardedLanguageModel(_Guarded, LanguageModel):
    """Generation by `backend` through the guard. `context_tokens` as served, prompt and answer together."""

    def __init__(self, backend: ModelBackend, guard: CallGuard, context_tokens: int) -> None:
        super().__init__(backend, guard)
        self._context_tokens = context_tokens

    @property
    def context_tokens(self) -> int:
        return self._context_tokens

    def call(self, prompt: RenderedPrompt, context: CallContext) -> GuardedCall[Mapping[str, Json]]:
        """Return the call that `generate` makes."""
        messages = tuple((role, _nfc(words)) for role, words in prompt.messages)
        sampling = prompt.sampling.parameters()
        parameters: dict[str, Json] = {
            **sampling,
            "schema_sha256": sha256_of(prompt.schema) if prompt.schema is not None else None,
        }
        if prompt.verbatim:
            parameters["verbatim"] = True
        request = GenerateRequest(messages, prompt.schema, sampling)
        rules = JsonRules(prompt.schema, prompt.sampling.max_tokens, prompt.sampling.stop, prompt.verbatim)
        at_most = self._at_most(messages, prompt)
        return self._call(CallKind.GENERATE, messages, request, rules, at_most, context, parameters, prompt.reference)

    async def generate(self, prompt: RenderedPrompt, context: CallContext) -> Answer[Mapping[str, Json]]:
        return await self._guard(self.call(prompt, context))

    def _at_most(self, messages: tuple[tuple[str, str], ...], prompt: RenderedPrompt) -> Usage:
        """No byte-level tokenizer makes more tokens than there are bytes, and none fits more than the context."""
        written = min(prompt.sampling.max_tokens, self._context_tokens)
        read = sum(len(words.encode()) + TOKENS_PER_MESSAGE for _, words in messages)
        return Usage(input_tokens=min(read, self._context_tokens), output_tokens=written)


class GuardedEmbedder(_Guarded, Embedder):
    """Embedding by `backend` through the guard; one group of at most `max_texts_per_call` texts is one call."""

    def __init__(
        self,
        backend: ModelBackend,
        guard: CallGuard,
        dimensions: int,
        max_texts_per_call: int = 64,
        cosines: CosineScale = UNMEASURED,
    ) -> None:
        super().__init__(backend, guard)
        self._dimensions = dimensions
        self._max_texts = max_texts_per_call
        self._cosines = cosines

    @property
    def dimensions(self) -> int:
        return self._dimensions

    @property
    def cosines(self) -> CosineScale:
        return self._cosines

    def call(
        self, texts: Sequence[str], input_type: InputType, context: CallContext, long_texts: LongTexts = LongTexts.REFUSE
    ) -> GuardedCall[Vectors]:
        """Return the call that `embed` makes. Raises InvalidRequest for no texts, or more than one call takes."""
        if not 1 <= len(texts) <= self._max_texts:
            raise InvalidRequest(f"an embedding call takes 1 to {self._max_texts} texts")
        group = tuple(_nfc(text) for text in texts)
        parameters: dict[str, Json] = {"input_type": input_type.value, "dimensions": self._dimensions}
        if long_texts is LongTexts.POOL:
            parameters["long_texts"] = long_texts.value
        at_most = Usage(input_tokens=sum(len(text.encode()) + TOKENS_PER_TEXT for text in group))
        rules = VectorRules(len(group), self._dimensions)
        return self._call(CallKind.EMBED, group, EmbedRequest(group, parameters), rules, at_most, context)

    async def embed(
        self, texts: Sequence[str], input_type: InputType, context: CallContext, long_texts: LongTexts = LongTexts.REFUSE
    ) -> Answer[Vectors]:
        """Raises InvalidRequest for no texts, or more than one call takes."""
        return await self._guard(self.call(texts, input_type, context, long_texts))


class GuardedItemFinder(_Guarded, ItemFinder):
    """Finding by `backend` through the guard; a stretch of at most `MOST_LINES` lines is one call."""

    def __init__(self, backend: ModelBackend, guard: CallGuard, stretch_tokens: int) -> None:
        super().__init__(backend, guard)
        self._stretch_tokens = stretch_tokens

    @property
    def stretch_tokens(self) -> int:
        return self._stretch_tokens

    def call(self, lines: Sequence[Line], context: CallContext) -> GuardedCall[Readings]:
        """Return the call that `find` makes. Raises InvalidRequest for no lines, or more than one call takes.

        Its answer has spans in characters of the lines' NFC text.
        """
        if not 1 <= len(lines) <= MOST_LINES:
            raise InvalidRequest(f"a finding call takes 1 to {MOST_LINES} lines")
        stretch = tuple((_nfc(line.speaker or ""), _nfc(line.text)) for line in lines)
        rules = ReadingRules(tuple(len(text) for _, text in stretch))
        return self._call(CallKind.FIND, stretch, FindRequest(stretch, {}), rules, _read(stretch), context)

    async def find(self, lines: Sequence[Line], context: CallContext) -> Answer[Readings]:
        """Raises InvalidRequest for no lines, or more than one call takes."""
        answer = await self._guard(self.call(lines, context))
        return replace(answer, value=in_words_given(answer.value, lines))


class GuardedEntailmentJudge(_Guarded, EntailmentJudge):
    """Judging by `backend` through the guard; at most `MOST_CLAIMS` claims are one call."""

    def call(self, claims: Sequence[Claim], context: CallContext) -> GuardedCall[Probabilities]:
        """Return the call that `judge` makes. Raises InvalidRequest for no claims, or more than one call takes."""
        if not 1 <= len(claims) <= MOST_CLAIMS:
            raise InvalidRequest(f"a judging call takes 1 to {MOST_CLAIMS} claims")
        asked = tuple(
            (tuple((_nfc(line.speaker or ""), _nfc(line.text)) for line in claim.premise), _nfc(claim.text)) for claim in claims
        )
        at_most = _read([line for premise, text in asked for line in (*premise, ("", text))])
        return self._call(CallKind.ENTAIL, asked, EntailRequest(asked, {}), ProbabilityRules(len(asked)), at_most, context)

    async def judge(self, claims: Sequence[Claim], context: CallContext) -> Answer[Probabilities]:
        return await self._guard(self.call(claims, context))


class GuardedDiarizer(_Guarded, Diarizer):
    """Telling speakers apart by `backend` through the guard; one window is one call, wherever in a recording it stands."""

    def __init__(self, backend: ModelBackend, guard: CallGuard, voices: ClusterRules) -> None:
        super().__init__(backend, guard)
        self._voices = voices

    @property
    def voices(self) -> ClusterRules:
        return self._voices

    def call(self, pcm: bytes, context: CallContext) -> GuardedCall[Stretches]:
        """Return the call that `listen` makes. Raises InvalidRequest for no sound, or more than one call takes."""
        seconds = len(pcm) / (SAMPLE_RATE * BYTES_PER_SAMPLE)
        if not 0 < seconds <= LONGEST_WINDOW_S:
            raise InvalidRequest(f"a diarizing call takes sound of at most {LONGEST_WINDOW_S:g} s")
        rules, at_most = StretchRules(seconds), Usage(audio_seconds=seconds)
        return self._call(CallKind.DIARIZE, pcm, DiarizeRequest(pcm, {}), rules, at_most, context)

    async def listen(self, pcm: bytes, context: CallContext) -> Answer[Stretches]:
        return await self._guard(self.call(pcm, context))


def _read(lines: Sequence[tuple[str, str]]) -> Usage:
    """Return the most tokens that lines (speaker, text) can be."""
    return Usage(input_tokens=sum(len((who + text).encode()) + TOKENS_PER_LINE for who, text in lines))


def _nfc(text: str) -> str:
    """The key is taken over NFC text (domain/canonical.py), so NFC text is what the model reads."""
    return unicodedata.normalize("NFC", text)
