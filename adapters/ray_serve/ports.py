"""The TCP ports of one service, kept apart from those of every other service on the machine."""

import random
import socket

from domain.errors import WordloopError

FIRST, LAST = 20_000, 29_999
"""Below the range that the kernel gives out itself: Ray's processes take dozens of those, at any moment."""
BLOCK = 200
"""Ports of one service: more than the ingress replicas that any one machine runs."""
ANYWHERE = "0.0.0.0"  # noqa: S104 - HAProxy's statistics and metrics listen there


class PortTaken(WordloopError):
    """The port asked for belongs to another process, or none is left."""


def check_port(host: str, port: int) -> None:
    """Raise PortTaken, with what to do, when somebody listens on the port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise PortTaken(f"port {port} on {host} is taken; choose another with --port, or 0 for a free one") from error


class PortBlock:
    """`BLOCK` neighbouring ports; no other service takes one of them until `close` or until this process ends.

    The first of them is the mark: a socket that is bound to it and never listens.
    """

    def __init__(self) -> None:
        self._mark = self._claim()
        self._next: int = self._mark.getsockname()[1] + 1
        self.last = self._next + BLOCK - 2

    def take(self) -> int:
        """Return the next port that nobody listens on. Raises PortTaken when the block is used up."""
        while self._next <= self.last:
            port, self._next = self._next, self._next + 1
            try:
                check_port(ANYWHERE, port)
                return port
            except PortTaken:
                continue
        raise PortTaken(f"all {BLOCK} ports up to {self.last} are taken")

    def rest(self) -> tuple[int, int]:
        """Return the first and the last of the ports that `take` has left, and leave none."""
        first, self._next = self._next, self.last + 1
        return first, self.last

    def close(self) -> None:
        self._mark.close()

    @staticmethod
    def _claim() -> socket.socket:
        for first in random.sample(range(FIRST, LAST + 1, BLOCK), k=(LAST + 1 - FIRST) // BLOCK):
            # Without SO_REUSEADDR: with it the kernel lets two sockets share a port on which neither listens.
            mark = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            try:
                mark.bind((ANYWHERE, first))
                return mark
            except OSError:
                mark.close()
        raise PortTaken(f"no {BLOCK} neighbouring ports between {FIRST} and {LAST} are free")
