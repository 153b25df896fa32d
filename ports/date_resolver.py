"""When something is due, as a date."""

from abc import abstractmethod
from dataclasses import dataclass
from datetime import date
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ResolvedDate:
    """A single day, and in words how it was told."""

    day: date
    rule: str


class DateResolver(Protocol):
    """Reads a point in time in the words of a conversation."""

    @abstractmethod
    def resolve(self, words: str, language: str, spoken_on: date) -> ResolvedDate | None:
        """Return the one day that `words` name when they are said on `spoken_on`, that day or later.

        None for words that name no single day ("next week", "soon"), can be read in two ways ("5/12/2026"), are not understood as
        a whole, or are of a language (ISO 639-1) that is not known. Raises nothing.
        """
