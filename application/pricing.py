"""What estimated calls take: tokens and seconds of sound to money and time."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from application.dry_run import EstimatedCall
from domain.call import CallKind, ModelIdentity, Usage
from domain.estimate import StageEstimate
from domain.rate import EngineRate
from ports.call_metering import PriceTable

HEARD: Final = (CallKind.TRANSCRIBE, CallKind.DIARIZE)
"""Kinds of calls that take as long as their sound is; the others by their tokens."""


@dataclass(frozen=True, slots=True)
class Judged:
    """Calls that are known by number only, and what they use together."""

    calls: int
    usage: Usage


def seconds_of(kind: CallKind, rate: EngineRate, usage: Usage, side_by_side: int = 1) -> float:
    """Return how long calls take that use `usage` together, with `side_by_side` of them under way at a time.

    Tokens that the engine keeps from an earlier call of the same prompt are not read again.
    """
    if kind in HEARD:
        return rate.seconds(usage.audio_seconds, calls=side_by_side)
    return rate.seconds(usage.input_tokens - usage.cached_input_tokens, usage.output_tokens, side_by_side)


@dataclass(frozen=True, slots=True)
class Pricing:
    """`at_once` is how many calls of a kind one job has under way; kinds in `providers` are answered elsewhere, billed by use.

    A kind that is in no provider's hands and has no rate has no known seconds and no known cost.
    """

    prices: PriceTable
    at_once: Mapping[CallKind, int] = field(default_factory=dict)
    providers: frozenset[CallKind] = frozenset()

    def of(
        self,
        kind: CallKind,
        model: ModelIdentity,
        calls: Iterable[EstimatedCall],
        judged: Judged | None,
        rate: EngineRate | None,
    ) -> StageEstimate:
        """Return what the calls of one kind take together; money counts the time of each call, as the budget does."""
        known = list(calls)
        usage = judged.usage if judged is not None else Usage()
        for call in known:
            usage = usage + call.usage
        count = len(known) + (judged.calls if judged is not None else 0)
        cached = sum(call.cached for call in known)
        seconds: float | None = None
        cost: float | None = None
        if count == cached:
            seconds, cost = 0.0, 0.0
        elif rate is not None:
            seconds = seconds_of(kind, rate, usage, min(self.at_once.get(kind, 1), count - cached))
            cost = self.prices.cost_usd(kind, model, usage, seconds_of(kind, rate, usage))
        elif kind in self.providers:
            cost = self.prices.cost_usd(kind, model, usage, 0.0)
        return StageEstimate(count, cached, usage.audio_seconds, usage.input_tokens, usage.output_tokens, cost, seconds)
