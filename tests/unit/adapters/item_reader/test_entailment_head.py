"""The judge of entailment computes in numpy what torch trained, and nothing of nothing."""

from pathlib import Path

import numpy as np
import pytest
import torch

from adapters.item_reader import EntailmentHead
from training.entailment_network import EntailmentNetwork, padded
from training.reader_network import save

WIDTH = 32


def rows(seed: int, tokens: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(tokens, WIDTH)).astype(np.float32) * 3


@pytest.fixture(scope="module")
def networks() -> list[EntailmentNetwork]:
    torch.manual_seed(5)
    return [EntailmentNetwork(WIDTH, 0.2).eval().half().float() for _ in range(2)]


@pytest.fixture(scope="module")
def head(networks: list[EntailmentNetwork], tmp_path_factory: pytest.TempPathFactory) -> EntailmentHead:
    path: Path = tmp_path_factory.mktemp("head") / "entailment.npz"
    save(networks, np.array([1.5, -0.5], np.float32), path)
    return EntailmentHead.load(path)


def test_it_gives_what_torch_gives_padded_or_not(networks: list[EntailmentNetwork], head: EntailmentHead) -> None:
    pairs = [(rows(1, 7), rows(2, 4)), (rows(3, 20), rows(4, 9))]
    (premise, shown), (sentence, said) = padded([p for p, _ in pairs]), padded([s for _, s in pairs])
    with torch.no_grad():
        logits = sum(network(premise, sentence, shown, said)[0] for network in networks) / len(networks)
    wanted = torch.sigmoid(1.5 * logits - 0.5).numpy()
    assert head.all(pairs) == pytest.approx(wanted, abs=1e-5)


def test_nothing_carries_nothing(head: EntailmentHead) -> None:
    assert head.probability(rows(1, 0), rows(2, 4)) == 0.0
    assert head.probability(rows(1, 4), rows(2, 0)) == 0.0


def test_wild_states_give_a_probability(head: EntailmentHead) -> None:
    assert 0.0 <= head.probability(rows(1, 5) * 1e6, rows(2, 5) * 1e6) <= 1.0
