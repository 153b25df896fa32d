"""HTTP/1.1 by hand: a client that sends what no library would, and never more than it is told."""

import select
import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

ANSWER_BYTES: Final = 256 * 1024
"""More of an answer is not read."""
PART: Final = b"x" * 65_536


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: status 0 when the connection ended without an answer; header names in lower case, in order."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    sent: int

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    def first(self, name: str) -> str:
        return next(iter(self.all(name)), "")

    @property
    def words(self) -> str:
        return str(self.status) if self.status else "connection closed"


@dataclass(frozen=True, slots=True)
class Server:
    """Where the attacked service listens."""

    host: str
    port: int

    @property
    def name(self) -> str:
        return f"{self.host}:{self.port}"

    def connect(self, timeout: float = 10.0) -> socket.socket:
        return socket.create_connection((self.host, self.port), timeout)

    def head(self, method: str, path: str, *lines: bytes | str, host: str | None = None) -> bytes:
        """The head of a request; a `Host` line is added, other lines are sent as they are."""
        encoded = [line if isinstance(line, bytes) else line.encode() for line in (f"Host: {host or self.name}", *lines)]
        return b"\r\n".join([f"{method} {path} HTTP/1.1".encode(), *encoded, b"", b""])

    def ask(self, head: bytes, body: Iterable[bytes] = (), timeout: float = 60.0) -> Answer:
        """Send all that the other side takes, whatever it answers meanwhile, and read its first answer."""
        received, sent, give_up = b"", 0, time.monotonic() + timeout
        with self.connect() as connection:
            for part in _with(head, body):
                connection.settimeout(max(0.1, give_up - time.monotonic()))
                received += _waiting(connection)
                try:
                    connection.sendall(part)
                except OSError:  # closed, or nobody reads any more
                    break
                sent += len(part)
            while time.monotonic() < give_up and not _is_whole(received) and len(received) < ANSWER_BYTES:
                connection.settimeout(max(0.1, give_up - time.monotonic()))
                try:
                    more = connection.recv(65_536)
                except OSError:
                    break
                if not more:
                    break
                received += more
        return _parsed(received, max(0, sent - len(head)))


def _with(head: bytes, body: Iterable[bytes]) -> Iterator[bytes]:
    yield head
    yield from body


def _waiting(connection: socket.socket) -> bytes:
    """What can be read without waiting."""
    with suppress(OSError):
        if select.select([connection], [], [], 0)[0]:
            return connection.recv(65_536)
    return b""


def _is_whole(received: bytes) -> bool:
    """Whether the answer is there with all of its body."""
    head, separator, body = received.partition(b"\r\n\r\n")
    if not separator:
        return False
    fields = dict(_fields(head))
    if fields.get("transfer-encoding", "") == "chunked":
        return body.endswith(b"0\r\n\r\n")
    return len(body) >= int(fields.get("content-length", "0") or 0)


def _parsed(received: bytes, sent: int) -> Answer:
    head, separator, body = received.partition(b"\r\n\r\n")
    line = head.split(b"\r\n", 1)[0].split(b" ")
    if not separator or len(line) < 2 or not line[1].isdigit():
        return Answer(0, (), b"", sent)
    return Answer(int(line[1]), tuple(_fields(head)), body, sent)


def _fields(head: bytes) -> Iterator[tuple[str, str]]:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        yield name.decode("latin-1").strip().lower(), value.decode("latin-1").strip()


def chunked(size: int) -> Iterator[bytes]:
    """A body of `size` bytes in chunks, and its end."""
    for _ in range(0, size, len(PART)):
        yield f"{len(PART):x}\r\n".encode() + PART + b"\r\n"
    yield b"0\r\n\r\n"


def plain(size: int) -> Iterator[bytes]:
    """A body of `size` bytes."""
    for _ in range(0, size, len(PART)):
        yield PART
