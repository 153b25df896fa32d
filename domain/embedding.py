"""Vectors of texts, with the calls that made them."""

from collections.abc import Sequence
from dataclasses import dataclass

from domain.call import ModelIdentity, Provenance


@dataclass(frozen=True, slots=True)
class Embedding:
    """One vector per text, in order, all of one model and one length. `provenance`: one entry per call."""

    model: ModelIdentity
    vectors: Sequence[Sequence[float]]
    provenance: tuple[Provenance, ...] = ()

    @property
    def tokens(self) -> int:
        """Tokens of the texts by the model's own count, whether it read them just now or before."""
        return sum(call.size.input_tokens for call in self.provenance)
