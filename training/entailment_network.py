"""The network of `adapters/item_reader/entailment.py`, as torch trains it."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from adapters.item_reader.networks import CLIP, Array
from training.reader_network import committed_name
from training.statements import LabelledStatement

NEAR: Final = 96
HIDDEN: Final = 64
BATCH: Final = 32
TOKEN_WEIGHT: Final = 1.0
"""Weight of the judgements of single tokens, where it is known which are wrong."""
HOLDS_WEIGHT: Final = 1.5
"""Of a true statement: there are fewer than false ones."""


@dataclass(frozen=True, slots=True)
class ReadStatement:
    """A labelled statement as the trunk read it; `wrong` is 1 for tokens that are changed, None where that is not known."""

    statement: LabelledStatement
    premise: Array
    sentence: Array
    wrong: Array | None


class EntailmentNetwork(nn.Module):  # type: ignore[misc]  # torch is typed for some versions only
    """States of premise and sentence in; logits of the whole (that it holds) and of the tokens (that they are wrong) out."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.project = nn.Linear(width, NEAR)
        self.norm = nn.LayerNorm(NEAR)
        self.query = nn.Linear(NEAR, NEAR)
        self.key = nn.Linear(NEAR, NEAR)
        self.compare = nn.Linear(4 * NEAR, NEAR)
        self.recurrent = nn.GRU(NEAR, HIDDEN, batch_first=True, bidirectional=True)
        self.token = nn.Linear(2 * HIDDEN, 1)
        self.whole = nn.Linear(4 * HIDDEN + 1, 1)
        self.dropout = nn.Dropout(dropout)
        self.gelu = nn.GELU(approximate="tanh")

    def forward(self, premise: Tensor, sentence: Tensor, shown: Tensor, said: Tensor) -> tuple[Tensor, Tensor]:
        """States (pairs, tokens, width), masks (pairs, tokens) of what is there -> logits (pairs,) and (pairs, tokens)."""
        near, own = (self.dropout(self.norm(self.gelu(self.project(each.clamp(-CLIP, CLIP))))) for each in (premise, sentence))
        weights = self.query(own) @ self.key(near).transpose(1, 2) / NEAR**0.5
        weights = weights.masked_fill(~shown[:, None, :], -1e9).softmax(-1)
        found = weights @ near
        compared = self.gelu(self.compare(self.dropout(torch.cat([own, found, own - found, own * found], -1))))
        lengths = said.sum(1).cpu()
        packed = nn.utils.rnn.pack_padded_sequence(compared, lengths, batch_first=True, enforce_sorted=False)
        read, _ = nn.utils.rnn.pad_packed_sequence(self.recurrent(packed)[0], batch_first=True)
        wrong = self.token(self.dropout(read)).squeeze(-1)
        there = said[..., None]
        most = read.masked_fill(~there, -1e9).amax(1)
        mean = (read * there).sum(1) / lengths[:, None]
        worst = wrong.masked_fill(~said, -1e9).amax(1, keepdim=True)
        return self.whole(self.dropout(torch.cat([most, mean, worst], -1))).squeeze(-1), wrong

    def weights(self) -> Mapping[str, Array]:
        """The weights by the names under which the committed file has them."""
        return {committed_name(name): value.detach().numpy() for name, value in self.state_dict().items()}


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how fast is learnt."""

    epochs: int = 5
    rate: float = 1.5e-3
    decay: float = 0.05
    dropout: float = 0.2


def train(read: Sequence[ReadStatement], seed: int, schedule: Schedule) -> EntailmentNetwork:
    """Return a network trained on the statements; the same seed gives the same network on one machine."""
    torch.manual_seed(seed)
    order = random.Random(seed)  # an order to learn in, no secret
    network = EntailmentNetwork(read[0].sentence.shape[1], schedule.dropout)
    optimiser = torch.optim.AdamW(network.parameters(), lr=schedule.rate, weight_decay=schedule.decay)
    steps = schedule.epochs * -(-len(read) // BATCH)
    pace = torch.optim.lr_scheduler.OneCycleLR(optimiser, schedule.rate, total_steps=steps, pct_start=0.15)
    for _ in range(schedule.epochs):
        for batch in _mixed(read, order):
            loss = _loss(network, batch)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            pace.step()
    network.eval()
    return network


def _mixed(read: Sequence[ReadStatement], order: random.Random) -> list[list[ReadStatement]]:
    """Batches of like length, in no order: padding costs, and a batch of one meeting would be all about one thing."""
    indices = sorted(range(len(read)), key=lambda index: len(read[index].premise) + order.random() * 16)
    batches = [[read[index] for index in indices[first : first + BATCH]] for first in range(0, len(indices), BATCH)]
    order.shuffle(batches)
    return batches


def _loss(network: EntailmentNetwork, batch: Sequence[ReadStatement]) -> Tensor:
    premise, shown = padded([each.premise for each in batch])
    sentence, said = padded([each.sentence for each in batch])
    logits, wrong = network(premise, sentence, shown, said)
    holds = torch.tensor([float(each.statement.holds) for each in batch])
    whole = nn.functional.binary_cross_entropy_with_logits(logits, holds, pos_weight=torch.tensor(HOLDS_WEIGHT))
    known = torch.tensor([each.wrong is not None for each in batch])
    if not known.any():
        return whole
    labels, _ = padded([_labels(each)[:, None] for each in batch])
    counted = said & known[:, None]
    tokens = nn.functional.binary_cross_entropy_with_logits(wrong, labels.squeeze(-1), counted.float(), reduction="sum")
    return whole + TOKEN_WEIGHT * tokens / counted.sum()


def _labels(each: ReadStatement) -> Array:
    return np.zeros(len(each.sentence), np.float32) if each.wrong is None else each.wrong


def padded(rows: Sequence[Array]) -> tuple[Tensor, Tensor]:
    """Stack rows of shape (tokens, width), with zeros behind; and a mask of what is there."""
    most = max(len(row) for row in rows)
    stacked = torch.zeros(len(rows), most, rows[0].shape[1])
    there = torch.zeros(len(rows), most, dtype=torch.bool)
    for index, row in enumerate(rows):
        stacked[index, : len(row)] = torch.from_numpy(row.astype(np.float32))
        there[index, : len(row)] = True
    return stacked, there
