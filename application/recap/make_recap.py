"""Segments -> recap: find, write, check, and say what could not be done."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from application.bounded_calls import both
from application.prompt_files import Prompts
from application.recap.candidates import PROBABILITY, Candidate
from application.recap.chapters import chapter_spans
from application.recap.embed import SentenceVectors
from application.recap.entail import Entailed
from application.recap.items import BRIEF_WORDS, RecapItems, found_items, of_items, worded_items
from application.recap.lines import SpokenLine, lines_of
from application.recap.reading import Reading, read_without_orders
from application.recap.salience import telling_lines
from application.recap.settings import RecapSettings, shaped_by
from application.recap.telling import Telling, empty, outcomes_of, support_of
from application.recap.vectors import LEXICAL_COSINES, Vector, centroid, lexical_vectors
from application.recap.writing import Writer, Written
from domain.call import CallContext
from domain.languages import check_language
from domain.recap import ActionItem, Chapter, Recap, Statement
from domain.search import CosineScale, Passage, PassageKind
from domain.template import Template
from domain.transcript import Segment
from ports.embedder import Embedder
from ports.entailment_judge import EntailmentJudge
from ports.item_finder import ItemFinder
from ports.language_model import LanguageModel

EMBEDDED, PHRASED = 0.30, 0.90
"""Fractions of the work done after reading and after writing, from timings on two cores."""
TOKENS_PER_WORD: Final = 2.2
"""Of a shown line, at most, in the languages looked at: what a chapter's bound in tokens is in words."""


