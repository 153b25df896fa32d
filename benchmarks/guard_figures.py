"""What the guard around a model call costs and saves: a scripted model that answers at once, so that all time is the guard's."""

import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from adapters.guard import DEFAULT_PRICES, CallGuard, GuardedEmbedder, GuardSettings, build_guard
from adapters.guard.settings import BreakerSettings, BudgetSettings, Limits, RateSettings, RetrySettings
from adapters.memory import MemoryBudgetLedger, MemoryCallCache
from adapters.scripted import ScriptedBackend
from adapters.sql import SqlStore
from adapters.telemetry import build_telemetry
from domain.call import CallContext, Usage
from domain.errors import BudgetExceeded, CircuitOpen, WordloopError
from ports.call_cache import CallCache
from ports.call_metering import BudgetLedger
from ports.embedder import InputType
from ports.model_backend import CallMeta, EmbedRequest, RawOutput
from serve_app.composition.clock import SystemClock

CALLS = 2000
CALLERS = 64
DISTINCT = 10
WARM_UP = 200
UNLIMITED = RateSettings(calls_per_s=1e9, burst=10**9)
ANSWER = RawOutput({"vectors": [[1.0, 0.0]]}, Usage(input_tokens=3))
TOKENS_LIMIT = 3000.0

Figures = dict[str, Any]


def guard() -> Figures:
    """Overhead of the guard per call, calls saved under duplicate load, the breaker's reaction, and exactness of budgets."""
    with _sqlite() as store:
        return {
            **asyncio.run(_overhead("memory", MemoryCallCache(SystemClock()), MemoryBudgetLedger())),
            **asyncio.run(_overhead("SQLite", store.calls, store.ledger)),
            **asyncio.run(_duplicates(store)),
            **asyncio.run(_breaker()),
            **asyncio.run(_budgets(store.ledger)),
        }


@contextmanager
def _sqlite() -> Iterator[SqlStore]:
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder)}/guard.db"
        SqlStore.migrate(url)
        store = SqlStore.open(url, SystemClock())
        yield store
        store.close()


def _guard(settings: GuardSettings, cache: CallCache, ledger: BudgetLedger) -> CallGuard:
    return build_guard(
        settings,
        cache=cache,
        ledger=ledger,
        prices=DEFAULT_PRICES,
        clock=SystemClock(),
        telemetry=build_telemetry().telemetry,
        owner="bench",
        random=random.Random(0),
    )


async def _overhead(kind: str, cache: CallCache, ledger: BudgetLedger) -> Figures:
    backend = ScriptedBackend(clock=SystemClock(), otherwise=ANSWER)
    embedder = GuardedEmbedder(backend, _guard(GuardSettings(rate=UNLIMITED), cache, ledger), dimensions=2)
    request = EmbedRequest(("text",), {})

    async def bare(_: int) -> object:
        return await backend.call(request, CallMeta(), 1.0)

    async def guarded(number: int) -> object:
        return await embedder.embed([f"text {number}"], InputType.DOCUMENT, CallContext())

    for number in range(WARM_UP):
        await guarded(-1 - number)
    alone, _ = await _each(bare)
    miss, miss_cpu = await _each(guarded)
    hit, hit_cpu = await _each(guarded)
    asked = len(backend.asked)
    assert asked == WARM_UP + 2 * CALLS, "every miss reaches the model once and no hit does"
    return {
        f"{kind}: scripted model alone, ms p50": 1000 * statistics.median(alone),
        f"{kind}: miss, ms p50 above it (aim < 1 in memory)": 1000 * (statistics.median(miss) - statistics.median(alone)),
        f"{kind}: miss, ms p99": 1000 * statistics.quantiles(miss, n=100)[98],
        f"{kind}: miss, CPU ms": 1000 * miss_cpu,
        f"{kind}: hit, ms p50": 1000 * statistics.median(hit),
        f"{kind}: hit, CPU ms (aim < 0.3 in memory)": 1000 * hit_cpu,
    }


async def _each(call: Callable[[int], Awaitable[object]]) -> tuple[list[float], float]:
    """Seconds of each of `CALLS` calls, one after another, and CPU seconds of this process per call."""
    seconds = []
    cpu = time.process_time()
    for number in range(CALLS):
        begun = time.perf_counter()
        await call(number)
        seconds.append(time.perf_counter() - begun)
    return seconds, (time.process_time() - cpu) / CALLS


