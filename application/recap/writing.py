"""What the language model is asked to write: chapters, items, and the summary of the whole. Bounded calls, all at once."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from application.bounded_calls import DEGRADABLE, estimated_tokens, in_step, reason
from application.prompt_files import PromptLike, Prompts
from application.recap.candidates import Candidate
from application.recap.lines import SpokenLine
from application.recap.settings import RecapSettings
from application.recap.text import STEM, content, one_line, sentences
from domain.call import CallContext, Provenance
from domain.canonical import Json
from domain.languages import language_code, language_name
from domain.template import Template
from ports.language_model import LanguageModel, RenderedPrompt

CONTEXT_MARGIN: Final = 64
"""Tokens kept free for the chat template and for the error of our token estimate."""
AROUND: Final = 2
"""Lines shown on both sides of an item's evidence."""


@dataclass(frozen=True, slots=True)
class Written:
    """What the model wrote: sentences with the numbers that each of them names. `failure`: the code of why there is nothing."""

    title: str = ""
    sentences: tuple[tuple[str, tuple[int, ...]], ...] = ()
    provenance: tuple[Provenance, ...] = ()
    failure: str | None = None


def room_of(prompt: PromptLike, context_tokens: int, wishes: str = "") -> int:
    """Return how many tokens of a conversation fit beside the fixed words of a prompt, what a template wants, and the answer."""
    fixed = sum(estimated_tokens(words) for _, words in prompt.messages) + estimated_tokens(wishes)
    return context_tokens - prompt.sampling.max_tokens - CONTEXT_MARGIN - fixed


def fitting(lines: Sequence[str], room: int) -> list[str]:
    """Keep the first lines that fit into so many tokens."""
    kept: list[str] = []
    for line in lines:
        room -= estimated_tokens(line) + 2
        if room < 0:
            break
        kept.append(line)
    return kept


