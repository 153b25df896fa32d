"""Results as pages to read."""

from abc import abstractmethod
from typing import Protocol

from domain.outline import RecapOutline, TranscriptOutline


class ResultPages(Protocol):
    """Writes one HTML document with everything in it: no script, nothing from elsewhere, every word of a conversation as text."""

    @abstractmethod
    def recap(self, outline: RecapOutline) -> str:
        """Return the page of a recap, whose times link to its transcript."""

    @abstractmethod
    def transcript(self, outline: TranscriptOutline) -> str:
        """Return the page of a transcript, with the anchor of every segment."""
