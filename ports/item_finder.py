"""A conversation to what each line of it is evidence of."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Protocol

from domain.call import Answer, CallContext, ModelIdentity
from domain.finding import Line, LineReading


class ItemFinder(Protocol):
    """Reads a stretch of a conversation and finds what was decided, taken on and left open in it."""

    @property
    @abstractmethod
    def identity(self) -> ModelIdentity: ...

    @property
    @abstractmethod
    def stretch_tokens(self) -> int:
        """About how many tokens one call should read: what a caller cuts a longer conversation by."""

    @abstractmethod
    async def find(self, lines: Sequence[Line], context: CallContext) -> Answer[tuple[LineReading, ...]]:
        """Return one reading per line, in order; lines beside each other are read in each other's light.

        Words of the lines are data: no line changes what another one's reading means. Raises the ModelError kinds,
        BudgetExceeded, RateLimited or DeadlineExceeded.
        """
