"""Whisper's replicas under made-up traffic, scaled by the work that waits and by Serve's own count of requests.

Nothing runs: both policies decide over the same simulated hours, with Serve's own code for factors and delays. Calls come in, the
oldest go to the replicas that have room, a replica reads at a steady rate, a new one takes its time to load, one that is taken
away finishes first what it holds. Not simulated: batches, failures, rates that differ, and the half minute over which Serve takes
its means.
"""

import random
import statistics
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from adapters.ray_serve.scaling import HELD, PER_CALL, PER_S, replicas_needed

RATE: Final = 100.0
"""Seconds of sound a replica reads in a second: the order of large-v3-turbo on one GPU of 24 GB, which was not measured here."""
LOADS_S: Final = 60
HELD_CALLS: Final = 128
LEAST, MOST, TARGET_REQUESTS, DRAIN_S = 1, 8, 48, 30.0
"""`serve_config.gpu.yaml` for the transcriber."""
DECIDED_EVERY_S: Final = 10
HOURS: Final = 2
SEED: Final = 2026

Figures = dict[str, Any]
Arrivals = Callable[[random.Random], Iterator[tuple[int, float, int]]]
"""Gives (second, seconds of sound of one call, how many such calls)."""


def quick_clips(chance: random.Random) -> Iterator[tuple[int, float, int]]:
    """Dictation: many clips of two seconds, in bursts of 600."""
    for second in range(60, HOURS * 3600, 600):
        yield second + chance.randrange(60), 2.0, 600


def long_recordings(chance: random.Random) -> Iterator[tuple[int, float, int]]:
    """Meetings of an hour, forty an hour, each 130 windows of 28 seconds."""
    for _ in range(40 * HOURS):
        yield chance.randrange(HOURS * 3600 - 600), 28.0, 130


def a_wave(chance: random.Random) -> Iterator[tuple[int, float, int]]:
    """Twenty meetings of an hour within five minutes, and nothing else."""
    for _ in range(20):
        yield 300 + chance.randrange(300), 28.0, 130


@dataclass
class Replica:
    ready_at: int
    held: deque[tuple[int, float]] = field(default_factory=deque)
    leaving: bool = False

    @property
    def work(self) -> float:
        return sum(units for _, units in self.held)


@dataclass
class Simulation:
    """One deployment. `policy` gets the replicas, the calls that wait for one, and returns how many there should be."""

    policy: Callable[[list[Replica], "deque[tuple[int, float]]"], float]
    replicas: list[Replica] = field(default_factory=lambda: [Replica(0)])
    queue: "deque[tuple[int, float]]" = field(default_factory=deque)
    waits: list[float] = field(default_factory=list)
    replica_s: int = 0
    state: dict[str, Any] = field(default_factory=dict)

    def run(self, arrivals: list[tuple[int, float, int]]) -> None:
        """Go through the hours, second by second."""
        coming: deque[tuple[int, float, int]] = deque(sorted(arrivals))
        for now in range(HOURS * 3600):
            while coming and coming[0][0] <= now:
                _, units, count = coming.popleft()
                self.queue.extend([(now, units)] * count)
            self._assign(now)
            for replica in self.replicas:
                self._read(replica, now)
            self.replicas = [one for one in self.replicas if one.held or not one.leaving]
            self.replica_s += len(self.replicas)
            if now % DECIDED_EVERY_S == 0:
                self._scale(now)

    def _assign(self, now: int) -> None:
        for replica in self.replicas:
            while self.queue and not replica.leaving and replica.ready_at <= now and len(replica.held) < HELD_CALLS:
                replica.held.append(self.queue.popleft())

    def _read(self, replica: Replica, now: int) -> None:
        left = RATE
        while replica.held and left > 0:
            since, units = replica.held.popleft()
            if units > left:
                replica.held.appendleft((since, units - left))
            else:
                self.waits.append(now + 1 - since)
            left -= units

    def _scale(self, now: int) -> None:
        """Serve's factors and delays, then its bounds."""
        from ray.serve.autoscaling_policy import _apply_delay_logic, _apply_scaling_factors
        from ray.serve.config import AutoscalingConfig

        config = AutoscalingConfig(min_replicas=LEAST, max_replicas=MOST, downscale_delay_s=600)
        staying = [one for one in self.replicas if not one.leaving]
        wanted = _apply_scaling_factors(self.policy(staying, self.queue), len(staying), config)
        wanted = min(MOST, max(LEAST, wanted))
        decided, self.state = _apply_delay_logic(wanted, len(staying), config, self.state, _now=float(now))
        self.replicas += [Replica(now + LOADS_S) for _ in range(decided - len(staying))]
        for one in staying[decided:]:
            one.leaving = True


def by_work(replicas: list[Replica], queue: "deque[tuple[int, float]]") -> float:
    """The policy of the production file, told what replicas would tell."""
    told = {HELD: {n: one.work for n, one in enumerate(replicas)}, PER_S: {0: RATE}, PER_CALL: {0: _usual(replicas, queue)}}
    needed = replicas_needed(told, float(len(queue)), DRAIN_S)
    return len(replicas) if needed is None else needed


def by_requests(replicas: list[Replica], queue: "deque[tuple[int, float]]") -> float:
    """Serve's own: requests under way and waiting over `target_ongoing_requests`."""
    return (sum(len(one.held) for one in replicas) + len(queue)) / TARGET_REQUESTS


def _usual(replicas: list[Replica], queue: "deque[tuple[int, float]]") -> float:
    units = [units for one in replicas for _, units in one.held] or [units for _, units in queue]
    return statistics.fmean(units) if units else 1.0


def autoscale() -> Figures:
    """Waits and replica hours of both policies over two simulated hours of clips, of meetings, and of one wave."""
    figures: Figures = {}
    for traffic in (quick_clips, long_recordings, a_wave):
        for policy in (by_requests, by_work):
            simulation = Simulation(policy)
            simulation.run(list(traffic(random.Random(SEED))))
            name = f"{traffic.__name__.replace('_', ' ')}, {policy.__name__.replace('_', ' ')}"
            p95 = statistics.quantiles(simulation.waits, n=20)[-1]
            figures[f"{name}: wait p50, s"] = statistics.median(simulation.waits)
            figures[f"{name}: wait p95, s"] = p95
            figures[f"{name}: replica hours"] = round(simulation.replica_s / 3600, 2)
    return figures
