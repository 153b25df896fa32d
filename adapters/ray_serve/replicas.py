"""Warm model replicas. Each loads and warms its engine in the constructor, so ready means warm; each watches its own engine.

The engines come in as factories: this module knows Ray and no model library.
"""

import asyncio
import logging
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from typing import Any, Protocol, TypeAlias

from adapters.ray_serve.engine_log import EngineLog
from adapters.ray_serve.health_rules import HealthRules
from adapters.ray_serve.instruments import RayInstruments
from adapters.ray_serve.measuring import measured_language_model
from adapters.ray_serve.own_address import listen_on_own_address
from adapters.ray_serve.replica_health import ReplicaHealth
from adapters.ray_serve.replica_work import ReplicaWork
from adapters.ray_serve.scaling import ReplicaLoad
from adapters.ray_serve.stopwatch import QuietStopwatch
from domain.call import Usage
from domain.errors import ModelUnavailable, WordloopError
from domain.failure import stack_of
from domain.rate import EngineRate, RateMeter
from domain.waiting_line import WaitingLine
from ports.model_backend import CallMeta, GenerateRequest, ModelRequest, RawOutput, left_of
from ports.tracer import Tracer

log = logging.getLogger("ray.serve")
CALL_KEY = "wordloop.call.key"
# Whichever replica a process becomes, it has imported this module by the time that it opens its server.
listen_on_own_address()


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


_Waiting: TypeAlias = tuple[ModelRequest, str, "asyncio.Future[RawOutput | WordloopError]"]
"""What is asked, the key of the call, and where its answer goes."""
Observe = Callable[[], Tracer]
"""Builds the tracer of a replica, inside the replica."""


class BatchedModelReplica:
    """A replica around a `BatchEngine`: gathers requests of all jobs into one pass.

    The engine has one thread of its own: the event loop keeps answering health checks, and passes stay in order.
    """

    async def __init__(  # type: ignore[misc]  # Serve awaits it
        self,
        build: Callable[[], BatchEngine],
        observe: Observe,
        health: HealthRules,
        max_batch_size: int,
        batch_wait_s: float,
    ) -> None:
        began = time.perf_counter()
        self._log = EngineLog()
        self._tracer = observe()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="engine")
        self._engine = await self._on_thread(build)
        await self._on_thread(self._engine.warm_up)
        self._meter: RateMeter = await self._on_thread(self._measured, began)
        self._load = ReplicaLoad()
        self._work = ReplicaWork(RayInstruments(), self._load)
        self._health = ReplicaHealth(health)
        self._line: WaitingLine[_Waiting] = WaitingLine()
        self._max_batch_size, self._batch_wait_s = max_batch_size, batch_wait_s
        self._passes: asyncio.Task[None] | None = None

    async def call(self, request: ModelRequest, meta: CallMeta) -> RawOutput:
        """Answer one request as part of whatever batch is being gathered."""
        self._log.write("start", meta.key)
        with self._load.holding(request), self._tracer.span("replica batch", meta.traceparent, {CALL_KEY: meta.key}):
            result = await self._health.unless_hung(self._answered(request, meta.key))
        self._log.write("end", meta.key)
        if isinstance(result, WordloopError):
            raise result
        return result

    async def _answered(self, request: ModelRequest, key: str) -> RawOutput | WordloopError:
        """Wait in line for a pass; who gives up leaves the line."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[RawOutput | WordloopError] = loop.create_future()
        self._line.put((request, key, answer), left_of(request), loop.time())
        if self._passes is None or self._passes.done():
            self._passes = asyncio.create_task(self._make_passes())
        return await answer

    async def _make_passes(self) -> None:
        """Serve the line until nobody waits. The first pass gathers for a moment, the others did during the one before."""
        await asyncio.sleep(self._batch_wait_s)
        while self._line:
            batch = [waiting for waiting in self._line.take(self._max_batch_size) if not waiting[2].done()]
            if not batch:
                continue
            results = await self._pass([request for request, _, _ in batch], batch[0][1])
            for (request, key, answer), result in zip(batch, results, strict=True):
                if isinstance(result, RawOutput):
                    self._health.judge(request, result, key)
                if not answer.done():
                    answer.set_result(result)

    async def _pass(self, requests: list[ModelRequest], first: str) -> list[RawOutput | WordloopError]:
        """Run a pass. One that fails is one bad sign, under the key of its first call: one input can break it for all."""
        number = self._health.watch.begin()
        try:
            results = list(await self._on_thread(self._run, requests))
            if len(results) != len(requests):
                raise ValueError(f"{len(results)} answers to {len(requests)} requests")
            return results
        except WordloopError as error:
            return [error] * len(requests)
        except Exception as error:
            # Whatever a library raises, every caller of the batch hears of it as one of our errors.
            log.error("engine failed", extra={"batch_size": len(requests), "failure": stack_of(error)})
            self._health.watch.bad(first)
            return [ModelUnavailable(f"the engine failed with {type(error).__name__}", None)] * len(requests)
        finally:
            self._health.watch.answered(number)

    async def rate(self) -> EngineRate | None:
        """How fast this replica works: measured while it warmed up, kept up to date by its passes."""
        return self._meter.current

    async def check_health(self) -> None:
        """Serve replaces the replica when this raises three times in a row."""
        await self._health.check()

    async def record_autoscaling_stats(self) -> dict[str, float]:
        """Serve's controller asks, for `WorkPolicy`."""
        return self._load.told()

    async def process_id(self) -> int:
        """The operating system's id of this replica's process, for measurements and fault tests."""
        return os.getpid()

    def _measured(self, began: float) -> RateMeter:
        stopwatch = QuietStopwatch()
        results = self._engine.run(self._engine.sample())
        rate = EngineRate(_input_units(results) / stopwatch.seconds(), loads_s=time.perf_counter() - began)
        _log_rate(rate)
        return RateMeter(rate)

    def _run(self, requests: list[ModelRequest]) -> Sequence[RawOutput | WordloopError]:
        begun, results = time.perf_counter(), list[RawOutput | WordloopError]()
        self._work.begin()
        try:
            results = list(self._engine.run(requests))
        finally:
            self._work.end(*_used(results))
        self._meter.learn(time.perf_counter() - begun, _input_units(results), calls=len(requests))
        return results

    async def _on_thread(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)


