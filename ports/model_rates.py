"""How fast the served models are, as their replicas measured it."""

from abc import abstractmethod
from typing import Protocol

from domain.call import CallKind
from domain.rate import EngineRate


class ModelRates(Protocol):
    """The rate of each kind of model, measured while it warmed up and kept up to date by the calls it answers."""

    @abstractmethod
    async def rate(self, kind: CallKind) -> EngineRate | None:
        """Return the rate of the model that answers this kind of call; None when nobody measured it (a remote one, or none warm).

        Answers at once from what was last heard; never raises.
        """

    @abstractmethod
    def wakes_s(self, kind: CallKind) -> float:
        """Return the seconds until the model that answers this kind of call is there, as `rate` last saw it.

        0 where a replica is warm, or nobody knows; where all were taken away for want of work, what one takes to start and load.
        """
