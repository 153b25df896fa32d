"""Words ready to be sent to a language model."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from domain.call import PromptReference
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
