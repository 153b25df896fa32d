"""The child process that reads a GGUF file with transformers and writes safetensors: `python -m ... SOURCE TARGET PRECISION`."""

import errno
import json
import sys
from pathlib import Path
from typing import Any

from adapters.model_store.conversion_child import die_with_parent, is_disk_full
from adapters.model_store.int8_weights import quantise_linear_layers, quantization_config

SAME_MATRIX = 0.15
"""Largest relative distance (Frobenius norm) at which two matrices count as two roundings of one: 4-bit against 6-bit
rounding of the Qwen2.5-Coder embeddings lies at 0.07, unrelated matrices at about 1.4."""


def main(source: Path, target: Path, precision: str) -> int:
    """Converts and returns the exit status. Everything heavy is imported here: the parent never loads it."""
    die_with_parent()
    import torch
    from safetensors.torch import save_file
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name, local_files_only=True)
    model = AutoModelForCausalLM.from_pretrained(
        source.parent, gguf_file=source.name, dtype=torch.bfloat16, local_files_only=True, trust_remote_code=False
    )
    config, state = _plain_config(model), dict(model.state_dict())
    _tie_again(config, state)
    if precision == "int8":
        layers = [name for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)]
        state = quantise_linear_layers(state, layers)
        config["quantization_config"] = quantization_config()
    try:
        save_file({name: tensor.contiguous() for name, tensor in state.items()}, target / "model.safetensors", {"format": "pt"})
        (target / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        model.generation_config.save_pretrained(target)
        tokenizer.save_pretrained(target)
    except Exception as failed:
        if is_disk_full(failed):
            return errno.ENOSPC
        raise
    return 0


def _plain_config(model: Any) -> dict[str, Any]:
    """The model's configuration without its GGUF past: the tensors are plain bfloat16 by now."""
    config: dict[str, Any] = json.loads(model.config.to_json_string(use_diff=False))
    for past in ("quantization_config", "_name_or_path"):
        config.pop(past, None)
    return config | {"architectures": [type(model).__name__], "dtype": "bfloat16"}


def _tie_again(config: dict[str, Any], state: dict[str, Any]) -> None:
    """Keeps one matrix where the publisher's model has one.

    llama.cpp writes the embeddings of a model with tied embeddings twice, the output head rounded more finely. The finer one
    serves as both: nearer to the publisher's weights, and hundreds of megabytes less to hold.
    """
    head, embeddings = state.get("lm_head.weight"), state["model.embed_tokens.weight"]
    if head is not None and head is not embeddings and head.shape == embeddings.shape:
        distance = (head.float() - embeddings.float()).norm() / head.float().norm()
        if float(distance) > SAME_MATRIX:
            return
        state["model.embed_tokens.weight"] = head
        config["tie_word_embeddings"] = True
    if config.get("tie_word_embeddings"):
        state.pop("lm_head.weight", None)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]))
