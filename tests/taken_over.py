"""`python -m tests.taken_over FOLDER [--unconfined]`: starts a decoder that was taken over, and prints as JSON what it got.

This process stands for the service: it holds a secret in its environment and its memory, a database in FOLDER, and listens on
every kind of socket. Run it by `tests/ordinary_user.py` to see what holds without the help of namespaces.
"""

import asyncio
import ctypes
import json
import os
import socket
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from adapters.pyav_decoder.decoder import PyAvDecoder
from adapters.pyav_decoder.limits import DecodeLimits

CHILD = Path(__file__).with_name("taken_over_child.py")
PLACES = "WORDLOOP_PLACES"
"""A JSON object of places to try in place of this process's own: those of a running service."""


async def main(folder: Path, confine: bool) -> None:
    secret = ctypes.create_string_buffer(b"canary-8d21")
    with ExitStack() as open_sockets:
        places = listening(folder, open_sockets) | {
            "confine": confine,
            "parent": os.getpid(),
            "address": ctypes.addressof(secret),
            "database": str(folder / "wordloop.db"),
            "new_file": str(folder / "made-by-the-child"),
            "program": str(program(folder)),
        }
        print(json.dumps(await findings(folder, places | json.loads(os.environ.get(PLACES, "{}")))))


def program(folder: Path) -> Path:
    """A file that may be run, of a format that is none."""
    path = folder / "program"
    path.write_text("no program\n")
    path.chmod(0o700)
    return path


def listening(folder: Path, stack: ExitStack) -> dict[str, Any]:
    """Listen by TCP and UNIX sockets."""
    tcp, tcp6 = (stack.enter_context(socket.create_server((host, 0), family=family)) for host, family in LOOPBACK)
    unix, abstract = (stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) for _ in range(2))
    name = f"wordloop-{os.getpid()}"
    unix.bind(str(folder / "socket"))
    abstract.bind(f"\0{name}")
    for each in (unix, abstract):
        each.listen()
    port, port6 = tcp.getsockname()[1], tcp6.getsockname()[1]
    return {"port": port, "port_ipv6": port6, "unix": str(folder / "socket"), "abstract": name}


LOOPBACK = (("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6))


async def findings(folder: Path, places: dict[str, Any]) -> dict[str, str | None]:
    """What the child wrote down: an attempt and why it was refused, None when it came through."""
    recording = folder / "recording"
    recording.write_text(json.dumps(places))
    decoded = await PyAvDecoder(DecodeLimits(), CHILD).decode(recording, folder / "out.pcm", 60.0)
    return json.loads(Path(decoded.pcm_path).read_bytes())


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), "--unconfined" not in sys.argv))
