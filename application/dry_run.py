"""The model ports of a plan that is only looked at: known answers from the cache, stand-ins for the rest.

The real plans run over these ports to their end, so that the estimate follows from the plan itself and not from a second
description of it. A stand-in has the usual size of an answer and says nothing that was said.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import Any, Final

from application.bounded_calls import estimated_tokens
from application.recap.vectors import lexical_vectors
from domain.audio import BYTES_PER_SAMPLE, SAMPLE_RATE, SpeechWindow
from domain.call import Answer, CallContext, CallKind, CallSpec, ModelIdentity, Provenance, Usage
from domain.canonical import Json
from domain.entailment import Claim
from domain.finding import NOTHING_FOUND, Line, LineReading
from domain.search import CosineScale
from domain.speakers import Stretch
from domain.transcript import RecognisedWindow
from domain.transcript_gates import ScoreScale
from domain.voice_clusters import ClusterRules
from ports.call_preview import CallPreview, Previewed
from ports.diarizer import Diarizer
from ports.embedder import Embedder, InputType, LongTexts, Vectors
from ports.entailment_judge import EntailmentJudge
from ports.item_finder import ItemFinder
from ports.language_model import LanguageModel, RenderedPrompt
from ports.transcriber import Transcriber, TranscriptionOptions

UNDETERMINED: Final = "und"
"""Language of a window that was not heard yet (ISO 639-2: undetermined)."""
CHARACTERS_PER_TOKEN: Final = 4.1
"""What Qwen2.5's tokenizer makes of the prompts of 12 meetings, two of them German: 64,858 characters in 15,765 tokens."""
OUTPUT_SHARE: Final = 0.5
"""Share of the allowed tokens that an answer takes: the prompts allow two sentences of 200 characters, and models that are
asked for minutes write about half of that."""
CHAPTER_SENTENCES: Final = ("What was said in part {part} is told here in one sentence.", "Part {part} ends with a second one.")
WORDS_PER_ITEM: Final = 200
"""Words for each decision, task or open question: 100 in the written meetings that the reader learnt from, 480 in real ones."""
SURE_ITEM: Final = LineReading(0.0, 1.0, 0.0, 0.0)


def usual_tokens(text: str) -> int:
    """Return how many tokens a language model most likely reads for `text`; for prices, `estimated_tokens` is for bounds."""
    return 1 + round(max(len(text), len(text.encode()) * 0.9) / CHARACTERS_PER_TOKEN)


def fixed_tokens(messages: Iterable[tuple[str, str]]) -> int:
    """Return about how many tokens a model reads for the words of these messages."""
    return sum(usual_tokens(words) for _, words in messages)


@dataclass(frozen=True, slots=True)
class EstimatedCall:
    """A call that a plan makes. `usage` is what it is going to use, nothing when the cache has its answer."""

    spec: CallSpec
    cached: bool
    usage: Usage


@dataclass(slots=True)
class EstimatedCalls:
    """The calls of a plan, each once however often it is asked for: the second asker is served by the first."""

    calls: dict[str, EstimatedCall] = field(default_factory=dict)
    _read: set[str] = field(default_factory=set)

    def recall(self, made: Iterable[Provenance]) -> None:
        """Count calls whose answers are there without being looked up one by one: those of a stored transcript."""
        for call in made:
            spec = CallSpec(call.kind, call.input_sha256, call.model, call.parameters, call.prompt)
            self.calls[spec.key] = EstimatedCall(spec, True, Usage())

    def is_read(self, prompt: RenderedPrompt) -> bool:
        """Whether a call of the same prompt comes before, so that the engine keeps its first messages; from now on one does."""
        before = prompt.reference.digest in self._read
        self._read.add(prompt.reference.digest)
        return before

    def note(self, previewed: Previewed[Any], usage: Usage) -> None:
        cached = previewed.answer is not None
        spec = previewed.spec
        self.calls[spec.key] = EstimatedCall(spec, cached, Usage() if cached else usage)

    def of(self, kind: CallKind) -> list[EstimatedCall]:
        return [call for call in self.calls.values() if call.spec.kind is kind]

    def all_cached(self, *kinds: CallKind) -> bool:
        """Whether no call of these kinds was answered by a stand-in."""
        return all(call.cached for call in self.calls.values() if call.spec.kind in kinds)


class DryTranscriber(Transcriber):
    """Hears a window that is known as it was heard, and nothing in any other.

    `undetermined` are the hashes of windows whose own language is not known yet: whether such a window will be heard a second
    time, in the language of the recording, can not be known, so a second hearing of it is not counted. Nor is
    one of speech that the first hearing left without text.
    """

    def __init__(self, preview: CallPreview, estimated: EstimatedCalls) -> None:
        self._preview = preview
        self._estimated = estimated
        self.undetermined: set[str] = set()

    @property
    def identity(self) -> ModelIdentity:
        return self._preview.served.transcriber

    @property
    def scores(self) -> ScoreScale:
        return self._preview.served.scores

    async def transcribe(
        self, window: SpeechWindow, options: TranscriptionOptions, context: CallContext
    ) -> Answer[RecognisedWindow]:
        previewed = await self._preview.transcription(window, options, context)
        sound = previewed.spec.input_sha256
        if (
            not options.assume_speech
            and options.language != UNDETERMINED
            and (options.language is None or sound not in self.undetermined)
        ):
            self._estimated.note(previewed, Usage(audio_seconds=window.seconds))
        if previewed.answer is not None:
            return previewed.answer
        if options.language is None:
            self.undetermined.add(sound)
        return Answer(RecognisedWindow(options.language or UNDETERMINED, 0.0, ()), Provenance.of(previewed.spec))


