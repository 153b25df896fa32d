"""A graph of ONNX, written node by node."""

from pathlib import Path
from typing import Any

OPSET = 17
IR_VERSION = 8
"""What every ONNX Runtime since 1.13 reads, and all that the networks here need."""


class Graph:
    """Nodes in the order in which they were asked for; every value goes by the name that its node returned."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._nodes: list[Any] = []
        self._tensors: list[Any] = []

    def constant(self, values: Any) -> str:
        """Keep an array in the graph and return its name."""
        from onnx import numpy_helper

        name = f"c{len(self._tensors)}"
        self._tensors.append(numpy_helper.from_array(values, name))
        return name

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Append a node and return the name of its output."""
        return self.add_named(operator, f"n{len(self._nodes)}", *inputs, **attributes)

    def add_named(self, operator: str, name: str, *inputs: str, **attributes: Any) -> str:
        """Append a node whose output has a name of its own, as outputs of the graph have."""
        from onnx import helper

        self._nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def save(self, path: Path, inputs: dict[str, list[str | int]], outputs: dict[str, list[str | int]]) -> None:
        """Write the graph down. `inputs` and `outputs`: shapes of float32 values by name, with words for free lengths."""
        import onnx
        from onnx import TensorProto, helper

        def described(values: dict[str, list[str | int]]) -> list[Any]:
            return [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in values.items()]

        graph = helper.make_graph(self._nodes, self._name, described(inputs), described(outputs), self._tensors)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
        onnx.checker.check_model(model, full_check=True)
        path.write_bytes(model.SerializeToString(deterministic=True))
