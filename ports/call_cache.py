"""Answers of model calls under their content key, and who is making which call just now."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from domain.canonical import Json


@dataclass(frozen=True, slots=True)
class Hit:
    """The finished answer: validated value and provenance as plain data."""

    answer: Json


@dataclass(frozen=True, slots=True)
class Claimed:
    """The caller is to make the call, and to `put` or `release` before `until` (Unix seconds), or `renew`."""

    fence: int
    until: float


@dataclass(frozen=True, slots=True)
class InFlight:
    """Somebody else makes this very call just now, and holds the flight until `until` (Unix seconds)."""

    until: float


Lookup: TypeAlias = Hit | Claimed | InFlight


class CallCache(Protocol):
    """Answers by (scope, key), and single flight over all processes that share the store.

    A holder that dies loses its flight when the claim runs out; the next `begin` takes it over. A holder that was only slow can
    not overwrite what its successor stored (its fence is old). `conversation_id` ties an answer to a conversation, so that
    deleting the last conversation that used an answer deletes the answer.
    """

    @abstractmethod
    async def begin(self, scope: str, key: str, owner: str, claim_s: float, conversation_id: str | None) -> Lookup:
        """Read the answer, or claim the flight for `claim_s` seconds, or say that it is taken. Atomic."""

    @abstractmethod
    async def renew(self, scope: str, key: str, owner: str, fence: int, claim_s: float) -> bool:
        """Hold the flight for another `claim_s` seconds; False when it is lost."""

    @abstractmethod
    async def put(self, scope: str, key: str, owner: str, fence: int, answer: Json, conversation_id: str | None) -> bool:
        """Store the answer and end the flight in one step; False, and nothing stored, when the flight is lost."""

    @abstractmethod
    async def release(self, scope: str, key: str, owner: str, fence: int) -> None:
        """End the flight without an answer, so that the next caller may try at once."""

    @abstractmethod
    async def discard(self, scope: str, key: str) -> None:
        """Remove one answer that could not be read, so that the next `begin` claims its flight. A flight is left alone."""

    @abstractmethod
    async def peek(self, scope: str, keys: list[str]) -> set[str]:
        """Return which of `keys` have an answer; changes nothing."""

    @abstractmethod
    async def read(self, scope: str, key: str) -> Json | None:
        """Return the answer, None when there is none; changes nothing, not even when it was last used."""

    @abstractmethod
    async def forget_conversation(self, scope: str, conversation_id: str) -> int:
        """Remove the answers that only this conversation used; return how many."""

    @abstractmethod
    async def forget_scope(self, scope: str) -> int:
        """Remove every answer of a scope; return how many."""

    @abstractmethod
    async def trim(self, max_bytes: int, max_age_s: float) -> int:
        """Remove answers that are too old, then the least recently used until the rest fits; return how many."""