class DryLanguageModel(LanguageModel):
    """Writes what it wrote before, or sentences about nothing that are as long as its sentences are."""

    def __init__(self, preview: CallPreview, estimated: EstimatedCalls) -> None:
        self._preview = preview
        self._estimated = estimated

    @property
    def identity(self) -> ModelIdentity:
        return self._preview.served.language_model

    @property
    def context_tokens(self) -> int:
        return self._preview.served.context_tokens

    async def generate(self, prompt: RenderedPrompt, context: CallContext) -> Answer[Mapping[str, Json]]:
        previewed = await self._preview.generation(prompt, context)
        if previewed.answer is not None:
            self._estimated.note(previewed, Usage())
            return previewed.answer
        self._estimated.note(previewed, self._usage(prompt))
        part = previewed.spec.key[:8]
        texts = [sentence.format(part=part) for sentence in CHAPTER_SENTENCES]
        sentences: list[Json] = [{"text": text, "lines": [1], "notes": [1]} for text in texts]
        return Answer({"title": f"Part {part}", "sentences": sentences}, Provenance.of(previewed.spec))

    def _usage(self, prompt: RenderedPrompt) -> Usage:
        """All of the first call of a prompt is read; of every other one its last message, where alone the holes are."""
        read = fixed_tokens(prompt.messages)
        kept = fixed_tokens(prompt.messages[:-1]) if self._estimated.is_read(prompt) else 0
        written = round(prompt.sampling.max_tokens * OUTPUT_SHARE)
        return Usage(input_tokens=read, output_tokens=written, cached_input_tokens=kept)


class DryEmbedder(Embedder):
    """Places texts where they were placed before, or by their words alone."""

    def __init__(self, preview: CallPreview, estimated: EstimatedCalls) -> None:
        self._preview = preview
        self._estimated = estimated

    @property
    def identity(self) -> ModelIdentity:
        return self._preview.served.embedder

    @property
    def dimensions(self) -> int:
        return self._preview.served.dimensions

    @property
    def cosines(self) -> CosineScale:
        return self._preview.served.cosines

    async def embed(
        self, texts: Sequence[str], input_type: InputType, context: CallContext, long_texts: LongTexts = LongTexts.REFUSE
    ) -> Answer[Vectors]:
        previewed = await self._preview.embedding(texts, input_type, context, long_texts)
        self._estimated.note(previewed, Usage(input_tokens=sum(map(estimated_tokens, texts))))
        if previewed.answer is not None:
            return previewed.answer
        return Answer(tuple(self._resized(vector) for vector in lexical_vectors(texts)), Provenance.of(previewed.spec))

    def _resized(self, vector: Sequence[float]) -> tuple[float, ...]:
        """Give a stand-in the model's number of components, so that it can be compared with known vectors at all."""
        return tuple(vector[: self.dimensions]) + (0.0,) * (self.dimensions - len(vector))


class DryItemFinder(ItemFinder):
    """Reads lines as they were read before, or finds as many items in them as there usually are."""

    def __init__(self, preview: CallPreview, estimated: EstimatedCalls) -> None:
        self._preview = preview
        self._estimated = estimated

    @property
    def identity(self) -> ModelIdentity:
        return self._preview.served.item_finder

    @property
    def stretch_tokens(self) -> int:
        return self._preview.served.stretch_tokens

    async def find(self, lines: Sequence[Line], context: CallContext) -> Answer[tuple[LineReading, ...]]:
        previewed = await self._preview.finding(lines, context)
        read = sum(estimated_tokens(f"{line.speaker or ''}: {line.text}") for line in lines)
        self._estimated.note(previewed, Usage(input_tokens=read))
        if previewed.answer is not None:
            return previewed.answer
        said = list(accumulate(len(line.text.split()) for line in lines))
        items = [word // WORDS_PER_ITEM for word in [0, *said]]
        readings = (SURE_ITEM if after > before else NOTHING_FOUND for before, after in pairwise(items))
        return Answer(tuple(readings), Provenance.of(previewed.spec))


class DryEntailmentJudge(EntailmentJudge):
    """Judges what it judged before, and else that everything holds."""

    def __init__(self, preview: CallPreview, estimated: EstimatedCalls) -> None:
        self._preview = preview
        self._estimated = estimated

    @property
    def identity(self) -> ModelIdentity:
        return self._preview.served.item_finder

    async def judge(self, claims: Sequence[Claim], context: CallContext) -> Answer[tuple[float, ...]]:
        previewed = await self._preview.judging(claims, context)
        words = [text for claim in claims for text in (claim.text, *(line.text for line in claim.premise))]
        self._estimated.note(previewed, Usage(input_tokens=sum(map(estimated_tokens, words))))
        return previewed.answer or Answer((1.0,) * len(claims), Provenance.of(previewed.spec))


class DryDiarizer(Diarizer):
    """Hears who was heard before, and nobody in any other window. `served` is who would listen, `voices` its descriptor's."""

    def __init__(self, preview: CallPreview, estimated: EstimatedCalls, served: ModelIdentity, voices: ClusterRules) -> None:
        self._preview = preview
        self._estimated = estimated
        self._served = served
        self._voices = voices

    @property
    def identity(self) -> ModelIdentity:
        return self._served

    @property
    def voices(self) -> ClusterRules:
        return self._voices

    async def listen(self, pcm: bytes, context: CallContext) -> Answer[tuple[Stretch, ...]]:
        previewed = await self._preview.listening(pcm, context)
        self._estimated.note(previewed, Usage(audio_seconds=len(pcm) / (SAMPLE_RATE * BYTES_PER_SAMPLE)))
        return previewed.answer or Answer((), Provenance.of(previewed.spec))
