"""How many replicas of what, at which cost, for so many hours of audio a day at a bound on the time to a recap; what gives first.

On paper: the work of an hour of talk is what estimates say of it, rates are what replicas told of themselves, prices are the
configuration's. Jobs come at random through the busiest hour of the day and pass the stages one after another; replicas of a
stage share its queue. Not on paper: replicas that start and stop, failures, answers that the cache gives.
"""

import json
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import prompts
from application.diarise.expected_windows import estimated_windows
from application.diarise.find_speakers import DiarizationSettings
from application.estimated_recap import estimated_recap
from application.pricing import Judged, seconds_of
from application.recap.settings import RecapSettings
from benchmarks.capacity_limits import Day, split_limits
from benchmarks.line_plot import Line, line_plot
from domain.audio import WINDOW_SECONDS
from domain.call import CallKind, Usage
from domain.rate import EngineRate
from serve_app.composition.model_calls import at_once
from serve_app.settings.model_ports import PORTS
from serve_app.settings.serve_file import config_path, load_config
from serve_app.settings.service import Settings

TWO_CORES: Final[Mapping[CallKind, EngineRate]] = {
    CallKind.TRANSCRIBE: EngineRate(8.5, speedup=1.3),
    CallKind.DIARIZE: EngineRate(30.0),  # of sound of which most is heard twice
    CallKind.FIND: EngineRate(600.0),
    CallKind.EMBED: EngineRate(7_000.0),
    CallKind.GENERATE: EngineRate(45.0, 15.0, 1.2),
    CallKind.ENTAIL: EngineRate(600.0),
}
"""Replicas of the embedded default, of two cores, as they told (docs/benchmarks.md, docs/adr/0020, 0023)."""
ONE_GPU: Final[Mapping[CallKind, EngineRate]] = {
    CallKind.TRANSCRIBE: EngineRate(100.0),
    CallKind.DIARIZE: EngineRate(30.0),
    CallKind.FIND: EngineRate(1_200.0),
    CallKind.EMBED: EngineRate(20_000.0),
    CallKind.GENERATE: EngineRate(4_000.0, 60.0, 16.0),
    CallKind.ENTAIL: EngineRate(1_200.0),
}
"""Replicas of serve_config.gpu.yaml: not measured, the order that such models are said to reach. Put your own in their place."""
HOURS: Final = (100, 1_000, 10_000, 100_000, 1_000_000)
"""Of audio a day."""
WITHIN_S: Final = 1800.0
PEAK: Final = 2.5
"""The busiest hour of a day over its mean."""
MEDIAN_MINUTES, SIGMA = 20.0, 0.9
"""Lengths of recordings: a log-normal distribution, whose mean is half an hour."""
WORDS_PER_S: Final = 2.5
DEMO_S: Final = 228.0
JOBS: Final = 4000
"""Simulated at each try: 95 in a hundred are 3,800."""
SEED: Final = 2026
BUSIEST: Final = 0.95
"""Share of their time that replicas are busy at most: above it a queue of any length may come about."""

Figures = dict[str, Any]
Rates = Mapping[CallKind, EngineRate]


@dataclass(frozen=True, slots=True)
class Stage:
    """What a job takes of one kind of replica: replica seconds when it is kept full, how many calls it makes in all and has under
    way at most, and the seconds of one call alone.
    """

    work_s: float
    calls: int
    at_once: int
    call_s: float


@dataclass(frozen=True, slots=True)
class Fleet:
    """Replicas by kind, the time within which 95 of 100 jobs end, and US dollars of the busiest hour and of the whole day."""

    replicas: Mapping[CallKind, int]
    p95_s: float
    usd_peak_hour: float
    usd_day: float


