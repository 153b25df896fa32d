"""The child process that makes the trunk of an item reader: `python -m ... SOURCE TARGET LAYERS SCALE`.

A trunk is the first layers of a GGUF model in int8, as CTranslate2 reads them, whose output are the hidden states: the projection
onto the vocabulary is the identity. Neither torch nor transformers is needed for it.
"""

import errno
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from adapters.model_store.conversion_child import die_with_parent, is_disk_full
from adapters.model_store.gguf_tokenizer import write_tokenizer

ARCHITECTURE = "qwen2"
ROWS = 8192
"""Rows of a matrix that are unpacked at a time: the embeddings alone are 544 MB in single precision."""
INT8_STEPS = 127.0

Rows = tuple[Any, Any]
"""A matrix in int8, and for each row the factor that made it so, as CTranslate2 keeps them (weight, weight_scale)."""


def main(source: Path, target: Path, layers: int, scale: Path) -> int:
    """Convert and return the exit status. `scale` holds one factor for each dimension of the hidden states, as float32."""
    die_with_parent()
    sys.modules["torch"] = None  # type: ignore[assignment]  # ctranslate2.specs takes it where it can, for nothing used here
    import numpy as np
    from gguf import GGUFReader

    reader = GGUFReader(source)
    spec = _trunk(reader, layers, np.load(scale, allow_pickle=False))
    try:
        spec.save(str(target))
        write_tokenizer(reader, target / "tokenizer.json")
    except Exception as failed:
        if is_disk_full(failed):
            return errno.ENOSPC
        raise
    return 0


def _trunk(reader: Any, layers: int, scale: Any) -> Any:
    import numpy as np
    from ctranslate2.specs import common_spec, transformer_spec

    def told(name: str) -> Any:
        field = reader.fields.get(f"{ARCHITECTURE}.{name}")
        if field is None:
            raise ValueError(f"not a {ARCHITECTURE} model: it has no {name}")
        return field.contents()

    if told("block_count") < layers:
        raise ValueError(f"the model has no {layers} or more layers")
    spec = transformer_spec.TransformerDecoderModelSpec.from_config(
        layers,
        told("attention.head_count"),
        activation=common_spec.Activation.SWISH,
        pre_norm=True,
        ffn_glu=True,
        rms_norm=True,
        rotary_dim=0,
        rotary_interleave=False,
        rotary_base=told("rope.freq_base"),
        num_heads_kv=told("attention.head_count_kv"),
    )
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    decoder, width = spec.decoder, told("embedding_length")
    decoder.scale_embeddings = False
    _set(decoder.embeddings, _int8([tensors["token_embd.weight"]]))
    for number, layer in enumerate(decoder.layer):
        _set_layer(layer, tensors, f"blk.{number}.")
    # The projection computes in int8 too, by one step for all dimensions of a token: outlying dimensions would take all of it,
    # so each is divided by its usual size first.
    decoder.layer_norm.gamma = scale.astype(np.float32)
    decoder.projection.weight = (np.eye(width) * INT8_STEPS).astype(np.int8)
    decoder.projection.weight_scale = np.full(width, INT8_STEPS, np.float32)
    spec.register_vocabulary([f"<{number}>" for number in range(len(tensors["token_embd.weight"].data))])
    spec.config.bos_token = spec.config.eos_token = spec.config.unk_token = "<0>"  # noqa: S105 - texts come as numbers
    spec.config.layer_norm_epsilon = told("attention.layer_norm_rms_epsilon")
    spec.validate()
    return spec


def _set_layer(layer: Any, tensors: Mapping[str, Any], at: str) -> None:
    import numpy as np

    def tensor(name: str) -> Any:
        return tensors[at + name]

    attention, feed_forward = layer.self_attention, layer.ffn
    attention.layer_norm.gamma = _float32(tensor("attn_norm.weight"))
    _set(attention.linear[0], _int8([tensor(f"attn_{part}.weight") for part in "qkv"]))
    attention.linear[0].bias = np.concatenate([_float32(tensor(f"attn_{part}.bias")) for part in "qkv"])
    _set(attention.linear[1], _int8([tensor("attn_output.weight")]))
    feed_forward.layer_norm.gamma = _float32(tensor("ffn_norm.weight"))
    _set(feed_forward.linear_0, _int8([tensor("ffn_gate.weight")]))
    _set(feed_forward.linear_0_noact, _int8([tensor("ffn_up.weight")]))
    _set(feed_forward.linear_1, _int8([tensor("ffn_down.weight")]))


def _set(spec: Any, rows: Rows) -> None:
    spec.weight, spec.weight_scale = rows


def _int8(tensors: Sequence[Any]) -> Rows:
    """Matrices one below the other, each row rounded to the nearest of 127 steps of its own, as CTranslate2 does it."""
    import numpy as np
    from gguf import dequantize

    weights, scales = [], []
    for tensor in tensors:
        for start in range(0, len(tensor.data), ROWS):
            block = dequantize(tensor.data[start : start + ROWS], tensor.tensor_type).astype(np.float32)
            largest = np.abs(block).max(axis=1)
            largest[largest == 0] = INT8_STEPS
            scale = (np.float32(INT8_STEPS) / largest).astype(np.float32)
            weights.append(np.rint(block * scale[:, None]).astype(np.int8))
            scales.append(scale)
    return np.concatenate(weights), np.concatenate(scales)


def _float32(tensor: Any) -> Any:
    import numpy as np
    from gguf import dequantize

    return dequantize(tensor.data, tensor.tensor_type).astype(np.float32)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])))
