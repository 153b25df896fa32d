"""The embedded service as one object: start it, know when it is ready, stop everything it started."""

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import psutil

from adapters.ray_serve.cluster import DRAIN_S, ClusterResources, PrivateCluster, ReplicaState, prepare_environment, remember_logs
from adapters.ray_serve.haproxy_guard import LISTEN_HOST
from adapters.ray_serve.ports import check_port
from adapters.ray_serve.processes import SERVICE_MARK, end_processes, leftovers, same_processes, started_processes
from serve_app.errors import StartFailed
from serve_app.protection.exposure import LOOPBACK, check_exposure, door_limits
from serve_app.settings.serve_file import ServeFile
from serve_app.settings.service import default_data_dir
from serve_app.terminal.arguments import check_address

APPLICATION = "wordloop"
POLL_S = 0.25
READY_TIMEOUT_S = 900.0
"""Seconds until giving up on models that load: five times a cold start on two busy cores."""
UNREADY_DRAIN_S = 2.0
"""Seconds to drain a service that was never ready: nobody was told of it, and replicas that load a model do not listen."""

States = Mapping[str, ReplicaState]


@dataclass(frozen=True, slots=True)
class ServiceFile:
    """What `DIR/service.json` says of a running service.

    `metrics_url` answers Prometheus; `log_dir` holds the logs of every process, those of Serve in `serve/`. `processes` are
    those it started, as (pid, start time): some of Ray's hide the mark that the others carry.
    """

    url: str
    dashboard_url: str | None
    dashboard_token_file: str | None
    pid: int
    created: float
    mark: str
    metrics_url: str | None = None
    log_dir: str | None = None
    processes: tuple[tuple[int, float], ...] = ()

    @classmethod
    def path(cls, data_dir: Path) -> Path:
        return data_dir / "service.json"

    @classmethod
    def read(cls, data_dir: Path) -> "ServiceFile | None":
        """Return what stands there, or None when there is no file or it is not ours to read."""
        try:
            return cls(**json.loads(cls.path(data_dir).read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def write(self, data_dir: Path) -> None:
        """Write the file in one step."""
        temporary = self.path(data_dir).with_suffix(".tmp")
        temporary.write_text(json.dumps({name: getattr(self, name) for name in self.__slots__}, indent=2) + "\n")
        temporary.replace(self.path(data_dir))

    @property
    def alive(self) -> bool:
        """Whether the very process that wrote the file still runs."""
        try:
            return abs(psutil.Process(self.pid).create_time() - self.created) < 1.0
        except psutil.Error:
            return False


def running_service(data_dir: Path) -> ServiceFile | None:
    """Return the service that runs on a data folder, if one does."""
    found = ServiceFile.read(data_dir)
    return found if found is not None and found.alive else None


class Service:
    """One embedded service: a private Ray cluster, the graph on it, and `service.json` that tells where it is."""

    def __init__(self, config: Callable[[], ServeFile], data_dir: Path | None) -> None:
        self._read_config = config
        self.data_dir = (data_dir or default_data_dir()).expanduser().absolute()
        self._resources: ClusterResources | None = None
        self._cluster: PrivateCluster | None = None
        self._ready = False
        self.file: ServiceFile | None = None

    @property
    def begun(self) -> bool:
        """Whether there may be something to stop that takes its time."""
        return self._cluster is not None

    def prepare(self) -> ServeFile:
        """Clear what a killed predecessor left, set the environment and read the configuration.

        Comes before anything imports Ray, which reads its switches at import. Raises StartFailed when a service already
        runs on this data folder, and ConfigurationInvalid.
        """
        earlier = ServiceFile.read(self.data_dir)
        if earlier is not None and earlier.alive:
            raise StartFailed(f"a service already runs on {self.data_dir}, at {earlier.url} (process {earlier.pid})")
        if earlier is not None:
            end_processes([*leftovers(earlier.mark), *same_processes(earlier.processes)])
            ServiceFile.path(self.data_dir).unlink(missing_ok=True)
            if earlier.log_dir is not None:
                remember_logs(self.data_dir, Path(earlier.log_dir))
        self._resources = prepare_environment(self.data_dir)
        config = self._read_config()
        os.environ.update(config.environment)
        os.environ.update(door_limits(config.settings.http).variables())
        settings = config.settings.model_copy(update={"data_dir": self.data_dir})
        return config.model_copy(update={"settings": settings})

    def check_address(self, config: ServeFile, host: str | None, port: int | None) -> None:
        """Raise ArgumentWrong where nothing can listen, and StartFailed where nobody may: before anything starts."""
        http = self._http(config, host, port)
        check_address(http["host"], http["port"])
        check_exposure(config.settings, http["host"])

    def _http(self, config: ServeFile, host: str | None, port: int | None) -> dict[str, Any]:
        """The options of Serve's proxy with what was typed in their place, and a free port where 0 was asked for."""
        assert self._resources is not None
        chosen = config.http_options.get("port", 8000) if port is None else port
        where = {"host": host or config.http_options.get("host", "127.0.0.1"), "port": chosen or self._resources.port}
        return config.http_options | where

    def start(self, config: ServeFile, models: Any, host: str | None, port: int | None, dashboard: bool = True) -> ServiceFile:
        """Start Ray, Serve and the graph; models load when this returns. Raises PortTaken or StartFailed."""
        assert self._resources is not None
        http = self._http(config, host, port)
        check_exposure(config.settings, http["host"])
        check_port(http["host"], http["port"])
        self._cluster = PrivateCluster(self._resources)
        self._cluster.start(
            proxy_location=config.proxy_location,
            http_options=behind_haproxy(http),
            logging_config=config.logging_config,
            import_root=Path(__file__).parents[2],
            dashboard=dashboard,
            node_address=config.settings.telemetry.metrics_host,
        )
        from serve_app.graph.application import bind

        self._cluster.deploy(bind(config.settings, models, config.deployments), APPLICATION, config.logging_config)
        process = psutil.Process()
        self.file = ServiceFile(
            url=f"http://{http['host']}:{http['port']}",
            dashboard_url=self._cluster.dashboard_url,
            dashboard_token_file=str(self._resources.token),
            pid=process.pid,
            created=process.create_time(),
            mark=os.environ[SERVICE_MARK],
            metrics_url=self._cluster.metrics_url,
            log_dir=self._cluster.log_dir,
        )
        self.file.write(self.data_dir)
        return self.file

    def wait_ready(self, on_states: Callable[[States], None], timeout_s: float = READY_TIMEOUT_S) -> None:
        """Return when every model is warm and the ingress answers. Raises StartFailed with what Serve says."""
        assert self._cluster is not None
        assert self.file is not None
        give_up = time.monotonic() + timeout_s
        while time.monotonic() < give_up:
            status, states = self._cluster.states(APPLICATION)
            on_states(states)
            if status == "DEPLOY_FAILED":
                raise StartFailed("; ".join(f"{name}: {state.message}" for name, state in states.items() if state.message))
            if status == "RUNNING" and _answers(f"{self.file.url}/readyz"):
                self.file = replace(self.file, processes=started_processes())
                self.file.write(self.data_dir)
                self._ready = True
                return
            time.sleep(POLL_S)
        raise StartFailed(f"the models were not ready after {timeout_s:.0f} s")

    def stop(self) -> None:
        """Stop everything this object started; safe to call at any point."""
        if self._cluster is not None:
            self._cluster.stop(DRAIN_S if self._ready else UNREADY_DRAIN_S)
        elif self._resources is not None:
            self._resources.close()
        self._cluster = self._resources = None
        if self.file is not None:
            ServiceFile.path(self.data_dir).unlink(missing_ok=True)
            self.file = None


def behind_haproxy(http: dict[str, Any]) -> dict[str, Any]:
    """The options of Serve's own servers: they stay on loopback, and HAProxy alone listens where the service does."""
    if http["host"] in LOOPBACK:
        os.environ.pop(LISTEN_HOST, None)
        return http
    os.environ[LISTEN_HOST] = http["host"]
    return {**http, "host": LOOPBACK[0]}


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2.0).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def with_light_model(config: ServeFile) -> ServeFile:
    """The same service with the smaller language model."""
    light = config.settings.language_model.model_copy(update={"model": "qwen2.5-coder-0.5b-instruct"})
    settings = config.settings.model_copy(update={"language_model": light})
    return config.model_copy(update={"settings": settings})
