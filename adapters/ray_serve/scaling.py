"""How many replicas a model needs: the work that waits, in the model's own unit, over what its replicas were measured to do.

A request is no measure of work: a window of two seconds and one of thirty are one call each. Every replica tells what it holds
(seconds of sound, tokens) and how fast it works (`ReplicaLoad`); the controller of Serve asks `WorkPolicy`, and applies bounds,
factors and delays of `autoscaling_config` to the answer as it does to its own policy's.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from domain.audio import BYTES_PER_SAMPLE, SAMPLE_RATE
from domain.call import Usage
from ports.model_backend import ModelRequest

HELD, PER_CALL, PER_S = "held_units", "units_per_call", "units_per_s"
"""What a replica tells, in units of its model: what it holds, the mean of its calls, and what it does in a busy second."""
HALF_LIFE_S: Final = 60.0
"""Busy seconds after which what was measured counts half: as long as the look-back of a decision, twice over."""
HALF_LIFE_CALLS: Final = 50
"""Calls after which the size of one counts half."""


def work_of(usage: Usage) -> float:
    """Return the units that a call took: seconds of sound, or tokens read and written."""
    return usage.audio_seconds or float(usage.input_tokens + usage.output_tokens)


class ReplicaLoad:
    """What one replica has to do, and how fast it is at it."""

    def __init__(self) -> None:
        self._seconds_of_sound = 0.0
        self._calls_of_unknown_size = 0
        self._units = self._busy_s = 0.0
        self._sizes = self._calls = 0.0

    @contextmanager
    def holding(self, request: ModelRequest) -> Iterator[None]:
        """Count a call for as long as it is here: one that brings sound by its seconds, any other as one of the usual size."""
        sound = len(getattr(request, "pcm", b"")) / (SAMPLE_RATE * BYTES_PER_SAMPLE)
        self._seconds_of_sound += sound
        self._calls_of_unknown_size += not sound
        try:
            yield
        finally:
            self._seconds_of_sound -= sound
            self._calls_of_unknown_size -= not sound

    def learn(self, used: tuple[Usage, ...], busy_s: float) -> None:
        """Calls that used so much ended, after `busy_s` more seconds of work."""
        units = sum(map(work_of, used))
        older = 0.5 ** (busy_s / HALF_LIFE_S)
        self._units, self._busy_s = self._units * older + units, self._busy_s * older + busy_s
        fewer = 0.5 ** (len(used) / HALF_LIFE_CALLS)
        self._sizes, self._calls = self._sizes * fewer + units, self._calls * fewer + len(used)

    def told(self) -> dict[str, float]:
        """What Serve's controller is told; nothing before the first call has ended."""
        if not self._units or not self._busy_s:
            return {}
        per_call = self._sizes / self._calls
        held = max(0.0, self._seconds_of_sound) + self._calls_of_unknown_size * per_call
        return {HELD: held, PER_CALL: per_call, PER_S: self._units / self._busy_s}


def replicas_needed(told: Mapping[str, Mapping[Any, float]], queued_calls: float, drain_s: float) -> float | None:
    """Return with how many replicas all work that waits would be done in `drain_s` seconds; None while no replica told its rate.

    `told` maps each figure to its value by replica; `queued_calls` wait for any replica, and are taken to be as large as those
    before them.
    """
    rates, sizes = [list(told.get(name, {}).values()) for name in (PER_S, PER_CALL)]
    if not rates or not sizes or min(rates) <= 0:
        return None
    work = sum(told.get(HELD, {}).values()) + queued_calls * sum(sizes) / len(sizes)
    return work / (sum(rates) / len(rates) * drain_s)


class WorkPolicy:
    """A policy for `autoscaling_config.policy`: what waits for a model is done within `drain_s` seconds.

    With `min_replicas: 0` the last replica goes too when nothing is asked, and Serve starts one for the first call that comes.
    """

    def __init__(self, drain_s: float = 30.0) -> None:
        self._drain_s = drain_s

    def __call__(self, context: Any) -> tuple[float, dict[str, Any]]:
        """Return how many replicas there should be. With nothing known it stays at what there is while anything is asked."""
        needed = replicas_needed(context.aggregated_metrics or {}, context.total_queued_requests or 0.0, self._drain_s)
        if needed is None:
            needed = context.target_num_replicas if context.total_num_requests else 0.0
        return needed, {}
