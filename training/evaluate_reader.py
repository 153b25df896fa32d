"""What the reader finds on meetings of a split: `python -m training.evaluate_reader tune`. For choosing bounds."""

import argparse
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from adapters.item_reader.engine import HEAD
from adapters.item_reader.head import LINE_OUTPUTS, Head
from adapters.item_reader.networks import Array
from application.recap.candidates import candidates_in
from application.recap.lines import SpokenLine
from application.recap.settings import RecapSettings
from domain.finding import NOTHING_FOUND, LineReading
from domain.recap import ActionItem, Statement
from evals.item_matching import ITEM_KINDS, FoundItems, Kind, match
from training.make_reader import parts_of, read_of, say
from training.meetings import LabelledMeeting, meetings
from training.train_reader import Read

CONFIDENCES: Final = (0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5)
SHARES: Final = (0.4, 0.6, 0.8)
GAPS: Final = (0, 1, 2)
"""What is tried on the meetings that bounds are chosen by."""


def main() -> None:
    """Print precision, recall and F1 by kind for every choice of bounds, best last."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("split", choices=("tune", "confirm"))
    arguments.add_argument("--work", type=Path, default=Path(".reader"))
    asked = arguments.parse_args()
    head = Head.load(HEAD)
    some = [read_of(meeting, None, asked.work) for meeting in parts_of(meetings(asked.split))]
    rows = {read.meeting.id: head.lines(read.inputs.astype("float32")) for read in some}
    tried = []
    for confidence, share, gap in itertools.product(CONFIDENCES, SHARES, GAPS):
        settings = replace(RecapSettings(), minimum_confidence=confidence, evidence_share=share, evidence_gap=gap)
        tried.append((confidence, share, gap, counts_of(some, rows, settings)))
    for confidence, share, gap, counts in sorted(tried, key=lambda each: mean_f1(each[3])):
        kinds = " ".join(f"{kind} {shown(counts[kind])}" for kind in ITEM_KINDS)
        say(f"{confidence} {share} {gap}: {kinds} {mean_f1(counts):.3f}")


Counts = dict[Kind, tuple[int, int, int]]


def counts_of(some: Sequence[Read], rows: Mapping[str, Array], settings: RecapSettings) -> Counts:
    """Return for each kind how many were found, labelled and matched."""
    counts: Counts = dict.fromkeys(ITEM_KINDS, (0, 0, 0))
    for read in some:
        found = items_of(read.meeting, rows[read.meeting.id], settings)
        judged = match(found, read.meeting)
        for kind, labelled in zip(ITEM_KINDS, read.meeting.items, strict=True):
            reported = sum(each.kind == kind for each in judged.reported)
            matched = sum(judged.reported[index].kind == kind for index in judged.matched)
            before = counts[kind]
            counts[kind] = (before[0] + reported, before[1] + len(labelled), before[2] + matched)
    return counts


def items_of(meeting: LabelledMeeting, rows: Array, settings: RecapSettings) -> FoundItems:
    """Return the candidates in lines with these probabilities, as items without words of their own."""
    lines = [SpokenLine(n, n, turn.speaker, turn.text, turn.start, turn.end) for n, turn in enumerate(meeting.turns)]
    readings: list[LineReading] = []
    for row in rows:
        told: dict[str, Any] = dict(zip(LINE_OUTPUTS, map(float, row), strict=True))
        readings.append(replace(NOTHING_FOUND, **told))
    by_kind: dict[str, list[Statement]] = {"decision": [], "task": [], "question": []}
    for each in candidates_in(lines, readings, settings):
        by_kind[each.kind.value].append(Statement("", each.lines, 1.0, confidence=each.confidence))
    tasks = tuple(ActionItem("", each.segment_ids, 1.0, confidence=each.confidence) for each in by_kind["task"])
    return FoundItems(tuple(by_kind["decision"]), tasks, tuple(by_kind["question"]))


def shown(counts: tuple[int, int, int]) -> str:
    """Precision / recall / F1."""
    found, labelled, matched = counts
    return f"{matched / max(1, found):.2f}/{matched / max(1, labelled):.2f}/{f1(counts):.3f}"


def f1(counts: tuple[int, int, int]) -> float:
    """The harmonic mean of precision and recall."""
    found, labelled, matched = counts
    return 2 * matched / max(1, found + labelled)


def mean_f1(counts: Counts) -> float:
    """Over the kinds."""
    return sum(map(f1, counts.values())) / len(counts)


if __name__ == "__main__":
    main()
