"""Replicas without a model: the ingress, and the worker that claims jobs."""

import asyncio
import os
from collections.abc import Callable
from typing import Any, Protocol

from ray import serve

from adapters.ray_serve.own_address import listen_on_own_address
from adapters.ray_serve.read_ahead import TellsWhatItTook
from adapters.ray_serve.serve_logs import adopt_logs

# Whichever replica a process becomes, it has imported this module by the time that it opens its server.
listen_on_own_address()


class Worker(Protocol):
    """Something that works until it is told to stop, and tidies up beside it."""

    async def __call__(self) -> None: ...

    async def maintain(self) -> None: ...

    async def stop(self) -> None: ...


class WorkerReplica:
    """A replica that claims jobs; it holds no model and receives no requests.

    `build` gets the handles of the model deployments by name and returns the worker.
    """

    async def __init__(self, build: Callable[[dict[str, Any]], Worker], handles: dict[str, Any]) -> None:  # type: ignore[misc]  # Serve awaits it
        adopt_logs()
        self._worker = build(handles)
        self._loop = asyncio.create_task(self._worker())
        self._maintenance = asyncio.create_task(self._worker.maintain())

    async def check_health(self) -> None:
        """Serve restarts the replica when its loop has died."""
        for task in (self._loop, self._maintenance):
            if task.done():
                raise RuntimeError("the worker's loop has ended") from task.exception()

    async def process_id(self) -> int:
        """The operating system's id of this replica's process, for measurements and fault tests."""
        return os.getpid()

    async def __del__(self) -> None:
        await self._worker.stop()
        for task in (self._loop, self._maintenance):
            task.cancel()
        await asyncio.gather(self._loop, self._maintenance, return_exceptions=True)


@serve.ingress()
class IngressReplica:
    """A replica that answers HTTP. `build` gets the handles by name and returns the ASGI application.

    `check` raises when it may not serve at all; Serve then shows why the application did not start.
    """

    async def __init__(  # type: ignore[misc]  # Serve awaits it
        self, build: Callable[[dict[str, Any]], Any], handles: dict[str, Any], check: Callable[[], None]
    ) -> None:
        adopt_logs()
        await asyncio.to_thread(check)
        self._asgi = build(handles)
        self._asgi.add_middleware(TellsWhatItTook)

    def __serve_build_asgi_app__(self) -> Any:
        """Serve asks for the application here, inside the replica, so that nothing of it is pickled."""
        return self._asgi

    async def process_id(self) -> int:
        """The operating system's id of this replica's process, for measurements and fault tests."""
        return os.getpid()
