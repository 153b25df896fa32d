"""Clients that never finish what they begin, and what others get meanwhile."""

import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from tests.attack.trials import Attack, Outcome, waited_for
from tests.attack.wire import Server

LIVEZ_S = 2.0
"""Seconds in which `/livez` must answer others, on a machine that is busy with the attack itself."""
OTHERS_S = 60.0
"""Seconds that an honest estimate may take beside two that never end."""


class Patience(NamedTuple):
    """Connections that send half a head and half a body; seconds in which all must be closed, and for which it is looked at.

    A body that is no recording gets `http.body_s`, 30 seconds. One that found no place within five is refused, and its connection
    ends when HAProxy's patience does, 45 later.
    """

    heads: int = 150
    bodies: int = 190
    heads_s: float = 15.0
    bodies_s: float = 55.0
    looked_s: float = 60.0


def slow(server: Server, recording: Path, patience: Patience) -> list[Attack]:
    half_body = server.head("POST", "/v1/search", "Content-Type: application/json", "Content-Length: 1000000") + b'{"query": '
    half_head = server.head("GET", "/livez")[:-2] + b"X-Slow: "
    return [
        Attack(
            "half-sent heads",
            f"{patience.heads} connections that send no end of their header",
            lambda: _closed_in_time(server, patience.heads, half_head, patience.heads_s, patience.looked_s),
        ),
        Attack(
            "half-sent bodies",
            f"{patience.bodies} connections that send 10 bytes of the 1,000,000 they announce",
            lambda: _closed_in_time(server, patience.bodies, half_body, patience.bodies_s, patience.looked_s),
        ),
        Attack(
            "dribbling uploads",
            "2 uploads to /v1/estimate at 2 bytes a second, and an honest one beside them",
            lambda: _beside_dribble(server, recording),
        ),
    ]


def _closed_in_time(server: Server, count: int, begun: bytes, closed_s: float, looked_s: float) -> Outcome:
    """Whether the service ends all of them, and answers others meanwhile."""
    with ExitStack() as stack, _asked_for_life(server) as answers:
        opened = []
        for _ in range(count):
            with suppress(OSError):
                connection = stack.enter_context(server.connect())
                connection.sendall(begun)
                opened.append(connection)
        took = waited_for(lambda: not _still_open(opened), looked_s)
        left = len(_still_open(opened))
    ended = f"{left} open after {looked_s:.0f} s" if took is None else f"all closed after {took:.0f} s"
    worst = max(answers, default=float("inf"))
    return Outcome(
        f"{ended}; /livez answered others in {worst:.2f} s at worst",
        bool(took and took <= closed_s and worst <= LIVEZ_S),
    )


def _still_open(connections: list[socket.socket]) -> list[socket.socket]:
    """Those that have not ended; what an ended one still had to say is thrown away."""
    for connection in [one for one in connections if one.fileno() >= 0]:
        with suppress(OSError):
            if not select.select([connection], [], [], 0)[0] or connection.recv(65_536):
                continue
        connection.close()
    return [one for one in connections if one.fileno() >= 0]


@contextmanager
def _asked_for_life(server: Server) -> Iterator[list[float]]:
    """Ask `/livez` twice a second; the seconds that each answer took, infinite where none came."""
    took: list[float] = []
    over = threading.Event()

    def ask() -> None:
        while not over.wait(0.5):
            begun, status = time.monotonic(), 0
            with suppress(OSError):
                status = server.ask(server.head("GET", "/livez"), timeout=10.0).status
            took.append(time.monotonic() - begun if status == 200 else float("inf"))

    asker = threading.Thread(target=ask, daemon=True)
    asker.start()
    try:
        yield took
    finally:
        over.set()
        asker.join()


def _beside_dribble(server: Server, recording: Path) -> Outcome:
    with _dribbling(server, 2):
        begun = time.monotonic()
        answer = _estimate(server, recording)
    return Outcome(f"the honest one: {answer} after {time.monotonic() - begun:.1f} s", answer == "200")


@contextmanager
def _dribbling(server: Server, count: int) -> Iterator[None]:
    over = threading.Event()
    head = server.head("POST", "/v1/estimate", "Content-Type: multipart/form-data; boundary=b", "Content-Length: 1000000")
    opening = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'

    def dribble() -> None:
        with suppress(OSError), server.connect() as connection:
            connection.sendall(head + opening)
            while not over.wait(0.5):
                connection.sendall(b"x")

    threads = [threading.Thread(target=dribble, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    over.wait(2.0)  # until both are where they hold what they hold
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join(5.0)


def _estimate(server: Server, recording: Path) -> str:
    body = (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.ogg"\r\n\r\n'
        + recording.read_bytes()
        + b"\r\n--b--\r\n"
    )
    head = server.head("POST", "/v1/estimate", "Content-Type: multipart/form-data; boundary=b", f"Content-Length: {len(body)}")
    return server.ask(head, [body], timeout=OTHERS_S).words
