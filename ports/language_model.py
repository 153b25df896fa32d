"""Rendered prompt in, validated value out."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Protocol

from domain.call import Answer, CallContext, ModelIdentity
from domain.canonical import Json
from domain.prompt import RenderedPrompt, Sampling

__all__ = ["LanguageModel", "RenderedPrompt", "Sampling"]


class LanguageModel(Protocol):
    """Writes short texts to a schema."""

    @property
    @abstractmethod
    def identity(self) -> ModelIdentity: ...

    @property
    @abstractmethod
    def context_tokens(self) -> int:
        """How many tokens prompt and answer may have together, as served."""

    @abstractmethod
    async def generate(self, prompt: RenderedPrompt, context: CallContext) -> Answer[Mapping[str, Json]]:
        """Return an object that satisfies `prompt.schema`, or the words and how they ended where the prompt is `verbatim`.

        Raises InvalidModelOutput when the model did not manage (cut off, malformed, against the schema), the other
        ModelError kinds, BudgetExceeded, RateLimited or DeadlineExceeded.
        """
