"""The tokenizer that a GGUF file holds, as the `tokenizers` library reads it."""

from pathlib import Path
from typing import Any

PRE_TOKENIZER = "qwen2"
SPLIT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
"""How Qwen2 cuts text into words before it joins bytes: `PRETOKENIZE_REGEX` of transformers' Qwen2 tokenizer."""


def write_tokenizer(reader: Any, target: Path) -> None:
    """Write the tokenizer of an open GGUF file. Raises ValueError for one that is not Qwen2's.

    Marks like `<|im_start|>` are no tokens of their own here: a line that has one in it is read as the characters it is.
    """
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

    told = {name: reader.fields[f"tokenizer.ggml.{name}"].contents() for name in ("model", "pre", "tokens", "merges")}
    if (told["model"], told["pre"]) != ("gpt2", PRE_TOKENIZER):
        raise ValueError(f"the tokenizer is {told['model']}, {told['pre']} and not gpt2, {PRE_TOKENIZER}")
    vocabulary = {token: number for number, token in enumerate(told["tokens"])}
    merges = [(first, second) for first, _, second in (merge.partition(" ") for merge in told["merges"])]
    tokenizer = Tokenizer(models.BPE(vocabulary, merges))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.save(str(target), pretty=False)
