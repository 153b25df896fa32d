"""Figures of the whole embedded service, on this machine, with the models of serve_config.yaml."""

import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil

from adapters.ray_serve.processes import leftovers
from benchmarks.material import long_recording, ten_minute_meeting
from serve_app.demo import RECORDING
from serve_app.embedded.client import Client
from serve_app.embedded.service import Service
from serve_app.embedded.start import started

TIMEOUT_S = 3600.0
LIVEZ_PAUSE_S = 0.02
REPEATS = 10

Figures = dict[str, Any]


@contextmanager
def _service() -> Iterator[tuple[Service, Client, float]]:
    """A fresh service on an empty data folder, a client of it, and the seconds it took to be ready."""
    with tempfile.TemporaryDirectory(prefix="wordloop-bench-") as folder:
        begun = time.perf_counter()
        with started(data_dir=Path(folder), config=None, port=0) as service:
            ready = time.perf_counter() - begun
            assert service.file is not None
            client = Client(service.file.url)
            yield service, client, ready
            client.close()


def _quiet(_job: dict[str, Any]) -> None:
    """Show nothing while waiting."""


def _timed(work: Callable[[], dict[str, Any]], client: Client) -> tuple[float, dict[str, Any]]:
    begun = time.perf_counter()
    job = client.wait(work()["id"], _quiet, TIMEOUT_S)
    return time.perf_counter() - begun, job


def time_to_recap() -> Figures:
    """Seconds from nothing to the demo's recap: with nothing running (cold), and on the warm service with a new recording."""
    with _service() as (_, client, ready):
        first, job = _timed(lambda: client.submit(RECORDING), client)
        again, _ = _timed(lambda: client.submit(RECORDING), client)
    return {
        "status": job["status"],
        "cold: start to ready, s": ready,
        "cold: start to recap, s": ready + first,
        "warm: upload to recap, s": first,
        "same request again, s": again,
        "same request again, times faster": first / again,
    }


def ten_minute_recap() -> Figures:
    """Seconds for the recap of the first ten minutes of a real meeting (aim: at most 90 on two cores)."""
    segments = ten_minute_meeting()
    with _service() as (_, client, _ready):
        took, job = _timed(lambda: client.post("/v1/recaps", {"segments": segments, "language": "en"}), client)
        recap = client.recap(job["result"]["recap_id"])
    return {
        "status": job["status"],
        "words of the meeting": sum(len(segment["text"].split()) for segment in segments),
        "recap, s": took,
        "support": recap["support"],
        "degraded": ", ".join(recap["degraded"]) or "no",
    }


def health_under_load() -> Figures:
    """Latency of GET /livez while a recording of more than ten minutes is worked on, beside the idle service."""
    with _service() as (service, client, _ready):
        assert service.file is not None
        url = f"{service.file.url}/livez"
        idle = _latencies(url, lambda: False, at_least_s=5.0)
        job = client.submit(long_recording(), "transcriptions")
        state = {"done": False}

        def follow() -> None:
            client.wait(job["id"], _quiet, TIMEOUT_S)
            state["done"] = True

        follower = threading.Thread(target=follow)
        begun = time.perf_counter()
        follower.start()
        busy = _latencies(url, lambda: not state["done"], at_least_s=0.0)
        follower.join()
        took = time.perf_counter() - begun
    return {
        "idle p50, ms": _quantile(idle, 0.5),
        "idle p99, ms": _quantile(idle, 0.99),
        "busy p50, ms": _quantile(busy, 0.5),
        "busy p99, ms": _quantile(busy, 0.99),
        "busy worst, ms": max(busy),
        "requests while busy": len(busy),
        "transcription, s": took,
    }


def repeat_request() -> Figures:
    """How many times faster the same upload is the second time (aim: at least 50)."""
    with _service() as (_, client, _ready):
        first, _ = _timed(lambda: client.submit(long_recording(), "transcriptions"), client)
        again = [_timed(lambda: client.submit(long_recording(), "transcriptions"), client) for _ in range(REPEATS)]
        last = client.transcript(again[-1][1]["result"]["transcript_id"])
    calls = last["provenance"]
    median = statistics.median(seconds for seconds, _ in again)
    return {
        "first, s": first,
        "again, median s": median,
        "times faster": first / median,
        "engine calls the second time": sum(not call["cache_hit"] for call in calls),
        "calls": len(calls),
    }


def memory() -> Figures:
    """Resident memory per process group of a service that has done one job, in MiB."""
    with _service() as (service, client, _ready):
        _timed(lambda: client.submit(RECORDING), client)
        assert service.file is not None
        processes = leftovers(service.file.mark)
        figures: dict[str, float] = {}
        for process in processes:
            try:
                name = process.name().split("(")[0].split(" ")[0]
                figures[name] = figures.get(name, 0.0) + process.memory_full_info().uss / 2**20
            except psutil.Error:
                continue
    named = dict(sorted(figures.items(), key=lambda item: -item[1]))
    return {f"{name}, MiB": round(size) for name, size in named.items()} | {"all, MiB": round(sum(figures.values()))}


def readiness() -> Figures:
    """Time until the service is ready beside the slowest engine's own load time in a process alone (aim: at most 1.3)."""
    from benchmarks.engine_load import slowest_engine_load

    alone = slowest_engine_load()
    with _service() as (_, _client, ready):
        pass
    slowest = max(alone.values())
    return {f"{name} alone, s": seconds for name, seconds in alone.items()} | {
        "service ready, s": ready,
        "ready / slowest engine alone": ready / slowest,
    }


def _latencies(url: str, go_on: Callable[[], bool], at_least_s: float) -> list[float]:
    """Milliseconds of GET after GET on one connection while `go_on` or for `at_least_s` seconds."""
    found: list[float] = []
    begun = time.perf_counter()
    with httpx.Client(trust_env=False, timeout=60) as client:
        while go_on() or time.perf_counter() - begun < at_least_s:
            sent = time.perf_counter()
            client.get(url).raise_for_status()
            found.append((time.perf_counter() - sent) * 1000)
            time.sleep(LIVEZ_PAUSE_S)
    return found


def _quantile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
