"""Makes the item reader from the committed meetings: `python -m training.make_reader`.

Reads every meeting once through the trunk (what was read is kept under `--work`), trains the networks on the `train` meetings,
calibrates them on the `tune` meetings, and writes the weights and the card with their figures. The same data and trunk give the
same file on one machine.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from adapters.item_reader.engine import HEAD
from adapters.item_reader.head import LINE_OUTPUTS, Head, line_inputs
from adapters.item_reader.trunk import Trunk
from application.recap.candidates import joined
from application.recap.settings import RecapSettings
from domain.recap import ActionItem, Statement
from evals.item_matching import ITEM_KINDS, FoundItems, Kind, match
from serve_app.engines.served_models import model_store
from serve_app.settings.models import ReaderSettings
from training.calibration import fitted
from training.meetings import Item, LabelledMeeting, meetings
from training.orders import with_orders
from training.reader_network import ReaderNetwork, save
from training.train_reader import Read, Schedule, train

SEEDS: Final = 3
"""Networks that are averaged; a fourth brought nothing on the tune meetings."""
PART_WORDS: Final = 2_000
"""Of a real meeting that is read at a time."""
WITH_ORDERS: Final = 4
"""Every fourth written meeting is learnt from once more with orders in it."""
LEAST_SHOWN: Final = 0.1
"""Probability from which a candidate takes part in the calibration."""


def main() -> None:
    """Read, train, calibrate, write."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--work", type=Path, default=Path(".reader"), help="folder for what the trunk read")
    arguments.add_argument("--threads", type=int, default=2)
    asked = arguments.parse_args()
    torch.set_num_threads(asked.threads)
    torch.use_deterministic_algorithms(mode=True)
    trunk = Trunk(model_store().ensure(ReaderSettings().model).path, asked.threads)
    asked.work.mkdir(parents=True, exist_ok=True)
    learnt = [read_of(meeting, trunk, asked.work) for meeting in learning()]
    tuned = [read_of(meeting, trunk, asked.work) for meeting in parts_of(meetings("tune"))]
    networks = [train(learnt, seed, Schedule()) for seed in range(SEEDS)]
    calibrate_and_save(networks, tuned, HEAD)
    say(f"written: {HEAD.name}, {HEAD.stat().st_size:,} bytes, from {len(learnt)} meetings")


def learning() -> Iterator[LabelledMeeting]:
    """The meetings that are learnt from: of a real one its first part and the fullest, since most of it is about nothing; and
    some written ones once more with somebody who speaks to the machine.
    """
    for meeting in meetings("train"):
        parts = list(parts_of([meeting]))
        fullest = max(parts, key=lambda part: sum(map(len, part.items)))
        yield from (parts[0], fullest) if fullest is not parts[0] else (fullest,)
    for meeting in meetings("train", real=False)[::WITH_ORDERS]:
        yield with_orders(meeting, 0)


def parts_of(some: Sequence[LabelledMeeting]) -> Iterator[LabelledMeeting]:
    """Return the meetings, the real ones in parts of `PART_WORDS`: they are five times as long as the written ones."""
    for meeting in some:
        yield from _parts(meeting) if meeting.real else (meeting,)


def _parts(meeting: LabelledMeeting) -> Iterator[LabelledMeeting]:
    """Cut a meeting; an item that rests on turns of two parts is in neither."""
    first = number = 0
    while first < len(meeting.turns):
        end, words = first, PART_WORDS
        while end < len(meeting.turns) and words > 0:
            words -= len(meeting.turns[end].text.split())
            end += 1
        names = ("decisions", "tasks", "questions", "look_alikes")
        kinds: dict[str, Any] = {name: _inside(getattr(meeting, name), first, end) for name in names}
        yield replace(meeting, id=f"{meeting.id}~{number}", turns=meeting.turns[first:end], **kinds)
        first, number = end, number + 1


def _inside(items: Sequence[Item], first: int, end: int) -> tuple[Item, ...]:
    inside = (item for item in items if item.evidence and first <= item.evidence[0] and item.evidence[-1] < end)
    return tuple(replace(item, evidence=tuple(index - first for index in item.evidence)) for item in inside)


def read_of(meeting: LabelledMeeting, trunk: Trunk | None, work: Path) -> Read:
    """Return a meeting as the trunk reads it; kept in `work` by the meeting's name. Without a trunk it has to be there."""
    kept = work / f"{meeting.id}.npz"
    if trunk is not None and not kept.exists():
        lines = trunk.tokenized([(turn.speaker, turn.text) for turn in meeting.turns])
        states = trunk.states(lines)
        near = {index + by for task in meeting.tasks for index in task.evidence for by in (-1, 0, 1)}
        near &= set(range(len(lines)))
        rows: dict[str, Any] = {"inputs": line_inputs([turn.speaker for turn in meeting.turns], states).astype(np.float16)}
        rows |= {f"s{index}": states[index].astype(np.float16) for index in near}
        rows |= {f"o{index}": np.array(lines[index].offsets, np.int32).reshape(-1, 2) for index in near}
        temporary = kept.with_suffix(".new.npz")
        np.savez(temporary, **rows)
        temporary.replace(kept)
    with np.load(kept) as file:
        indices = [int(name[1:]) for name in file.files if name.startswith("s")]
        offsets = {index: [(int(a), int(b)) for a, b in file[f"o{index}"]] for index in indices}
        return Read(meeting, file["inputs"], {index: file[f"s{index}"] for index in indices}, offsets)


def calibrate_and_save(networks: Sequence[ReaderNetwork], tuned: Sequence[Read], path: Path) -> None:
    """Fit the calibration to how often a candidate of a probability is an item, and write the file."""
    columns = len(LINE_OUTPUTS)
    calibration = np.stack([np.ones(columns, np.float32), np.zeros(columns, np.float32)])
    save(networks, calibration, path)
    shown = candidates_of(Head.load(path), tuned)
    for column in range(len(ITEM_KINDS)):
        calibration[:, column] = fitted([(p, hit) for kind, p, hit in shown if kind == column])
    save(networks, calibration, path)


def candidates_of(head: Head, some: Sequence[Read]) -> list[tuple[int, float, bool]]:
    """Return kind, probability and whether it is an item, of everything that the finder might report."""
    settings = RecapSettings()
    found: list[tuple[int, float, bool]] = []
    for read in some:
        rows = head.lines(read.inputs.astype(np.float32))
        for column, kind in enumerate(ITEM_KINDS):
            values = [float(value) for value in rows[:, column]]
            runs = list(joined(values, LEAST_SHOWN, settings.evidence_share, settings.evidence_gap))
            hits = match(_reported(kind, runs), read.meeting).matched
            found += [(column, max(values[index] for index in run), index in hits) for index, run in enumerate(runs)]
    return found


def _reported(kind: Kind, runs: Sequence[Sequence[int]]) -> FoundItems:
    if kind == "actions":
        return FoundItems(action_items=tuple(ActionItem("", tuple(run), 1.0) for run in runs))
    said = tuple(Statement("", tuple(run), 1.0) for run in runs)
    return FoundItems(decisions=said) if kind == "decisions" else FoundItems(open_questions=said)


def say(line: str) -> None:
    """Write a line that stands at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
