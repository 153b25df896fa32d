"""CAM++ (Wang et al. 2023) as a graph of ONNX: filter banks of one voice to a vector.

A small two-dimensional convolutional network in front, then densely connected time-delay layers, each masked by what its channel
holds on average over the whole and over each stretch of a hundred frames, and the mean and deviation over time at the end.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from adapters.model_store.onnx_graph import Graph

BANKS, VOICE = "banks", "voice"
"""Names of the input, shape (1, frames, 80), and of the output, shape (1, 192)."""
BLOCKS = ((12, 1), (24, 2), (16, 2))
"""Layers and dilation of each dense block."""
STRETCH = 100
"""Frames over which the mask's nearer context is averaged."""
EPSILON = 1e-5


def write_campplus(weights: Mapping[str, Any], path: Path) -> None:
    """Write the graph for the `weights`, as `read_tensors` returns them."""
    network = _Network(weights)
    graph = network.graph
    value = network.front(graph.add("Transpose", BANKS, perm=[0, 2, 1]))
    value = network.convolved("xvector.tdnn.linear", value, pads=[2, 2], strides=[2])
    value = network.rectified("xvector.tdnn.nonlinear.batchnorm", value)
    stretches = network.stretches(value)
    for number, (layers, dilation) in enumerate(BLOCKS, 1):
        for layer in range(1, layers + 1):
            value = network.dense(f"xvector.block{number}.tdnnd{layer}", value, dilation, stretches)
        value = network.rectified(f"xvector.transit{number}.nonlinear.batchnorm", value)
        value = network.convolved(f"xvector.transit{number}.linear", value)
    value = network.over_time(network.rectified("xvector.out_nonlinear.batchnorm", value))
    value = network.normalised("xvector.dense.nonlinear.batchnorm", network.convolved("xvector.dense.linear", value))
    graph.add_named("Squeeze", VOICE, value, network.whole(2))
    width = int(weights["xvector.dense.linear.weight"].shape[0])
    graph.save(path, {BANKS: [1, "frames", 80]}, {VOICE: [1, width]})


class _Network:
    """Pieces of the network, over the weights by the names that the publisher gave them."""

    def __init__(self, weights: Mapping[str, Any]) -> None:
        self.graph = Graph("campplus")
        self._weights = weights

    def whole(self, *numbers: int) -> str:
        import numpy as np

        return self.graph.constant(np.array(numbers, np.int64))

    def convolved(self, name: str, value: str, **attributes: Any) -> str:
        kept = [self.graph.constant(self._weights[f"{name}.weight"])]
        if f"{name}.bias" in self._weights:
            kept.append(self.graph.constant(self._weights[f"{name}.bias"]))
        return self.graph.add("Conv", value, *kept, **attributes)

    def normalised(self, name: str, value: str) -> str:
        """Batch normalisation, with a scale of one and no offset where none was learnt."""
        import numpy as np

        mean, variance = (self._weights[f"{name}.running_{part}"] for part in ("mean", "var"))
        scale = self._weights.get(f"{name}.weight", np.ones_like(mean))
        offset = self._weights.get(f"{name}.bias", np.zeros_like(mean))
        kept = [self.graph.constant(part) for part in (scale, offset, mean, variance)]
        return self.graph.add("BatchNormalization", value, *kept, epsilon=EPSILON)

    def rectified(self, name: str, value: str) -> str:
        return self.graph.add("Relu", self.normalised(name, value))

    def front(self, value: str) -> str:
        """(1, 80, frames) to (1, 320, frames): a residual network that halves the bands three times."""
        value = self._plane("head.conv1", "head.bn1", self.graph.add("Unsqueeze", value, self.whole(1)), 1)
        for block, stride in (("layer1.0", 2), ("layer1.1", 1), ("layer2.0", 2), ("layer2.1", 1)):
            value = self._residual(f"head.{block}", value, stride)
        value = self._plane("head.conv2", "head.bn2", value, 2)
        return self.graph.add("Reshape", value, self.whole(0, 320, -1))

    def _plane(self, convolution: str, norm: str, value: str, stride: int) -> str:
        return self.rectified(norm, self.convolved(convolution, value, pads=[1, 1, 1, 1], strides=[stride, 1]))

    def _residual(self, name: str, value: str, stride: int) -> str:
        inner = self._plane(f"{name}.conv1", f"{name}.bn1", value, stride)
        inner = self.normalised(f"{name}.bn2", self.convolved(f"{name}.conv2", inner, pads=[1, 1, 1, 1], strides=[1, 1]))
        if stride > 1:
            value = self.normalised(f"{name}.shortcut.1", self.convolved(f"{name}.shortcut.0", value, strides=[stride, 1]))
        return self.graph.add("Relu", self.graph.add("Add", inner, value))

    def stretches(self, value: str) -> str:
        """For every frame the number of its stretch: 0 for the first hundred frames, 1 for the next."""
        import numpy as np

        zero, one, length = (self.graph.constant(np.array(number, np.int64)) for number in (0, 1, STRETCH))
        frames = self.graph.add("Gather", self.graph.add("Shape", value), self.graph.constant(np.array(2, np.int64)), axis=0)
        return self.graph.add("Div", self.graph.add("Range", zero, frames, one), length)

    def dense(self, name: str, value: str, dilation: int, stretches: str) -> str:
        """A layer whose output is added to its input as further channels."""
        inner = self.convolved(f"{name}.linear1", self.rectified(f"{name}.nonlinear1.batchnorm", value))
        inner = self.rectified(f"{name}.nonlinear2.batchnorm", inner)
        heard = self.convolved(f"{name}.cam_layer.linear_local", inner, pads=[dilation] * 2, dilations=[dilation])
        mask = self._mask(f"{name}.cam_layer", inner, stretches)
        return self.graph.add("Concat", value, self.graph.add("Mul", heard, mask), axis=1)

    def _mask(self, name: str, value: str, stretches: str) -> str:
        """Computed once for each stretch, and spread over its frames after that."""
        near = self.graph.add("AveragePool", value, kernel_shape=[STRETCH], strides=[STRETCH], ceil_mode=1)
        context = self.graph.add("Add", near, self.graph.add("ReduceMean", value, axes=[2], keepdims=1))
        inner = self.graph.add("Relu", self.convolved(f"{name}.linear1", context))
        mask = self.graph.add("Sigmoid", self.convolved(f"{name}.linear2", inner))
        return self.graph.add("Gather", mask, stretches, axis=2)

    def over_time(self, value: str) -> str:
        """Mean and standard deviation (of a sample, as PyTorch has it) over time; shape (1, 1024, 1)."""
        import numpy as np

        graph = self.graph
        mean = graph.add("ReduceMean", value, axes=[2], keepdims=1)
        away = graph.add("Sub", value, mean)
        squares = graph.add("ReduceSum", graph.add("Mul", away, away), self.whole(2), keepdims=1)
        frames = graph.add("Gather", graph.add("Shape", value), graph.constant(np.array(2, np.int64)), axis=0)
        fewer = graph.add("Cast", graph.add("Sub", frames, graph.constant(np.array(1, np.int64))), to=1)
        return graph.add("Concat", mean, graph.add("Sqrt", graph.add("Div", squares, fewer)), axis=1)
