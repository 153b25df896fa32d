"""The untrained part of the reader: lines of a conversation to the hidden states of the first layers of a language model."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

States = NDArray[np.float32]
Offsets = list[tuple[int, int]]
Grouped = TypeVar("Grouped")
Spoken = tuple[str, str]
"""Who speaks, empty when nobody knows, and the words."""

LINE_TOKENS: Final = 400
"""Tokens of one line that are read: about five minutes of one speaker without a break."""
WINDOW_TOKENS: Final = 512
CONTEXT_TOKENS: Final = 160
"""Tokens of the lines before, inside a window, in whose light its own lines are read."""
WINDOWS_PER_PASS: Final = 2
PAIRS_PER_PASS: Final = 4
BREAKS: Final = str.maketrans("\n\r", "  ")
"""Only the end of a line breaks it: words with a break in them must not pass for somebody else's line."""


@dataclass(frozen=True, slots=True)
class TokenizedLine:
    """`tokens` as numbers. `offsets`: the characters of the text that each stands for; equal ends for the speaker's name."""

    tokens: list[int]
    offsets: Offsets


@dataclass(frozen=True, slots=True)
class Window:
    """Lines that are read in one go, from `first` up to `end`; those before `own` are context, read in the window before."""

    first: int
    own: int
    end: int


class Trunk:
    """The trunk in `folder` (a precision `trunk…-int8` of the model store) on `threads` threads of the processor."""

    def __init__(self, folder: Path, threads: int) -> None:
        import ctranslate2
        from tokenizers import Tokenizer

        self._tokenizer: Any = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._generator: Any = ctranslate2.Generator(
            str(folder), device="cpu", intra_threads=threads, compute_type="int8_float32"
        )

    def tokenized(self, lines: Sequence[Spoken]) -> list[TokenizedLine]:
        """Return the lines as they are read, `speaker: text`, each up to `LINE_TOKENS`."""
        before = [f"{speaker}: " if speaker else "" for speaker, _ in lines]
        words = [(start + text).translate(BREAKS) + "\n" for start, (_, text) in zip(before, lines, strict=True)]
        encoded = self._tokenizer.encode_batch(words, add_special_tokens=False)
        return [
            TokenizedLine(encoding.ids[:LINE_TOKENS], _in_text(encoding.offsets[:LINE_TOKENS], len(start), len(text)))
            for encoding, start, (_, text) in zip(encoded, before, lines, strict=True)
        ]

    def states(self, lines: Sequence[TokenizedLine]) -> list[States]:
        """Return the hidden states of each line's tokens, of shape (tokens, width).

        Rounding hangs on what shares a pass, so the lines of one call are read by themselves: the same call, the same states.
        """
        lengths = [len(line.tokens) for line in lines]
        found: list[States] = []
        for passed in _groups(list(windows(lengths)), WINDOWS_PER_PASS):
            read = self._read([_joined(lines[window.first : window.end]) for window in passed])
            for window, states in zip(passed, read, strict=True):
                found += _own(window, states, lengths)
        return found

    def pairs(self, pairs: Sequence[tuple[Sequence[TokenizedLine], TokenizedLine]]) -> list[tuple[States, States]]:
        """Return the hidden states of some lines and of a sentence read after them, for each pair of lines and sentence.

        Pairs of like length share a pass, whatever their order in the call.
        """
        texts = [_joined([*premise, sentence]) for premise, sentence in pairs]
        order = sorted(range(len(texts)), key=lambda index: (len(texts[index]), index))
        found: dict[int, tuple[States, States]] = {}
        for passed in _groups(order, PAIRS_PER_PASS):
            for index, states in zip(passed, self._read([texts[index] for index in passed]), strict=True):
                end = len(texts[index])
                start = end - len(pairs[index][1].tokens)
                found[index] = states[:start].copy(), states[start:end].copy()
        return [found[index] for index in range(len(pairs))]

    def _read(self, texts: list[list[int]]) -> States:
        return np.array(self._generator.forward_batch(texts, return_log_probs=False), dtype=np.float32)


def windows(lengths: Sequence[int], size: int = WINDOW_TOKENS, context: int = CONTEXT_TOKENS) -> Iterator[Window]:
    """Cut lines of so many tokens each into windows of at most `size`; a single line may make one longer."""
    own = 0
    while own < len(lengths):
        first = own
        while first > 0 and sum(lengths[first - 1 : own]) <= context:
            first -= 1
        end, total = own, sum(lengths[first:own])
        while end < len(lengths) and (end == own or total + lengths[end] <= size):
            total += lengths[end]
            end += 1
        yield Window(first, own, end)
        own = end


def _groups(every: Sequence[Grouped], size: int) -> Iterator[Sequence[Grouped]]:
    for start in range(0, len(every), size):
        yield every[start : start + size]


def _joined(lines: Sequence[TokenizedLine]) -> list[int]:
    return [token for line in lines for token in line.tokens]


def _own(window: Window, states: States, lengths: Sequence[int]) -> Iterator[States]:
    """Each of a window's own lines; copied, since the rest of the pass is let go."""
    at = sum(lengths[window.first : window.own])
    for line in range(window.own, window.end):
        yield states[at : at + lengths[line]].copy()
        at += lengths[line]


def _in_text(offsets: Sequence[tuple[int, int]], before: int, length: int) -> Offsets:
    """Offsets in a text of `length` characters, from those in the line with `before` characters in front of it."""
    return [(min(max(start - before, 0), length), min(max(end - before, 0), length)) for start, end in offsets]
