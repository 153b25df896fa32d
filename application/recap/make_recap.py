"""Segments -> recap: select, phrase, check, and say what could not be done."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from application.recap.embed import SentenceVectors
from application.recap.merge import sound_title
from application.recap.phrase import Phrased, Phrasing, PromptLike, is_sound, language_name
from application.recap.plan import Plan, planned
from application.recap.prototypes import prototype_texts
from application.recap.sentences import Sentence, sentences_of
from application.recap.settings import RecapSettings
from application.recap.vectors import Vector, centroid, lexical_vectors
from application.recap.writing import Writing
from domain.call import CallContext
from domain.errors import InvalidRequest
from domain.recap import Chapter, Recap
from domain.search import Passage
from domain.transcript import Segment
from ports.embedder import Embedder
from ports.language_model import LanguageModel

TEMPLATES: Final = ("general", "stand-up", "interview", "sales-call", "lecture")
EMBEDDED, PHRASED = 0.30, 0.90
"""Fractions of the work done after embedding and after phrasing, from timings on two cores."""


class Prompts(Protocol):
    """Where prompt files come from (the package `prompts`)."""

    def load(self, name: str, version: str | None = None) -> PromptLike: ...


@dataclass(frozen=True, slots=True)
class RecapResult:
    """A recap, and the sentences and chapters to index, whose vectors it needed anyway.

    `passages` is empty without a transcript id, and when the embedder failed.
    """

    recap: Recap
    passages: tuple[Passage, ...]


@dataclass(frozen=True, slots=True)
class MakeRecap:
    """Turns segments into a recap whose every statement cites what supports it."""

    language_model: LanguageModel
    embedder: Embedder
    prompts: Prompts
    settings: RecapSettings | None = None

    async def __call__(
        self,
        recap_id: str,
        transcript_id: str | None,
        segments: Sequence[Segment],
        language: str,
        template: str,
        context: CallContext,
        progress: Callable[[float], Awaitable[None]],
    ) -> RecapResult:
        """Make the recap of `segments`, written in `language`; `progress` hears the fraction done.

        Model failures degrade the recap and are named in it. Raises InvalidRequest for an unknown template or a
        malformed language; cancelling goes through.
        """
        if template not in TEMPLATES:
            raise InvalidRequest(f"template is one of {', '.join(TEMPLATES)}")
        name = language_name(language)
        settings = self.settings or RecapSettings()
        sentences = await asyncio.to_thread(sentences_of, segments)
        if not sentences:
            await progress(1.0)
            return RecapResult(Recap(recap_id, transcript_id, language, "", (), (), (), (), (), (), 1.0), ())
        embedding = SentenceVectors(self.embedder, settings, context)
        plan = await _plan(sentences, embedding, settings)
        await progress(EMBEDDED)
        phrasing = Phrasing(
            self.language_model,
            self.prompts.load("phrase_chapter"),
            self.prompts.load("title_recap"),
            name,
            template,
            settings,
            context,
        )
        phrased = await phrasing.chapters(plan.notes, _steps(progress, len(plan.notes)))
        writing = Writing(plan, settings, await _statement_vectors(phrased, embedding))
        chapters = [writing.chapter(place, made) for place, made in enumerate(phrased)]
        title = await _title(phrasing, writing, chapters, any(made.sentences for made in phrased))
        reasons = [embedding.failure or "", *writing.reasons, f"{title.failure}: title" if title.failure else ""]
        calls = [*embedding.provenance, *(call for made in (*phrased, title) for call in made.provenance)]
        said = [r for r in reasons if r]
        recap = writing.recap(recap_id, transcript_id, language, template, title.title, chapters, said, calls)
        await progress(1.0)
        if transcript_id is None or embedding.failure:
            return RecapResult(recap, ())
        return RecapResult(recap, self._passages(transcript_id, plan, recap))

    def _passages(self, transcript_id: str, plan: Plan, recap: Recap) -> tuple[Passage, ...]:
        """Return every sentence that says something, and every chapter under the mean of its sentences."""
        model, vectors = self.embedder.identity, plan.dialogue.vectors
        found = [
            Passage(transcript_id, s.segment_ids, s.start, s.end, s.text, vectors[s.index], model, s.speaker)
            for s in plan.dialogue.sentences
            if s.index in vectors
        ]
        for chapter, sentences in zip(recap.chapters, plan.chapters, strict=True):
            vector = centroid(vectors[s.index] for s in sentences if s.index in vectors)
            if vector:
                text = " ".join([chapter.title, *(statement.text for statement in chapter.summary)])
                found.append(Passage(transcript_id, chapter.segment_ids, chapter.start, chapter.end, text, vector, model))
        return tuple(found)


async def _plan(sentences: list[Sentence], embedding: SentenceVectors, settings: RecapSettings) -> Plan:
    """Embed, then plan off the event loop, which other jobs need meanwhile."""
    telling = [s for s in sentences if not s.is_backchannel] or sentences
    texts = [s.clean or s.text for s in telling]
    prototypes = await embedding.of(prototype_texts())
    found = await embedding.of(texts)
    if found is None:
        return await asyncio.to_thread(planned, sentences, telling, lexical_vectors(texts), None, settings)
    return await asyncio.to_thread(planned, sentences, telling, found, prototypes, settings)


async def _statement_vectors(phrased: Sequence[Phrased], embedding: SentenceVectors) -> Mapping[str, Vector]:
    texts = list(dict.fromkeys(text for made in phrased for text in made.sentences if is_sound(text)))
    vectors = await embedding.of(texts)
    return dict(zip(texts, vectors, strict=True)) if vectors else {}


async def _title(phrasing: Phrasing, writing: Writing, chapters: Sequence[Chapter], model_answers: bool) -> Phrased:
    """Name the conversation: by its one chapter, by the model, or by its own words."""
    if len(chapters) == 1:
        return Phrased(title=chapters[0].title)
    if not model_answers:
        return Phrased(title=writing.keywords())
    made = await phrasing.title([f"{chapter.title}: {chapter.summary[0].text}" for chapter in chapters if chapter.summary])
    if made.title and sound_title(made.title, writing.plan.dialogue.sentences):
        return made
    return Phrased(writing.keywords(), (), made.provenance, made.failure)


def _steps(progress: Callable[[float], Awaitable[None]], count: int) -> Callable[[], Awaitable[None]]:
    """Return what each finished chapter calls."""
    finished = 0

    async def done() -> None:
        nonlocal finished
        finished += 1
        await progress(EMBEDDED + (PHRASED - EMBEDDED) * finished / max(1, count))

    return done
