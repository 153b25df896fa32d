"""The three model ports, each a raw backend behind the guard."""

import unicodedata
from collections.abc import Mapping, Sequence

from adapters.guard.call import CallRecord, GuardedCall
from adapters.guard.guard import CallGuard
from adapters.guard.json_rules import JsonRules
from adapters.guard.transcript_rules import TranscriptRules
from adapters.guard.vector_rules import VectorRules
from domain.audio import SpeechWindow
from domain.call import Answer, CallContext, CallKind, CallSpec, ModelIdentity, Usage
from domain.canonical import Json, sha256_of
from domain.errors import InvalidRequest
from domain.transcript import RecognisedWindow
from ports.embedder import Embedder, InputType, Vectors
from ports.language_model import LanguageModel, RenderedPrompt
from ports.model_backend import EmbedRequest, GenerateRequest, ModelBackend, TranscribeRequest
from ports.transcriber import Transcriber, TranscriptionOptions

TOKENS_PER_MESSAGE = 32
"""Tokens that a chat template may add around one message."""
TOKENS_PER_TEXT = 8
"""Special tokens that an encoder may add around one text."""


class GuardedTranscriber(Transcriber):
    """Transcription by `backend` through the guard."""

    def __init__(self, backend: ModelBackend, guard: CallGuard) -> None:
        self._backend = backend
        self._guard = guard

    @property
    def identity(self) -> ModelIdentity:
        return self._backend.identity

    def call(self, window: SpeechWindow, options: TranscriptionOptions, context: CallContext) -> GuardedCall[RecognisedWindow]:
        """Return the call that `transcribe` makes."""
        parameters = options.parameters()
        spec = CallSpec(CallKind.TRANSCRIBE, window.sha256, self.identity, parameters)
        request = TranscribeRequest(window.pcm, parameters)
        at_most = Usage(audio_seconds=window.seconds)
        return GuardedCall(spec, context, request, self._backend, TranscriptRules(window.seconds), at_most, _record(self._guard))

    async def transcribe(
        self, window: SpeechWindow, options: TranscriptionOptions, context: CallContext
    ) -> Answer[RecognisedWindow]:
        return await self._guard(self.call(window, options, context))


class GuardedLanguageModel(LanguageModel):
    """Generation by `backend` through the guard. `context_tokens` as served, prompt and answer together."""

    def __init__(self, backend: ModelBackend, guard: CallGuard, context_tokens: int) -> None:
        self._backend = backend
        self._guard = guard
        self._context_tokens = context_tokens

    @property
    def identity(self) -> ModelIdentity:
        return self._backend.identity

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
        spec = CallSpec(CallKind.GENERATE, sha256_of(messages), self.identity, parameters, prompt.reference)
        request = GenerateRequest(messages, prompt.schema, sampling)
        rules = JsonRules(prompt.schema, prompt.sampling.max_tokens)
        at_most = self._at_most(messages, prompt)
        return GuardedCall(spec, context, request, self._backend, rules, at_most, _record(self._guard))

    async def generate(self, prompt: RenderedPrompt, context: CallContext) -> Answer[Mapping[str, Json]]:
        return await self._guard(self.call(prompt, context))

    def _at_most(self, messages: tuple[tuple[str, str], ...], prompt: RenderedPrompt) -> Usage:
        """No byte-level tokenizer makes more tokens than there are bytes, and none fits more than the context."""
        written = min(prompt.sampling.max_tokens, self._context_tokens)
        read = sum(len(words.encode()) + TOKENS_PER_MESSAGE for _, words in messages)
        return Usage(input_tokens=min(read, self._context_tokens), output_tokens=written)


class GuardedEmbedder(Embedder):
    """Embedding by `backend` through the guard; one group of at most `max_texts_per_call` texts is one call."""

    def __init__(self, backend: ModelBackend, guard: CallGuard, dimensions: int, max_texts_per_call: int = 64) -> None:
        self._backend = backend
        self._guard = guard
        self._dimensions = dimensions
        self._max_texts = max_texts_per_call

    @property
    def identity(self) -> ModelIdentity:
        return self._backend.identity

    @property
    def dimensions(self) -> int:
        return self._dimensions

    def call(self, texts: Sequence[str], input_type: InputType, context: CallContext) -> GuardedCall[Vectors]:
        """Return the call that `embed` makes. Raises InvalidRequest for no texts, or more than one call takes."""
        if not 1 <= len(texts) <= self._max_texts:
            raise InvalidRequest(f"an embedding call takes 1 to {self._max_texts} texts")
        group = tuple(_nfc(text) for text in texts)
        parameters: dict[str, Json] = {"input_type": input_type.value, "dimensions": self._dimensions}
        spec = CallSpec(CallKind.EMBED, sha256_of(group), self.identity, parameters)
        request = EmbedRequest(group, parameters)
        at_most = Usage(input_tokens=sum(len(text.encode()) + TOKENS_PER_TEXT for text in group))
        rules = VectorRules(len(group), self._dimensions)
        return GuardedCall(spec, context, request, self._backend, rules, at_most, _record(self._guard))

    async def embed(self, texts: Sequence[str], input_type: InputType, context: CallContext) -> Answer[Vectors]:
        """Raises InvalidRequest for no texts, or more than one call takes."""
        return await self._guard(self.call(texts, input_type, context))


def _record(guard: CallGuard) -> CallRecord:
    return CallRecord(started=guard.clock.monotonic())


def _nfc(text: str) -> str:
    """The key is taken over NFC text (domain/canonical.py), so NFC text is what the model reads."""
    return unicodedata.normalize("NFC", text)
