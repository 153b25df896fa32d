"""Tokens to timed segments, and segments to timed words."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from adapters.faster_whisper_engine.decoding import Array, storage
from adapters.faster_whisper_engine.gates import Decode

PREPEND_PUNCTUATION = "\"'“¿([{-"
APPEND_PUNCTUATION = "\"'.。,，!！?？:：”)]}、"
"""What belongs to the next and to the previous word: faster-whisper's own defaults."""


def split_at_timestamps(model: Any, tokenizer: Any, decode: Decode, seek: int, frames: int) -> tuple[list[dict[str, Any]], int]:
    """Return the segments of one decode and the frame (10 ms) where the next decode of the window starts.

    That is the end of the window, unless the model broke off in the middle of a sentence: then what follows its last
    timestamp is decoded again from there. Decoding fixed windows without that loses the rest of them silently.
    """
    seconds = frames / model.frames_per_second
    pieces, next_seek, _ = model._split_segments_by_timestamps(
        tokenizer=tokenizer,
        tokens=list(decode.tokens),
        time_offset=seek / model.frames_per_second,
        segment_size=frames,
        segment_duration=seconds,
        seek=seek,
    )
    for piece in pieces:
        piece["seek"] = seek
    said = [piece for piece in pieces if tokenizer.decode(piece["tokens"]).strip() and piece["end"] > piece["start"]]
    return said, int(next_seek)


def add_word_times(
    model: Any,
    tokenizer: Any,
    encoded: Array,
    pieces: Sequence[list[dict[str, Any]]],
    frames: Sequence[int],
    last_ends: Sequence[float],
) -> None:
    """Give every segment its words, by one batched alignment; row i of `encoded` holds the segments `pieces[i]`.

    The clean-up of each row sees that row alone, so that nobody's times depend on who else was in the batch
    (faster-whisper carries the end of the last word from one row to the next).
    """
    rows = [i for i, row in enumerate(pieces) if row]
    if not rows:
        return
    tokens = [[token for piece in pieces[i] for token in piece["tokens"] if token < tokenizer.eot] for i in rows]
    alignments = model.find_alignment(tokenizer, tokens, storage(encoded[rows]), [frames[i] for i in rows])
    clean_up = type(model).add_word_timestamps
    for i, alignment in zip(rows, alignments, strict=True):
        aligned = SimpleNamespace(frames_per_second=model.frames_per_second, find_alignment=lambda *_, row=alignment: [row])
        clean_up(
            aligned,
            [pieces[i]],
            tokenizer,
            None,
            frames[i],
            PREPEND_PUNCTUATION,
            APPEND_PUNCTUATION,
            last_ends[i],
        )
