"""The front door against the same handlers on bare FastAPI and uvicorn, over the same rows, at 1, 32 and 256 clients.

The service is whole: HAProxy, Serve, ingress, and models at work on a long recording. The bare server is one process of
uvicorn with the same application and the embedder in it, after the service was stopped. Clients keep their connections open.
"""

import asyncio
import itertools
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import numpy as np
import yaml

from benchmarks.material import long_recording
from serve_app.demo import RECORDING
from serve_app.embedded.client import Client
from serve_app.embedded.start import started
from serve_app.settings.serve_file import config_path

CLIENTS: Final = (1, 32, 256)
REQUESTS: Final = 300
"""Of a kind at a level at least; a client makes three at least."""
ACCEPTED: Final = (60, 96, 256)
"""Jobs accepted at each level: together fewer than the queue takes."""
READY_S: Final = 600.0

Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ask:
    """A kind of request; `body` gives that of the nth, None for a GET."""

    name: str
    path: str
    body: Callable[[int], Any] | None = None


def ingress() -> Figures:
    """Latency and rate of accepting, job state, a kept result and small embeddings, beside the same handlers without Ray."""
    figures: Figures = {}
    with tempfile.TemporaryDirectory(prefix="wordloop-bench-") as folder:
        config, data = _config(Path(folder)), Path(folder) / "data"
        with started(data_dir=data, config=config, port=0) as service:
            assert service.file is not None
            job = _one_conversation(service.file.url)
            rates = _measured(figures, "service", service.file.url, job)
        with _bare(data, config) as url:
            bare = _measured(figures, "bare", url, job)
    for name, rate in rates.items():
        figures[f"{name}: requests a second, service / bare"] = rate / bare[name]
    return figures


def _config(folder: Path) -> Path:
    """Write the default configuration without a limit on what one address asks at once: all clients are at one."""
    document = yaml.safe_load(config_path(None).read_text())
    document["applications"][0]["args"]["http"] |= {"requests_at_once_per_caller": 512, "connections_per_client": 2048}
    path = folder / "serve_config.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def _one_conversation(url: str) -> dict[str, Any]:
    client = Client(url)
    job = client.wait(client.submit(RECORDING, "transcriptions")["id"], lambda _job: None, READY_S)
    client.submit(long_recording())  # keeps the models busy
    client.close()
    return job


def _measured(figures: Figures, server: str, url: str, job: dict[str, Any]) -> dict[str, float]:
    """Return requests a second by kind and level."""
    numbers = itertools.count()
    recap = {
        "segments": [{"start": 0, "end": 4, "text": "We ship on Friday."}, {"start": 4, "end": 8, "text": "Ben tells them."}]
    }
    kinds = (
        Ask("job state", f"/v1/jobs/{job['id']}"),
        Ask("kept result", f"/v1/transcripts/{job['result']['transcript_id']}"),
        Ask(
            "small embedding",
            "/v1/embeddings",
            lambda _n: {"model": "all-minilm-l6-v2", "input": f"text {server} {next(numbers)}"},
        ),
        Ask("accepting a job", "/v1/recaps", lambda _n: recap),
    )
    rates: dict[str, float] = {}
    for ask, (level, clients) in itertools.product(kinds, enumerate(CLIENTS)):
        count = ACCEPTED[level] if ask.path == "/v1/recaps" else max(REQUESTS, 3 * clients)
        begun = time.perf_counter()
        took, failed = asyncio.run(_loaded(url, ask, clients, count))
        name = f"{ask.name}, {clients} clients"
        rates[name] = count / (time.perf_counter() - begun)
        figures[f"{name}: {server} p50, ms"] = float(np.quantile(took, 0.5)) * 1000
        figures[f"{name}: {server} p99, ms"] = float(np.quantile(took, 0.99)) * 1000
        figures[f"{name}: {server}, a second"] = rates[name]
        if failed:
            figures[f"{name}: {server} not answered as asked"] = failed
    return rates


async def _loaded(url: str, ask: Ask, clients: int, count: int) -> tuple[list[float], int]:
    """Return the seconds of each request, and how many had another status than 2xx."""
    took: list[float] = []
    failed, numbers = 0, iter(range(count))
    host, port = str(urlsplit(url).hostname), int(urlsplit(url).port or 80)

    async def client() -> None:
        nonlocal failed
        reader, writer = await asyncio.open_connection(host, port)
        for number in numbers:
            begun = time.perf_counter()
            writer.write(_spelled(ask, number, host, port))
            failed += not 200 <= await _status(reader) < 300
            took.append(time.perf_counter() - begun)
        writer.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    return took, failed


def _spelled(ask: Ask, number: int, host: str, port: int) -> bytes:
    if ask.body is None:
        return f"GET {ask.path} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode()
    body = json.dumps(ask.body(number)).encode()
    head = f"POST {ask.path} HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def _status(reader: asyncio.StreamReader) -> int:
    """Read one answer to its end and return its status."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = head.partition(b"content-length:")[2].partition(b"\r\n")[0]
    if length:
        await reader.readexactly(int(length))
    else:
        while size := int(await reader.readuntil(b"\r\n"), 16):
            await reader.readexactly(size + 2)
        await reader.readuntil(b"\r\n")
    return int(head.split(b" ", 2)[1])


@contextmanager
def _bare(data: Path, config: Path) -> Iterator[str]:
    """The same application on uvicorn alone, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.bare_ingress", str(data), str(config)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            until = time.monotonic() + READY_S
            while time.monotonic() < until:
                try:
                    httpx.get(f"{url}/livez", trust_env=False)
                    break
                except httpx.TransportError:
                    time.sleep(0.2)
            yield url
        finally:
            process.terminate()
