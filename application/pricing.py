"""What foreseen calls take: tokens and seconds of sound to money and time."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from application.dry_run import ForeseenCall
from domain.call import CallKind, ModelIdentity, Usage
from domain.estimate import StageEstimate
from ports.call_metering import PriceTable


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds that one call takes per second of sound, token read and token written; `at_once` calls go on side by side."""

    audio_second: float = 0.0
    input_token: float = 0.0
    output_token: float = 0.0
    at_once: int = 1

    def seconds(self, usage: Usage) -> float:
        return (
            usage.audio_seconds * self.audio_second
            + usage.input_tokens * self.input_token
            + usage.output_tokens * self.output_token
        )


@dataclass(frozen=True, slots=True)
class Judged:
    """Calls that are known by number only, and what they use together."""

    calls: int
    usage: Usage


@dataclass(frozen=True, slots=True)
class Pricing:
    """`paces` are those of the replicas here; kinds in `providers` are answered elsewhere and billed by use alone.

    A kind in neither has no known seconds and no known cost.
    """

    prices: PriceTable
    paces: Mapping[CallKind, Pace]
    providers: frozenset[CallKind] = frozenset()

    def of(self, kind: CallKind, model: ModelIdentity, calls: Iterable[ForeseenCall], judged: Judged | None) -> StageEstimate:
        """Return what the calls of one kind take together; money counts the time of each call, as the budget does."""
        known = list(calls)
        usage = judged.usage if judged is not None else Usage()
        for call in known:
            usage = usage + call.usage
        count = len(known) + (judged.calls if judged is not None else 0)
        cached = sum(call.cached for call in known)
        pace = self.paces.get(kind)
        busy = pace.seconds(usage) if pace is not None else None
        cost: float | None = None
        if count == cached:
            busy, cost = 0.0, 0.0
        elif busy is not None or kind in self.providers:
            cost = self.prices.cost_usd(kind, model, usage, busy or 0.0)
        side_by_side = min(pace.at_once, max(1, count - cached)) if pace is not None else 1
        seconds = None if busy is None else busy / side_by_side
        return StageEstimate(count, cached, usage.audio_seconds, usage.input_tokens, usage.output_tokens, cost, seconds)
