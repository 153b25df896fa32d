"""A real service for the tests: `wordloop up` in a process of its own, real models, loopback, ended by pid."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import psutil
import yaml

from adapters.s3_blobs import S3Access
from tests.listening import listening, title_of

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / "tests" / "data" / "serve_config.smollm2.yaml"
RECORDING = ROOT / "serve_app" / "demo" / "launch-review.ogg"
START_TIMEOUT_S = 420.0
DATABASE = "WORDLOOP_TEST_DATABASE"
S3_ACCESS, S3_SECRET = "WORDLOOP_TEST_S3_ACCESS", "WORDLOOP_TEST_S3_SECRET"
MARK = "WORDLOOP_SERVICE_ID"


class RunningService:
    """`wordloop up --port 0` on a folder of its own, with the engine log as the oracle of what was computed."""

    def __init__(
        self,
        folder: Path,
        otlp_endpoint: str | None = None,
        database_url: str | None = None,
        settings: Mapping[str, Mapping[str, Any]] | None = None,
        s3: S3Access | None = None,
        launcher: Sequence[str] = (),
    ) -> None:
        settings = dict(settings or {})
        if s3 is not None:
            settings["storage"] = {"s3": _bucket(s3)}
        self._launcher = launcher  # what the command of the service is given to, if anything
        self.config = _config(folder, otlp_endpoint, database_url, settings)
        self.database_url = database_url or f"sqlite:///{folder / 'data' / 'wordloop.db'}"
        self._environment = {} if database_url is None else {DATABASE: database_url}
        if s3 is not None:
            self._environment |= {S3_ACCESS: s3.access_key or "", S3_SECRET: s3.secret_key or ""}
        self.data_dir = folder / "data"
        self.engine_log = folder / "engine.log"
        self.output = folder / "up.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""
        self.mark = ""
        self.described: dict[str, Any] = {}

    def start(self) -> "RunningService":
        """Start and wait until every model is warm."""
        environment = os.environ | self._environment | {"WORDLOOP_ENGINE_LOG": str(self.engine_log), "HF_HUB_OFFLINE": "1"}
        command = [*self._launcher, sys.executable, "-m", "serve_app", "up", "--port", "0", "--config", str(self.config)]
        with self.output.open("ab") as output:
            self._process = subprocess.Popen(
                [*command, "--data-dir", str(self.data_dir)], cwd=ROOT, env=environment, stdout=output, stderr=output
            )
        give_up = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < give_up:
            if self._process.poll() is not None:
                raise AssertionError(f"wordloop up ended: {self.output.read_text()[-2000:]}")
            if self._ready():
                return self
            time.sleep(0.5)
        raise AssertionError(f"not ready: {self.output.read_text()[-2000:]}")

    def _ready(self) -> bool:
        try:
            described = json.loads((self.data_dir / "service.json").read_text())
        except (OSError, ValueError):
            return False
        if self._process is None or described["pid"] != self._process.pid:
            return False
        self.url, self.mark = described["url"], described["mark"]
        self.described = described
        try:
            ready = httpx.get(f"{self.url}/readyz", timeout=2, trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False
        return ready and bool(described["processes"])

    def client(self, timeout: float = 120.0) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=timeout, trust_env=False)

    def processes(self) -> list[psutil.Process]:
        """Every process of this service, told by the mark they inherit, or by what the service wrote down of them."""
        found = []
        for pid, created in self.described.get("processes", []):
            try:
                if abs(psutil.Process(pid).create_time() - created) < 1.0:
                    found.append(psutil.Process(pid))
            except psutil.Error:
                continue
        for process in psutil.process_iter():
            try:
                if process.environ().get(MARK) == self.mark:
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def replica(self, deployment: str) -> psutil.Process:
        """The process of a deployment's replica."""
        title = f"ServeReplica:wordloop:{deployment}"
        for process in self.processes():
            if title in title_of(process):
                return process
        raise AssertionError(f"no replica of {deployment}")

    def ports(self) -> set[int]:
        """TCP ports that its processes listen on."""
        return {each.port for each in listening(self.processes())}

    def kill_everything(self) -> None:
        """SIGKILL to the main process and to all of Ray, as a power cut would."""
        for process in self.processes():
            try:
                process.send_signal(signal.SIGKILL)
            except psutil.NoSuchProcess:
                continue
        if self._process is not None:
            self._process.kill()
            self._process.wait(30)

    def stop(self) -> None:
        """Ask it to stop, as an operator does, and make sure that it did."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(90)
        except subprocess.TimeoutExpired:
            self.kill_everything()
            raise

    def engine_calls(self, event: str = "start") -> list[str]:
        """Content keys of the engine calls so far, in order."""
        if not self.engine_log.exists():
            return []
        lines = (line.split() for line in self.engine_log.read_text().splitlines())
        return [key for kind, key in lines if kind == event]


def _config(folder: Path, otlp_endpoint: str | None, database_url: str | None, settings: Mapping[str, Mapping[str, Any]]) -> Path:
    """The configuration of the tests, with a collector, a database and further settings by group where they are given."""
    config = yaml.safe_load(CONFIG.read_text())
    arguments = config["applications"][0]["args"]
    arguments["telemetry"] = {"otlp_endpoint": otlp_endpoint}
    arguments["database"] = {"url_env": DATABASE if database_url is not None else None}
    for group, chosen in settings.items():
        arguments[group] = arguments.get(group, {}) | chosen
    path = folder / "serve_config.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def _bucket(s3: S3Access) -> dict[str, Any]:
    """Describe a bucket as the settings do; its keys come from the environment."""
    return {
        "bucket": s3.bucket,
        "endpoint_url": s3.endpoint_url,
        "prefix": s3.prefix,
        "access_key_env": S3_ACCESS,
        "secret_key_env": S3_SECRET,
    }


def submit(client: httpx.Client, recording: Path, route: str = "conversations", **fields: str) -> dict[str, Any]:
    with recording.open("rb") as file:
        response = client.post(f"/v1/{route}", files={"file": (recording.name, file)}, data=fields)
    assert response.status_code in (200, 202), response.text
    return response.json()


def finished(client: httpx.Client, job_id: str, timeout_s: float = 400.0) -> dict[str, Any]:
    """Follow a job to its end; its fraction must never go back."""
    give_up = time.monotonic() + timeout_s
    last = 0.0
    while time.monotonic() < give_up:
        job = client.get(f"/v1/jobs/{job_id}").json()
        assert job["progress"]["fraction"] >= last, "progress went back"
        last = job["progress"]["fraction"]
        if job["status"] not in ("queued", "in_progress"):
            return job
        time.sleep(0.2)
    raise AssertionError(f"job did not end: {job}")