@dataclass(frozen=True, slots=True)
class RecapResult:
    """A recap, and the lines and chapters to index, whose vectors it needed anyway.

    They have no vectors when the embedder failed, and no transcript where the caller brought the segments.
    """

    recap: Recap
    passages: tuple[Passage, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """Everything that is known before a language model is asked.

    `chapters` cover all lines; `heard` are those of each that do not speak to a machine, `told` those of them that the language
    model reads, best first.
    """

    lines: tuple[SpokenLine, ...]
    reading: Reading
    vectors: Mapping[int, Vector]
    candidates: tuple[Candidate, ...]
    chapters: tuple[Sequence[SpokenLine], ...]
    heard: tuple[Sequence[SpokenLine], ...]
    told: tuple[Sequence[SpokenLine], ...]


@dataclass(frozen=True, slots=True)
class MakeRecap:
    """Turns segments into a recap whose every statement cites what supports it."""

    language_model: LanguageModel
    embedder: Embedder
    item_finder: ItemFinder
    prompts: Prompts
    settings: RecapSettings | None = None
    entailment: EntailmentJudge | None = None

    async def __call__(
        self,
        recap_id: str,
        transcript_id: str | None,
        segments: Sequence[Segment],
        language: str,
        template: Template,
        context: CallContext,
        progress: Callable[[float], Awaitable[None]],
    ) -> RecapResult:
        """Make the recap of `segments`, written in `language`; `progress` hears the fraction done.

        Model failures degrade the recap and are named in it. Raises InvalidRequest for a malformed language; cancelling
        goes through.
        """
        check_language(language)
        settings = shaped_by(template, self.settings or RecapSettings())
        lines = await asyncio.to_thread(lines_of, segments)
        if not lines:
            await progress(1.0)
            return RecapResult(empty(recap_id, transcript_id, language), ())
        steps = _Steps(progress)
        writer = Writer(self.language_model, self.prompts, language, template, settings, context, steps.one)
        embedding = SentenceVectors(self.embedder, settings, context)
        found = await self._found(lines, embedding, writer.chapter_tokens, settings, context)
        asked = found.candidates if settings.write_items else ()
        await steps.begin(len(found.told) + -(-len(asked) // settings.items_per_call))
        marked = frozenset(index for candidate in found.candidates for index in candidate.lines)
        heard = [line for chapter in found.heard for line in chapter]
        written, worded = await both(writer.chapters(found.told, marked), writer.items(asked, heard))
        telling = Telling(heard, found.chapters, found.heard, found.told, settings, writer.example_words)
        entailed = Entailed(self.entailment, settings, context)
        carried = await entailed.of([telling.of_chapter(index, made) for index, made in enumerate(written)])
        chapters = [telling.chapter(index, *each) for index, each in enumerate(zip(written, carried, strict=True))]
        held = await entailed.of(of_items(found.candidates, worded, lines, settings))
        items = worded_items(found.candidates, held, lines)
        outcomes = outcomes_of(worded_items(found.candidates, held, lines, BRIEF_WORDS))
        notes = telling.notes(chapters, outcomes)
        summed = await writer.summary([note.text for note in notes]) if _needed(chapters, written) else Written()
        (summing,) = await entailed.of([telling.of_summary(summed, notes)])
        calls = [*embedding.provenance, *found.reading.provenance]
        calls += [call for made in (*written, *worded, summed) for call in made.provenance]
        calls += entailed.provenance
        reasons = [
            embedding.failure,
            found.reading.failure,
            entailed.failure,
            *(f"{made.failure}: items" for made in worded if made.failure),
        ]
        reasons += [f"{summed.failure}: summary"] if summed.failure else []
        summary = telling.summary(summing, notes, chapters, outcomes)
        points = telling.key_points(chapters, summary, items)
        parts: list[Statement | ActionItem] = [*summary, *points, *items.decisions, *items.action_items, *items.open_questions]
        recap = Recap(
            recap_id, transcript_id, language, telling.title(summed, chapters), tuple(summary), tuple(points),
            items.decisions, items.action_items, items.open_questions, tuple(chapters),
            support_of([part.support for part in parts]), telling.degraded([why for why in reasons if why]), tuple(calls),
        )  # fmt: skip
        await progress(1.0)
        return RecapResult(recap, self._passages(transcript_id, found, recap, placed=embedding.failure is None))

    async def items(self, segments: Sequence[Segment], context: CallContext) -> tuple[RecapItems, Reading]:
        """Return the items alone, in quotes: what the finder's measure looks at, without a language model."""
        settings = self.settings or RecapSettings()
        lines = lines_of(segments)
        found = await self._found(lines, SentenceVectors(self.embedder, settings, context), 1_000, settings, context)
        return worded_items(found.candidates, (), lines), found.reading

    async def _found(
        self, lines: Sequence[SpokenLine], embedding: SentenceVectors, room: int, settings: RecapSettings, context: CallContext
    ) -> Found:
        reading, vectors = await both(
            read_without_orders(lines, self.item_finder, settings, context), embedding.of([line.text for line in lines])
        )
        if vectors is None:
            placed, scale = lexical_vectors([line.text for line in lines]), LEXICAL_COSINES
        else:
            placed, scale = vectors, self.embedder.cosines
        return await asyncio.to_thread(_planned, lines, reading, placed, scale, room, settings)

    def _passages(self, transcript_id: str | None, found: Found, recap: Recap, *, placed: bool) -> tuple[Passage, ...]:
        """Return every line, and every chapter under the mean of its lines. `placed`: their vectors are the embedder's."""
        model, vectors = self.embedder.identity, found.vectors if placed else {}
        passages = [
            Passage(transcript_id, (s.segment_id,), s.start, s.end, s.text, vectors.get(s.index, ()), model, s.speaker)
            for s in found.lines
        ]
        for chapter, lines in zip(recap.chapters, found.chapters, strict=True):
            vector = centroid(vectors.get(line.index, ()) for line in lines)
            about = (chapter.segment_ids, chapter.start, chapter.end, chapter.told, vector, model)
            passages.append(Passage(transcript_id, *about, kind=PassageKind.CHAPTER))
        return tuple(passages)


def _planned(
    lines: Sequence[SpokenLine],
    reading: Reading,
    placed: Sequence[Vector],
    scale: CosineScale,
    room: int,
    settings: RecapSettings,
) -> Found:
    """Plan off the event loop, which other jobs need meanwhile. Pure arithmetic, no model."""
    vectors = {line.index: vector for line, vector in zip(lines, placed, strict=True)}
    candidates = found_items(lines, reading, vectors, scale, settings)
    most = max(settings.minimum_chapter_words, int(room / TOKENS_PER_WORD))
    chapters = tuple(lines[span.first : span.end] for span in chapter_spans(lines, placed, scale, settings, most))
    middle = centroid(placed)
    items = {index: max(p(reading.lines[index]) for p in PROBABILITY.values()) for index in vectors}
    words = settings.chapter_words or most
    heard = tuple([line for line in chapter if line.index not in reading.orders] for chapter in chapters)
    told = tuple(telling_lines(chapter, vectors, scale, middle, items, words) for chapter in heard)
    return Found(tuple(lines), reading, vectors, tuple(candidates), chapters, heard, told)


def _needed(chapters: Sequence[Chapter], written: Sequence[Written]) -> bool:
    """A single chapter is its own summary; a model that wrote no chapter is not asked for more."""
    return len(chapters) > 1 and any(made.sentences for made in written)


@dataclass(slots=True)
class _Steps:
    """Tells how far the writing is: every call that ends is one step."""

    progress: Callable[[float], Awaitable[None]]
    count: int = 1
    finished: int = 0

    async def begin(self, count: int) -> None:
        self.count = max(1, count)
        await self.progress(EMBEDDED)

    async def one(self) -> None:
        self.finished += 1
        await self.progress(EMBEDDED + (PHRASED - EMBEDDED) * min(1.0, self.finished / self.count))
