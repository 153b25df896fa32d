"""A private Ray cluster with Serve on it: started here, ended here, never joined and never somebody else's.

Import this module before `ray`: Ray Serve reads its switches from the environment when it is imported.
"""

import logging
import os
import secrets
import shutil
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.ray_serve import client_headers
from adapters.ray_serve.haproxy_guard import write_launcher
from adapters.ray_serve.ports import PortBlock
from adapters.ray_serve.private_folders import make_private, private_ray_folder
from adapters.ray_serve.processes import SERVICE_MARK, Watcher

LOOPBACK = "127.0.0.1"
DRAIN_S = 20.0
"""Seconds that Serve and Ray get to end by themselves: a Serve whose controller is gone answers nobody."""
LAST_WORDS_S = 2.0
"""Seconds for Ray's library in this process to notice that its cluster is gone, and to say so before anybody reads again."""
TEMPORARY = "wordloop-"
"""How the folders of passing files begin; nothing else is removed by a name that was read from a file."""
SESSIONS_KEPT = 3
"""Runs whose logs are kept: the one that failed, and two to hold it against."""


@dataclass(frozen=True, slots=True)
class ClusterResources:
    """What a private cluster has for itself. `port` is free for the service, where none is asked for.

    `temporary` holds sockets and passing files of all its processes; its path is short, since names of Unix sockets are bounded.
    """

    token: Path
    temporary: Path
    block: PortBlock
    port: int
    dashboard_port: int
    watcher: Watcher

    def close(self) -> None:
        """End every process that was started since, and remove the folder of passing files. Safe to call again."""
        self.watcher.sweep()
        self.block.close()
        shutil.rmtree(self.temporary, ignore_errors=True)


def prepare_environment(data_dir: Path) -> ClusterResources:
    """Set the switches that Ray and its processes inherit: HAProxy with throughput-optimised replicas, ports of its own,
    a login token for the dashboard, no usage reports. Raises PortTaken and FolderShared.
    """
    make_private(data_dir)
    token = data_dir / "ray-token"
    if not token.exists():
        descriptor = os.open(token, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(32))
    # Ray keeps its logs in a place of their own; what follows TMPDIR ends with the service.
    ray_dir = private_ray_folder(Path(os.environ.get("RAY_TMPDIR") or tempfile.gettempdir()))
    temporary = _fresh_folder(data_dir)
    block = PortBlock()
    port, dashboard_port = block.take(), block.take()
    metrics_port, stats_port, fallback_port = block.take(), block.take(), block.take()
    first_ingress_port, last_ingress_port = block.rest()
    chosen = {
        SERVICE_MARK: secrets.token_hex(8),
        "TMPDIR": str(temporary),
        "RAY_TMPDIR": str(ray_dir),
        "RAY_SERVE_ENABLE_HA_PROXY": "1",
        "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
        "RAY_SERVE_HAPROXY_METRICS_PORT": str(metrics_port),
        "RAY_SERVE_HAPROXY_STATS_PORT": str(stats_port),
        "RAY_SERVE_HAPROXY_NBTHREAD": "2",
        # HAProxy would label series with any word that a client sends as a method; replicas count behind `client_headers`,
        # by the route's template.
        "RAY_SERVE_HAPROXY_METRICS_ENABLED": "0",
        "RAY_SERVE_HAPROXY_BINARY_PATH": str(write_launcher(temporary)),
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": str(temporary / "haproxy.cfg"),
        "RAY_SERVE_HAPROXY_SOCKET_PATH": str(temporary / "admin.sock"),
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(temporary),
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": str(temporary / "server-state"),
        "RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH": str(temporary / "metrics.sock"),
        "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT": str(first_ingress_port),
        "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT": str(last_ingress_port),
        "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "1",
        # HAProxy sends requests to the fallback proxy while no ingress replica is up. All services of a machine would listen
        # with theirs on 8500, and the kernel would hand the requests of one to another.
        "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": str(fallback_port),
        "SERVE_SOCKET_REUSE_PORT_ENABLED": "0",
        "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH": client_headers.CALLBACK,
        # Serve's own 5 and 10 s give up on a proxy that starts beside three loading models on two cores.
        "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "60",
        "RAY_SERVE_PROXY_HEALTH_CHECK_TIMEOUT_S": "30",
        # Throughput-optimised replicas hold back a thousand log lines; a killed one would take them along.
        "RAY_SERVE_REQUEST_PATH_LOG_BUFFER_SIZE": "1",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token),
        "RAY_USAGE_STATS_ENABLED": "0",
        # Whatever its name says: Ray keeps to loopback, on every system, its ports and the page of metrics with it.
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        # Started by `uv run`, Ray would copy the whole folder, 8 GB of .venv included, for processes on this very machine.
        "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
        "RAY_DEDUP_LOGS": "0",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        "HF_HUB_OFFLINE": os.environ.get("HF_HUB_OFFLINE", "1"),
        "TOKENIZERS_PARALLELISM": "false",
    }
    os.environ.update(chosen)
    return ClusterResources(token, temporary, block, port, dashboard_port, Watcher())


