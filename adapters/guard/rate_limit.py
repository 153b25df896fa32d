"""A token bucket of calls per model and tenant, over all processes."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from adapters.guard.call import GuardedCall, Proceed
from adapters.guard.others import Others, name_of
from adapters.guard.settings import RateSettings
from domain.call import Answer
from domain.errors import RateLimited
from ports.clock import Clock

MOST_BUCKETS = 10_000
"""Buckets kept; the one used longest ago is forgotten first. It has filled up by then unless that many tenants are active."""


@dataclass(slots=True)
class TokenBucket:
    """Tokens at a moment (monotonic seconds). May go below zero: a token taken in advance is waited for."""

    tokens: float
    at: float
    blocked_until: float = 0.0

    def wait_for_one(self, now: float, per_s: float, most: float) -> float:
        """Return the seconds after which one more token may be taken, at `per_s` tokens a second and `most` saved up."""
        self.tokens = min(most, self.tokens + (now - self.at) * per_s)
        self.at = now
        refill = max(0.0, (1.0 - self.tokens) / per_s)
        return max(refill, self.blocked_until - now)

    def take(self) -> None:
        self.tokens -= 1.0


class RateLimit:
    """Lets calls pass at the model's rate for their tenant, in order, after a bounded wait.

    The rate is that of the whole service: a process has the part of it that its calls are of all calls.

    When the backend itself answers 429 with a Retry-After, its tenant's next calls wait for that too, or are refused with it.
    """

    def __init__(self, settings: RateSettings, clock: Clock, others: Others) -> None:
        self._settings = settings
        self._clock = clock
        self._others = others
        self._buckets: OrderedDict[tuple[tuple[str, str, str], str], TokenBucket] = OrderedDict()

    async def __call__(self, call: GuardedCall[Any], proceed: Proceed) -> Answer[Any]:
        """Raises RateLimited, with the seconds after which a token is free, when the wait would be too long."""
        bucket = self._bucket(call)
        thing = f"rate\n{name_of(call.target)}\n{call.context.tenant}"
        share = self._others.share(thing, self._others.asks(thing))
        most = max(1.0, self._settings.burst * share)
        wait = bucket.wait_for_one(self._clock.monotonic(), self._settings.calls_per_s * share, most)
        if wait > self._settings.max_wait_s:
            raise RateLimited("the rate limit of this model and tenant is met", wait)
        bucket.take()
        if wait > 0:
            await self._clock.sleep(wait)
        try:
            return await proceed(call)
        except RateLimited as error:
            if error.retry_after_s is not None:
                bucket.blocked_until = max(bucket.blocked_until, self._clock.monotonic() + error.retry_after_s)
            raise

    def _bucket(self, call: GuardedCall[Any]) -> TokenBucket:
        name = (call.target, call.context.tenant)
        bucket = self._buckets.get(name)
        if bucket is None:
            bucket = self._buckets[name] = TokenBucket(self._settings.burst, self._clock.monotonic())
        self._buckets.move_to_end(name)
        if len(self._buckets) > MOST_BUCKETS:
            self._buckets.popitem(last=False)
        return bucket
