"""What the machine's other users and the network can see of a service that nobody opened to them."""

import stat
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

from tests.attack.trials import Attack, Outcome
from tests.listening import listening


def exposure(processes: Callable[[], Sequence[psutil.Process]], data_dir: Path, session_dir: Path) -> list[Attack]:
    """`data_dir` was there before the service, open to all; `session_dir` is Ray's."""
    return [
        Attack(
            "ports beyond loopback", "every port that a process of the service listens on", lambda: _only_loopback(processes())
        ),
        Attack("the data folder", "one that was there with mode 0755", lambda: _private(data_dir)),
        Attack("Ray's session folder", "logs and sockets of all replicas", lambda: _private(session_dir)),
    ]


def _only_loopback(processes: Sequence[psutil.Process]) -> Outcome:
    """HAProxy's own port is where the service answers, on loopback here; all others are Ray's."""
    beyond = {each.port for each in listening(processes) if not each.on_loopback}
    return Outcome(f"{sorted(beyond) or 'none'}", not beyond)


def _private(folder: Path) -> Outcome:
    """Whether others are kept out, by the folder itself or by one that it lies in."""
    closed = next((way for way in (folder, *folder.parents) if not stat.S_IMODE(way.stat().st_mode) & 0o077), None)
    below = "" if closed == folder else f", in a folder of mode {stat.S_IMODE(closed.stat().st_mode):04o}" if closed else ""
    return Outcome(f"mode {stat.S_IMODE(folder.stat().st_mode):04o}{below}", closed is not None)
