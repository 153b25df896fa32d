"""Engines in this process as a `ModelBackend`: what evaluations and small tools use in place of replicas."""

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from domain.call import ModelIdentity
from domain.errors import ModelTimeout, ModelUnavailable, WordloopError
from domain.failure import stack_of
from domain.waiting_line import WaitingLine
from ports.model_backend import CallMeta, GenerateRequest, ModelBackend, ModelRequest, RawOutput, left_of

log = logging.getLogger(__name__)


class Engine(Protocol):
    """An engine that answers many requests in one pass, on the calling thread."""

    def run(self, batch: Sequence[Any]) -> Sequence[RawOutput | WordloopError]: ...


class ConcurrentEngine(Protocol):
    """An engine that batches by itself, on the event loop that built it."""

    async def generate(self, request: GenerateRequest, meta: CallMeta) -> RawOutput: ...


class InProcessBackend(ModelBackend):
    """Takes up to `batch_size` waiting requests into every pass of `engine`, on one thread, in the order that a replica does."""

    def __init__(self, engine: Engine, identity: ModelIdentity, batch_size: int) -> None:
        self._engine = engine
        self._identity = identity
        self._batch_size = batch_size
        self._line: WaitingLine[tuple[ModelRequest, asyncio.Future[RawOutput]]] = WaitingLine()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="engine")
        self._runner: asyncio.Task[None] | None = None

    @property
    def identity(self) -> ModelIdentity:
        return self._identity

    @property
    def name(self) -> str:
        return "in_process"

    async def call(self, request: ModelRequest, meta: CallMeta, timeout_s: float) -> RawOutput:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[RawOutput] = loop.create_future()
        self._line.put((request, answer), left_of(request), loop.time())
        if self._runner is None or self._runner.done():
            self._runner = asyncio.create_task(self._run())
        try:
            async with asyncio.timeout(timeout_s):
                return await answer
        except TimeoutError as error:
            raise ModelTimeout(f"no answer within {timeout_s:.1f} s") from error

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while self._line:
            batch = [entry for entry in self._line.take(self._batch_size) if not entry[1].done()]
            if not batch:
                continue
            try:
                results = await loop.run_in_executor(self._thread, self._engine.run, [request for request, _ in batch])
            except WordloopError as error:
                results = [error] * len(batch)
            except Exception as error:
                # Whatever a library raises, every caller of the batch hears of it, as from a replica.
                log.error("engine failed", extra={"batch_size": len(batch), "failure": stack_of(error)})
                results = [ModelUnavailable(f"the engine failed with {type(error).__name__}", None)] * len(batch)
            for (_, answer), result in zip(batch, results, strict=True):
                if answer.done():
                    continue
                if isinstance(result, WordloopError):
                    answer.set_exception(result)
                else:
                    answer.set_result(result)


class ConcurrentInProcessBackend(ModelBackend):
    """Hands every request to an engine that batches by itself; what a library raises becomes ModelUnavailable."""

    def __init__(self, engine: ConcurrentEngine, identity: ModelIdentity) -> None:
        self._engine = engine
        self._identity = identity

    @property
    def identity(self) -> ModelIdentity:
        return self._identity

    @property
    def name(self) -> str:
        return "in_process"

    async def call(self, request: ModelRequest, meta: CallMeta, timeout_s: float) -> RawOutput:
        if not isinstance(request, GenerateRequest):
            raise TypeError(f"a language model takes no {type(request).__name__}")
        try:
            async with asyncio.timeout(timeout_s):
                return await self._engine.generate(request, meta)
        except WordloopError:
            raise
        except TimeoutError as error:
            raise ModelTimeout(f"no answer within {timeout_s:.1f} s") from error
        except Exception as error:
            log.exception("engine failed")
            raise ModelUnavailable(f"the engine failed with {type(error).__name__}", None) from error
