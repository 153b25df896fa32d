"""What a file is by its own bytes: enough to name what is no recording, and to notice a recording that was cut off.

Every parser here reads a bounded part of the file and answers None, or False, when in doubt: FFmpeg judges the rest.
"""

import os
from typing import BinaryIO

HEAD_BYTES = 4096
TEXT_BYTES = 512
"""An audio container that begins with words turns binary well before this."""

PLAYLISTS = (b"ffconcat", b"#extm3u", b"[playlist]", b"v=0", b"rtsp://", b"http://", b"https://", b"[reference]")
MARKUP = (b"<",)
PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\x00", b"MM\x00*", b"qoif", b"\x00\x00\x00\x0cjP")
ARCHIVES = (b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b", b"7z\xbc\xaf\x27\x1c", b"Rar!", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")
DOCUMENTS = (b"%PDF", b"\x7fELF", b"MZ", b"\xd0\xcf\x11\xe0", b"SQLite format 3", b"{\\rtf")
PRINTABLE = frozenset(range(0x20, 0x7F)) | {0x09, 0x0A, 0x0C, 0x0D}

OGG_PAGE_BYTES = 65_307
"""The largest Ogg page: 27 bytes of header, 255 lacing values, 255 segments of 255 bytes (RFC 3533)."""
STREAMED_WAV_SIZES = (range(1), range(0x7FFF_0000, 0x8000_0000), range(0xFFFF_0000, 0x1_0000_0000))
"""Data chunk sizes that writers put when they can not seek back: unknown, not a promise."""


def refusal_by_signature(head: bytes) -> str | None:
    """The code of `REASONS` for a file that starts with `head`, or None if it may be a recording."""
    if not head:
        return "empty"
    for code, marks in (("picture", PICTURES), ("archive", ARCHIVES), ("document", DOCUMENTS)):
        if head.startswith(marks):
            return code
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "picture"
    words = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if words.startswith(PLAYLISTS):
        return "playlist"
    if len(head) < 16 or not _is_text(head[:TEXT_BYTES]):
        return None
    return "markup" if words.startswith(MARKUP) else "text"


def _is_text(head: bytes) -> bool:
    if all(byte in PRINTABLE or byte >= 0x80 for byte in head):
        for cut in range(4):  # a character may be cut at the end of the sample
            try:
                head[: len(head) - cut].decode("utf-8")
            except UnicodeDecodeError:
                continue
            return True
    return False


def is_cut_off(file: BinaryIO, container: str) -> bool:
    """Whether the structure of the file promises bytes that it does not hold. Moves the read position."""
    size = file.seek(0, os.SEEK_END)
    if container == "wav":
        return _wav_is_cut_off(file, size)
    if container == "ogg":
        return _ogg_is_cut_off(file, size)
    return False


def _wav_is_cut_off(file: BinaryIO, size: int) -> bool:
    position = 12
    for _ in range(64):  # chunks before the data chunk; real files have fewer than ten
        file.seek(position)
        header = file.read(8)
        if len(header) < 8:
            return False
        length = int.from_bytes(header[4:], "little")
        if header[:4] == b"data":
            return not any(length in sizes for sizes in STREAMED_WAV_SIZES) and position + 8 + length > size
        position += 8 + length + length % 2
    return False


def _ogg_is_cut_off(file: BinaryIO, size: int) -> bool:
    file.seek(max(0, size - OGG_PAGE_BYTES))
    tail = file.read(OGG_PAGE_BYTES)
    start = tail.rfind(b"OggS")
    page = tail[start:]
    if start < 0 or len(page) < 27:
        return True
    lacing = page[27 : 27 + page[26]]
    return len(lacing) < page[26] or 27 + len(lacing) + sum(lacing) > len(page)


def mp3_states_its_length(file: BinaryIO) -> bool:
    """Whether an MP3 carries a Xing, Info or VBRI header; without one its length is guessed from the bit rate."""
    file.seek(0)
    head = file.read(10)
    tag = 0
    if head[:3] == b"ID3" and len(head) == 10:
        tag = 10 + (head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9])
    file.seek(tag)
    first_frame = file.read(HEAD_BYTES)
    return any(mark in first_frame for mark in (b"Xing", b"Info", b"VBRI"))
