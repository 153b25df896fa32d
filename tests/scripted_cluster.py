"""A private Ray cluster of several nodes on this machine, for the whole application over scripted engines.

`python -m tests.scripted_cluster DATA_DIR NODES` runs it and takes orders, a line each: `kill N` ends every process of a node at
once, `add` brings another. It ends with its input. `ScriptedCluster` is that process for a test.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import psutil
import yaml

from adapters.ray_serve.cluster import LOOPBACK, prepare_environment
from tests.listening import title_of
from tests.running_service import DATABASE, MARK, ROOT
from tests.scripted_orders import DIMENSIONS, ORDERS

CONFIG = ROOT / "serve_config.gpu.yaml"
NODE_CPUS = 2
"""Ray starts a process for each, before anything needs one; replicas say that they need a tenth of one."""
READY_S = 240.0
QUICK = {
    "metrics_interval_s": 0.5,
    "look_back_period_s": 2.0,
    "upscale_delay_s": 1.0,
    "downscale_delay_s": 4.0,
    "downscale_to_zero_delay_s": 4.0,
    "target_ongoing_requests": 4,
    "policy": {"policy_function": "adapters.ray_serve.scaling:WorkPolicy", "policy_kwargs": {"drain_s": 3}},
}
"""What the production file waits minutes for, in seconds."""


def main() -> None:
    data_dir, nodes = Path(sys.argv[1]), int(sys.argv[2])
    place = prepare_environment(data_dir)
    os.environ |= {
        "PYTHONPATH": str(ROOT),
        ORDERS: str(data_dir / "orders"),
        # A node that is gone refuses every question, so it is noticed within seconds; one that answers late is not given up.
        "RAY_health_check_period_ms": "500",
        "RAY_health_check_failure_threshold": "20",
        "RAY_health_check_timeout_ms": "30000",
    }
    (data_dir / "orders").mkdir()
    import ray
    from ray import serve
    from ray.cluster_utils import Cluster

    # The ingress stands on the head, behind the one HAProxy; models and workers on the others.
    dashboard = {"include_dashboard": True, "dashboard_host": LOOPBACK, "dashboard_port": place.dashboard_port}
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "resources": {"door": 100}, **dashboard})
    try:
        others = [cluster.add_node(num_cpus=NODE_CPUS) for _ in range(nodes - 1)]
        ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
        serve.start(proxy_location="HeadOnly", http_options={"host": LOOPBACK, "port": place.port})
        _tell(
            url=f"http://{LOOPBACK}:{place.port}",
            dashboard=f"http://{LOOPBACK}:{place.dashboard_port}",
            mark=os.environ[MARK],
            logs=str(Path(cluster.head_node.get_session_dir_path()) / "logs"),
        )
        for order in sys.stdin:
            what, *which = order.split()
            if what == "kill":
                cluster.remove_node(others[int(which[0])], allow_graceful=False)
            else:
                others.append(cluster.add_node(num_cpus=NODE_CPUS))
            _tell(done=what)
    finally:
        place.watcher.sweep()
        place.close()


def _tell(**words: str) -> None:
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


class ScriptedCluster:
    """The cluster for a test: `deploy` hands it the production file with the changes of the test, by `serve deploy`."""

    def __init__(self, folder: Path, database_url: str, nodes: int) -> None:
        self.folder = folder
        self.data_dir = folder / "data"
        self.data_dir.mkdir()
        self.database_url = database_url
        self.engine_log = folder / "engine.log"
        self._environment = os.environ | {
            DATABASE: database_url,
            "WORDLOOP_ENGINE_LOG": str(self.engine_log),
            "HF_HUB_OFFLINE": "1",
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(self.data_dir / "ray-token"),
        }
        self._errors = (folder / "cluster.log").open("ab")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.scripted_cluster", str(self.data_dir), str(nodes)],
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        told = self._answer()
        self.url, self._dashboard, self.mark, self.logs = told["url"], told["dashboard"], told["mark"], told["logs"]

    def order(self, words: str) -> None:
        """`kill N` or `add`; returns when it is done."""
        assert self._process.stdin is not None
        self._process.stdin.write(words + "\n")
        self._process.stdin.flush()
        self._answer()

    def _answer(self) -> dict[str, str]:
        assert self._process.stdout is not None
        while line := self._process.stdout.readline():
            if line.startswith("{"):  # whatever else a library has to say
                answer: dict[str, str] = json.loads(line)
                return answer
        raise AssertionError((self.folder / "cluster.log").read_text()[-3000:])

    def deploy(self, changes: Mapping[str, Mapping[str, Any]], scaling: Mapping[str, Mapping[str, Any]]) -> None:
        """Run `serve deploy`. `changes` are settings by group, `scaling` bounds by deployment."""
        path = self.folder / "serve_config.yaml"
        path.write_text(yaml.safe_dump(production_like(self.data_dir, changes, scaling)))
        command = [str(Path(sys.executable).with_name("serve")), "deploy", str(path), "--address", self._dashboard]
        done = subprocess.run(command, cwd=ROOT, env=self._environment, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr

    def client(self, timeout: float = 60.0) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=timeout, trust_env=False)

    def wait_ready(self) -> None:
        """Until every model is warm or asleep, and the stores answer."""
        with self.client() as client:
            self.wait(lambda: client.get("/readyz").status_code == 200, READY_S)

    @staticmethod
    def wait(condition: Any, timeout_s: float) -> None:
        give_up = time.monotonic() + timeout_s
        while True:
            try:
                if condition():
                    return
            except httpx.TransportError:
                pass
            assert time.monotonic() < give_up, "it did not come to that in time"
            time.sleep(0.2)

    def replicas(self, deployment: str) -> list[psutil.Process]:
        """The processes of a deployment's replicas, those that start or drain among them."""
        return [each for each in self.processes() if f"ServeReplica:wordloop:{deployment}" in title_of(each)]

    def processes(self) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get(MARK) == self.mark:
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def engine_calls(self, event: str = "start") -> list[str]:
        """Content keys of the engine calls so far, in order."""
        if not self.engine_log.exists():
            return []
        return [key for kind, key in (line.split() for line in self.engine_log.read_text().splitlines()) if kind == event]

    def stop(self) -> None:
        """End every process of the cluster."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(60)
        finally:
            for process in self.processes():
                process.kill()
            self._errors.close()


def production_like(data_dir: Path, changes: Mapping[str, Mapping[str, Any]], scaling: Mapping[str, Mapping[str, Any]]) -> Any:
    """The production file with a data folder of its own, scripted models, no keys, and what it waits for in seconds."""
    config = yaml.safe_load(CONFIG.read_text())
    config["http_options"] = {"host": LOOPBACK}
    config["proxy_location"] = "HeadOnly"
    (application,) = config["applications"]
    application["import_path"] = "tests.scripted_graph:build"
    arguments = application["args"]
    usual: dict[str, dict[str, Any]] = {
        "database": {"url_env": DATABASE},
        "security": {"require_keys": False, "require_confinement": False},
        "embedder": {"dimensions": DIMENSIONS},
        "worker": {"lease_s": 5, "max_attempts": 20},
        **{port: {"model": "scripted-1"} for port in ("transcriber", "language_model", "reader", "diarizer")},
    }
    for group, chosen in usual.items():
        arguments[group] |= chosen
    arguments["embedder"] |= {"model": "scripted-1", "cosines": {"unrelated": 0.2, "related": 0.8}}
    arguments["openai"]["aliases"]["all-minilm-l6-v2"] = "embedder"
    arguments["data_dir"] = str(data_dir)
    for group, chosen in changes.items():
        arguments[group] = _merged(arguments[group], chosen)
    for deployment in application["deployments"]:
        _made_quick(deployment, scaling.get(deployment["name"], {}))
    return config


def _merged(into: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    nested = {key: _merged(into[key], value) if isinstance(value, Mapping) else value for key, value in changes.items()}
    return {**into, **nested}


def _made_quick(deployment: dict[str, Any], bounds: Mapping[str, Any]) -> None:
    """No GPU; the ingress at the door; one worker on a node, so that a node which dies takes one of them."""
    deployment |= {"health_check_period_s": 1, "graceful_shutdown_timeout_s": 20}
    if deployment["name"] == "Ingress":
        deployment["autoscaling_config"] = {"min_replicas": 2, "max_replicas": 2, "target_ongoing_requests": 256}
        deployment["ray_actor_options"] = {"num_cpus": 0, "resources": {"door": 1}}
    elif deployment["name"] == "JobWorker":
        deployment |= {"ray_actor_options": {"num_cpus": 0.1}, "max_replicas_per_node": 1}
    else:
        deployment["autoscaling_config"] = {**QUICK, "min_replicas": 1, "max_replicas": 1, **bounds}
        deployment["ray_actor_options"] = {"num_cpus": 0.1}


if __name__ == "__main__":
    main()
