"""What stands before the application in production, without a Ray cluster: HAProxy as Serve sets it up, and the entry of Serve's
ingress replica. Both are Serve's own code; only what would ask the cluster is left out.
"""

import asyncio
import logging
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import uvicorn
from ray.serve._private import replica as serves
from ray.serve._private.common import DeploymentID
from ray.serve._private.haproxy import BackendConfig, HAProxyApi, HAProxyConfig, ServerConfig
from ray.serve._private.http_util import _apply_middlewares
from ray.serve.config import HTTPOptions
from starlette.types import ASGIApp, Receive, Scope, Send

from adapters.ray_serve import client_headers
from adapters.ray_serve.haproxy_guard import write_launcher

logging.getLogger("ray.serve").setLevel(logging.ERROR)

Labels = tuple[str, str, str]
"""Method, route and status of a request, as Serve would label its series with."""


class SeenMetrics:
    """Keeps the labels under which Serve would have counted, in place of its metrics."""

    def __init__(self) -> None:
        self.labels: set[Labels] = set()

    def record_ingress_request_metrics(self, *, method: str, route: str, status_code: str, **_rest: Any) -> None:
        self.labels.add((method, route, status_code))

    def record_request_metrics(self, *, route: str, **_rest: Any) -> None:
        self.labels.add(("", route, ""))

    def inc_num_ongoing_requests(self, _request: Any) -> None: ...

    def dec_num_ongoing_requests(self, _request: Any) -> None: ...


class IngressReplica(serves.Replica):
    """The ingress replica of a cluster that is not there: `__call__` is what Serve's HTTP server calls."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.metrics = self._metrics_manager = SeenMetrics()
        self._user_callable_asgi_app = app
        self._user_callable_initialized = True
        self._route_prefix = "/"
        self._ingress = True
        self._quiescing = False
        self._num_queued_requests = 0
        self._reserved_slots = set()
        self._access_log_context: dict[str, Any] = {}
        self._deployment_id = DeploymentID("Ingress", "wordloop")
        self._deployment_config = SimpleNamespace(max_ongoing_requests=256, max_queued_requests=-1)
        self._semaphore = asyncio.Semaphore(256)
        self._http_options = HTTPOptions()
        self._user_callable_wrapper = SimpleNamespace(
            event_loop=asyncio.get_running_loop(),
            _run_user_code_in_separate_thread=False,
            get_user_method_info=lambda name: name,
            _call_http_entrypoint=lambda _name, scope, receive, send: app(scope, receive, send),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._direct_ingress_asgi(scope, receive, send)

    async def _dataplane_health_check(self) -> tuple[bool, str]:
        return True, "success"

    def _on_request_failed(self, _request: Any, _error: Exception) -> None: ...

    def _on_request_cancelled(self, _request: Any, _error: BaseException) -> None: ...


def server_of(replica: IngressReplica) -> uvicorn.Server:
    """Return the HTTP server that Serve would start for a replica."""
    wrapped = _apply_middlewares(replica, client_headers.middlewares())
    return uvicorn.Server(uvicorn.Config(wrapped, "127.0.0.1", 0, log_level="critical", lifespan="off", access_log=False))


@contextmanager
def proxied(folder: Path, port: int) -> Iterator[int]:
    """Run HAProxy as `wordloop up` has Serve run it, in front of a server; yield its port."""
    front = free_port()
    options = HTTPOptions(host="127.0.0.1", port=front)
    config = HAProxyConfig(
        http_options=options,
        is_head=True,
        metrics_port=free_port(),
        socket_path=str(folder / "admin.sock"),
        server_state_base=str(folder),
        server_state_file=str(folder / "server-state"),
        metrics_socket_path=str(folder / "metrics.sock"),
        metrics_enabled=False,
        has_received_routes=True,
        has_received_servers=True,
        nbthread=1,
    )
    (folder / "server-state").touch()
    backend = BackendConfig("http-wordloop", "/", servers=[ServerConfig("replica", "127.0.0.1", port)], app_name="wordloop")
    place = str(folder / "haproxy.cfg")
    HAProxyApi(config, {backend.name: backend}, place)._generate_config_file_internal()
    program = write_launcher(folder)
    with (folder / "haproxy.log").open("wb") as log:
        process = subprocess.Popen([program, "-db", "-f", place], stdout=log, stderr=log)
    try:
        _wait_for(front, process, folder / "haproxy.log")
        yield front
    finally:
        process.terminate()
        process.wait(10)


def _wait_for(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    give_up = time.monotonic() + 20
    while time.monotonic() < give_up:
        assert process.poll() is None, log.read_text()
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise AssertionError(log.read_text())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
