"""Every knob of the call guard, with its default, unit and reason."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class _Knobs(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Limits(_Knobs):
    """What one account may use. None leaves a kind unlimited."""

    audio_seconds: float | None = Field(None, ge=0)
    tokens: float | None = Field(None, ge=0)
    money_usd: float | None = Field(None, ge=0)


class AttemptTimeouts(_Knobs):
    """Seconds one attempt may take: a batch of the embedded CPU models, queueing included, with a wide margin."""

    transcribe: float = Field(300.0, gt=0)
    generate: float = Field(180.0, gt=0)
    embed: float = Field(60.0, gt=0)
    find: float = Field(180.0, gt=0)
    entail: float = Field(180.0, gt=0)
    diarize: float = Field(120.0, gt=0)


class CacheSettings(_Knobs):
    """Limits of the call cache, and how a flight is held and waited for."""

    max_bytes: int = Field(2 * 1024**3, gt=0)
    max_age_s: float = Field(30 * 86_400.0, gt=0)
    refusal_s: float = Field(600.0, ge=0, description="How long a refused output is remembered; 0 forgets it at once.")
    max_answer_bytes: int = Field(4 * 1024**2, gt=0, description="A larger answer is handed out but not kept.")
    claim_s: float = Field(10.0, gt=0, description="A dead holder delays its waiters by at most this.")
    poll_first_s: float = Field(0.05, gt=0)
    poll_most_s: float = Field(1.0, gt=0)


class BudgetSettings(_Knobs):
    """What tenants (per `period`) and jobs may use; `tenants` overrides `per_tenant` by name."""

    period: Literal["day", "month", "ever"] = "month"
    per_tenant: Limits = Limits()
    per_job: Limits = Limits()
    tenants: dict[str, Limits] = Field(default_factory=dict)


class SharedSettings(_Knobs):
    """How often a process that makes calls tells the others what it uses, and reads what they say of breakers (docs/adr/0025)."""

    beat_s: float = Field(2.0, gt=0)


class RateSettings(_Knobs):
    """Token bucket of calls per model and tenant, over all processes: refill per second, size, longest wait of a call."""

    calls_per_s: float = Field(100.0, gt=0)
    burst: int = Field(200, ge=1)
    max_wait_s: float = Field(30.0, ge=0)


class BulkheadSettings(_Knobs):
    """Calls in flight (over all processes) and calls waiting (in each), per model and backend. Few enough that one backend can
    not hold everything.

    The longest call (its waits here and for its rate, four tries of the longest timeout, the pauses between) stays under the
    900 s for which a budget reservation outlives its holder.
    """

    max_concurrent: int = Field(64, ge=1)
    max_waiting: int = Field(1024, ge=0)
    max_wait_s: float = Field(100.0, ge=0)


class BreakerSettings(_Knobs):
    """When a model and backend count as down (docs/adr/0006): failures inside a sliding window, doubling open time."""

    min_failures: int = Field(5, ge=1)
    failure_share: float = Field(0.5, gt=0, le=1)
    window_s: float = Field(30.0, gt=0)
    open_first_s: float = Field(5.0, gt=0)
    open_most_s: float = Field(120.0, gt=0)


class RetrySettings(_Knobs):
    """Full jitter back-off and a retry budget (reference: AWS "Exponential backoff and jitter"; docs/adr/0006)."""

    max_tries: int = Field(4, ge=1)
    base_s: float = Field(0.2, gt=0)
    cap_s: float = Field(10.0, gt=0)
    retry_after_most_s: float = Field(60.0, gt=0, description="A longer Retry-After is passed on instead of waited for.")
    budget_per_success: float = Field(0.1, ge=0, description="Retries add at most this share of load in the long run.")
    budget_size: float = Field(10.0, ge=1, description="Retries allowed before the first success, and saved up at most.")


class GuardSettings(_Knobs):
    """All settings of the guard around every model port."""

    timeouts: AttemptTimeouts = AttemptTimeouts()
    cache: CacheSettings = CacheSettings()
    budget: BudgetSettings = BudgetSettings()
    shared: SharedSettings = SharedSettings()
    rate: RateSettings = RateSettings()
    bulkhead: BulkheadSettings = BulkheadSettings()
    breaker: BreakerSettings = BreakerSettings()
    retry: RetrySettings = RetrySettings()
