"""From what was written to what may be said: every sentence checked, replaced by a quote, or dropped."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from application.recap.check import Checked, checked, held
from application.recap.items import RecapItems, quote, statement
from application.recap.lines import SpokenLine
from application.recap.settings import RecapSettings
from application.recap.text import LINK, STEM, STOPS, WORD, content, folded
from application.recap.writing import Written
from domain.recap import Chapter, Recap, Statement

QUOTES = 2
"""Lines that tell a chapter when nothing written does."""
TITLE_HELD = 0.99
"""Share of a title's content words that the conversation must hold."""
TITLE_LENGTH = 80
TITLE_WORDS = 3
BEGINNING = 40
"""Characters of a line that stands for a title."""
TOLD = 0.6
"""Share of a statement's content words in others, from which it says nothing new."""


@dataclass(slots=True)
class Telling:
    """The prose of one recap in the making.

    `lines` may be told of. `chapters` are all lines of each, `heard` those that may be told of, `told` those the model read, best
    first.
    """

    lines: Sequence[SpokenLine]
    chapters: Sequence[Sequence[SpokenLine]]
    heard: Sequence[Sequence[SpokenLine]]
    told: Sequence[Sequence[SpokenLine]]
    settings: RecapSettings
    foreign: frozenset[str] = frozenset()
    failures: list[str] = field(default_factory=list)
    quoted: int = 0
    """Chapters of whose sentences none is carried by what was said."""
    named: list[Chapter] = field(default_factory=list)
    """Chapters whose title is the model's."""
    speakers: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        self.speakers = frozenset(line.speaker for line in self.lines if line.speaker)

    def of_chapter(self, index: int, made: Written) -> list[Checked]:
        """Return the sentences about chapter number `index` whose words its lines hold."""
        inside = {line.index + 1: line for line in self.heard[index]}
        found = []
        for text, numbers in made.sentences:
            named = [inside[number] for number in numbers if number in inside]
            found.append(checked(text, named, self.heard[index], self.speakers, self.foreign))
        return [each for each in found if each.support >= self.settings.minimum_judged]

    def chapter(self, index: int, made: Written, carried: Sequence[Checked]) -> Chapter:
        """Tell chapter number `index` by the sentences that its lines carry, else by its most telling lines."""
        lines, heard = self.chapters[index], self.heard[index]
        said = [statement(each.text, each.lines, each.support) for each in carried]
        if made.failure:
            self.failures.append(f"{made.failure}: chapter {index + 1}")
        if not said:
            self.quoted += bool(heard) and not made.failure
            said = [statement(quote([line]), [line], 1.0) for line in self.told[index][:QUOTES]]
        titled = self._titled(made.title, heard)
        title = made.title if titled else self.keywords(heard)
        ordered = tuple(sorted(said, key=lambda each: (each.start, each.segment_ids)))
        ids = tuple(dict.fromkeys(line.segment_id for line in lines))
        chapter = Chapter(title, lines[0].start, max(line.end for line in lines), ids, ordered)
        if titled:
            self.named.append(chapter)
        return chapter

    def _titled(self, title: str, lines: Sequence[SpokenLine]) -> bool:
        return 0 < len(title) <= TITLE_LENGTH and held(title, lines) >= TITLE_HELD

    def title(self, made: Written, chapters: Sequence[Chapter]) -> str:
        """Name the conversation: by its one chapter, by the model, by the longest chapter that it named, or by its own words."""
        if len(chapters) == 1:
            return chapters[0].title
        if self._titled(made.title, self.lines):
            return made.title
        longest = max(self.named, key=lambda chapter: len(chapter.segment_ids), default=None)
        return longest.title if longest else self.keywords(self.lines)

    def keywords(self, lines: Sequence[SpokenLine]) -> str:
        """Name lines by the words that set them apart from the other chapters (tf-idf), as they were written.

        Without any such word, as in scripts that have no spaces, by the beginning of the longest line.
        """
        spread = Counter(word for chapter in self.heard for word in {word for line in chapter for word in content(line.text)})
        counts: Counter[str] = Counter()
        spelt: dict[str, str] = {}
        for word in (word for line in lines for word in WORD.findall(LINK.sub(" ", line.text))):
            stem = folded(word)[:STEM]
            if len(word) >= STEM and stem in spread:
                counts[stem] += 1
                spelt.setdefault(stem, word)
        total = len(self.chapters)
        best = sorted(counts, key=lambda stem: (-counts[stem] * (math.log((1 + total) / (1 + spread[stem])) + 1), stem))
        words = [spelt[stem] for stem in best[:TITLE_WORDS]]
        return ", ".join([words[0][:1].upper() + words[0][1:], *words[1:]]) if words else _beginning(lines)

    def notes(self, chapters: Sequence[Chapter], outcomes: Sequence[Statement]) -> list[Statement]:
        """Return what the summary is written from: the chapters' sentences, and what came of it that they do not tell."""
        found = [each for chapter in chapters for each in chapter.summary]
        for each in sorted(outcomes, key=lambda each: (each.start, each.segment_ids)):
            if not _told(each.text, found):
                found.append(each)
        return found

    def of_summary(self, made: Written, notes: Sequence[Statement]) -> list[Checked]:
        """Return the sentences of the summary whose words the lines behind their notes hold."""
        everything = frozenset(i for note in notes for i in note.segment_ids)
        around = [line for line in self.lines if line.segment_id in everything]
        found = []
        for text, numbers in made.sentences:
            behind = frozenset(i for n in numbers if 0 < n <= len(notes) for i in notes[n - 1].segment_ids)
            named = [line for line in around if line.segment_id in behind]
            found.append(checked(text, named, around, self.speakers, self.foreign))
        return [each for each in found if each.support >= self.settings.minimum_judged]

    def summary(
        self, carried: Sequence[Checked], notes: Sequence[Statement], chapters: Sequence[Chapter], outcomes: Sequence[Statement]
    ) -> list[Statement]:
        """Return the model's sentences that their lines carry, then what came of the conversation and is not in them, surest
        first; with fewer than two of the model's, the notes fill the room that is left.
        """
        words = max(self.settings.summary_words, self.settings.summary_words_per_chapter * len(chapters))
        found: list[Statement] = []
        for each in carried:
            if not _told(each.text, found):
                found.append(statement(each.text, each.lines, each.support))
        firsts = [chapter.summary[0] for chapter in chapters if chapter.summary]
        return found + self._rest(found, [*outcomes, *([*firsts, *notes] if len(found) < 2 else [])], words)

    def _rest(self, told: Sequence[Statement], more: Sequence[Statement], words: int) -> list[Statement]:
        """Return what is not told yet, first in, in the order of the conversation, while there is room."""
        words -= sum(len(each.text.split()) for each in told)
        found: list[Statement] = []
        for each in more:
            size = len(each.text.split())
            if (told or found) and size > words:
                continue
            if not _told(each.text, [*told, *found]):
                found.append(each)
                words -= size
        return sorted(found, key=lambda each: (each.start, each.segment_ids))

    def key_points(self, chapters: Sequence[Chapter], summary: Sequence[Statement], items: RecapItems) -> list[Statement]:
        """Return what the chapters tell and neither the summary nor an item does."""
        known = [*summary, *items.decisions, *items.open_questions]
        known += [Statement(task.text, task.segment_ids, task.support) for task in items.action_items]
        found: list[Statement] = []
        for each in (each for chapter in chapters for each in chapter.summary):
            if len(found) < self.settings.key_points and not _told(each.text, [*known, *found]):
                found.append(each)
        return found

    def degraded(self, others: Sequence[str]) -> tuple[str, ...]:
        """Return why parts are not as they should be: what failed, and a model that wrote nothing that could stand."""
        nothing = self.chapters and self.quoted == len(self.chapters)
        quotes = [f"unsupported_by_transcript: {self.quoted} of {len(self.chapters)} chapters are quoted"] if nothing else []
        return tuple(dict.fromkeys([*others, *self.failures, *quotes]))


