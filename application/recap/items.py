"""What a conversation came to: found, settled, and worded by what was said or by a sentence that it carries."""

from collections.abc import Sequence
from dataclasses import dataclass

from application.recap.candidates import Candidate, ItemKind, candidates_in
from application.recap.check import FEWEST_CLAIMS, Checked, checked
from application.recap.lines import SpokenLine
from application.recap.reading import Reading
from application.recap.settings import RecapSettings
from application.recap.settle import settled
from application.recap.text import content, quoted
from application.recap.vectors import Vector
from application.recap.writing import Written
from domain.recap import ActionItem, Statement
from domain.search import CosineScale

ENOUGH_WORDS, BRIEF_WORDS, MOST_WORDS = 25, 8, 45
"""Words from which a quote is long enough, where it stands alone and within a summary, and that more than one line has at most.

Chosen on the `tune` meetings: longer items say more of what they are about by themselves, a summary of short ones more in all.
"""
NO_WORDS = "…"
"""The quote of lines of which nothing is left without addresses."""


@dataclass(frozen=True, slots=True)
class RecapItems:
    """The items of a recap, each kind in the order of the conversation."""

    decisions: tuple[Statement, ...]
    action_items: tuple[ActionItem, ...]
    open_questions: tuple[Statement, ...]


def found_items(
    lines: Sequence[SpokenLine], reading: Reading, vectors: dict[int, Vector], scale: CosineScale, settings: RecapSettings
) -> list[Candidate]:
    """Return what is to be reported, in the order of the conversation."""
    return settled(candidates_in(lines, reading.lines, settings), vectors, scale, settings)


def of_items(
    candidates: Sequence[Candidate], written: Sequence[Written], lines: Sequence[SpokenLine], settings: RecapSettings
) -> list[list[Checked]]:
    """Return for each candidate the sentences that the model made of it and whose words its lines hold; nothing is written of
    items that it was not asked about.
    """
    speakers = frozenset(line.speaker for line in lines if line.speaker)
    found: list[list[Checked]] = []
    for candidate, made in zip(candidates, written or [Written()] * len(candidates), strict=True):
        cited = [lines[index] for index in candidate.surest]
        held = [checked(text, cited, (), speakers) for text, _ in made.sentences]
        found.append([each for each in held if each.support >= settings.minimum_judged])
    return found


def worded_items(
    candidates: Sequence[Candidate],
    carried: Sequence[Sequence[Checked]],
    lines: Sequence[SpokenLine],
    enough: int = ENOUGH_WORDS,
) -> RecapItems:
    """Word the candidates by the first sentence that the lines of each carry, else by what was said, in `enough` words."""
    decisions, tasks, questions = list[Statement](), list[ActionItem](), list[Statement]()
    for candidate, sentences in zip(candidates, carried or [()] * len(candidates), strict=True):
        cited = [lines[index] for index in candidate.lines]
        quoted_text = quote([lines[index] for index in candidate.surest], enough)
        text, support = (sentences[0].text, sentences[0].support) if sentences else (quoted_text, 1.0)
        if candidate.kind is ItemKind.TASK:
            tasks.append(_task(candidate, text, support, cited))
        else:
            chosen = decisions if candidate.kind is ItemKind.DECISION else questions
            chosen.append(statement(text, cited, support, candidate.confidence))
    return RecapItems(tuple(decisions), tuple(tasks), tuple(questions))


def statement(text: str, cited: Sequence[SpokenLine], support: float, confidence: float | None = None) -> Statement:
    """Return a statement with what leads to its place in the recording."""
    start, end = min(line.start for line in cited), max(line.end for line in cited)
    return Statement(text, _segments(cited), round(support, 3), start, end, _speaker(cited), _rounded(confidence))


def _task(candidate: Candidate, text: str, support: float, cited: Sequence[SpokenLine]) -> ActionItem:
    start, end = min(line.start for line in cited), max(line.end for line in cited)
    return ActionItem(
        text,
        _segments(cited),
        round(support, 3),
        candidate.owner,
        candidate.due,
        start=start,
        end=end,
        speaker=_speaker(cited),
        confidence=_rounded(candidate.confidence),
    )


def quote(cited: Sequence[SpokenLine], enough: int = ENOUGH_WORDS) -> str:
    """Return what was said, cleaned, in its order: of `cited`, most telling first, as many lines as are `enough` words together.

    Lines that say nothing by themselves (`Yes, we do.`) are left out where others are there.
    """
    chosen: list[SpokenLine] = []
    used = 0
    for line in [line for line in cited if len(content(line.text)) >= FEWEST_CLAIMS] or cited:
        if chosen and (used >= enough or used + line.words > MOST_WORDS):
            continue
        chosen.append(line)
        used += line.words
    return " ".join(filter(None, (quoted(line.text) for line in sorted(chosen, key=lambda line: line.index)))) or NO_WORDS


def _segments(cited: Sequence[SpokenLine]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(line.segment_id for line in cited))


def _speaker(cited: Sequence[SpokenLine]) -> str | None:
    speakers = {line.speaker for line in cited}
    return speakers.pop() if len(speakers) == 1 else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
