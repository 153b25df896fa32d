"""Warm model replicas. Each loads and warms its engine in the constructor, so ready means warm.

The engines come in as factories: this module knows Ray and no model library.
"""

import asyncio
import logging
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any, Protocol

from ray import serve

from adapters.ray_serve.measuring import measured_language_model
from domain.errors import ModelUnavailable, WordloopError
from domain.failure import places
from domain.rate import EngineRate, RateMeter
from ports.model_backend import CallMeta, GenerateRequest, ModelRequest, RawOutput
from ports.tracer import Tracer

log = logging.getLogger("ray.serve")


class BatchEngine(Protocol):
    """An engine that answers many requests in one pass, on the calling thread."""

    def warm_up(self) -> None: ...

    def sample(self) -> Sequence[Any]:
        """A pass of the usual kind, by which a replica measures how fast the engine is here."""

    def run(self, batch: Sequence[Any]) -> Sequence[RawOutput | WordloopError]: ...


class ConcurrentEngine(Protocol):
    """An engine that batches by itself."""

    async def warm_up(self) -> None: ...

    async def generate(self, request: GenerateRequest, meta: CallMeta) -> RawOutput: ...

    async def check_health(self) -> None: ...

    def shutdown(self) -> None: ...


ENGINE_LOG = "WORDLOOP_ENGINE_LOG"
"""Environment variable naming a file to which replicas append a line per engine call: `start KEY` and `end KEY`.

An audit of what was really computed, kept outside the cache and the database: the fault tests judge by it.
"""


class _ToServe(logging.Handler):
    """Hands a record to whatever handlers Serve's logger has by then: Serve replaces them after the replica has started."""

    def emit(self, record: logging.LogRecord) -> None:
        if log.isEnabledFor(record.levelno):
            log.handle(record)


def adopt_logs() -> None:
    """Send the service's own log lines to Serve's handlers: JSON with request and replica, where the operator looks."""
    for name in ("wordloop", "adapters"):
        own = logging.getLogger(name)
        own.handlers = [_ToServe()]
        own.setLevel(logging.INFO)
        own.propagate = False


class EngineLog:
    """Appends to the file in WORDLOOP_ENGINE_LOG, one write per line, so that lines of many processes stay whole."""

    def __init__(self) -> None:
        path = os.environ.get(ENGINE_LOG)
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600) if path else None

    def write(self, event: str, key: str) -> None:
        """Append one line; nothing when no file was named."""
        if self._file is not None:
            os.write(self._file, f"{event} {key}\n".encode())


Observe = Callable[[], Tracer]
"""Builds the tracer of a replica, inside the replica."""


class BatchedModelReplica:
    """A replica around a `BatchEngine`: gathers requests of all jobs into one pass.

    The engine runs on one thread of its own, so that the event loop keeps answering health checks; one thread also
    keeps passes in order, which native libraries with global state need.
    """

    async def __init__(  # type: ignore[misc]  # Serve awaits it
        self, build: Callable[[], BatchEngine], observe: Observe, max_batch_size: int, batch_wait_s: float
    ) -> None:
        self._log = EngineLog()
        self._tracer = observe()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="engine")
        self._engine = await self._on_thread(build)
        await self._on_thread(self._engine.warm_up)
        self._meter: RateMeter = await self._on_thread(self._measured)
        self._batch.set_max_batch_size(max_batch_size)
        self._batch.set_batch_wait_timeout_s(batch_wait_s)

    async def call(self, request: ModelRequest, meta: CallMeta) -> RawOutput:
        """Answer one request as part of whatever batch is being gathered."""
        self._log.write("start", meta.key)
        with self._tracer.span("replica batch", meta.traceparent, {"wordloop.call.key": meta.key}):
            result: RawOutput | WordloopError = await self._batch(request)
        self._log.write("end", meta.key)
        if isinstance(result, WordloopError):
            raise result
        return result

    @serve.batch(max_batch_size=8, batch_wait_timeout_s=0.02)  # type: ignore[untyped-decorator]
    async def _batch(self, requests: list[ModelRequest]) -> list[Any]:
        try:
            return list(await self._on_thread(self._run, requests))
        except WordloopError as error:
            return [error] * len(requests)
        except Exception as error:
            # A batch must not fail as one: Serve would hand every caller the same foreign exception.
            log.error("engine failed", extra={"batch_size": len(requests), "failure": places(error)})
            return [ModelUnavailable(f"the engine failed with {type(error).__name__}", None)] * len(requests)

    async def rate(self) -> EngineRate | None:
        """How fast this replica works: measured while it warmed up, kept up to date by its passes."""
        return self._meter.current

    async def process_id(self) -> int:
        """The operating system's id of this replica's process, for measurements and fault tests."""
        return os.getpid()

    def _measured(self) -> RateMeter:
        begun = time.perf_counter()
        results = self._engine.run(self._engine.sample())
        rate = EngineRate(_input_units(results) / (time.perf_counter() - begun))
        _log_rate(rate)
        return RateMeter(rate)

    def _run(self, requests: list[ModelRequest]) -> Sequence[RawOutput | WordloopError]:
        begun = time.perf_counter()
        results: Sequence[RawOutput | WordloopError] = self._engine.run(requests)
        self._meter.learn(time.perf_counter() - begun, _input_units(results), calls=len(requests))
        return results

    async def _on_thread(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)