def outcomes_of(items: RecapItems) -> list[Statement]:
    """Return decisions and tasks as statements, surest first; a task with whom it is for."""
    found: list[Statement] = list(items.decisions)
    for task in items.action_items:
        text = f"{task.owner}: {task.text}" if task.owner and task.support == 1.0 else task.text
        found.append(Statement(text, task.segment_ids, task.support, task.start, task.end, task.speaker, task.confidence))
    surest = sorted(found, key=lambda each: (-(each.confidence or 0.0), each.start))
    return [replace(each, confidence=None) for each in surest]


def support_of(recap_parts: Sequence[float]) -> float:
    """Return the mean support, 1.0 of nothing."""
    return round(sum(recap_parts) / len(recap_parts), 3) if recap_parts else 1.0


def _beginning(lines: Sequence[SpokenLine]) -> str:
    if not lines:
        return ""
    said = quote([max(lines, key=lambda line: line.words)])
    kept = said if len(said) <= BEGINNING else said[:BEGINNING].rpartition(" ")[0] or said[:BEGINNING]
    return kept.rstrip(STOPS) or said


def _told(text: str, by: Sequence[Statement]) -> bool:
    claims = content(text)
    return any(len(claims & content(other.text)) >= TOLD * len(claims) for other in by) if claims else True


def empty(recap_id: str, transcript_id: str | None, language: str) -> Recap:
    """The recap of a conversation in which nothing was said."""
    return Recap(recap_id, transcript_id, language, "", (), (), (), (), (), (), 1.0)