def _fresh_folder(data_dir: Path) -> Path:
    """Make a folder for passing files, and remove the one that a killed predecessor on this data folder could not.

    vLLM's sockets and Python's own folders of shared memory stay behind when their process is killed, one set per start.
    """
    record = data_dir / "temporary-folder"
    if record.exists() and (earlier := Path(record.read_text())).name.startswith(TEMPORARY):
        shutil.rmtree(earlier, ignore_errors=True)
    made = Path(tempfile.mkdtemp(prefix=TEMPORARY))
    record.write_text(str(made))
    return made


@dataclass(frozen=True, slots=True)
class ReplicaState:
    """How far a deployment is: `status` is Ray Serve's own word, `message` what it says about trouble."""

    status: str
    message: str
    running: int
    wanted: int


class PrivateCluster:
    """Ray and Serve in processes of their own, children of this one."""

    def __init__(self, resources: ClusterResources) -> None:
        self._resources = resources
        self.dashboard_url: str | None = None
        self.metrics_url: str | None = None
        self.log_dir: str | None = None

    def start(
        self,
        *,
        proxy_location: str,
        http_options: Mapping[str, Any],
        logging_config: Mapping[str, Any],
        dashboard: bool = True,
        import_root: Path | None = None,
        node_address: str = LOOPBACK,
    ) -> None:
        """Start Ray on this machine alone, with its dashboard on loopback, and Serve with its proxy.

        On loopback Ray's own ports, that of the metrics page too, are open to this machine only; under another `node_address`
        they are open to whoever reaches it.
        """
        import ray
        from ray import serve

        logging.getLogger("ray.serve").setLevel(logging.ERROR)
        runtime_env = {"env_vars": {"PYTHONPATH": str(import_root)}} if import_root else None
        context = ray.init(
            address="local",
            # Loopback is what Ray takes by itself, told so in the environment; named here it would look for another address.
            _node_ip_address=None if node_address == LOOPBACK else node_address,
            include_dashboard=dashboard,
            dashboard_host="127.0.0.1",
            dashboard_port=self._resources.dashboard_port,
            log_to_driver=False,
            configure_logging=True,
            logging_level="ERROR",
            runtime_env=runtime_env,
        )
        self.dashboard_url = f"http://{context.dashboard_url}" if dashboard and context.dashboard_url else None
        self.metrics_url = f"http://127.0.0.1:{context.address_info['metrics_export_port']}/metrics"
        self.log_dir = str(Path(context.address_info["session_dir"]) / "logs")
        options = {"http_options": dict(http_options), "logging_config": dict(logging_config) or None}
        try:
            serve.start(proxy_location=proxy_location, **options)
        except (ray.exceptions.RayError, TimeoutError):
            # The proxy did not come up in time; the controller lives and is bringing up another: join it.
            serve.start(proxy_location=proxy_location, **options)

    @staticmethod
    def deploy(application: Any, name: str, logging_config: Mapping[str, Any], route_prefix: str = "/") -> None:
        """Hand the application to Serve and return at once; `states` tells how far it is.

        `logging_config` as in the file: what Serve itself was started with does not reach the replicas.
        """
        from ray import serve

        serve.run_many(
            [
                serve.RunTarget(
                    target=application, name=name, route_prefix=route_prefix, logging_config=dict(logging_config) or None
                )
            ],
            wait_for_ingress_deployment_creation=False,
            wait_for_applications_running=False,
        )

    @staticmethod
    def states(name: str) -> tuple[str, dict[str, ReplicaState]]:
        """Return the application's status and its deployments' states."""
        from ray import serve

        application = serve.status().applications.get(name)
        if application is None:
            return "DEPLOYING", {}
        states = {}
        for deployment, overview in application.deployments.items():
            counts = {str(getattr(state, "value", state)): count for state, count in overview.replica_states.items()}
            states[deployment] = ReplicaState(
                str(getattr(overview.status, "value", overview.status)),
                overview.message,
                counts.get("RUNNING", 0),
                max(1, sum(counts.values())),
            )
        return str(getattr(application.status, "value", application.status)), states

    def stop(self, drain_s: float = DRAIN_S) -> None:
        """Drain and end Serve and Ray, for at most `drain_s` seconds, then whatever of their processes is still there."""
        draining = threading.Thread(target=_drain, name="drain", daemon=True)
        draining.start()
        draining.join(drain_s)
        self._resources.close()
        draining.join(LAST_WORDS_S)
        if self.log_dir is not None:
            remember_logs(self._resources.token.parent, Path(self.log_dir))


def _drain() -> None:
    import ray
    from ray import serve

    with suppress(Exception):
        serve.shutdown()
    with suppress(Exception):
        ray.shutdown()


def remember_logs(data_dir: Path, log_dir: Path) -> None:
    """Keep the logs of the last `SESSIONS_KEPT` runs on a data folder; the rest of a session, and older ones, go.

    Ray itself keeps every session for good.
    """
    session = log_dir.parent
    for part in session.glob("*"):
        if part != log_dir:
            shutil.rmtree(part, ignore_errors=True)
    record = data_dir / "ray-sessions"
    known = [Path(line) for line in record.read_text().splitlines()] if record.exists() else []
    there = [path for path in dict.fromkeys([*known, session]) if path.name.startswith("session_") and (path / "logs").is_dir()]
    for path in there[:-SESSIONS_KEPT]:
        shutil.rmtree(path, ignore_errors=True)
    record.write_text("".join(f"{path}\n" for path in there[-SESSIONS_KEPT:]))
