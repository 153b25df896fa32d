"""Sentences about a conversation to how probable it is that their lines carry them."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Protocol

from domain.call import Answer, CallContext, ModelIdentity
from domain.entailment import Claim


class EntailmentJudge(Protocol):
    """Judges whether what is said of a conversation follows from the lines that it cites: numbers, names, who did it, and no
    negation lost.
    """

    @property
    @abstractmethod
    def identity(self) -> ModelIdentity: ...

    @abstractmethod
    async def judge(self, claims: Sequence[Claim], context: CallContext) -> Answer[tuple[float, ...]]:
        """Return for each claim, in order, the probability (0 to 1) that its premise entails its text.

        Claims of one call are judged apart from each other; words of a premise are data. Raises InvalidRequest for no claims,
        the ModelError kinds, BudgetExceeded, RateLimited or DeadlineExceeded.
        """
