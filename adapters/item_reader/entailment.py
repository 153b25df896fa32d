"""Whether lines of a conversation carry a sentence: a small network over the hidden states of a language model.

Each token of the sentence looks for what it says among the tokens of the lines (soft alignment and comparison as in ESIM, Chen et
al. 2017); a recurrent network goes over the comparisons, and judges every token and the whole. Several networks trained from
different random numbers are averaged. Made by `training/make_entailment.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from adapters.item_reader.networks import CLIP, Array, bidirectional, gelu, layer_norm, linear, load_networks, sigmoid


@dataclass(frozen=True, slots=True)
class EntailmentHead:
    """Networks of equal shape, with slope and offset of the log-odds (Platt 1999) from meetings that were not learnt from."""

    networks: tuple[Mapping[str, Array], ...]
    calibration: Array

    @classmethod
    def load(cls, path: Path) -> "EntailmentHead":
        """Read the committed weights."""
        return cls(*load_networks(path))

    def probability(self, premise: Array, sentence: Array) -> float:
        """Return how probable it is that the premise carries the sentence; both are hidden states, shape (tokens, width)."""
        if not len(premise) or not len(sentence):
            return 0.0
        logits = [_logit(network, premise, sentence) for network in self.networks]
        return float(sigmoid(self.calibration[0] * np.mean(logits) + self.calibration[1]))

    def all(self, pairs: Sequence[tuple[Array, Array]]) -> list[float]:
        """Return the probability of each pair of premise and sentence."""
        return [self.probability(premise, sentence) for premise, sentence in pairs]


def _logit(network: Mapping[str, Array], premise: Array, sentence: Array) -> Array:
    near, own = (_projected(network, states) for states in (premise, sentence))
    asked, shown = linear(network, "query", own), linear(network, "key", near)
    weights = asked @ shown.T / np.sqrt(shown.shape[1])
    weights = np.exp(weights - weights.max(axis=1, keepdims=True))
    found = (weights / weights.sum(axis=1, keepdims=True)) @ near
    compared = np.concatenate([own, found, own - found, own * found], axis=1)
    read = bidirectional(network, gelu(linear(network, "compare", compared)))
    wrong = linear(network, "token", read)
    pooled = np.concatenate([read.max(axis=0), read.mean(axis=0), wrong.max(axis=0)])
    logit: Array = linear(network, "whole", pooled[None])[0, 0]
    return logit


def _projected(network: Mapping[str, Array], states: Array) -> Array:
    clipped: Array = np.clip(states, -CLIP, CLIP)
    return layer_norm(gelu(linear(network, "project", clipped)), network)
