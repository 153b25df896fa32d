"""From readings to candidates: neighbouring lines that are evidence of one item, with owner and due date."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from application.recap.lines import SpokenLine
from application.recap.settings import RecapSettings
from application.recap.text import folded
from domain.finding import LineReading, Span


class ItemKind(StrEnum):
    DECISION = "decision"
    TASK = "task"
    QUESTION = "question"


PROBABILITY: Final[dict[ItemKind, Callable[[LineReading], float]]] = {
    ItemKind.DECISION: lambda reading: reading.decision,
    ItemKind.TASK: lambda reading: reading.task,
    ItemKind.QUESTION: lambda reading: reading.question,
}


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something that the conversation may have come to.

    `lines`: indices of its evidence, rising; `surest`: the same, surest first. `confidence`: how probable it is that there is
    such an item, as the finder was calibrated.
    """

    kind: ItemKind
    lines: tuple[int, ...]
    surest: tuple[int, ...]
    confidence: float
    owner: str | None = None
    due: str | None = None


def candidates_in(lines: Sequence[SpokenLine], readings: Sequence[LineReading], settings: RecapSettings) -> list[Candidate]:
    """Return what is probable enough, in the order of the conversation."""
    found: list[Candidate] = []
    known = {folded(line.speaker): line.speaker for line in lines if line.speaker}
    for kind, probability in PROBABILITY.items():
        values = [probability(reading) for reading in readings]
        for indices in joined(values, settings.minimum_confidence, settings.evidence_share, settings.evidence_gap):
            surest = tuple(sorted(indices, key=lambda index: (-values[index], index)))
            candidate = Candidate(kind, tuple(indices), surest, values[surest[0]])
            if kind is ItemKind.TASK:
                owner, due = _owner(lines, readings, indices, known, settings), _due(lines, readings, indices, settings)
                candidate = replace(candidate, owner=owner, due=due)
            found.append(candidate)
    return sorted(found, key=lambda candidate: (candidate.lines, candidate.kind))


def joined(values: Sequence[float], minimum: float, share: float, gap: int) -> Iterator[list[int]]:
    """Return runs of indices that belong together: one at least `minimum`, the others at least `share` of that.

    Runs of one matter may be interrupted by up to `gap` others.
    """
    run: list[int] = []
    for index, value in enumerate(values):
        if value >= minimum * share and value > 0:
            if run and index - run[-1] > gap + 1:
                yield from _sure(run, values, minimum)
                run = []
            run.append(index)
    yield from _sure(run, values, minimum)


def _sure(run: list[int], values: Sequence[float], minimum: float) -> Iterator[list[int]]:
    if run and max(values[index] for index in run) >= minimum:
        yield run


def _owner(
    lines: Sequence[SpokenLine],
    readings: Sequence[LineReading],
    indices: Sequence[int],
    known: Mapping[str, str],
    settings: RecapSettings,
) -> str | None:
    """Return the most probable owner: who speaks one of the lines, or a name that is said in one; None when none is.

    `known`: the speakers' names as they are spelt, by their folded form.
    """
    choices: dict[str, tuple[float, str]] = {}
    surest = max(readings[index].task for index in indices)
    for index in indices:
        line, reading = lines[index], readings[index]
        weight = reading.task / surest
        if line.speaker:
            _offer(choices, line.speaker, weight * reading.speaker_owns)
        if reading.owner is not None:
            said = _words(line, reading.owner)
            if said:
                _offer(choices, known.get(folded(said), said), weight * reading.owner.probability)
    best = max(choices.values(), default=(0.0, ""))
    return best[1] if best[0] >= settings.minimum_owner else None


def _offer(choices: dict[str, tuple[float, str]], name: str, probability: float) -> None:
    """Two hints at one name make it surer than either."""
    before = choices.get(folded(name), (0.0, name))[0]
    choices[folded(name)] = (1 - (1 - before) * (1 - probability), name)


def _due(
    lines: Sequence[SpokenLine], readings: Sequence[LineReading], indices: Sequence[int], settings: RecapSettings
) -> str | None:
    """Return the words that say until when, of the line where they are surest; a line that is surer of the task counts more."""
    spans = [
        (span.probability * readings[index].task, span.probability, _words(lines[index], span))
        for index in indices
        if (span := readings[index].due) is not None
    ]
    _, probability, words = max(spans, default=(0.0, 0.0, ""))
    return words if probability >= settings.minimum_due and words else None


def _words(line: SpokenLine, span: Span) -> str:
    return line.text[span.start : span.end].strip()
