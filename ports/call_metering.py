"""What a model call costs and who may still pay."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from domain.call import CallKind, ModelIdentity, Usage


@dataclass(frozen=True, slots=True)
class Amounts:
    """What budgets count: seconds of audio, tokens in and out, and US dollars."""

    audio_seconds: float = 0.0
    tokens: float = 0.0
    money_usd: float = 0.0


@dataclass(frozen=True, slots=True)
class Reservation:
    """Amounts set aside under `id` until they are settled or released."""

    id: str
    accounts: tuple[str, ...]
    amounts: Amounts


class BudgetLedger(Protocol):
    """Exact accounts of what was used and set aside, per tenant and per job."""

    @abstractmethod
    async def reserve(self, accounts: Mapping[str, Amounts], amounts: Amounts) -> Reservation:
        """Set `amounts` aside on every account (name -> its limits) or on none. Raises BudgetExceeded."""

    @abstractmethod
    async def settle(self, reservation: Reservation, used: Amounts) -> None:
        """Replace the reservation by what was used."""

    @abstractmethod
    async def release(self, reservation: Reservation) -> None:
        """Give the reservation back unused."""

    @abstractmethod
    async def left(self, account: str, limits: Amounts) -> Amounts:
        """Return what the account may still use."""


class PriceTable(Protocol):
    """What a call of a model costs."""

    @abstractmethod
    def cost_usd(self, kind: CallKind, model: ModelIdentity, usage: Usage, replica_seconds: float) -> float: ...
