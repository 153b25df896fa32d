"""Moving what is searchable from the vector space of one embedding model to that of another."""

from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from domain.call import ModelIdentity
from domain.search import SpaceStanding, UnplacedSource


class VectorSpaces(Protocol):
    """Which passages have a vector of a model, over all tenants.

    A tenant's searches are answered from one space, that of the first model it had passages of, until `answer_from` moves it. Any
    number of processes may move the same passages at once, and be ended at any time: what is placed stays placed.
    """

    @abstractmethod
    async def standing(self, model: ModelIdentity) -> SpaceStanding:
        """Return how many passages there are, and how many of them have no vector of the model."""

    @abstractmethod
    async def unplaced(
        self, model: ModelIdentity, most: int, salt: int = 0, without: Collection[str] = ()
    ) -> UnplacedSource | None:
        """Return at most `most` passages of one source that have no vector of the model; None where there are none.

        `salt` decides which source comes first, so that workers begin at different ones; 0: the oldest. Tenants in `without` are
        left out.
        """

    @abstractmethod
    async def put(self, source: UnplacedSource, model: ModelIdentity, vectors: Mapping[int, Sequence[float]]) -> None:
        """Keep vectors of passages, by id, all in one step; () stands for a text that the model refused.

        Passages that were deleted or told otherwise meanwhile are left out. Raises InvalidRequest for vectors that can not be
        compared.
        """

    @abstractmethod
    async def answer_from(self, model: ModelIdentity) -> Sequence[str]:
        """Answer the searches of every tenant all of whose passages are placed from the model's space, from one moment to the
        next, and return the tenants for whom that is new.
        """

    @abstractmethod
    async def catch_up(self) -> int:
        """Make searchable what processes of an older version have indexed, and forget what they have deleted; return of how many
        sources.
        """

    @abstractmethod
    async def drop_others(self, model: ModelIdentity, most: int) -> int:
        """Remove vectors of other models from at most `most` sources of tenants that are answered from the model's space; return
        how many sources had some.
        """
