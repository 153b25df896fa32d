"""Connections that go to exactly the address that was judged: no second look-up for a name to change its mind in."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence

import httpcore

from adapters.outbound.policy import AddressPolicy

MOST_DIALLED = 3
"""Addresses of one name that are tried before giving up."""

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Returns the IP addresses of a host name. Raises OSError."""


async def system_resolver(host: str, port: int) -> Sequence[str]:
    """Ask the system, off the event loop."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Resolves a name once, refuses it when any of its addresses is not public, and dials the addresses it has judged.

    The name stays the one that TLS checks the certificate against. `dial` makes the connections.
    """

    def __init__(self, policy: AddressPolicy, resolve: Resolve, dial: httpcore.AsyncNetworkBackend) -> None:
        self._policy = policy
        self._resolve = resolve
        self._dial = dial

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        numbers = await self._judged(host, port, timeout)
        failure: Exception = httpcore.ConnectError("The name leads nowhere.")
        for number in numbers[:MOST_DIALLED]:
            try:
                return await self._dial.connect_tcp(number, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    async def _judged(self, host: str, port: int, timeout: float | None) -> Sequence[str]:
        try:
            async with asyncio.timeout(timeout):
                numbers = await self._resolve(host, port)
        except (OSError, UnicodeError, TimeoutError) as error:
            raise httpcore.ConnectError("The name can not be resolved.") from error
        if f"{host}:{port}" not in self._policy.trusted:
            for number in numbers:
                self._policy.check_number(number)
        return numbers

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None
    ) -> httpcore.AsyncNetworkStream:
        raise httpcore.ConnectError("Nothing is reached by a path.")

    async def sleep(self, seconds: float) -> None:
        await self._dial.sleep(seconds)
