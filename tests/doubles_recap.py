"""Doubles for recaps: an embedder that counts words, and language models that answer by rule."""

import asyncio
import hashlib
import math
from collections.abc import Callable, Mapping, Sequence

from domain.call import Answer, CallContext, CallKind, CallSpec, ModelIdentity, Provenance
from domain.canonical import Json, sha256_of
from domain.prompt import RenderedPrompt
from domain.transcript import Segment
from ports.embedder import Embedder, InputType, Vectors
from ports.language_model import LanguageModel

NOTES = ("<notes>\n", "\n</notes>")
Script = Callable[[RenderedPrompt], Mapping[str, Json] | Exception]


def notes_in(prompt: RenderedPrompt) -> list[str]:
    """The notes of the last message, without their dashes."""
    words = prompt.messages[-1][1]
    return [line.removeprefix("- ") for line in words.split(NOTES[0])[1].split(NOTES[1])[0].split("\n")]


def repeat_the_notes(prompt: RenderedPrompt) -> Mapping[str, Json]:
    """What a careful model would do at its worst: say the first notes again, without the names in front."""
    said = [note.split(": ", 1)[-1] for note in notes_in(prompt)]
    if prompt.reference.name == "title_recap":
        return {"title": " ".join(said[0].split()[:5])}
    return {"title": " ".join(said[0].split()[:4]), "sentences": said[:2]}


class RuledLanguageModel(LanguageModel):
    """Answers every prompt by one rule and keeps what it was asked in `asked`; counts what runs at once."""

    def __init__(self, script: Script = repeat_the_notes, context_tokens: int = 4096) -> None:
        self._script, self._context_tokens = script, context_tokens
        self.asked: list[RenderedPrompt] = []
        self.running = self.most_running = 0

    @property
    def identity(self) -> ModelIdentity:
        return ModelIdentity("ruled", "1", "double", "none")

    @property
    def context_tokens(self) -> int:
        return self._context_tokens

    async def generate(self, prompt: RenderedPrompt, context: CallContext) -> Answer[Mapping[str, Json]]:
        self.asked.append(prompt)
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            await asyncio.sleep(0)
            answer = self._script(prompt)
        finally:
            self.running -= 1
        if isinstance(answer, Exception):
            raise answer
        spec = CallSpec(CallKind.GENERATE, sha256_of([list(m) for m in prompt.messages]), self.identity, {}, prompt.reference)
        return Answer(answer, Provenance.of(spec))


class HashingEmbedder(Embedder):
    """A bag of words in 96 buckets: texts that share words are near, on every machine alike."""

    dimensions = 96

    def __init__(self, failure: Exception | None = None) -> None:
        self._failure = failure
        self.asked: list[tuple[str, ...]] = []

    @property
    def identity(self) -> ModelIdentity:
        return ModelIdentity("hashing", "1", "double", "float")

    async def embed(self, texts: Sequence[str], input_type: InputType, context: CallContext) -> Answer[Vectors]:
        self.asked.append(tuple(texts))
        if self._failure:
            raise self._failure
        spec = CallSpec(CallKind.EMBED, sha256_of(list(texts)), self.identity, {"input_type": input_type.value})
        return Answer(tuple(_bag(text, self.dimensions) for text in texts), Provenance.of(spec))


def _bag(text: str, size: int) -> tuple[float, ...]:
    values = [0.01] * size
    for word in text.lower().split():
        values[hashlib.blake2s(word.strip(".,?!").encode()).digest()[0] % size] += 1.0
    length = math.sqrt(sum(value * value for value in values))
    return tuple(value / length for value in values)


def conversation(*turns: tuple[str | None, str], seconds: float = 4.0) -> tuple[Segment, ...]:
    """Segments of (speaker, text) pairs, `seconds` each, without pauses."""
    return tuple(Segment(i, i * seconds, (i + 1) * seconds, text, speaker=who) for i, (who, text) in enumerate(turns))
