"""Texts to vectors."""

from abc import abstractmethod
from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

from domain.call import Answer, CallContext, ModelIdentity
from domain.search import CosineScale


class InputType(StrEnum):
    """Whether a text asks or answers; models that treat the two alike ignore it."""

    QUERY = "query"
    DOCUMENT = "document"


class LongTexts(StrEnum):
    """What becomes of a text that is longer than the model reads: refused, or cut between words and its vectors pooled."""

    REFUSE = "refuse"
    POOL = "pool"


Vectors = tuple[tuple[float, ...], ...]


class Embedder(Protocol):
    """Places texts in the vector space of one model."""

    @property
    @abstractmethod
    def identity(self) -> ModelIdentity: ...

    @property
    @abstractmethod
    def dimensions(self) -> int: ...

    @property
    @abstractmethod
    def cosines(self) -> CosineScale:
        """What cosines of its vectors mean, as the model's descriptor has it."""

    @abstractmethod
    async def embed(
        self, texts: Sequence[str], input_type: InputType, context: CallContext, long_texts: LongTexts = LongTexts.REFUSE
    ) -> Answer[Vectors]:
        """Return one unit-length vector of `dimensions` per text, in order.

        A text longer than the model reads is refused (ModelRejected), never cut silently, unless its pieces are to be pooled: the
        mean of their vectors, weighted by their tokens. Raises the ModelError kinds,
        BudgetExceeded, RateLimited or DeadlineExceeded.
        """
