"""Trains the networks of the item reader on what the trunk made of the labelled meetings."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from adapters.item_reader.head import LINE_OUTPUTS
from adapters.item_reader.networks import Array
from training.meetings import Item, LabelledMeeting
from training.reader_network import ReaderNetwork

BESIDE: Final = 0.25
"""Weight of a line beside evidence that is none itself: the labels call it neither right nor wrong."""
POSITIVE_WEIGHT: Final = (2.0, 2.0, 2.0, 1.0, 1.0, 1.0)
MARK_WEIGHT: Final = 4.0
LINES: Final = 96
"""Lines of one training example, about what one call reads; examples overlap by a quarter."""
BATCH: Final = 16


@dataclass(frozen=True, slots=True)
class Read:
    """A labelled meeting as the trunk read it: `inputs` of its lines; token states of the lines around tasks."""

    meeting: LabelledMeeting
    inputs: Array
    states: Mapping[int, Array]
    offsets: Mapping[int, Sequence[tuple[int, int]]]


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how fast is learnt."""

    epochs: int = 10
    rate: float = 1.5e-3
    decay: float = 0.05
    dropout: float = 0.3
    marks: float = 0.5
    real_weight: float = 1.0


def train(meetings: Sequence[Read], seed: int, schedule: Schedule) -> ReaderNetwork:
    """Return a network trained on `meetings`; the same seed gives the same network on one machine."""
    torch.manual_seed(seed)
    order = random.Random(seed)  # an order to learn in, no secret
    examples = [example for meeting in meetings for example in _examples(meeting, schedule)]
    network = ReaderNetwork((meetings[0].inputs.shape[1] - 1) // 2, schedule.dropout)
    optimiser = torch.optim.AdamW(network.parameters(), lr=schedule.rate, weight_decay=schedule.decay)
    steps = schedule.epochs * -(-len(examples) // BATCH)
    pace = torch.optim.lr_scheduler.OneCycleLR(optimiser, schedule.rate, total_steps=steps, pct_start=0.15)
    for _ in range(schedule.epochs):
        order.shuffle(examples)
        for first in range(0, len(examples), BATCH):
            loss = _loss(network, examples[first : first + BATCH], schedule)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            pace.step()
    network.eval()
    return network


@dataclass(frozen=True, slots=True)
class _Example:
    """A stretch of a meeting: tensors by line, and the tokens to be marked with the line that each is of."""

    inputs: Tensor
    wanted: Tensor
    weight: Tensor
    states: Tensor
    line: Tensor
    marks: Tensor


def _examples(read: Read, schedule: Schedule) -> Iterator[_Example]:
    wanted, weight = line_labels(read.meeting)
    if read.meeting.real:
        weight *= schedule.real_weight
    marks = {index: mark_labels(read, index) for index in read.states}
    for first in range(0, len(wanted), LINES * 3 // 4):
        stretch = slice(first, first + LINES)
        if first and len(wanted) - first < LINES // 8:
            break
        inside = [index for index in sorted(marks) if first <= index < first + LINES and len(marks[index])]
        states = [read.states[index].astype(np.float32) for index in inside]
        yield _Example(
            torch.from_numpy(read.inputs[stretch].astype(np.float32)),
            torch.from_numpy(wanted[stretch]),
            torch.from_numpy(weight[stretch]),
            torch.from_numpy(np.concatenate(states)) if states else torch.zeros(0, (read.inputs.shape[1] - 1) // 2),
            torch.tensor([index - first for index in inside for _ in marks[index]], dtype=torch.long),
            torch.from_numpy(np.concatenate([marks[index] for index in inside])) if inside else torch.zeros(0, 2),
        )


def line_labels(meeting: LabelledMeeting) -> tuple[Array, Array]:
    """Return what each line is evidence of, shape (lines, outputs), and how much each of these labels counts."""
    wanted = np.zeros((len(meeting.turns), len(LINE_OUTPUTS)), np.float32)
    weight = np.ones_like(wanted)
    wanted[sorted(meeting.orders), LINE_OUTPUTS.index("order")] = 1.0
    weight[:, -1] = 0.0
    for column, items in enumerate((*meeting.items, meeting.look_alikes)):
        for index in (index for item in items for index in item.evidence):
            wanted[index, column] = 1.0
    for column in range(len(meeting.items)):
        for index in np.flatnonzero(wanted[:, column]):
            for beside in (index - 1, index + 1):
                if 0 <= beside < len(wanted) and not wanted[beside, column]:
                    weight[beside, column] = BESIDE
    for task in meeting.tasks:
        if task.owners:
            for index in task.evidence:
                wanted[index, -1], weight[index, -1] = _folded(meeting.turns[index].speaker) in _names(task), 1.0
    return wanted, weight


def mark_labels(read: Read, index: int) -> Array:
    """Return for each token of a line whether it names the owner, and the due date, of a task that rests on the line."""
    offsets = read.offsets[index]
    found = np.zeros((len(offsets), 2), np.float32)
    text = read.meeting.turns[index].text.lower()
    for task in read.meeting.tasks:
        near = any(abs(index - each) <= 1 for each in task.evidence)
        if task.due and index in task.evidence:
            _mark(found[:, 1], text, task.due.lower(), offsets)
        for name in task.owners if near else ():
            _mark(found[:, 0], text, name.lower(), offsets)
    return found


def _mark(column: Array, text: str, words: str, offsets: Sequence[tuple[int, int]]) -> None:
    start = text.find(words)
    if start < 0 or not words:
        return
    for token, (first, end) in enumerate(offsets):
        if first < start + len(words) and end > start and first < end:
            column[token] = 1.0


def _names(task: Item) -> set[str]:
    return {_folded(name) for name in task.owners}


def _folded(name: str | None) -> str:
    return (name or "").strip().lower()


def _loss(network: ReaderNetwork, batch: Sequence[_Example], schedule: Schedule) -> Tensor:
    most = max(len(example.inputs) for example in batch)

    def padded(values: Tensor) -> Tensor:
        return nn.functional.pad(values, (0, 0, 0, most - len(values)))

    inputs = torch.stack([padded(example.inputs) for example in batch])
    wanted = torch.stack([padded(example.wanted) for example in batch])
    weight = torch.stack([padded(example.weight) for example in batch])
    logits, context = network(inputs)
    rates = torch.tensor(POSITIVE_WEIGHT)
    lines = nn.functional.binary_cross_entropy_with_logits(logits, wanted, weight, pos_weight=rates, reduction="sum")
    loss = lines / weight.sum()
    marks = torch.cat([example.marks for example in batch])
    if len(marks):
        around = torch.cat([context[index][example.line] for index, example in enumerate(batch)])
        marked = network.mark(torch.cat([example.states for example in batch]), around)
        loss = loss + schedule.marks * nn.functional.binary_cross_entropy_with_logits(
            marked, marks, pos_weight=torch.tensor(MARK_WEIGHT)
        )
    return loss
