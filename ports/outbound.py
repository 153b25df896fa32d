"""What this service asks of servers that its callers name."""

from abc import abstractmethod
from collections.abc import AsyncIterator
from typing import Protocol


class RemoteAudio(Protocol):
    """Reads recordings from addresses that callers chose. No address, and nothing of one, is ever in an error's words."""

    @abstractmethod
    def check(self, url: str) -> None:
        """Raise AddressRefused for an address that is refused by its spelling alone; nothing is looked up or called."""

    @abstractmethod
    def fetch(self, url: str, max_bytes: int) -> AsyncIterator[bytes]:
        """Yield the bytes behind the address, as they come.

        Raises AddressRefused (also for a name that leads to an address that is not public, and for a redirect to one), TooLarge,
        SourceRefused for an answer that will not change (4xx, too many redirects), SourceUnavailable for one that may (5xx, no
        connection, too slow, cut off).
        """
