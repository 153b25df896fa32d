"""The trained part of the reader, as it is served, against the network that was trained."""

from pathlib import Path

import numpy as np
import pytest
import torch

from adapters.item_reader.head import CLIP, LINE_OUTPUTS, Head, best_span, line_inputs
from training.calibration import fitted
from training.reader_network import ReaderNetwork, save

WIDTH = 24
LINES = [("Anna", "We take the red one."), ("Ben", "I will order it by Friday, for Carla."), ("Ben", ""), ("", "Okay.")]


@pytest.fixture
def network() -> ReaderNetwork:
    torch.manual_seed(3)
    made = ReaderNetwork(WIDTH, 0.3)
    made.eval()
    return made.half().float()


@pytest.fixture
def states() -> list[np.ndarray]:
    random = np.random.default_rng(1)
    return [random.normal(0, 8, (len(text.split()), WIDTH)).astype(np.float32) for _, text in LINES]


def unbent() -> np.ndarray:
    return np.stack([np.ones(len(LINE_OUTPUTS)), np.zeros(len(LINE_OUTPUTS))]).astype(np.float32)


def test_what_is_served_is_what_was_trained(tmp_path: Path, network: ReaderNetwork, states: list[np.ndarray]) -> None:
    save([network, network], unbent(), tmp_path / "head.npz")
    head = Head.load(tmp_path / "head.npz")
    inputs = line_inputs([speaker for speaker, _ in LINES], states)
    assert np.abs(inputs).max() > CLIP, "the bound has something to do"
    with torch.no_grad():
        lines, context = network(torch.from_numpy(inputs)[None])
        marks = torch.sigmoid(network.mark(torch.from_numpy(states[1]), context[0, 1].expand(len(states[1]), -1))).numpy()
    served = head.lines(inputs)
    assert served == pytest.approx(torch.sigmoid(lines)[0].numpy(), abs=1e-5)
    offsets = [[(0, 1)] * len(each) for each in states]
    rows = head.read(LINES, states, offsets)
    assert [row["task"] for row in rows] == pytest.approx(served[:, 1].tolist(), abs=1e-6)
    for column, name in enumerate(("owner", "due")):
        assert (rows[1][name] is None) == bool((marks[:, column] < 0.5).all() or not LINES[1][1])


def test_the_same_networks_are_the_same_bytes(tmp_path: Path, network: ReaderNetwork) -> None:
    for name in ("one.npz", "two.npz"):
        save([network], unbent(), tmp_path / name)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


def test_a_calibration_bends_probabilities(tmp_path: Path, network: ReaderNetwork, states: list[np.ndarray]) -> None:
    bent = unbent()
    bent[1, 0] = 5.0
    save([network], unbent(), tmp_path / "plain.npz")
    save([network], bent, tmp_path / "bent.npz")
    inputs = line_inputs([speaker for speaker, _ in LINES], states)
    plain, moved = (Head.load(tmp_path / f"{name}.npz").lines(inputs) for name in ("plain", "bent"))
    assert (moved[:, 0] > plain[:, 0]).all()
    assert moved[:, 1:] == pytest.approx(plain[:, 1:])


def test_a_span_is_the_surest_run_in_whole_words() -> None:
    text = "until next Friday or May"
    offsets = [(0, 5), (6, 10), (11, 14), (14, 17), (18, 20), (21, 24)]
    marks = np.array([0.1, 0.9, 0.8, 0.2, 0.1, 0.7], np.float32)
    assert best_span(text, marks, offsets) == [6, 17, pytest.approx(0.85)]
    assert best_span(text, np.zeros(6, np.float32), offsets) is None


def test_the_name_of_the_speaker_is_no_span() -> None:
    assert best_span("Okay.", np.array([0.9, 0.1], np.float32), [(0, 0), (0, 4)]) is None


def test_a_fitted_calibration_says_how_often_it_is_right() -> None:
    seen = [(0.9, place % 2 == 0) for place in range(200)] + [(0.1, place % 20 == 0) for place in range(200)]
    slope, offset = fitted(seen)

    def told(p: float) -> float:
        return float(1 / (1 + np.exp(-(slope * np.log(p / (1 - p)) + offset))))

    assert told(0.9) == pytest.approx(0.5, abs=0.03)
    assert told(0.1) == pytest.approx(0.05, abs=0.03)
    assert fitted([(0.5, True)]) == (1.0, 0.0), "nothing to learn from"
