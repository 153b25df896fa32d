"""`wordloop up --scripted`: the whole service in one process, with the real routes, stores and worker, and scripted engines.

Nothing of Ray runs and no model is loaded, so it is ready in seconds. What stands in place of a deployment's handle answers each
call by a script (`adapters/scripted/meeting.py`); every model is called `scripted/...`, wherever it is named.
"""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final
from uuid import uuid4

import psutil
import uvicorn

from adapters.ray_serve.instruments import Instruments
from adapters.ray_serve.metric_table import Metric
from adapters.ray_serve.private_folders import make_private
from adapters.scripted.meeting import answer, identity
from adapters.sql import SqlStore
from domain.call import CallKind
from domain.rate import EngineRate
from ports.model_backend import CallMeta, ModelRequest, RawOutput
from serve_app.composition.composition import Composition
from serve_app.composition.database import database_url
from serve_app.composition.ingress import build_ingress
from serve_app.composition.worker import build_worker
from serve_app.embedded.ending_signals import ENDING
from serve_app.embedded.service import ServiceFile, running_service
from serve_app.engines.served_models import ServedModels
from serve_app.errors import ArgumentWrong, StartFailed
from serve_app.protection.confinement import prepare_for_decoders
from serve_app.protection.exposure import LOOPBACK
from serve_app.settings.model_ports import DEPLOYMENTS, PORTS
from serve_app.settings.serve_file import config_path, load_config
from serve_app.settings.service import Settings, default_data_dir
from serve_app.terminal.arguments import check_address, check_config, check_writable
from serve_app.terminal.display import console, output

GRACE_S: Final = 5
"""Seconds that requests under way get when the service ends."""
RATE: Final = EngineRate(input_per_s=1000.0, output_per_s=1000.0, speedup=4.0)
"""What estimates count with: about a thousandth of a second for each second of sound, or token."""
MODELS: Final = ServedModels(
    identity(CallKind.TRANSCRIBE), identity(CallKind.GENERATE), identity(CallKind.EMBED), identity(CallKind.FIND),
    identity(CallKind.DIARIZE),
)  # fmt: skip


def run_scripted(*, host: str | None, port: int | None, data_dir: Path | None, config: Path | None) -> None:
    """Serve on loopback until ctrl-c or SIGTERM. Raises ArgumentWrong, ConfigurationInvalid or StartFailed."""
    check_config(config)
    file = load_config(config_path(config))
    host = host or LOOPBACK[0]
    if host not in LOOPBACK:
        raise ArgumentWrong(f"--scripted listens on this machine only, not on {host}; leave --host out.")
    # Made-up results never lie among real ones.
    folder = (data_dir or Path(f"{default_data_dir()}-scripted")).expanduser().absolute()
    check_writable("--data-dir", folder)
    if (running := running_service(folder)) is not None:
        raise StartFailed(f"a service already runs on {folder}, at {running.url} (process {running.pid})")
    port = file.http_options.get("port", 8000) if port is None else port
    check_address(host, port)
    make_private(folder)
    settings = file.settings.model_copy(update={"data_dir": folder})
    with socket.create_server((host, port)) as listener, _told(folder, host, listener.getsockname()[1]) as url:
        asyncio.run(serve(settings, listener, partial(_tell, url, folder)))
    console.print("stopped")


async def serve(settings: Settings, listener: socket.socket, ready: Callable[[], None]) -> None:
    """Answer on `listener` and work on jobs until a signal says to end; call `ready` when both have begun."""
    SqlStore.migrate(database_url(settings))
    prepare_for_decoders(settings)
    composition = scripted_composition(settings)
    worker = build_worker(composition)
    server = _Server(
        uvicorn.Config(build_ingress(composition), log_level="warning", lifespan="off", timeout_graceful_shutdown=GRACE_S)
    )
    for number in ENDING:
        asyncio.get_running_loop().add_signal_handler(number, server.handle_exit, number, None)
    working = [asyncio.create_task(worker()), asyncio.create_task(worker.maintain())]
    for task in working:
        task.add_done_callback(lambda _ended: server.handle_exit(ENDING[0], None))
    ready()
    try:
        await server.serve(sockets=[listener])
        for task in working:
            if task.done():
                task.result()
    finally:
        await worker.stop()
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)
        composition.store.close()


def scripted_composition(settings: Settings) -> Composition:
    """Return every port of one process, with scripted engines behind the model ports, whatever the settings name there."""
    ports = {port: getattr(settings, port).model_copy(update={"remote": None}) for port in set(PORTS.values())}
    handle = _handle(partial(answer, dimensions=settings.embedder.dimensions))
    return _Scripted(settings.model_copy(update=ports), MODELS, dict.fromkeys(ports, handle), "scripted")


class _Scripted(Composition):
    """Counts nothing and is always warm: there is no cluster that could be asked."""

    @cached_property
    def instruments(self) -> Instruments:
        return _Uncounted()

    @cached_property
    def deployments(self) -> Callable[[], Awaitable[Mapping[str, tuple[bool, str]]]]:
        async def warm() -> Mapping[str, tuple[bool, str]]:
            return dict.fromkeys([*DEPLOYMENTS.values(), "JobWorker"], (True, "scripted"))

        return warm


class _Uncounted(Instruments):
    def count(self, metric: Metric, amount: float, **labels: str) -> None: ...

    def set(self, metric: Metric, value: float, **labels: str) -> None: ...

    def observe(self, metric: Metric, value: float, **labels: str) -> None: ...


class _Server(uvicorn.Server):
    """Leaves signals to `serve`, which has to give back the jobs that it holds before the process ends."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@dataclass(frozen=True)
class _Method:
    """In place of a method of a deployment's handle: `remote` begins it, and what it returns can be awaited and cancelled."""

    run: Callable[..., Awaitable[Any]]

    def remote(self, *arguments: Any) -> "asyncio.Future[Any]":
        return asyncio.ensure_future(self.run(*arguments))


def _handle(said: Callable[[ModelRequest], RawOutput]) -> Any:
    """In place of a deployment's handle."""

    async def call(request: ModelRequest, _meta: CallMeta) -> RawOutput:
        return said(request)

    async def rate() -> EngineRate:
        return RATE

    return SimpleNamespace(call=_Method(call), rate=_Method(rate))


@contextlib.contextmanager
def _told(folder: Path, host: str, port: int) -> Iterator[str]:
    """Keep `service.json` for the time of the context, so that other commands find the service; give its address."""
    url, process = f"http://{host}:{port}", psutil.Process()
    ServiceFile(url, None, None, process.pid, process.create_time(), mark=f"scripted-{uuid4().hex}").write(folder)
    try:
        yield url
    finally:
        ServiceFile.path(folder).unlink(missing_ok=True)


def _tell(url: str, folder: Path) -> None:
    output.print(f"Wordloop ML is ready at {url} (API: {url}/docs)", soft_wrap=True)
    output.print("Every answer is scripted: no model runs here, and nothing that is sent is understood.", soft_wrap=True)
    output.print(f"Address and process are in {folder / 'service.json'}; ctrl-c stops everything.", soft_wrap=True)
