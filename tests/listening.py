"""What processes are and what they listen on, while any of them may end."""

from collections.abc import Iterable
from contextlib import suppress
from ipaddress import ip_address
from typing import NamedTuple

import psutil


class Listening(NamedTuple):
    """An open TCP port, and whose it is."""

    process: str
    ip: str
    port: int

    @property
    def on_loopback(self) -> bool:
        """Whether other machines are kept out. An IPv6 socket shows an IPv4 address in IPv6's way."""
        return ip_address(self.ip.removeprefix("::ffff:")).is_loopback


def title_of(process: psutil.Process) -> str:
    """What a process is called, Serve's replicas by their deployment; nothing of one that has ended."""
    try:
        return " ".join([process.name(), *process.cmdline()])
    except psutil.Error:
        return ""


def listening(processes: Iterable[psutil.Process]) -> set[Listening]:
    """Every TCP port that one of the processes listens on; those of a process that ends meanwhile are left out."""
    found = set()
    for process in processes:
        # The system's own error comes through where the process ends between two looks into /proc.
        with suppress(psutil.Error, FileNotFoundError, ProcessLookupError):
            ports = [each.laddr for each in process.net_connections("tcp") if each.status == psutil.CONN_LISTEN]
            found |= {Listening(process.name(), at.ip, at.port) for at in ports}
    return found
