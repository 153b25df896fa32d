"""Int8 weights with int8 activations (W8A8) in the compressed-tensors format that vLLM loads on CPU and GPU.

Each row of a linear layer (one output channel) has one scale, max|w| / 127, and is rounded to the nearest step; activations are
scaled per token while the model runs, so nothing has to be calibrated. Embeddings, norms, biases and the output head stay as
they are.
The field names are those of compressed-tensors 0.17 (`quantization_config.py`, `quant_args.py`).
"""

from collections.abc import Iterable
from typing import Any

INT8_STEPS = 127
"""Symmetric: -127 to 127; -128 is left out so that plus and minus are alike."""

KEPT_LAYERS = ("lm_head",)
"""The output head picks the token: its error is not averaged away by later layers."""


def quantise_linear_layers(state: dict[str, Any], linear_layers: Iterable[str]) -> dict[str, Any]:
    """Returns the state with `<layer>.weight` as int8 and `<layer>.weight_scale` (rows × 1, float32) for each linear layer."""
    import torch

    quantised = dict(state)
    for layer in linear_layers:
        if layer in KEPT_LAYERS:
            continue
        weight = quantised[f"{layer}.weight"].float()
        scale = (weight.abs().amax(dim=1, keepdim=True) / INT8_STEPS).clamp(min=torch.finfo(torch.float32).tiny)
        quantised[f"{layer}.weight"] = (weight / scale).round().clamp(-INT8_STEPS, INT8_STEPS).to(torch.int8)
        quantised[f"{layer}.weight_scale"] = scale
    return quantised


def quantization_config() -> dict[str, Any]:
    """The `quantization_config` of config.json that goes with it."""
    common = {"num_bits": 8, "type": "int", "symmetric": True, "group_size": None, "block_structure": None, "actorder": None}
    return {
        "quant_method": "compressed-tensors",
        "format": "int-quantized",
        "quantization_status": "compressed",
        "ignore": list(KEPT_LAYERS),
        "kv_cache_scheme": None,
        "config_groups": {
            "group_0": {
                "targets": ["Linear"],
                "weights": common | {"strategy": "channel", "dynamic": False},
                "input_activations": common | {"strategy": "token", "dynamic": True},
                "output_activations": None,
            }
        },
    }
