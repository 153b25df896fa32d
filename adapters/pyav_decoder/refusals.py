"""Why a file is refused: codes that the child reports, and the sentences the parent makes of them.

The child has read hostile bytes, so it never words a message: it sends a code and at most one number.
"""

from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    INVALID = "invalid"
    UNSUPPORTED = "unsupported"
    TOO_LARGE = "too_large"
    STORAGE = "storage"


class Reason(NamedTuple):
    kind: Kind
    sentence: str


class Refused(Exception):
    """A decode that ends without sound. Arguments: a key of `REASONS` and the number its sentence names."""

    def __init__(self, code: str, number: float | None = None) -> None:
        super().__init__(code, number)
        self.code = code
        self.number = number


REASONS = {
    "empty": Reason(Kind.INVALID, "The file is empty."),
    "not_audio": Reason(Kind.INVALID, "The bytes are not a recording, or the recording is cut off before its first sound."),
    "no_audio_stream": Reason(Kind.INVALID, "The file has no audio stream."),
    "unknown_codec": Reason(Kind.INVALID, "The audio stream is in an encoding that is unknown or malformed."),
    "no_sound": Reason(Kind.INVALID, "The audio stream holds no sound that can be decoded."),
    "sample_rate": Reason(Kind.INVALID, "The file claims a sample rate of {number} Hz, which is outside what is accepted."),
    "channels": Reason(Kind.INVALID, "The file claims a number of channels that is not between 1 and {number}."),
    "memory": Reason(Kind.INVALID, "Decoding the file needs more memory than is allowed."),
    "cpu": Reason(Kind.INVALID, "Decoding the file takes more computing time than its sound can explain."),
    "wall": Reason(Kind.INVALID, "Decoding the file took too long."),
    "crash": Reason(Kind.INVALID, "The decoder broke down on this file."),
    "too_long": Reason(Kind.TOO_LARGE, "The recording is longer than the limit of {number} seconds."),
    "disk": Reason(Kind.STORAGE, "The decoded sound could not be written to disk."),
    "container": Reason(Kind.UNSUPPORTED, "The file is of a kind that is not accepted as a recording."),
    "playlist": Reason(Kind.UNSUPPORTED, "The file is a playlist or a script that names other files, not a recording."),
    "markup": Reason(Kind.UNSUPPORTED, "The file is an HTML or XML document, not a recording."),
    "text": Reason(Kind.UNSUPPORTED, "The file is plain text, not a recording."),
    "picture": Reason(Kind.UNSUPPORTED, "The file is a picture, not a recording."),
    "no_channel": Reason(Kind.UNSUPPORTED, "The recording has no such channel."),
    "archive": Reason(Kind.UNSUPPORTED, "The file is a compressed archive, not a recording."),
    "document": Reason(Kind.UNSUPPORTED, "The file is a document or a program, not a recording."),
}


def sentence_of(code: str, number: float | None) -> str:
    """The sentence for people; `number` is in the unit that the sentence names."""
    return REASONS[code].sentence.format(number="?" if number is None else f"{number:.12g}")
