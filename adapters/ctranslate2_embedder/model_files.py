"""What a sentence-transformers folder says of itself: architecture, pooling, lengths, prompts."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

MODULES: Final = (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"])
"""Chains of modules that this engine does: a BERT encoder, the mean of its tokens, unit length."""


@dataclass(frozen=True, slots=True)
class EmbeddingModel:
    """`max_tokens`: the longest text in tokens, marks included. `prompts`: words put before a text, by input type."""

    folder: Path
    config: dict[str, Any]
    max_tokens: int
    prompts: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> "EmbeddingModel | None":
        """Return the model in `folder`, or None when it is of a kind that this engine does not do."""
        config, modules = _json(folder / "config.json"), _json(folder / "modules.json")
        pooling, own = _json(folder / "1_Pooling" / "config.json"), _json(folder / "sentence_bert_config.json")
        chain = [str(module.get("type", "")).rpartition(".")[2] for module in modules] if isinstance(modules, list) else []
        right = config.get("architectures") == ["BertModel"] and config.get("position_embedding_type", "absolute") == "absolute"
        weights, tokenizer = folder / "model.safetensors", folder / "tokenizer.json"
        if not (right and chain in MODULES and _mean_only(pooling) and weights.is_file() and tokenizer.is_file()):
            return None
        most = int(own.get("max_seq_length") or config["max_position_embeddings"])
        return cls(folder, config, most, dict(_json(folder / "config_sentence_transformers.json").get("prompts") or {}))


def is_readable(folder: Path) -> bool:
    """Say whether this engine does the model in `folder`."""
    return EmbeddingModel.read(folder) is not None


def _mean_only(pooling: Any) -> bool:
    chosen = [name for name, value in pooling.items() if name.startswith("pooling_mode_") and value]
    return chosen == ["pooling_mode_mean_tokens"]


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