def _log_rate(rate: EngineRate | None) -> None:
    if rate is not None:
        log.info("engine is warm", extra={name: round(value, 2) for name, value in asdict(rate).items()})


def _input_units(results: Sequence[RawOutput | WordloopError]) -> float:
    """Seconds of sound, or tokens, that a pass has read."""
    return sum(usage.audio_seconds or usage.input_tokens for usage in _used(results))


def _used(results: Sequence[RawOutput | WordloopError]) -> list[Usage]:
    return [result.usage for result in results if isinstance(result, RawOutput)]


class ConcurrentModelReplica:
    """A replica around a `ConcurrentEngine`."""

    async def __init__(  # type: ignore[misc]  # Serve awaits it
        self, build: Callable[[], ConcurrentEngine], observe: Observe, health: HealthRules
    ) -> None:
        began = time.perf_counter()
        self._log = EngineLog()
        self._tracer = observe()
        self._engine = build()
        await self._engine.warm_up()
        measured = await measured_language_model(self._engine.generate)
        self._meter = RateMeter(replace(measured, loads_s=time.perf_counter() - began))
        self._load = ReplicaLoad()
        self._work = ReplicaWork(RayInstruments(), self._load)
        self._health = ReplicaHealth(health)
        self._active = self._begun = 0
        _log_rate(self._meter.current)

    async def call(self, request: GenerateRequest, meta: CallMeta) -> RawOutput:
        """Answer one request; cancelling it aborts the generation inside the engine."""
        self._log.write("start", meta.key)
        with self._load.holding(request), self._tracer.span("replica generate", meta.traceparent, {CALL_KEY: meta.key}):
            output = await self._health.unless_hung(self._watched(request, meta))
        self._log.write("end", meta.key)
        return output

    async def _watched(self, request: GenerateRequest, meta: CallMeta) -> RawOutput:
        """Make a call, and tell the watchdog what became of it."""
        watch = self._health.watch
        number = watch.begin()
        try:
            output = await self._timed(request, meta)
        except asyncio.CancelledError:
            watch.given_up(number)
            raise
        except Exception as error:
            watch.answered(number)
            if not isinstance(error, WordloopError) or isinstance(error, ModelUnavailable):
                watch.bad(meta.key)
            raise
        watch.answered(number)
        self._health.judge(request, output, meta.key)
        return output

    async def rate(self) -> EngineRate | None:
        """How fast this replica works: measured while it warmed up, kept up to date by calls that had it for themselves."""
        return self._meter.current

    async def _timed(self, request: GenerateRequest, meta: CallMeta) -> RawOutput:
        self._active += 1
        self._begun += 1
        begun_before, alone, begun, used = self._begun, self._active == 1, time.perf_counter(), list[Usage]()
        self._work.begin()
        try:
            output = await self._engine.generate(request, meta)
            used.append(output.usage)
        finally:
            self._active -= 1
            self._work.end(*used)
        if alone and begun_before == self._begun:
            read = output.usage.input_tokens - output.usage.cached_input_tokens
            self._meter.learn(time.perf_counter() - begun, read, output.usage.output_tokens)
        return output

    async def check_health(self) -> None:
        """Serve replaces the replica when this raises three times in a row."""
        await self._health.check()
        await self._engine.check_health()

    async def record_autoscaling_stats(self) -> dict[str, float]:
        """Serve's controller asks, for `WorkPolicy`."""
        return self._load.told()

    async def process_id(self) -> int:
        """The operating system's id of this replica's process, for measurements and fault tests."""
        return os.getpid()

    async def __del__(self) -> None:
        await asyncio.to_thread(self._engine.shutdown)
