"""Doubles for recaps: an embedder that counts words, and language models that answer by rule."""

import asyncio
import hashlib
import math
import re
from collections.abc import Callable, Mapping, Sequence

from application.recap.lines import SpokenLine, lines_of
from application.recap.settings import RecapSettings
from application.recap.vectors import LEXICAL_COSINES
from domain.call import Answer, CallContext, CallKind, CallSpec, ModelIdentity, Provenance
from domain.canonical import Json, sha256_of
from domain.finding import LineReading
from domain.prompt import RenderedPrompt
from domain.recap import ActionItem, Recap, Statement
from domain.search import CosineScale
from domain.transcript import Segment
from ports.embedder import Embedder, InputType, Vectors
from ports.language_model import LanguageModel

Reply = Mapping[str, Json] | Exception
Script = Callable[[RenderedPrompt], Reply]
DECISION, TASK, QUESTION, ORDER = (
    LineReading(0.9, 0.0, 0.0, 0.0),
    LineReading(0.0, 0.9, 0.0, 0.0, speaker_owns=0.9),
    LineReading(0.0, 0.0, 0.9, 0.0),
    LineReading(0.9, 0.9, 0.9, 0.0, order=0.9, speaker_owns=0.9),
)
"""How a finder reads lines of each kind. An order to a machine may look like everything else as well."""
TWO_CHAPTERS = RecapSettings(
    chapters_per_root_minute=1.2,
    minimum_chapter_words=40,
    minimum_confidence=0.5,
    evidence_share=0.6,
    evidence_gap=1,
    minimum_support=0.6,
    write_items=True,
)
"""Bounds of the tests' own, which no tuning moves."""


def shown(prompt: RenderedPrompt) -> list[tuple[int, str]]:
    """The numbered lines or notes of the last message, each with who said it."""
    return [(int(number), text) for number, text in re.findall(r"^\*?(\d+) (.+)$", prompt.messages[-1][1], re.MULTILINE)]


def shown_items(prompt: RenderedPrompt) -> list[tuple[int, str, list[str]]]:
    """The items of the last message: number, kind, and the starred lines."""
    found: list[tuple[int, str, list[str]]] = []
    for line in prompt.messages[-1][1].split("\n"):
        if heading := re.fullmatch(r"(\d+) \((\w+)\)", line):
            found.append((int(heading[1]), heading[2], []))
        elif line.startswith("* "):
            found[-1][2].append(line[2:])
    return found


def said(line: str) -> str:
    """The words of a shown line, as a sentence without the speaker."""
    words = line.split(": ", 1)[-1]
    return words if words.endswith((".", "!", "?")) else f"{words}."


def repeat_the_lines(prompt: RenderedPrompt) -> Mapping[str, Json]:
    """What a careful model would do at its worst: say the first two lines or notes again, and the first line of each item."""
    if prompt.reference.name == "write_items":
        return {"items": [{"number": number, "text": said(lines[0])} for number, _, lines in shown_items(prompt)]}
    numbers = "notes" if prompt.reference.name == "write_summary" else "lines"
    lines = shown(prompt)[:2]
    title = " ".join(said(lines[0][1]).split()[:4])
    return {"title": title, "sentences": [{"text": said(text), numbers: [number]} for number, text in lines]}


def answering(**replies: Reply | Script) -> Script:
    """Return the script that answers a prompt of a name as told, and all others as `repeat_the_lines` does."""

    def script(prompt: RenderedPrompt) -> Reply:
        reply = replies.get(prompt.reference.name, repeat_the_lines)
        return reply(prompt) if callable(reply) else reply

    return script


class RuledLanguageModel(LanguageModel):
    """Answers every prompt by one rule and keeps what it was asked in `asked`; counts what runs at once."""

    def __init__(self, script: Script = repeat_the_lines, context_tokens: int = 4096) -> None:
        self._script, self._context_tokens = script, context_tokens
        self.asked: list[RenderedPrompt] = []
        self.running = self.most_running = 0

    @property
    def identity(self) -> ModelIdentity:
        return ModelIdentity("ruled", "1", "double", "none")

    @property
    def context_tokens(self) -> int:
        return self._context_tokens

    @property
    def names(self) -> list[str]:
        """The prompts that were sent, by name."""
        return [prompt.reference.name for prompt in self.asked]

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

    def __init__(self, failure: BaseException | None = None, cosines: CosineScale = LEXICAL_COSINES) -> None:
        self._failure = failure
        self._cosines = cosines
        self.asked: list[tuple[str, ...]] = []

    @property
    def cosines(self) -> CosineScale:
        return self._cosines

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


def spoken(*turns: tuple[str | None, str]) -> list[SpokenLine]:
    """The lines of (speaker, text) pairs."""
    return lines_of(conversation(*turns))


def statements_of(recap: Recap) -> list[Statement | ActionItem]:
    """Everything that a recap states, chapters included."""
    found = [*recap.summary, *recap.key_points, *recap.decisions, *recap.action_items, *recap.open_questions]
    return [*found, *(statement for chapter in recap.chapters for statement in chapter.summary)]


async def nobody(_fraction: float) -> None:
    """Nobody watches."""
