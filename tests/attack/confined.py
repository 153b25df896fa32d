"""A decoder that was taken over, and another process of the service's user, beside a running service."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.attack.trials import Attack, Outcome

ROOT = Path(__file__).parents[2]
AS_THE_SERVICE = (sys.executable, str(ROOT / "tests/ordinary_user.py"), sys.executable)
LOOK = """
import sys
for pid in sys.argv[1:]:
    for file in ("environ", "mem"):
        try:
            open(f"/proc/{pid}/{file}", "rb").read(1)
            print(f"{file} of {pid} can be read")
        except OSError as error:
            if not isinstance(error, PermissionError):
                print(f"{file} of {pid}: {error}")
"""


def confined(folder: Path, places: Callable[[], Mapping[str, Any]], replicas: Callable[[], list[int]], log: Path) -> list[Attack]:
    """`places` to try; `replicas` are the processes that start decoders; `log` the folder of the service's logs.

    Comes last: where confinement does not hold, the service loses its database.
    """
    return [
        Attack(
            "memory and environment of the ingress and the worker",
            "read by another process of the service's user",
            lambda: _kept(replicas()),
        ),
        Attack("what the log says of decoders", "the logs of the ingress and the worker", lambda: _told(log)),
        Attack(
            "a decoder that was taken over",
            "as an ordinary user without namespaces: the database, environment and memory of the worker, all kinds of sockets",
            lambda: _gets_nowhere(folder, places()),
        ),
    ]


def _kept(pids: list[int]) -> Outcome:
    ended = _run("-c", LOOK, *map(str, pids))
    seen = ", ".join(ended.stdout.splitlines())
    return Outcome(seen or "refused", ended.returncode == 0 and not seen)


def _told(log: Path) -> Outcome:
    said = [
        line for file in log.glob("serve/*") for line in file.read_text(errors="replace").splitlines() if "decoders are" in line
    ]
    words = {str(json.loads(line).get("message", "")) if line.startswith("{") else line for line in said}
    return Outcome("; ".join(sorted(words)) or "nothing", len(said) >= 2)


def _gets_nowhere(folder: Path, places: Mapping[str, Any]) -> Outcome:
    ended = _run("-m", "tests.taken_over", str(folder), WORDLOOP_PLACES=json.dumps(places))
    if ended.returncode != 0:
        return Outcome(ended.stderr.strip().splitlines()[-1][:200], False)
    found = json.loads(ended.stdout)
    through = [attempt for attempt, refusal in found.items() if refusal is None]
    return Outcome(
        f"{len(found) - len(through)} of {len(found)} attempts refused{': not ' if through else ''}{', '.join(through)}",
        not through,
    )


def _run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    own = {"PYTHONPATH": str(ROOT)} | environment
    command = [*AS_THE_SERVICE, *arguments]
    return subprocess.run(command, env=os.environ | own, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