@dataclass(frozen=True, slots=True)
class Writer:
    """The language model with the prompts, the language (a tag) and the template of one recap."""

    language_model: LanguageModel
    prompts: Prompts
    language: str
    template: Template
    settings: RecapSettings
    context: CallContext
    done: Callable[[], Awaitable[None]] = field(compare=False)

    @property
    def chapter_tokens(self) -> int:
        """How many tokens of a chapter the model can read at once."""
        return room_of(self._chapter_prompt, self.language_model.context_tokens, self._chapter_focus)

    @property
    def example_words(self) -> frozenset[str]:
        """The longer content words of the example that the chapters' prompt shows; everybody tells with the short ones."""
        shown = self._chapter_prompt.messages[1:-1]
        return frozenset(word for _, words in shown for word in content(words) if len(word) >= STEM)

    async def chapters(self, chapters: Sequence[Sequence[SpokenLine]], marked: frozenset[int]) -> list[Written]:
        """Write each chapter from its lines, most telling first; they are shown in their order, those `marked` with a star."""
        prompt = self._chapter_prompt

        async def write(lines: Sequence[SpokenLine]) -> Written:
            if not lines:
                return Written()
            shown = {line.index: f"{'*' * (line.index in marked)}{line.index + 1} {line.shown}" for line in lines}
            kept = fitting(list(shown.values()), self.chapter_tokens)
            if not kept:
                return Written(failure="context_too_small")
            ordered = "\n".join(shown[index] for index in sorted(list(shown)[: len(kept)]))
            return await self._written(prompt.render(lines=ordered, language=self._named, focus=self._chapter_focus), "lines")

        return await self._all([partial(write, lines) for lines in chapters])

    async def items(self, candidates: Sequence[Candidate], lines: Sequence[SpokenLine]) -> list[Written]:
        """Word each candidate from the `lines` that may be shown; several share a call. One `Written` a candidate, with one
        sentence or none.
        """
        prompt = self.prompts.load("write_items", language=self._code)
        size = self.settings.items_per_call
        groups = [candidates[first : first + size] for first in range(0, len(candidates), size)]
        wishes = " ".join(filter(None, map(self._focus, ("decisions", "action_items", "open_questions"))))
        room = room_of(prompt, self.language_model.context_tokens, wishes)

        async def write(group: Sequence[Candidate]) -> Written:
            shown = [f"{number} ({each.kind.value})\n{_neighbourhood(each, lines)}" for number, each in enumerate(group, 1)]
            kept = fitting(shown, room)
            if not kept:
                return Written(failure="context_too_small")
            return await self._written(prompt.render(items="\n".join(kept), language=self._named, focus=wishes), "number")

        answers = await self._all([partial(write, group) for group in groups])
        found: list[Written] = []
        for group, answer in zip(groups, answers, strict=True):
            told = {numbers[0]: (text, ()) for text, numbers in reversed(answer.sentences) if numbers}
            for number in range(1, len(group) + 1):
                made = (told[number],) if number in told else ()
                found.append(Written("", made, answer.provenance if number == 1 else (), answer.failure))
        return found

    async def summary(self, notes: Sequence[str]) -> Written:
        """Sum up from sentences that are already checked."""
        prompt = self.prompts.load("write_summary", language=self._code)
        numbered = [f"{number} {note}" for number, note in enumerate(notes, 1)]
        wishes = self._focus("summary")
        kept = fitting(numbered, room_of(prompt, self.language_model.context_tokens, wishes))
        if not kept:
            return Written()
        return await self._written(prompt.render(notes="\n".join(kept), language=self._named, focus=wishes), "notes")

    @property
    def _chapter_prompt(self) -> PromptLike:
        return self.prompts.load("write_chapter", language=self._code)

    @property
    def _code(self) -> str:
        return language_code(self.language)

    @property
    def _named(self) -> str:
        return language_name(self.language)

    @property
    def _chapter_focus(self) -> str:
        return self._focus("chapters") or self._focus("summary")

    def _focus(self, section: str) -> str:
        """What the template wants of a section: quoted words, on one line, without markup."""
        return one_line(self.template.instructions.get(section, ""))

    async def _all(self, calls: Sequence[Callable[[], Awaitable[Written]]]) -> list[Written]:
        return await in_step([_then(call, self.done) for call in calls], self.settings.concurrent_calls)

    async def _written(self, prompt: RenderedPrompt, numbers: str) -> Written:
        try:
            answer = await self.language_model.generate(prompt, self.context)
        except DEGRADABLE as error:
            return Written(failure=reason(error, "language_model"))
        title = answer.value.get("title")
        rows = answer.value.get("items", answer.value.get("sentences"))
        found = [row for row in (_row(each, numbers) for each in rows) if row[0]] if isinstance(rows, list | tuple) else []
        return Written(_spaced(title) if isinstance(title, str) else "", tuple(dict(found).items()), (answer.provenance,))


def _then(call: Callable[[], Awaitable[Written]], done: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[Written]]:
    async def run() -> Written:
        written = await call()
        await done()
        return written

    return run


def _row(value: Json, numbers: str) -> tuple[str, tuple[int, ...]]:
    """A sentence and its numbers; only the first sentence of a string counts, and one that was cut off does not."""
    if not isinstance(value, Mapping) or not isinstance(value.get("text"), str):
        return "", ()
    text = re.sub(r"^[^\w¿¡\"'„“«»「『]+", "", _spaced(str(value["text"])))
    whole = sentences(text)
    named = value.get(numbers)
    listed = named if isinstance(named, list | tuple) else (named,)
    return (whole[0] if whole else ""), tuple(each for each in listed if isinstance(each, int) and not isinstance(each, bool))


def _spaced(text: str) -> str:
    """On one line, and else as it was written: what has markup in it is not told (`check`)."""
    return " ".join(text.split())


def _neighbourhood(candidate: Candidate, lines: Sequence[SpokenLine]) -> str:
    near = [line for line in lines if candidate.lines[0] - AROUND <= line.index <= candidate.lines[-1] + AROUND]
    marked = frozenset(candidate.lines)
    return "\n".join(f"{'* ' * (line.index in marked)}{line.shown}" for line in near)
