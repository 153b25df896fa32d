"""The trained part of the reader: from hidden states of a language model to what each line is evidence of.

Each line is the mean and the last of its tokens' states; a bidirectional recurrent network (GRU, Cho et al. 2014) reads the lines
in order, so that what was said before and after weighs in. A second, small network marks the tokens that name an owner and a due
date. Several networks trained from different random numbers are averaged. Made by `training/train_reader.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from adapters.item_reader.networks import CLIP, Array, bidirectional, gelu, layer_norm, linear, load_networks, sigmoid

LINE_OUTPUTS: Final = ("decision", "task", "question", "look_alike", "order", "speaker_owns")
TOKEN_OUTPUTS: Final = ("owner", "due")
MARKED: Final = 0.5
"""Probability from which a token belongs to a span: what the training takes for yes."""


@dataclass(frozen=True, slots=True)
class Head:
    """Networks of equal shape; each a mapping from the name of a weight to the weight.

    `calibration`, shape (2, outputs of a line): slope and offset of the log-odds (Platt 1999), fitted on meetings that were not
    learnt from, so that a probability says how often there is such an item.
    """

    networks: tuple[Mapping[str, Array], ...]
    calibration: Array

    @classmethod
    def load(cls, path: Path) -> "Head":
        """Read the committed weights: `NETWORK/NAME` -> half precision, used in single precision."""
        return cls(*load_networks(path))

    def read(
        self,
        lines: Sequence[tuple[str, str]],
        states: Sequence[Array],
        offsets: Sequence[Sequence[tuple[int, int]]],
    ) -> list[dict[str, Any]]:
        """Return a row for each line, of the shape that `RawOutput` describes.

        `lines`: speaker and text. `states`: for each line its tokens' hidden states, shape (tokens, width). `offsets`: for each
        token the characters of the text that it stands for; equal ends for one that stands for none of it (the speaker's name).
        """
        inputs = line_inputs([speaker for speaker, _ in lines], states)
        read = [_Read.of(network, inputs) for network in self.networks]
        rows = self._calibrated(read)
        found: list[dict[str, Any]] = []
        for index, (_, text) in enumerate(lines):
            marks = np.mean([each.tokens(states[index], index) for each in read], axis=0)
            row: dict[str, Any] = {name: float(rows[index, column]) for column, name in enumerate(LINE_OUTPUTS)}
            for column, name in enumerate(TOKEN_OUTPUTS):
                row[name] = best_span(text, marks[:, column], offsets[index])
            found.append(row)
        return found

    def lines(self, inputs: Array) -> Array:
        """Return the probabilities of lines alone, shape (lines, outputs); `inputs` as of `line_inputs`."""
        return self._calibrated([_Read.of(network, inputs) for network in self.networks])

    def _calibrated(self, read: Sequence["_Read"]) -> Array:
        inside = np.clip(np.mean([each.lines for each in read], axis=0), 1e-6, 1 - 1e-6)
        return sigmoid(self.calibration[0] * np.log(inside / (1 - inside)) + self.calibration[1])


def line_inputs(speakers: Sequence[str], states: Sequence[Array]) -> Array:
    """Return what the network reads of each line: mean and last state, and whether the speaker is another one than before."""
    width = states[0].shape[1] if states else 0
    rows = np.zeros((len(states), 2 * width + 1), np.float32)
    for index, tokens in enumerate(states):
        if len(tokens):
            rows[index, :width], rows[index, width:-1] = tokens.mean(axis=0), tokens[-1]
        rows[index, -1] = index > 0 and speakers[index] != speakers[index - 1]
    return rows


def best_span(text: str, marks: Array, offsets: Sequence[tuple[int, int]]) -> list[float] | None:
    """Return [start, end, probability] of the run of marked tokens with the most probability; whole words, None without any."""
    best: tuple[float, int, int, float] | None = None
    run: list[int] = []
    for index in [*range(len(offsets)), None]:
        if index is not None and marks[index] >= MARKED and offsets[index][0] < offsets[index][1]:
            run.append(index)
            continue
        if run:
            start, end = _whole_words(text, offsets[run[0]][0], offsets[run[-1]][1])
            mass = float(marks[run].sum())
            if start < end and (best is None or mass > best[0]):
                best = (mass, start, end, float(marks[run].mean()))
        run = []
    return None if best is None else [best[1], best[2], best[3]]


def _whole_words(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and not text[start].isalnum():
        start += 1
    while end > start and not text[end - 1].isalnum():
        end -= 1
    while start > 0 and start < end and text[start - 1].isalnum():
        start -= 1
    while end > start and end < len(text) and text[end].isalnum():
        end += 1
    return start, end


@dataclass(frozen=True, slots=True)
class _Read:
    """What one network made of the lines: probabilities, and the context in which its tokens are judged."""

    network: Mapping[str, Array]
    lines: Array
    context: Array

    @classmethod
    def of(cls, network: Mapping[str, Array], inputs: Array) -> "_Read":
        width = (inputs.shape[1] - 1) // 2
        scaled = inputs.copy()
        scaled[:, : 2 * width] = np.clip(scaled[:, : 2 * width], -CLIP, CLIP)
        near = layer_norm(gelu(linear(network, "project", scaled)), network)
        context = np.concatenate([near, bidirectional(network, near)], axis=1)
        return cls(network, sigmoid(linear(network, "lines", context)), context)

    def tokens(self, states: Array, line: int) -> Array:
        """Return for each token of a line how probable it is that it names the owner, and the due date."""
        if not len(states):
            return np.zeros((0, len(TOKEN_OUTPUTS)), np.float32)
        own = linear(self.network, "token", np.clip(states, -CLIP, CLIP))
        around = linear(self.network, "around", self.context[line : line + 1])
        return sigmoid(linear(self.network, "marks", gelu(own + around)))
