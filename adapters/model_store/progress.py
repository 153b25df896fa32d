"""How the store tells whoever waits how far it is; it knows no terminal."""

from abc import abstractmethod
from typing import Protocol


class Progress(Protocol):
    """Told about one step at a time, from the thread that called the store. Steps never overlap."""

    @abstractmethod
    def start(self, label: str, total_bytes: int | None) -> None:
        """A step begins. `total_bytes` is None when its length can not be known."""

    @abstractmethod
    def advance(self, done_bytes: int) -> None:
        """So many bytes more are done."""

    @abstractmethod
    def finish(self) -> None:
        """The step ended, well or badly."""


class SilentProgress(Progress):
    """For whoever does not watch."""

    def start(self, label: str, total_bytes: int | None) -> None:
        pass

    def advance(self, done_bytes: int) -> None:
        pass

    def finish(self) -> None:
        pass
