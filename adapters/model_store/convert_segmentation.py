"""pyannote's segmentation-3.0 as a graph of ONNX: sound to who is active with whom.

SincNet (Ravanelli and Bengio 2018), four bidirectional LSTM layers, two linear layers, and the powerset classes of Plaquet and
Bredin (2023): nobody, one of three speakers, or two of them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from adapters.model_store.onnx_graph import Graph

SOUND, CLASSES = "sound", "classes"
"""Names of the input, shape (windows, 1, samples) at 16 kHz, and of the output, log-probabilities (windows, frames, 7)."""
SLOPE = 0.01
"""Of leaky rectifiers, PyTorch's default."""
EPSILON = 1e-5
FILTERS, STRIDE = 80, 10
LOWEST_HZ, NARROWEST_HZ = 50.0, 50.0
LSTM_LAYERS, HIDDEN = 4, 128


def write_segmentation(saved: Mapping[str, Any], path: Path) -> None:
    """Write the graph for the weights `saved`, as `read_tensors` returns them."""
    weights = saved["state_dict"]
    graph = Graph("segmentation")
    value = graph.add("InstanceNormalization", SOUND, *_both(graph, weights, "sincnet.wav_norm1d"), epsilon=EPSILON)
    value = graph.add("Conv", value, graph.constant(_sinc_filters(weights, saved["model"]["sample_rate"])), strides=[STRIDE])
    value = _pooled(graph, weights, graph.add("Abs", value), 0)
    for number in (1, 2):
        value = _pooled(graph, weights, graph.add("Conv", value, *_both(graph, weights, f"sincnet.conv1d.{number}")), number)
    value = graph.add("Transpose", value, perm=[2, 0, 1])
    for layer in range(LSTM_LAYERS):
        value = _lstm(graph, weights, value, layer)
    value = graph.add("Transpose", value, perm=[1, 0, 2])
    for name in ("linear.0", "linear.1"):
        value = graph.add("LeakyRelu", _linear(graph, weights, value, name), alpha=SLOPE)
    value = graph.add("LogSoftmax", _linear(graph, weights, value, "classifier"), axis=-1)
    graph.add_named("Identity", CLASSES, value)
    graph.save(path, {SOUND: ["windows", 1, "samples"]}, {CLASSES: ["windows", "frames", saved["model"]["output_dim"]]})


def _both(graph: Graph, weights: Mapping[str, Any], name: str) -> tuple[str, str]:
    return graph.constant(weights[f"{name}.weight"]), graph.constant(weights[f"{name}.bias"])


def _pooled(graph: Graph, weights: Mapping[str, Any], value: str, number: int) -> str:
    value = graph.add("MaxPool", value, kernel_shape=[3], strides=[3])
    value = graph.add("InstanceNormalization", value, *_both(graph, weights, f"sincnet.norm1d.{number}"), epsilon=EPSILON)
    return graph.add("LeakyRelu", value, alpha=SLOPE)


def _linear(graph: Graph, weights: Mapping[str, Any], value: str, name: str) -> str:
    product = graph.add("MatMul", value, graph.constant(weights[f"{name}.weight"].T.copy()))
    return graph.add("Add", product, graph.constant(weights[f"{name}.bias"]))


def _lstm(graph: Graph, weights: Mapping[str, Any], value: str, layer: int) -> str:
    """One layer in both directions, over values of shape (frames, windows, width)."""
    import numpy as np

    def both_ways(name: str) -> Any:
        return np.stack([_gates(weights[f"lstm.{name}_l{layer}{way}"]) for way in ("", "_reverse")])

    biases = np.concatenate([both_ways("bias_ih"), both_ways("bias_hh")], axis=1)
    kept = [graph.constant(part) for part in (both_ways("weight_ih"), both_ways("weight_hh"), biases)]
    value = graph.add("LSTM", value, *kept, hidden_size=HIDDEN, direction="bidirectional")
    value = graph.add("Transpose", value, perm=[0, 2, 1, 3])
    return graph.add("Reshape", value, graph.constant(np.array([0, 0, 2 * HIDDEN], np.int64)))


def _gates(weight: Any) -> Any:
    """Gates from PyTorch's order (input, forget, cell, output) to that of ONNX (input, output, forget, cell)."""
    import numpy as np

    to_input, forget, cell, output = np.split(weight, 4)
    return np.concatenate([to_input, output, forget, cell])


def _sinc_filters(weights: Mapping[str, Any], sample_rate: int) -> Any:
    """Band-pass filters, even and odd ones, from the two frequencies that each has learnt; shape (80, 1, 251)."""
    import numpy as np

    def learnt(name: str) -> Any:
        return weights[f"sincnet.conv1d.0.filterbank.{name}"].astype(np.float64)

    low = LOWEST_HZ + np.abs(learnt("low_hz_"))
    high = np.clip(low + NARROWEST_HZ + np.abs(learnt("band_hz_")), LOWEST_HZ, sample_rate / 2)
    width, times = high - low, learnt("n_")
    even = (np.sin(high @ times) - np.sin(low @ times)) / (times / 2) * learnt("window_")
    odd = (np.cos(low @ times) - np.cos(high @ times)) / (times / 2) * learnt("window_")
    both = np.concatenate(
        [np.hstack([even, 2 * width, even[:, ::-1]]), np.hstack([odd, np.zeros_like(width), -odd[:, ::-1]])]
    ) / np.vstack([2 * width, 2 * width])
    return both.reshape(FILTERS, 1, -1).astype(np.float32)
