"""`just attack`: starts a service of its own on loopback, attacks it, and prints what was tried and what came back.

The service runs as an ordinary user to whom namespaces are refused, as in a container; started by root, it becomes one. Its
models are a stub (`models.py`). Every attack is bounded in time and in what it sends; all of them take about five minutes. The
exit status is 1 when the service did not hold against one of them.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from tests.attack.bodies import bodies
from tests.attack.browsers import browsers
from tests.attack.confined import AS_THE_SERVICE, confined
from tests.attack.exposure import exposure
from tests.attack.models import remote_models
from tests.attack.odd import odd
from tests.attack.slow import Patience, slow
from tests.attack.trials import Attack, Outcome, table, try_all
from tests.attack.wire import Server
from tests.ordinary_user import USER
from tests.running_service import RECORDING, ROOT, RunningService, submit

SPOKEN = ROOT / "tests" / "data" / "speech" / "jfk.ogg"


def main() -> int:
    """Attack, print the table, return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="attacks whose name holds these words")
    chosen = parser.parse_args().only
    trials = []
    with attacked_service() as (service, folder):
        asked = (attack for attack in attacks(service, folder) if chosen in attack.name)
        for trial in try_all(asked, lambda: service.replica("Ingress")):
            trials.append(trial)
            verdict = "PASS" if trial.held else "FAIL"
            print(f"{verdict} {trial.attack.name}: {trial.outcome.came_back}", file=sys.stderr, flush=True)
    print(table(trials))
    return 0 if trials and all(trial.held for trial in trials) else 1


def attacks(service: RunningService, folder: Path) -> Iterator[Attack]:
    """All attacks, those last that might cost the service its life."""
    at = urlsplit(service.url)
    server = Server(at.hostname or "", at.port or 0)
    log_dir = Path(service.described["log_dir"])
    yield from exposure(service.processes, service.data_dir, log_dir.parent)
    yield from browsers(server, lambda: _jobs(service))
    yield from odd(server, lambda: httpx.get(service.described["metrics_url"], trust_env=False, timeout=20.0).text)
    yield from bodies(server, lambda: _unfinished(service))
    yield from slow(server, SPOKEN, Patience())
    yield Attack("after all that", "GET /readyz", lambda: _ready(service))
    yield from confined(
        folder, lambda: _places(service), lambda: [service.replica(name).pid for name in ("Ingress", "JobWorker")], log_dir
    )


@contextmanager
def attacked_service() -> Iterator[tuple[RunningService, Path]]:
    """A service that an ordinary user runs on a data folder that was there before, and a folder of that user's."""
    with tempfile.TemporaryDirectory(prefix="attack-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        _prepare(folder)
        with remote_models() as models:
            service = RunningService(folder, settings=models, launcher=AS_THE_SERVICE[:2])
            _hand_over(folder)
            try:
                yield service.start(), folder
            finally:
                service.stop()


def _prepare(folder: Path) -> None:
    """Folders of that user's own.

    TMPDIR stays: HAProxy's sockets are below it, and the names of sockets are bounded; so Ray's folder is closed already, and
    none is made inside it.
    """
    for inner, mode in {"data": 0o755, "home": 0o755, "cache": 0o755, "tmp": 0o700}.items():
        (folder / inner).mkdir(mode=mode)
    own = {"WORDLOOP_CACHE_DIR": folder / "cache", "HOME": folder / "home", "RAY_TMPDIR": folder / "tmp"}
    os.environ.update({name: str(path) for name, path in own.items()})


def _hand_over(folder: Path) -> None:
    if os.geteuid() == 0:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, USER, USER, follow_symlinks=False)


def _jobs(service: RunningService) -> int:
    with service.client() as client:
        return len(client.get("/v1/jobs", params={"limit": 100}).json()["data"])


def _unfinished(service: RunningService) -> str:
    with service.client() as client:
        job = submit(client, RECORDING)
        assert job["status"] in ("queued", "in_progress"), "the job ended before it was attacked"
        return str(job["id"])


def _ready(service: RunningService) -> Outcome:
    with service.client() as client:
        status = client.get("/readyz").status_code
    return Outcome(str(status), status == httpx.codes.OK)


def _places(service: RunningService) -> dict[str, Any]:
    worker = service.replica("JobWorker")
    return {"database": str(service.data_dir / "wordloop.db"), "parent": worker.pid, "port": urlsplit(service.url).port}


if __name__ == "__main__":
    sys.exit(main())
