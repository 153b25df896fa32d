"""Statements about the labelled meetings, true and false: what the entailment network learns from and is measured by.

A true one is what the labels say of its evidence, or what somebody said. A false one differs by one thing: a number, a day or a
name is another one, two of them change places, a negation is set or lost, something is added that was said elsewhere, somebody
else is to do it or has said it, what was only talked about is told as decided (or the other way round), or the evidence is that
of something else.
"""

import random
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

from babel import Locale
from num2words import num2words

from application.recap.entail import MOST_LINES
from training.meetings import DATA, Item, LabelledMeeting

WORD: Final = re.compile(r"\w+(?:['’]\w+)?")
LONG: Final = 5
"""Letters from which a word is taken for one that carries meaning."""
FRAMED: Final = 0.5
BESIDE: Final = 0.3
LEAST_WORDS, MOST_WORDS = 5, 40
"""Of something that was said, to be told as such."""
FALSE_OF_EACH: Final = 2


@dataclass(frozen=True, slots=True)
class LabelledStatement:
    """`premise`: speaker and words of the lines it is to rest on. `kind`: `true`, or by what it is false. `changed`: characters
    of the text that are wrong, where it is some of them.
    """

    premise: tuple[tuple[str, str], ...]
    text: str
    kind: str
    language: str
    changed: tuple[tuple[int, int], ...] = ()

    @property
    def holds(self) -> bool:
        """Whether the premise entails the text."""
        return self.kind == "true"


@dataclass(frozen=True, slots=True)
class _Source:
    """A true statement and what it is made of: `subject` is who acts or speaks, in front of the rest."""

    item: Item
    text: str
    subject: str = ""


def statements_of(meeting: LabelledMeeting) -> list[LabelledStatement]:
    """Return the statements of a meeting; the same each time."""
    rng = random.Random(f"statements {meeting.id}")  # data to learn from, no secret
    return list(_Maker(meeting, rng, _words()[meeting.language]).all())


@lru_cache(maxsize=1)
def _words() -> Mapping[str, Any]:
    return tomllib.loads((DATA / "statements.toml").read_text(encoding="utf-8"))


@lru_cache(maxsize=16)
def _families(language: str) -> tuple[frozenset[str], ...]:
    """Words of which one may stand for another: numbers, ordinals, days of the week, months, and digits."""
    locale = Locale.parse(language)
    numbers = {_number(value, language, "cardinal") for value in [*range(2, 31), *range(40, 100, 10), 100, 1000]}
    ordinals = {_number(value, language, "ordinal") for value in range(1, 32)}
    days = {name.lower() for name in locale.days["format"]["wide"].values()}
    months = {name.lower() for name in locale.months["format"]["wide"].values()}
    return tuple(
        frozenset(word for word in family if " " not in word and "-" not in word) for family in (numbers, ordinals, days, months)
    )


def _number(value: int, language: str, form: str) -> str:
    try:
        return str(num2words(value, lang=language, to=form)).lower()
    except (NotImplementedError, TypeError):
        return ""


