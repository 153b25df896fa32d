"""The network of `adapters/item_reader/head.py`, as torch trains it, and how its weights become the file that is committed."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from adapters.item_reader.head import LINE_OUTPUTS, TOKEN_OUTPUTS
from adapters.item_reader.networks import CALIBRATION, CLIP, Array

NEAR: Final = 192
HIDDEN: Final = 128
TOKEN: Final = 64


class ReaderNetwork(nn.Module):  # type: ignore[misc]  # torch is typed for some versions only
    """Lines in, lines and tokens out; `width` is that of the hidden states."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.width = width
        self.project = nn.Linear(2 * width + 1, NEAR)
        self.norm = nn.LayerNorm(NEAR)
        self.recurrent = nn.GRU(NEAR, HIDDEN, batch_first=True, bidirectional=True)
        context = NEAR + 2 * HIDDEN
        self.lines = nn.Linear(context, len(LINE_OUTPUTS))
        self.token = nn.Linear(width, TOKEN)
        self.around = nn.Linear(context, TOKEN)
        self.marks = nn.Linear(TOKEN, len(TOKEN_OUTPUTS))
        self.dropout = nn.Dropout(dropout)
        self.gelu = nn.GELU(approximate="tanh")

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs (meetings, lines, 2 width + 1) -> logits of the lines, and the context of each."""
        clipped = torch.cat([inputs[..., :-1].clamp(-CLIP, CLIP), inputs[..., -1:]], -1)
        near = self.norm(self.gelu(self.project(self.dropout(clipped))))
        read, _ = self.recurrent(self.dropout(near))
        context = torch.cat([near, read], -1)
        return self.lines(self.dropout(context)), context

    def mark(self, states: Tensor, context: Tensor) -> Tensor:
        """Token states (tokens, width) and the context of each token's line -> logits of the marks."""
        own = self.token(self.dropout(states.clamp(-CLIP, CLIP))) + self.around(self.dropout(context))
        marks: Tensor = self.marks(self.gelu(own))
        return marks

    def weights(self) -> Mapping[str, Array]:
        """The weights by the names under which the committed file has them."""
        found = {}
        for name, value in self.state_dict().items():
            found[committed_name(name)] = value.detach().numpy()
        return found


def committed_name(name: str) -> str:
    """The name that the committed file has for a weight of torch."""
    module, _, part = name.partition(".")
    if module != "recurrent":
        return name
    direction = "backward" if part.endswith("_reverse") else "forward"
    layer = "input" if "_ih_" in part else "hidden"
    return f"{direction}.{layer}.{'weight' if part.startswith('weight') else 'bias'}"


def save(networks: Sequence[ReaderNetwork], calibration: Array, path: Path) -> None:
    """Write the weights of all networks in half precision; the same networks give the same bytes."""
    rows: dict[str, Any] = {CALIBRATION: calibration.astype(np.float32)} | {
        f"{index}/{name}": value.astype(np.float16)
        for index, network in enumerate(networks)
        for name, value in sorted(network.weights().items())
    }
    with path.open("wb") as file:
        np.savez_compressed(file, **rows)
