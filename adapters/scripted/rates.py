"""Rates of models as a script says them."""

from collections.abc import Mapping

from domain.call import CallKind
from domain.rate import EngineRate
from ports.model_rates import ModelRates


class ScriptedRates(ModelRates):
    """Tells the rates it was given, and None for every other kind. `told` may be changed between two questions."""

    def __init__(self, told: Mapping[CallKind, EngineRate] | None = None) -> None:
        self.told = dict(told or {})

    async def rate(self, kind: CallKind) -> EngineRate | None:
        return self.told.get(kind)
