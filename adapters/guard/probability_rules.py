"""What the output of an entailment judge has to be: one probability per claim."""

from dataclasses import dataclass

from adapters.guard.checks import items, number_between, payload_of
from domain.canonical import Json
from domain.errors import InvalidModelOutput
from ports.model_backend import RawOutput

Probabilities = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class ProbabilityRules:
    """Rules for `count` probabilities, 0 to 1 each."""

    count: int

    def check(self, raw: RawOutput) -> Probabilities:
        return self._probabilities(payload_of(raw).get("probabilities"))

    def encode(self, value: Probabilities) -> Json:
        return list(value)

    def decode(self, stored: Json) -> Probabilities:
        return self._probabilities(stored)

    def _probabilities(self, found: object) -> Probabilities:
        rows = items(found, "probabilities")
        if len(rows) != self.count:
            raise InvalidModelOutput(f"not one probability for each of {self.count} claims")
        return tuple(number_between(row, 0, 1, "probability") for row in rows)
