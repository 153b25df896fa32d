"""What a replica has done and how long it was at it, for Prometheus: the throughput of each replica, and its idle time."""

import time
from collections.abc import Callable

from adapters.ray_serve import metric_table as table
from adapters.ray_serve.instruments import Instruments
from adapters.ray_serve.scaling import ReplicaLoad
from domain.call import Usage


class ReplicaWork:
    """Counts what was read and written, and the seconds in which there was something to do, calls side by side counted once.

    `load` learns the same, for the decisions of Serve. `monotonic` gives seconds.
    """

    def __init__(self, instruments: Instruments, load: ReplicaLoad, monotonic: Callable[[], float] = time.perf_counter) -> None:
        self._to = instruments
        self._load = load
        self._monotonic = monotonic
        self._active = 0
        self._counted_until = 0.0

    def begin(self) -> None:
        """A pass or a call begins."""
        if self._active == 0:
            self._counted_until = self._monotonic()
        self._active += 1

    def end(self, *used: Usage) -> None:
        """It ended, having used so much; nothing where it failed."""
        now = self._monotonic()
        busy_s = now - self._counted_until
        self._to.count(table.REPLICA_BUSY, busy_s)
        self._load.learn(used, busy_s)
        self._active, self._counted_until = self._active - 1, now
        total = sum(used, Usage())
        self._to.count(table.REPLICA_AUDIO, total.audio_seconds)
        self._to.count(table.REPLICA_TOKENS, total.input_tokens, direction="input")
        self._to.count(table.REPLICA_TOKENS, total.output_tokens, direction="output")
