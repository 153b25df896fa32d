"""What model calls cost, as a table that is versioned with the code."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from domain.call import CallKind, ModelIdentity, Usage
from ports.call_metering import PriceTable

VERSION = "2026-11-22"
"""Date of this table; change it together with any figure."""
TOKENS_PER_PRICE = 1_000_000
SECONDS_PER_HOUR = 3600


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per unit. A model that we serve ourselves costs replica seconds, a provider's tokens or audio seconds."""

    audio_second: float = 0.0
    input_million_tokens: float = 0.0
    cached_input_million_tokens: float | None = None
    output_million_tokens: float = 0.0
    replica_second: float = 0.0

    def of(self, usage: Usage, replica_seconds: float) -> float:
        cached = min(usage.cached_input_tokens, usage.input_tokens)
        cached_price = self.input_million_tokens if self.cached_input_million_tokens is None else self.cached_input_million_tokens
        tokens = (
            (usage.input_tokens - cached) * self.input_million_tokens
            + cached * cached_price
            + usage.output_tokens * self.output_million_tokens
        )
        return usage.audio_seconds * self.audio_second + tokens / TOKENS_PER_PRICE + replica_seconds * self.replica_second


OWN_CPU_CORE_SECOND = 0.04 / SECONDS_PER_HOUR
"""US dollars: about 0.04 per virtual core and hour, what clouds asked for general purpose machines in 2026. Set your own."""
OWN_REPLICA = Price(replica_second=2 * OWN_CPU_CORE_SECOND)
"""A replica of the embedded default holds two cores."""
REMOTE_ENGINE = "openai_compatible"
"""Engine name of models that somebody else runs; only these need a price by model."""


@dataclass(frozen=True, slots=True)
class Prices(PriceTable):
    """Prices by (engine, model id), then by engine, then by the kind of call, whose replicas are our own, then `otherwise`.

    A remote model without a price costs `UNKNOWN_REMOTE`, so that a money budget fails closed instead of counting nothing.
    """

    by_model: dict[tuple[str, str], Price] = field(default_factory=dict)
    by_engine: dict[str, Price] = field(default_factory=dict)
    by_kind: Mapping[CallKind, Price] = field(default_factory=dict)
    otherwise: Price = OWN_REPLICA

    def cost_usd(self, kind: CallKind, model: ModelIdentity, usage: Usage, replica_seconds: float) -> float:
        price = self.by_model.get((model.engine, model.id)) or self.by_engine.get(model.engine) or self.by_kind.get(kind)
        return (price or self.otherwise).of(usage, replica_seconds)


UNKNOWN_REMOTE = Price(audio_second=0.0002, input_million_tokens=15.0, output_million_tokens=75.0)
"""US dollars, at the upper end of what providers list, so that a forgotten price is noticed and not overspent."""
DEFAULT_PRICES = Prices(by_engine={REMOTE_ENGINE: UNKNOWN_REMOTE})


def prices_of_replicas(usd_per_hour: Mapping[CallKind, float]) -> Prices:
    """Return the table in which an hour of a replica that answers calls of a kind costs so much; remote models as ever."""
    by_kind = {kind: Price(replica_second=usd / SECONDS_PER_HOUR) for kind, usd in usd_per_hour.items()}
    return Prices(by_engine=DEFAULT_PRICES.by_engine, by_kind=by_kind)