@dataclass(frozen=True, slots=True)
class _Maker:
    meeting: LabelledMeeting
    rng: random.Random
    words: Mapping[str, Any]

    def all(self) -> Iterator[LabelledStatement]:
        for source in self.sources():
            yield self.statement(source.item, source.text, "true")
            wrongs = [wrong for make in self.makers() if (wrong := make(source)) is not None]
            self.rng.shuffle(wrongs)
            yield from wrongs[:FALSE_OF_EACH]
        yield from self.modality()

    def sources(self) -> Iterator[_Source]:
        for decision in self.meeting.decisions:
            yield _Source(decision, decision.text)
        for question in self.meeting.questions:
            yield _Source(question, self.framed("open", question.text))
        for task in self.meeting.tasks:
            owner = next((name for name in task.owners if self.heard(name, task)), "")
            if owner:
                due = f", {task.due}" if task.due and self.rng.random() < FRAMED else ""
                yield _Source(task, self.rng.choice(self.words["must"]).format(owner, _lower(task.text)) + due + ".", owner)
        said = [index for index, turn in enumerate(self.meeting.turns) if LEAST_WORDS <= len(turn.text.split()) <= MOST_WORDS]
        for index in self.rng.sample(said, min(len(said), 2 + len(self.meeting.decisions) // 2)):
            turn = self.meeting.turns[index]
            yield _Source(Item("", (index,)), self.rng.choice(self.words["says"]).format(turn.speaker, turn.text), turn.speaker)

    def makers(self) -> tuple[Callable[[_Source], LabelledStatement | None], ...]:
        return (self.number, self.name, self.order, self.negation, self.added, self.speaker, self.elsewhere)

    def modality(self) -> Iterator[LabelledStatement]:
        """What was decided is so, and what was only talked about is not; and the other way round."""
        for decision in self.meeting.decisions:
            held = self.rng.random() < FRAMED
            text = self.framed("decided" if held else "not_decided", decision.text)
            yield self.statement(decision, text, "true" if held else "modality")
        for other in self.meeting.look_alikes:
            held = self.rng.random() < FRAMED
            text = self.framed("not_decided" if held else "decided", other.text)
            yield self.statement(other, text, "true" if held else "modality")

    def number(self, source: _Source) -> LabelledStatement | None:
        """Another number, ordinal, day or month in place of one."""
        said = self.said(source.item)
        for found in self.shuffled(source.text):
            word = found.group().lower()
            for family in _families(self.meeting.language):
                others = sorted(family - {word} - said)
                if word in family and others:
                    return self.changed(source, found.span(), _cased(self.rng.choice(others), found.group()), "number")
            if word.isdigit():
                other = str(max(1, int(word) + self.rng.choice([-2, -1, 1, 2, 10])))
                if other not in said and other != word:
                    return self.changed(source, found.span(), other, "number")
        return None

    def name(self, source: _Source) -> LabelledStatement | None:
        """Another long word of the meeting, with a capital too, in place of one that begins with a capital inside the text."""
        said = self.said(source.item)
        others = sorted(
            {
                word
                for turn in self.meeting.turns
                for word in WORD.findall(turn.text)[1:]
                if word[0].isupper() and len(word) >= LONG
            }
        )
        others = [word for word in others if word.lower() not in said]
        for found in self.shuffled(source.text):
            if found.start() and found.group()[0].isupper() and len(found.group()) >= LONG - 1 and others:
                return self.changed(source, found.span(), self.rng.choice(others), "name")
        return None

    def order(self, source: _Source) -> LabelledStatement | None:
        """Two words that were said change places: numbers, or names, or long words that begin alike in case."""
        said = self.said(source.item)
        found = [each for each in WORD.finditer(source.text) if each.start() and each.group().lower() in said]
        families = _families(self.meeting.language)
        kinds: list[list[re.Match[str]]] = [[each for each in found if each.group().lower() in family] for family in families]
        kinds.append([each for each in found if each.group()[0].isupper() and len(each.group()) >= LONG - 1])
        kinds.append([each for each in found if len(each.group()) > LONG])
        for kind in kinds:
            if len({each.group().lower() for each in kind}) > 1:
                first, second = sorted(self.rng.sample(kind, 2), key=lambda each: each.start())
                if first.group().lower() == second.group().lower():
                    continue
                text = (
                    source.text[: first.start()]
                    + second.group()
                    + source.text[first.end() : second.start()]
                    + first.group()
                    + source.text[second.end() :]
                )
                shift = len(second.group()) - len(first.group())
                spans = ((first.start(), first.start() + len(second.group())), (second.start() + shift, second.end()))
                return replace(self.statement(source.item, text, "order"), changed=spans)
        return None

    def negation(self, source: _Source) -> LabelledStatement | None:
        """A negation set or lost."""
        for found in self.shuffled(source.text):
            word = found.group().lower()
            if word in self.words["negations"]:
                text = source.text[: found.start()] + source.text[found.end() :].lstrip()
                return self.statement(source.item, text, "negation")
            if word in self.words.get("negate_after", ()):
                return self.changed(source, (found.end(), found.end()), f" {self.words['not']}", "negation")
            if word in self.words.get("negate_before", ()):
                return self.changed(source, (found.start(), found.start()), f"{self.words['not']} ", "negation")
        return None

    def added(self, source: _Source) -> LabelledStatement | None:
        """The end of another statement of the meeting behind this one."""
        others = [
            item for item in (*self.meeting.decisions, *self.meeting.tasks) if not set(item.evidence) & set(source.item.evidence)
        ]
        if not others or source.text.rstrip().endswith("?"):
            return None
        other = self.rng.choice(others).text.rstrip(".!? ")
        start = len(source.text.rstrip(".! "))
        more = f" {self.words['and']} {_lower(other)}"
        return self.changed(source, (start, start), more, "added")

    def speaker(self, source: _Source) -> LabelledStatement | None:
        """Somebody else of the meeting is the one who acts, or spoke."""
        named = {name.lower() for name in (*source.item.owners, source.subject)}
        others = sorted({turn.speaker for turn in self.meeting.turns if turn.speaker and turn.speaker.lower() not in named})
        start = source.text.find(source.subject)
        if not source.subject or not others or start < 0:
            return None
        return self.changed(source, (start, start + len(source.subject)), self.rng.choice(others), "speaker")

    def elsewhere(self, source: _Source) -> LabelledStatement | None:
        """Evidence of something else, the more alike the better."""
        every = [item for kind in (*self.meeting.items, self.meeting.look_alikes) for item in kind]
        others = [item for item in every if item.evidence and not set(item.evidence) & set(source.item.evidence)]
        own = {word.lower() for word in WORD.findall(source.text) if len(word) >= LONG}
        best = max(others, key=lambda item: (len(own & self.said(item)), item.evidence), default=None)
        return None if best is None else self.statement(best, source.text, "elsewhere")

    def changed(self, source: _Source, span: tuple[int, int], words: str, kind: str) -> LabelledStatement:
        text = source.text[: span[0]] + words + source.text[span[1] :]
        return replace(self.statement(source.item, text, kind), changed=((span[0], span[0] + len(words)),))

    def statement(self, item: Item, text: str, kind: str) -> LabelledStatement:
        indices = set(item.evidence[:MOST_LINES])
        for index in tuple(indices):
            if self.rng.random() < BESIDE and len(indices) < MOST_LINES:
                indices.add(index + self.rng.choice([-1, 1]))
        lines = [self.meeting.turns[index] for index in sorted(indices) if 0 <= index < len(self.meeting.turns)]
        return LabelledStatement(tuple((line.speaker, line.text) for line in lines), text, kind, self.meeting.language)

    def framed(self, kind: str, text: str) -> str:
        return str(self.rng.choice(self.words[kind])).format(text)

    def heard(self, name: str, item: Item) -> bool:
        lines = [self.meeting.turns[index] for index in item.evidence]
        return any(name.lower() == line.speaker.lower() or name.lower() in line.text.lower() for line in lines)

    def said(self, item: Item) -> frozenset[str]:
        """The words of the evidence and of the lines beside it."""
        indices = {index + by for index in item.evidence for by in (-1, 0, 1)} & set(range(len(self.meeting.turns)))
        lines = [self.meeting.turns[index] for index in indices]
        return frozenset(word.lower() for line in lines for word in WORD.findall(f"{line.speaker} {line.text}"))

    def shuffled(self, text: str) -> list[re.Match[str]]:
        found = list(WORD.finditer(text))
        self.rng.shuffle(found)
        return found


def _lower(text: str) -> str:
    """Small at the beginning, where the next letter shows that the first is not an abbreviation."""
    return text[:1].lower() + text[1:] if text[1:2].islower() else text


def _cased(word: str, like: str) -> str:
    return word[:1].upper() + word[1:] if like[0].isupper() else word