class Demand:
    """What a recording of a length takes, by the configuration and the rates."""

    def __init__(self, settings: Settings, rates: Rates) -> None:
        self._recap = RecapSettings(**settings.recap.model_dump())
        self._stretch = settings.reader.stretch_tokens
        self._rates = rates
        self._at_once = at_once(settings)
        self._known: dict[int, Mapping[CallKind, Stage]] = {}

    def of(self, seconds: float) -> Mapping[CallKind, Stage]:
        """Return the stages of a recording, in order; lengths are rounded to half minutes."""
        halves = max(1, round(seconds / 30))
        if halves not in self._known:
            self._known[halves] = self._stages(halves * 30.0)
        return self._known[halves]

    def _stages(self, seconds: float) -> Mapping[CallKind, Stage]:
        windows = Judged(math.ceil(seconds / WINDOW_SECONDS), Usage(audio_seconds=seconds))
        listened = estimated_windows(seconds, DiarizationSettings())
        recap = estimated_recap(round(seconds * WORDS_PER_S), prompts, self._recap, self._stretch)
        judged = {CallKind.TRANSCRIBE: windows, CallKind.DIARIZE: listened} | recap
        return {kind: self._stage(kind, judged[kind]) for kind in self._rates if kind in judged and judged[kind].calls}

    def _stage(self, kind: CallKind, judged: Judged) -> Stage:
        rate = self._rates[kind]
        alone = seconds_of(kind, rate, judged.usage)
        return Stage(alone / rate.speedup, judged.calls, min(judged.calls, self._at_once[kind]), alone / judged.calls)


def capacity(
    hours: int | None = None,
    within: float = WITHIN_S,
    config: Path | None = None,
    rates: Path | None = None,
    plots: Path | None = None,
) -> Figures:
    """Replicas, cost and first limit for hours of audio a day at p95: `--hours N --within S --config F --rates F --plots DIR`."""
    settings = load_config(config_path(config)).settings
    table = _told(rates) if rates else ONE_GPU if settings.transcriber.device == "cuda" else TWO_CORES
    demand, figures, drawn = Demand(settings, table), Figures(), list[tuple[float, Fleet]]()
    figures["the demo of 3.8 minutes on one replica of each, s"] = time_p95([(0.0, demand.of(DEMO_S))], dict.fromkeys(table, 1))
    for scale in HOURS if hours is None else (hours,):
        fleet = fitted(demand, settings, scale, within)
        drawn.append((scale, fleet))
        day = Day(scale, PEAK, mean_length_s(), _calls_of_an_hour(demand), sum(fleet.replicas.values()))
        workers = math.ceil(day.jobs_s * fleet.p95_s / settings.worker.concurrency)
        figures |= _shown(f"{scale:,} h a day", fleet, workers, scale) | _limits(f"{scale:,} h a day", day)
    if plots:
        _draw(plots, drawn)
    return figures


def _limits(name: str, day: Day) -> Figures:
    """Say what of the service is too small by itself, the first to give first, and what would be next."""
    beyond, coming = split_limits(day)
    shown = {f"{name}: gives at {limit.hours:,.0f} h": f"{limit.name}; do: {limit.remedy}" for limit in beyond}
    return shown | {f"{name}: next, at {limit.hours:,.0f} h": limit.name for limit in coming[:1]}


def fitted(demand: Demand, settings: Settings, hours_a_day: float, within_s: float) -> Fleet:
    """Return the smallest fleet, all kinds equally busy, in which 95 of 100 jobs of the busiest hour end in time.

    Where no number of replicas does it, the fleet is that of half the load, and its `p95_s` says what it reaches.
    """
    load, jobs = _load(demand, hours_a_day), list(_arrivals(demand, hours_a_day))
    low, high = 0.05, BUSIEST
    if (p95 := time_p95(jobs, _replicas(load, low))) > within_s:
        low = high = 0.5
    while high - low > 0.01:
        middle = (low + high) / 2
        low, high = (middle, high) if time_p95(jobs, _replicas(load, middle)) <= within_s else (low, middle)
    replicas = _replicas(load, low)
    p95 = time_p95(jobs, replicas)
    usd = {kind: getattr(settings.replica_hour_usd, PORTS[kind]) for kind in replicas}
    peak = sum(count * usd[kind] for kind, count in replicas.items())
    follows = sum(max(1.0, count / PEAK) * usd[kind] * 24 for kind, count in replicas.items())
    return Fleet(replicas, p95, peak, follows)


def mean_length_s() -> float:
    """Return the mean length of a recording."""
    return MEDIAN_MINUTES * 60 * math.exp(SIGMA**2 / 2)


