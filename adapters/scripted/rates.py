"""Rates of models as a script says them."""

from collections.abc import Collection, Mapping

from domain.call import CallKind
from domain.rate import EngineRate
from ports.model_rates import ModelRates


class ScriptedRates(ModelRates):
    """Tells the rates it was given, and None for every other kind. `told` may be changed between two questions.

    `asleep`: kinds whose model has no replica at the moment.
    """

    def __init__(self, told: Mapping[CallKind, EngineRate] | None = None, asleep: Collection[CallKind] = ()) -> None:
        self.told = dict(told or {})
        self.asleep = set(asleep)

    async def rate(self, kind: CallKind) -> EngineRate | None:
        return self.told.get(kind)

    def wakes_s(self, kind: CallKind) -> float:
        return self.told[kind].loads_s if kind in self.asleep and kind in self.told else 0.0
