"""Turns what was phrased into what may be said: every sentence grounded, replaced by a quote, or dropped."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from application.recap.grounding import MISATTRIBUTED, Grounded, grounded, reattributed, softened
from application.recap.merge import (
    Weighed,
    action_of,
    key_points,
    keyword_title,
    quote,
    segment_ids,
    sound_title,
    statement_of,
    summary_and_rest,
)
from application.recap.overview import Topic, overview
from application.recap.phrase import CLAUSE_END, SHORTEST_WORDS, Phrased, is_sound
from application.recap.plan import Plan
from application.recap.sentences import Sentence
from application.recap.settings import RecapSettings
from application.recap.text import content_stems, tokens
from application.recap.vectors import Vector
from domain.call import Provenance
from domain.recap import ActionItem, Chapter, Recap, Statement

QUOTES: Final = 2
"""Notes that tell a chapter when nothing phrased does."""
COVERED: Final = 0.6
"""Share of a decision's content words in one summary statement that tells it."""


@dataclass(slots=True)
class Writing:
    """The statements of one recap in the making; `reasons` says which chapters are quoted and why."""

    plan: Plan
    settings: RecapSettings
    vectors: Mapping[str, Vector]
    reasons: list[str] = field(default_factory=list)
    weighed: list[list[Weighed]] = field(default_factory=list)
    topics: list[Topic] = field(default_factory=list)

    def chapter(self, place: int, made: Phrased) -> Chapter:
        """Write chapter number `place` (they come in order) from what the model made of it."""
        sentences, notes = self.plan.chapters[place], self.plan.notes[place]
        weight = sum(len(s.words) for s in sentences)
        told: list[Weighed] = []
        quoted: dict[int, Sentence] = {}
        for text in made.sentences:
            checked = self._checked(text, notes)
            if checked.fault is None:
                statement = Statement(checked.text, segment_ids(checked.sources), round(checked.support, 3))
                told.append(Weighed(statement, self.vectors.get(text), weight))
            elif checked.sources:
                quoted[checked.sources[0].index] = checked.sources[0]
        if not told and not quoted:
            quoted = {s.index: s for s in notes[:QUOTES]}
        if quoted:
            self.reasons.append(f"{made.failure or 'unsupported_by_transcript'}: chapter {place + 1}")
        told += [Weighed(quote(s), self.plan.dialogue.vectors[s.index], weight) for s in quoted.values()]
        told = sorted({w.statement.text: w for w in told}.values(), key=lambda w: w.statement.segment_ids)
        self.weighed.append(told)
        title = self._title(made, sentences)
        return Chapter(
            title, sentences[0].start, max(s.end for s in sentences), segment_ids(sentences), tuple(w.statement for w in told)
        )

    def _title(self, made: Phrased, sentences: Sequence[Sentence]) -> str:
        """The model's title when its words were said, else the chapter's own words."""
        if made.title and sound_title(made.title, sentences):
            self.topics.append(Topic(made.title, sentences))
            return made.title
        return self.keywords(sentences)

    def _checked(self, text: str, notes: Sequence[Sentence]) -> Grounded:
        """Return the sentence, or its longest supported beginning; with a fault when neither is carried by the notes.

        The first source of a faulty one is the note that comes nearest, to be quoted instead.
        """
        if not is_sound(text):
            return Grounded(text, (), 0.0, "no whole sentence, or an order, or a link")
        vector = self.vectors.get(text)
        speakers = self.plan.speakers
        first = grounded(text, notes, vector, self.plan.dialogue.vectors, speakers)
        soft = softened(text, first.sources, self.plan.settled)
        if soft != text:
            first = grounded(soft, notes, vector, self.plan.dialogue.vectors, speakers)
        if first.fault == MISATTRIBUTED and (renamed := reattributed(soft, first.sources, speakers)):
            soft = renamed
            first = grounded(soft, notes, vector, self.plan.dialogue.vectors, speakers)
        if first.support >= self.settings.minimum_support:
            return first
        for end in reversed([match.start() for match in CLAUSE_END.finditer(soft)]):
            shorter = soft[:end].rstrip(" ,;:")
            if len(shorter.split()) < SHORTEST_WORDS:
                break
            part = grounded(f"{shorter}.", notes, None, self.plan.dialogue.vectors, speakers)
            if part.support >= max(0.75, self.settings.minimum_support):
                return part
        nearest = sorted(first.sources, key=lambda s: (-len(s.stems & frozenset(content_stems(tokens(text)))), s.index))
        return Grounded(text, tuple(nearest), 0.0, first.fault or "too little of it was said")

    def keywords(self, sentences: Sequence[Sentence] | None = None) -> str:
        """Name a chapter, or the whole conversation, by its own words."""
        spread = Counter(stem for chapter in self.plan.chapters for stem in {stem for s in chapter for stem in s.stems})
        if sentences is None:
            return keyword_title(self.plan.dialogue.sentences, {}, 0)
        return keyword_title(sentences, spread, len(self.plan.chapters))

    def recap(
        self,
        recap_id: str,
        transcript_id: str | None,
        language: str,
        template: str,
        title: str,
        chapters: Sequence[Chapter],
        reasons: Sequence[str],
        provenance: Sequence[Provenance],
    ) -> Recap:
        """Put the chapters and the items together; support is the mean over every statement of the recap."""
        sentences = self.plan.dialogue.sentences
        opening = overview(self.topics, len(chapters), template, language, self.plan.speakers)
        words = max(self.settings.summary_words, self.settings.summary_words_per_chapter * len(chapters))
        words -= len(opening.text.split()) if opening else 0
        summary, rest = summary_and_rest(self.weighed, words)
        summary = [*([opening] if opening else []), *self._with_decisions(summary, words)]
        decisions = tuple(statement_of(item, sentences) for item in self.plan.decisions)
        actions = tuple(action_of(item, sentences) for item in self.plan.actions)
        questions = tuple(statement_of(item, sentences) for item in self.plan.questions)
        points = tuple(self._key_points(summary, rest))
        parts: list[Statement | ActionItem] = [*summary, *points, *decisions, *actions, *questions]
        support = sum(part.support for part in parts) / len(parts) if parts else 1.0
        return Recap(
            recap_id, transcript_id, language, title, tuple(summary), points, decisions, actions, questions, tuple(chapters),
            round(support, 3), tuple(dict.fromkeys(reasons)), tuple(provenance),
        )  # fmt: skip

    def _with_decisions(self, summary: Sequence[Statement], words: int) -> list[Statement]:
        """Add decisions that no statement tells, as they were said, best supported first, while of `words` some are left."""
        told = [frozenset(content_stems(tokens(statement.text))) for statement in summary]
        room = words - sum(len(statement.text.split()) for statement in summary)
        added: list[Statement] = []
        for item in sorted(self.plan.decisions, key=lambda item: (-item.score, item.places)):
            sentence = self.plan.dialogue.sentences[item.places[-1]]
            size = len(sentence.clean.split())
            if size > room or any(len(item.stems & stems) >= COVERED * len(item.stems) for stems in told):
                continue
            added.append(quote(sentence))
            told.append(item.stems)
            room -= size
        return sorted([*summary, *added], key=lambda statement: statement.segment_ids)

    def _key_points(self, summary: Sequence[Statement], rest: Sequence[Weighed]) -> list[Statement]:
        """What the summary had no room for, then what was said with figures, as long as it says something new."""
        told = [w for chapter in self.weighed for w in chapter if w.statement in summary]
        items = {place for item in (*self.plan.decisions, *self.plan.actions, *self.plan.questions) for place in item.places}
        vectors = self.plan.dialogue.vectors
        quotes = [
            Weighed(quote(s), vectors[s.index], 0)
            for rank in range(2)
            for notes in self.plan.notes
            for s in [n for n in notes if n.index not in items and not n.is_question][rank : rank + 1]
        ]
        item_vectors = [Weighed(quote(self.plan.dialogue.sentences[i]), vectors[i], 0) for i in items if i in vectors]
        return key_points([*rest, *quotes], [*told, *item_vectors], self.settings.key_points)