def _load(demand: Demand, hours_a_day: float) -> dict[CallKind, float]:
    """Return the replica seconds that each kind has to give a second, in the busiest hour."""
    of_an_hour = demand.of(3600.0)
    return {kind: stage.work_s * hours_a_day / 86_400 * PEAK for kind, stage in of_an_hour.items()}


def _replicas(load: Mapping[CallKind, float], busy: float) -> dict[CallKind, int]:
    return {kind: max(1, math.ceil(work / busy)) for kind, work in load.items()}


def _arrivals(demand: Demand, hours_a_day: float) -> Iterator[tuple[float, Mapping[CallKind, Stage]]]:
    chance, now = random.Random(SEED), 0.0
    a_second = hours_a_day * 3600 / mean_length_s() / 86_400 * PEAK
    for _ in range(JOBS):
        now += chance.expovariate(a_second)
        yield now, demand.of(chance.lognormvariate(math.log(MEDIAN_MINUTES * 60), SIGMA))


def time_p95(jobs: Sequence[tuple[float, Mapping[CallKind, Stage]]], replicas: Mapping[CallKind, int]) -> float:
    """Return the time within which 95 of 100 jobs pass all stages.

    A stage is one queue, first come first served, in front of all replicas; a job keeps as many busy as it has calls under way.
    The first tenth of the jobs, which find nobody before them, does not count.
    """
    at = [come for come, _ in jobs]
    for kind, count in replicas.items():
        free = 0.0
        for index in sorted(range(len(jobs)), key=at.__getitem__):
            stage = jobs[index][1].get(kind)
            if stage is None:
                continue
            free = max(free, at[index]) + stage.work_s / count
            at[index] = max(free, at[index] + max(stage.call_s, stage.work_s / min(count, stage.at_once)))
    took = sorted(end - come for end, (come, _) in list(zip(at, jobs, strict=True))[len(jobs) // 10 :])
    return took[int(0.95 * len(took))]


def _calls_of_an_hour(demand: Demand) -> int:
    return sum(stage.calls for stage in demand.of(3600.0).values())


def _shown(name: str, fleet: Fleet, workers: int, hours: float) -> Figures:
    counts = {kind: f"{count:,} {PORTS[kind]}" for kind, count in fleet.replicas.items()}
    if CallKind.ENTAIL in counts:
        counts[CallKind.ENTAIL] += " (checks)"
    return {
        f"{name}: replicas": ", ".join([*counts.values(), f"{workers:,} worker"]),
        f"{name}: p95, s": round(fleet.p95_s),
        f"{name}: USD an hour of audio, fixed fleet": fleet.usd_peak_hour * 24 / hours,
        f"{name}: USD an hour of audio, fleet that follows": fleet.usd_day / hours,
    }


def _told(path: Path) -> Rates:
    """Read rates from an answer of GET /v1/models of a service that runs; the judge reads as fast as the reader."""
    cards = json.loads(path.read_text())["data"]
    told = {CallKind(card["kind"]): EngineRate(**card["rate"]) for card in cards if card.get("rate") and not card.get("alias_of")}
    if CallKind.FIND in told:
        told[CallKind.ENTAIL] = told[CallKind.FIND]
    return {kind: told[kind] for kind in TWO_CORES if kind in told}


def _draw(folder: Path, drawn: Sequence[tuple[float, Fleet]]) -> None:
    kinds = list(drawn[0][1].replicas)
    counts = [Line(f"{kind.value}", [(scale, float(fleet.replicas[kind])) for scale, fleet in drawn]) for kind in kinds]
    costs = [
        Line("fixed fleet", [(scale, fleet.usd_peak_hour * 24 / scale) for scale, fleet in drawn]),
        Line("fleet that follows", [(scale, fleet.usd_day / scale) for scale, fleet in drawn]),
    ]
    folder.mkdir(parents=True, exist_ok=True)
    replicas = line_plot("Replicas in the busiest hour", "hours of audio a day", "replicas", counts)
    (folder / "capacity-replicas.svg").write_text(replicas)
    (folder / "capacity-cost.svg").write_text(line_plot("Cost of an hour of audio", "hours of audio a day", "US dollars", costs))
