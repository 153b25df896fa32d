"""What a newcomer waits for: clone to printed recap, the phases of a start, memory, and times told against times taken."""

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from adapters.ray_serve.processes import leftovers
from benchmarks.service_figures import TIMEOUT_S
from serve_app.demo import RECORDING
from serve_app.embedded.client import Client
from serve_app.embedded.service import Service
from serve_app.embedded.start import started
from serve_app.engines.machine import this_machine

CHECKOUT = Path(__file__).parents[1]
CLIP_S = 10
HOUR_S = 3600.0
SAMPLE_S = 0.5
"""Seconds between two looks at the memory of all processes."""

Figures = dict[str, Any]


def first_run() -> Figures:
    """Clone to recap cold and warm, ready time, resident memory, model rates, and estimates against what was taken."""
    figures: Figures = {"instruction sets": this_machine().shown, "cores": os.cpu_count()}
    with tempfile.TemporaryDirectory(prefix="wordloop-first-") as folder:
        clone = Path(folder) / "clone"
        subprocess.run(["git", "clone", "--quiet", str(CHECKOUT), str(clone)], check=True)
        environment = {
            name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE")
        }
        environment |= {"WORDLOOP_CACHE_DIR": f"{folder}/cache"}
        for label in ("cold", "installed"):
            figures |= _demo(clone, environment, label)
        figures["environment on disk, GB"] = _bytes_below(clone / ".venv") / 1e9
        figures["assembled models on disk, GB"] = _bytes_below(Path(folder) / "cache") / 1e9
    return figures | _service_figures()


def _demo(clone: Path, environment: dict[str, str], label: str) -> Figures:
    begun = time.perf_counter()
    done = subprocess.run(["./just", "demo"], cwd=clone, env=environment, capture_output=True, text=True, check=True)
    whole = time.perf_counter() - begun
    told = next(line for line in done.stderr.splitlines() if line.startswith("ready after"))
    words = told.split()
    return {
        f"{label}: ./just demo, s": whole,
        f"{label}: ready, s": float(words[2]),
        f"{label}: recap after ready, s": float(words[7]),
    }


def _service_figures() -> Figures:
    figures: Figures = {}
    with tempfile.TemporaryDirectory(prefix="wordloop-first-") as folder:
        begun = time.perf_counter()
        with started(data_dir=Path(folder), config=None, port=0, dashboard=True) as service, _watched_memory(service) as memory:
            figures["up: ready, s"] = time.perf_counter() - begun
            assert service.file is not None
            client = Client(service.file.url)
            for card in client.models():
                figures |= {f"{card['kind']}: {name}": value for name, value in (card["rate"] or {}).items()}
            figures |= _told_against_taken(client, Path(folder))
            client.close()
    return figures | {f"resident, {name}, MB": size for name, size in memory.items()}


def _told_against_taken(client: Client, folder: Path) -> Figures:
    clip = folder / "clip.ogg"
    _cut(clip, CLIP_S)
    figures: Figures = {}
    for label, recording in (("10 s clip", clip), ("3.8 min demo", RECORDING), ("the demo again (cached)", RECORDING)):
        told = client.estimate(recording)["total"]["seconds"]
        begun = time.perf_counter()
        shown = _Shown()
        client.wait(client.submit(recording)["id"], shown, TIMEOUT_S)
        figures |= {f"{label}: told, s": told, f"{label}: taken, s": time.perf_counter() - begun}
        figures[f"{label}: time left first told, s"] = shown.first
    figures["1 h by its length: told, s"] = client.post("/v1/estimate", {"audio_seconds": HOUR_S})["total"]["seconds"]
    return figures


class _Shown:
    """Keeps the first time left that a job told."""

    def __init__(self) -> None:
        self.first: float | None = None

    def __call__(self, job: dict[str, Any]) -> None:
        self.first = self.first or job["progress"]["eta_s"]


def _cut(target: Path, seconds: float) -> None:
    import av

    with av.open(str(RECORDING)) as source, av.open(str(target), "w") as sink:
        stream = sink.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(audio=0):
            if packet.pts is None or packet.pts * packet.time_base > seconds:
                break
            packet.stream = stream
            sink.mux(packet)


@contextmanager
def _watched_memory(service: Service) -> Iterator[dict[str, int]]:
    """Fill the mapping with the most resident MB of each process, by name, and of all together, seen while the context lasts."""
    found: dict[str, int] = {}
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(SAMPLE_S):
            now = _resident_mb(service)
            for name, size in now.items():
                found[name] = max(found.get(name, 0), size)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield found
    finally:
        stop.set()
        watcher.join()


def _resident_mb(service: Service) -> dict[str, int]:
    assert service.file is not None
    sizes: dict[str, int] = {}
    for process in [*leftovers(service.file.mark), psutil.Process()]:
        try:
            name = " ".join(process.cmdline())[:60].rpartition("/")[2].strip() or process.name()
            sizes[name] = sizes.get(name, 0) + round(process.memory_info().rss / 1e6)
        except psutil.Error:
            continue
    return sizes | {"all together": sum(sizes.values())}


def _bytes_below(folder: Path) -> int:
    """What `du` counts: blocks, each file once."""
    said = subprocess.run(["du", "-s", "--block-size=1", str(folder)], capture_output=True, text=True, check=True).stdout
    return int(said.split()[0])
