"""Words ready to be sent to a language model."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from domain.call import PromptReference
from domain.canonical import Json


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are chosen; every field explicit, each use case has its own constants beside the prompt.

    The answer ends before the first of the `stop` sequences.
    """

    max_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 20
    stop: tuple[str, ...] = ()

    def parameters(self) -> dict[str, Json]:
        """Return what decides the output, under the names of the wire. No stop sequences are no parameter."""
        plain: dict[str, Json] = {name: value for name, value in asdict(self).items() if name != "stop"}
        return plain | {"stop": list(self.stop)} if self.stop else plain


@dataclass(frozen=True, slots=True)
class RenderedPrompt:
    """Messages as (role, words) pairs, ready to send, with the schema of the answer and where the words came from.

    `schema` is a JSON Schema for the answer; None asks for free text, answered as `{"text": ...}`. `verbatim` asks for the words
    as they were written, `{"text", "finish_reason"}`, with a schema too: an answer that reaches `max_tokens` then comes as far as
    it got, with `length` for its reason.
    """

    reference: PromptReference
    messages: tuple[tuple[str, str], ...]
    schema: Mapping[str, Json] | None
    sampling: Sampling
    verbatim: bool = False
