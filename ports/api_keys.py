"""The keys of all tenants."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Protocol

from domain.api_key import NO_LIMITS, ApiKey, KeyLimits, Scope


class ApiKeys(Protocol):
    """Keeps digests of keys, never keys. Every method raises StorageFailed when the store can not answer."""

    @abstractmethod
    async def create(
        self, tenant: str, scopes: frozenset[Scope], name: str, expires_at: float | None, limits: KeyLimits = NO_LIMITS
    ) -> tuple[ApiKey, str]:
        """Make a key and return it with its secret text, which nobody can read again."""

    @abstractmethod
    async def verify(self, key: str) -> ApiKey | None:
        """Return the live key with this text; None for any other text."""

    @abstractmethod
    async def list(self, tenant: str | None = None) -> Sequence[ApiKey]:
        """Return all keys, ended ones too, oldest first; of one tenant, or of all."""

    @abstractmethod
    async def rotate(self, key_id: str, overlap_s: float) -> tuple[ApiKey, str]:
        """Make a key like this one, limits included, and let this one end after `overlap_s` seconds.

        Raises NotFound unless it is live.
        """

    @abstractmethod
    async def revoke(self, key_id: str) -> ApiKey:
        """End a key now; again is no error. Raises NotFound."""