async def _duplicates(store: SqlStore) -> Figures:
    """`CALLERS` callers ask for the same few texts in another order each; two guards share the store as two processes would."""
    backend = ScriptedBackend(clock=SystemClock(), otherwise=ANSWER)
    settings = GuardSettings(rate=UNLIMITED)
    ports = [GuardedEmbedder(backend, _guard(settings, store.calls, store.ledger), dimensions=2) for _ in range(2)]

    async def caller(number: int) -> None:
        order = list(range(DISTINCT))
        random.Random(number).shuffle(order)
        for text in order:
            await ports[number % 2].embed([f"shared {text}"], InputType.DOCUMENT, CallContext())

    await asyncio.gather(*(caller(number) for number in range(CALLERS)))
    return {
        "duplicates: calls asked for": CALLERS * DISTINCT,
        "duplicates: calls made": len(backend.asked),
        "duplicates: share saved": 1 - len(backend.asked) / (CALLERS * DISTINCT),
    }


async def _breaker() -> Figures:
    """A backend dies, then comes back: what gets through meanwhile."""
    from domain.errors import ModelUnavailable

    broken = ModelUnavailable("gone", None)
    state = {"line": broken}
    backend = ScriptedBackend(clock=SystemClock(), otherwise=lambda _: state["line"])
    settings = GuardSettings(rate=UNLIMITED, breaker=BreakerSettings(open_first_s=0.5), retry=RetrySettings(max_tries=1))
    embedder = GuardedEmbedder(backend, _guard(settings, MemoryCallCache(SystemClock()), MemoryBudgetLedger()), dimensions=2)

    async def ask(number: int) -> str:
        try:
            await embedder.embed([f"breaker {number}"], InputType.DOCUMENT, CallContext())
        except CircuitOpen:
            return "refused"
        except WordloopError:
            return "failed"
        return "answered"

    begun = time.perf_counter()
    number = 0
    while await ask(number) != "refused":
        number += 1
    reacted = time.perf_counter() - begun
    before = len(backend.asked)
    await asyncio.sleep(0.6)
    await asyncio.gather(*(ask(1000 + each) for each in range(50)))
    probes = len(backend.asked) - before
    state["line"] = ANSWER  # type: ignore[assignment]
    begun = time.perf_counter()
    number = 2000
    while await ask(number) != "answered":
        number += 1
        await asyncio.sleep(0.005)
    return {
        "breaker: failed calls before it opens": before,
        "breaker: ms from first failure to first refusal": 1000 * reacted,
        "breaker: of 50 callers at once, let through half open (aim 1)": probes,
        "breaker: s until calls pass after recovery (open for 1 s by then)": time.perf_counter() - begun,
    }


async def _budgets(ledger: BudgetLedger) -> Figures:
    """`CALLERS` callers at once share a budget that covers a part of what they want."""
    backend = ScriptedBackend(clock=SystemClock(), otherwise=ANSWER)
    settings = GuardSettings(rate=UNLIMITED, budget=BudgetSettings(period="ever", per_tenant=Limits(tokens=TOKENS_LIMIT)))
    embedder = GuardedEmbedder(backend, _guard(settings, MemoryCallCache(SystemClock()), ledger), dimensions=2)

    async def caller(number: int) -> tuple[int, int]:
        answered = refused = 0
        for each in range(20):
            try:
                await embedder.embed([f"budget {number} {each}"], InputType.DOCUMENT, CallContext(tenant="bench"))
                answered += 1
            except BudgetExceeded:
                refused += 1
        return answered, refused

    counts = await asyncio.gather(*(caller(number) for number in range(CALLERS)))
    answered = sum(count for count, _ in counts)
    left = await embedder._guard.budget_left("bench")
    used = 3.0 * answered
    return {
        "budget: limit, tokens": TOKENS_LIMIT,
        "budget: used by the answered calls, tokens": used,
        "budget: refused calls": sum(count for _, count in counts),
        "budget: error of what is left, tokens (aim 0)": left.tokens - (TOKENS_LIMIT - used),
        "budget: used beyond the limit, tokens (aim 0)": max(0.0, used - TOKENS_LIMIT),
    }