def _log_rate(rate: EngineRate | None) -> None:
    if rate is not None:
        log.info("engine is warm", extra={name: round(value, 2) for name, value in asdict(rate).items()})


def _input_units(results: Sequence[RawOutput | WordloopError]) -> float:
    """Seconds of sound, or tokens, that a pass has read."""
    used = [result.usage for result in results if isinstance(result, RawOutput)]
    return sum(usage.audio_seconds or usage.input_tokens for usage in used)


class ConcurrentModelReplica:
    """A replica around a `ConcurrentEngine`."""

    async def __init__(self, build: Callable[[], ConcurrentEngine], observe: Observe) -> None:  # type: ignore[misc]  # Serve awaits it
        self._log = EngineLog()
        self._tracer = observe()
        self._engine = build()
        await self._engine.warm_up()
        self._meter = RateMeter(await measured_language_model(self._engine.generate))
        self._active = self._begun = 0
        _log_rate(self._meter.current)

    async def call(self, request: GenerateRequest, meta: CallMeta) -> RawOutput:
        """Answer one request; cancelling it aborts the generation inside the engine."""
        self._log.write("start", meta.key)
        with self._tracer.span("replica generate", meta.traceparent, {"wordloop.call.key": meta.key}):
            output = await self._timed(request, meta)
        self._log.write("end", meta.key)
        return output

    async def rate(self) -> EngineRate | None:
        """How fast this replica works: measured while it warmed up, kept up to date by calls that had it for themselves."""
        return self._meter.current

    async def _timed(self, request: GenerateRequest, meta: CallMeta) -> RawOutput:
        self._active += 1
        self._begun += 1
        place, alone, begun = self._begun, self._active == 1, time.perf_counter()
        try:
            output = await self._engine.generate(request, meta)
        finally:
            self._active -= 1
        if alone and place == self._begun:
            used = output.usage
            self._meter.learn(time.perf_counter() - begun, used.input_tokens - used.cached_input_tokens, used.output_tokens)
        return output

    async def check_health(self) -> None:
        """Serve restarts the replica when this raises."""
        await self._engine.check_health()

    async def process_id(self) -> int:
        """The operating system's id of this replica's process, for measurements and fault tests."""
        return os.getpid()

    async def __del__(self) -> None:
        await asyncio.to_thread(self._engine.shutdown)


class Worker(Protocol):
    """Something that works until it is told to stop, and tidies up beside it."""

    async def __call__(self) -> None: ...

    async def keep_house(self) -> None: ...

    async def stop(self) -> None: ...


class WorkerReplica:
    """A replica that claims jobs; it holds no model and receives no requests.

    `build` gets the handles of the model deployments by name and returns the worker.
    """

    async def __init__(self, build: Callable[[dict[str, Any]], Worker], handles: dict[str, Any]) -> None:  # type: ignore[misc]  # Serve awaits it
        adopt_logs()
        self._worker = build(handles)
        self._loop = asyncio.create_task(self._worker())
        self._house = asyncio.create_task(self._worker.keep_house())

    async def check_health(self) -> None:
        """Serve restarts the replica when its loop has died."""
        for task in (self._loop, self._house):
            if task.done():
                raise RuntimeError("the worker's loop has ended") from task.exception()

    async def process_id(self) -> int:
        """The operating system's id of this replica's process, for measurements and fault tests."""
        return os.getpid()

    async def __del__(self) -> None:
        await self._worker.stop()
        for task in (self._loop, self._house):
            task.cancel()
        await asyncio.gather(self._loop, self._house, return_exceptions=True)


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

    def __serve_build_asgi_app__(self) -> Any:
        """Serve asks for the application here, inside the replica, so that nothing of it is pickled."""
        return self._asgi

    async def process_id(self) -> int:
        """The operating system's id of this replica's process, for measurements and fault tests."""
        return os.getpid()
