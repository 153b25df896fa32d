"""Tokens to timed segments, and segments to timed words."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from adapters.faster_whisper_engine.decoding import rows_of
from adapters.faster_whisper_engine.gates import Decode

PREPEND_PUNCTUATION = "\"'“¿([{-"
APPEND_PUNCTUATION = "\"'.。,，!！?？:：”)]}、"
"""What belongs to the next and to the previous word: faster-whisper's own defaults."""
STEP_SECONDS = 0.02
"""What one timestamp token stands for."""
LONGEST_TEXT = 220
"""Tokens; a text that fills half of Whisper's context (448) was cut off by it, and is not finished."""


def split_at_timestamps(model: Any, tokenizer: Any, decode: Decode, seek: int, frames: int) -> tuple[list[dict[str, Any]], int]:
    """Return the segments of one decode and the frame (10 ms) where the next decode of the window starts.

    That is the end of the window, unless the model broke off before it: then what follows its last timestamp is decoded
    again from there. Decoding fixed windows without that loses the rest of them silently.
    """
    seconds = frames / model.frames_per_second
    pieces, next_seek, _ = model._split_segments_by_timestamps(
        tokenizer=tokenizer,
        tokens=_closed(decode.tokens, tokenizer, seconds),
        time_offset=seek / model.frames_per_second,
        segment_size=frames,
        segment_duration=seconds,
        seek=seek,
    )
    for piece in pieces:
        piece["seek"] = seek
    said = [piece for piece in pieces if tokenizer.decode(piece["tokens"]).strip() and piece["end"] > piece["start"]]
    return said, int(next_seek)


def _closed(tokens: Sequence[int], tokenizer: Any, seconds: float) -> list[int]:
    """Return the tokens of a decode; a last segment without an end gets that of the window.

    Whisper leaves the end out where a sentence goes on after the window, and expects to hear it again in the next. Ours are
    cut at silences and do not overlap, so its words are all there are: hearing them again costs a pass and brings nothing.
    """
    finished = len(tokens) < LONGEST_TEXT and tokens and tokens[-1] < tokenizer.timestamp_begin
    end = tokenizer.timestamp_begin + round(seconds / STEP_SECONDS)
    return [*tokens, end] if finished else list(tokens)


def add_word_times(
    model: Any,
    tokenizer: Any,
    encoded: Any,
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
    alignments = model.find_alignment(tokenizer, tokens, rows_of(encoded, rows), [frames[i] for i in rows])
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
