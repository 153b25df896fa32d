"""Rendered prompt in, validated value out."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Protocol

from domain.call import Answer, CallContext, ModelIdentity, PromptReference
from domain.canonical import Json


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are chosen; every field explicit, each use case has its own constants beside the prompt."""

    max_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 20

    def parameters(self) -> dict[str, Json]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class RenderedPrompt:
    """Messages as (role, words) pairs, ready to send, with the schema of the answer and where the words came from.

    `schema` is a JSON Schema for the answer; None asks for free text, answered as `{"text": ...}`.
    """

    reference: PromptReference
    messages: tuple[tuple[str, str], ...]
    schema: Mapping[str, Json] | None
    sampling: Sampling


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
        """Return an object that satisfies `prompt.schema`.

        Raises InvalidModelOutput when the model did not manage (cut off, malformed, against the schema), the other
        ModelError kinds, BudgetExceeded, RateLimited or DeadlineExceeded.
        """
