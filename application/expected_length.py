"""How many seconds of talk a request brings, as far as it can be told before anything is decoded."""

from collections.abc import Mapping
from typing import Final

from application.payloads import AudioPayload, RecapPayload
from domain.canonical import Json
from domain.job import JobKind

BYTES_PER_SECOND: Final[Mapping[str, float]] = {
    "wav": 192_000.0,  # 48 kHz, two channels of 16 bits
    "flac": 100_000.0,
    "mp3": 40_000.0,
    "aac": 40_000.0,
    "opus": 20_000.0,
    "video": 1_000_000.0,
}
"""The highest usual rate of each kind, so that what is called long is long; what is longer than guessed is set right when it was
decoded."""
KINDS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("wav", "wave", "x-wav", "vnd.wave", "aif", "aiff", "x-aiff"), "wav"),
    **dict.fromkeys(("flac", "x-flac"), "flac"),
    **dict.fromkeys(("mp3", "mpeg", "mpga"), "mp3"),
    **dict.fromkeys(("m4a", "aac", "x-m4a", "m4b"), "aac"),
    **dict.fromkeys(("ogg", "oga", "opus"), "opus"),
    **dict.fromkeys(("mp4", "mov", "mkv", "webm", "avi", "m4v", "quicktime", "x-matroska"), "video"),
}
"""File endings and media subtypes; what is none of them is taken for uncompressed sound."""
SOUND_ONLY: Final[Mapping[str, str]] = {"audio/mp4": "aac", "audio/webm": "opus", "audio/x-matroska": "opus"}
WORDS_PER_SECOND: Final = 2.5
"""150 words a minute."""


def expected_audio_s(kind: JobKind, payload: Mapping[str, Json]) -> float | None:
    """Return the seconds; None where nobody knows (a recording still to be fetched, a transcript that only its id tells of).

    Embeddings are none: their calls are few and quick.
    """
    if kind is JobKind.EMBEDDING:
        return 0.0
    if kind is JobKind.RECAP:
        return _of_recap(RecapPayload.of(payload))
    return _of_recording(AudioPayload.of(payload))


def _of_recap(payload: RecapPayload) -> float | None:
    if payload.transcript_id is not None:
        return None
    return sum(len(segment.text.split()) for segment in payload.segments) / WORDS_PER_SECOND


def _of_recording(payload: AudioPayload) -> float | None:
    if payload.blob_id is None:
        return None
    return payload.size / BYTES_PER_SECOND[_kind(payload.filename or "", (payload.media_type or "").lower())]


def _kind(filename: str, media_type: str) -> str:
    plain = media_type.partition(";")[0].strip()
    named = KINDS.get(filename.rpartition(".")[2].lower())
    return SOUND_ONLY.get(plain) or named or KINDS.get(plain.partition("/")[2]) or "wav"
