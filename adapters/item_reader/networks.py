"""Layers of the reader's networks in numpy, and the file that their weights are committed in."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
CALIBRATION: Final = "calibration"
"""Name of the calibration in a file of weights."""
CLIP: Final = 8.0
"""Standard deviations: states beyond are a few outlying dimensions of a few tokens."""


def linear(network: Mapping[str, Array], name: str, values: Array) -> Array:
    """Weights (out, in) and bias under one name."""
    result: Array = values @ network[f"{name}.weight"].T + network[f"{name}.bias"]
    return result


def gelu(values: Array) -> Array:
    """The approximation by tanh (Hendrycks and Gimpel 2016)."""
    result: Array = 0.5 * values * (1 + np.tanh(np.sqrt(2 / np.pi) * (values + 0.044715 * values**3)))
    return result


def sigmoid(values: Array) -> Array:
    """By tanh, which does not overflow."""
    result: Array = 0.5 * (1 + np.tanh(0.5 * values))
    return result


def layer_norm(values: Array, network: Mapping[str, Array]) -> Array:
    """Over the last axis (Ba et al. 2016), with the weights called `norm`."""
    spread = np.sqrt(values.var(axis=1, keepdims=True) + 1e-5)
    result: Array = (values - values.mean(axis=1, keepdims=True)) / spread * network["norm.weight"] + network["norm.bias"]
    return result


def gru(network: Mapping[str, Array], name: str, inputs: Array) -> Array:
    """One direction; gates in the order reset, update, new."""
    weight, bias = network[f"{name}.hidden.weight"], network[f"{name}.hidden.bias"]
    ready = linear(network, f"{name}.input", inputs)
    size = weight.shape[1]
    state = np.zeros(size, np.float32)
    found = np.zeros((len(inputs), size), np.float32)
    for index, own in enumerate(ready):
        held = weight @ state + bias
        gates = sigmoid(own[: 2 * size] + held[: 2 * size])
        new = np.tanh(own[2 * size :] + gates[:size] * held[2 * size :])
        state = (1 - gates[size:]) * new + gates[size:] * state
        found[index] = state
    return found


def bidirectional(network: Mapping[str, Array], inputs: Array) -> Array:
    """Both directions side by side, shape (steps, twice the hidden size)."""
    return np.concatenate([gru(network, "forward", inputs), gru(network, "backward", inputs[::-1])[::-1]], axis=1)


def load_networks(path: Path) -> tuple[tuple[Mapping[str, Array], ...], Array]:
    """Read `NETWORK/NAME` -> half precision, used in single precision, and the calibration."""
    with np.load(path, allow_pickle=False) as file:
        count = 1 + max(int(name.split("/")[0]) for name in file.files if "/" in name)
        networks = tuple(
            {name.split("/")[1]: file[name].astype(np.float32) for name in file.files if name.startswith(f"{index}/")}
            for index in range(count)
        )
        return networks, file[CALIBRATION]
