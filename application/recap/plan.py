"""Everything about a recap that is known before a language model is asked: chapters, items, notes."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from application.recap.actions import action_items_in
from application.recap.chapters import chapter_spans
from application.recap.decisions import decisions_in
from application.recap.items import Dialogue, Item
from application.recap.prototypes import hints_of
from application.recap.questions import open_questions_in
from application.recap.salience import ranked_sentences
from application.recap.sentences import Sentence
from application.recap.settings import RecapSettings
from application.recap.vectors import Vector, centroid

NOTHING: Final[Mapping[int, float]] = {}


@dataclass(frozen=True, slots=True)
class Plan:
    """`chapters` cover all sentences in order; `notes` are the best sentences of each, best first."""

    dialogue: Dialogue
    chapters: tuple[Sequence[Sentence], ...]
    notes: tuple[Sequence[Sentence], ...]
    decisions: Sequence[Item]
    actions: Sequence[Item]
    questions: Sequence[Item]

    @property
    def settled(self) -> frozenset[int]:
        """The sentences that decide something."""
        return frozenset(place for item in self.decisions for place in item.places)

    @property
    def speakers(self) -> frozenset[str]:
        return frozenset(s.speaker for s in self.dialogue.sentences if s.speaker)


def planned(
    sentences: Sequence[Sentence],
    telling: Sequence[Sentence],
    vectors: Sequence[Vector],
    prototypes: Sequence[Vector] | None,
    settings: RecapSettings,
) -> Plan:
    """Plan a recap; `vectors` belong to `telling`, the sentences that say something. Pure arithmetic, no model."""
    by_index = {sentence.index: vector for sentence, vector in zip(telling, vectors, strict=True)}
    dialogue = Dialogue(sentences, by_index)
    hints = hints_of(by_index, prototypes) if prototypes else {}
    decisions = decisions_in(dialogue, hints.get("decision", NOTHING), settings.decisions)
    actions = action_items_in(dialogue, hints.get("action", NOTHING), settings.action_items)
    questions = open_questions_in(dialogue, hints.get("question", NOTHING), settings.open_questions)
    spans = chapter_spans(sentences, [s.index for s in telling], vectors, settings)
    chapters = tuple(sentences[span.first : span.end] for span in spans)
    items = frozenset(place for item in (*decisions, *actions, *questions) for place in item.places)
    middle = centroid(vectors)
    notes = tuple(
        ranked_sentences(chapter, by_index, middle, items, settings.notes_per_chapter, settings.note_words)
        for chapter in chapters
    )
    return Plan(dialogue, chapters, notes, _only(decisions, actions), actions, questions)


def _only(decisions: Sequence[Item], actions: Sequence[Item]) -> list[Item]:
    """Drop decisions that only repeat an action item's sentence."""
    tasks = {item.places for item in actions}
    return [_trimmed(item) for item in decisions if item.places not in tasks]


def _trimmed(item: Item) -> Item:
    return replace(item, text=re.sub(r"\s+", " ", item.text).strip())
