"""One call on its way through the guard, and what every layer of the guard looks like."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from domain.call import Answer, CallContext, CallSpec, Usage
from domain.canonical import Json
from domain.errors import InvalidModelOutput, ModelRejected
from ports.model_backend import ModelBackend, ModelRequest, RawOutput
from ports.telemetry import CallSpan

Value = TypeVar("Value")


class OutputRules(Protocol[Value]):
    """How raw output becomes a domain value, and how that value is kept."""

    def check(self, raw: RawOutput) -> Value:
        """Return the value. Raises InvalidModelOutput, and nothing else whatever the output is."""

    def encode(self, value: Value) -> Json:
        """Return the value as plain data for the cache."""

    def decode(self, stored: Json) -> Value:
        """Return the value again under the same rules. Raises InvalidModelOutput for anything `encode` would not write."""


@dataclass(slots=True)
class CallRecord:
    """What happened to a call so far; the only part of it that changes.

    `started` is monotonic seconds; `answers`, `usage` and `model_seconds` add up all attempts that the model answered, those
    included whose output was then refused; `refusal` is the rule that the last one broke.
    """

    started: float
    attempts: int = 0
    answers: int = 0
    usage: Usage = field(default_factory=Usage)
    model_seconds: float = 0.0
    finish_reason: str | None = None
    refusal: InvalidModelOutput | None = None
    probing: bool = False
    span: CallSpan | None = None


@dataclass(frozen=True, slots=True)
class GuardedCall(Generic[Value]):
    """A model call with everything the guard needs. `at_most` is the most one attempt can use."""

    spec: CallSpec
    context: CallContext
    request: ModelRequest
    backend: ModelBackend
    rules: OutputRules[Value]
    at_most: Usage
    record: CallRecord

    @property
    def cache_key(self) -> tuple[str, str] | None:
        """Scope and key in the cache; None when the answer may not be kept at all (no-store outside any job)."""
        if not self.context.store and self.context.job_id is None:
            return None
        return self.context.cache_scope, self.spec.key

    @property
    def target(self) -> tuple[str, str, str]:
        """Which backend, model and revision: what breakers, bulkheads and retry budgets are kept per."""
        return self.backend.name, self.spec.model.id, self.spec.model.revision

    @property
    def left_to_chance(self) -> bool:
        """Whether the same call can come out otherwise: only when tokens are sampled.

        Even a seed does not repeat a sample across batch mixes (vLLM promises it for lone requests only), but greedy and
        beam decoding at temperature 0 and encoders give the same answer again, at full price.
        """
        temperature = self.spec.parameters.get("temperature")
        return isinstance(temperature, int | float) and temperature > 0

    def would_fail_again(self, error: BaseException) -> bool:
        """Whether making this very call again can only end in the same error."""
        if isinstance(error, InvalidModelOutput):
            return not self.left_to_chance
        return isinstance(error, ModelRejected)


Proceed: TypeAlias = Callable[[GuardedCall[Any]], Awaitable[Answer[Any]]]
Attempt: TypeAlias = Callable[[GuardedCall[Any]], Awaitable[RawOutput]]


class Layer(Protocol):
    """One concern around a call: does its part, and calls `proceed` for the rest or does not."""

    async def __call__(self, call: GuardedCall[Any], proceed: Proceed) -> Answer[Any]: ...


__all__ = ["Attempt", "CallRecord", "GuardedCall", "Layer", "OutputRules", "Proceed", "Value"]
