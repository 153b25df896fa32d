"""BERT weights as CTranslate2 reads them, straight from safetensors: neither torch nor transformers is needed for it."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from adapters.ctranslate2_embedder.model_files import EmbeddingModel

Weights = Mapping[str, Any]


def write_ctranslate2(model: EmbeddingModel, target: Path) -> None:
    """Write the encoder in `model` into the empty folder `target`, in float32. Takes under a second for 90 MB."""
    from safetensors.numpy import load_file

    with _no_torch():
        from ctranslate2.specs import common_spec, transformer_spec
    weights, config = load_file(str(model.folder / "model.safetensors")), model.config
    activations = {"gelu": common_spec.Activation.GELU, "relu": common_spec.Activation.RELU}
    encoder = transformer_spec.TransformerEncoderSpec(
        config["num_hidden_layers"],
        config["num_attention_heads"],
        pre_norm=False,
        activation=activations[config["hidden_act"]],
        layernorm_embedding=True,
        num_source_embeddings=2,
        embeddings_merge=common_spec.EmbeddingsMerge.ADD,
    )
    spec = transformer_spec.TransformerEncoderModelSpec(encoder)
    encoder.scale_embeddings = False
    _embeddings(encoder, weights)
    for number, layer in enumerate(encoder.layer):
        _layer(layer, weights, f"encoder.layer.{number}.")
    spec.register_vocabulary([f"<{number}>" for number in range(config["vocab_size"])])
    spec.config.unk_token = "<0>"  # noqa: S105 - a name of a token; texts come as numbers
    spec.config.layer_norm_epsilon = config["layer_norm_eps"]
    spec.validate()
    spec.optimize()
    spec.save(str(target))


@contextmanager
def _no_torch() -> Iterator[None]:
    """Let `ctranslate2.specs` find no torch: it imports it where it can, 400 MB and seconds that nothing here uses."""
    if "torch" in sys.modules:
        yield
        return
    sys.modules["torch"] = None  # type: ignore[assignment]  # Python's own way to say that a module is not there
    try:
        yield
    finally:
        del sys.modules["torch"]


def _embeddings(encoder: Any, weights: Weights) -> None:
    encoder.embeddings[0].weight = weights["embeddings.word_embeddings.weight"]
    encoder.embeddings[1].weight = weights["embeddings.token_type_embeddings.weight"]
    encoder.position_encodings.encodings = weights["embeddings.position_embeddings.weight"]
    _norm(encoder.layernorm_embedding, weights, "embeddings.LayerNorm")


def _layer(layer: Any, weights: Weights, at: str) -> None:
    import numpy as np

    attention = [f"{at}attention.self.{part}" for part in ("query", "key", "value")]
    joined = layer.self_attention.linear[0]
    joined.weight = np.concatenate([weights[f"{name}.weight"] for name in attention])
    joined.bias = np.concatenate([weights[f"{name}.bias"] for name in attention])
    _linear(layer.self_attention.linear[1], weights, f"{at}attention.output.dense")
    _norm(layer.self_attention.layer_norm, weights, f"{at}attention.output.LayerNorm")
    _linear(layer.ffn.linear_0, weights, f"{at}intermediate.dense")
    _linear(layer.ffn.linear_1, weights, f"{at}output.dense")
    _norm(layer.ffn.layer_norm, weights, f"{at}output.LayerNorm")


def _linear(spec: Any, weights: Weights, name: str) -> None:
    spec.weight, spec.bias = weights[f"{name}.weight"], weights[f"{name}.bias"]


def _norm(spec: Any, weights: Weights, name: str) -> None:
    spec.gamma, spec.beta = weights[f"{name}.weight"], weights[f"{name}.bias"]
