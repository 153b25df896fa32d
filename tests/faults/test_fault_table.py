"""The table in docs/faults.md, row by row: each fault for each kind of call, on each store."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from adapters.guard import GuardSettings
from adapters.guard.answers import is_refusal
from adapters.guard.settings import AttemptTimeouts
from adapters.http.common.problems import KINDS, of_domain
from adapters.redis_calls import RedisCallBoard, RedisCalls
from adapters.scripted import Delayed, stretches
from adapters.sql import SqlStore
from domain.call import CallContext
from domain.entailment import Claim
from domain.errors import (
    InvalidModelOutput,
    ModelOverloaded,
    ModelRejected,
    ModelUnavailable,
    RateLimited,
    StorageFailed,
    WordloopError,
)
from domain.finding import Line
from domain.speakers import Stretch
from ports.call_cache import Claimed, InFlight
from ports.embedder import InputType
from ports.transcriber import TranscriptionOptions
from serve_app.composition.clock import SystemClock
from tests.guarded import Bench, heard, judged, prompt, read, reading, segment, vectors, window, written

TABLE = Path(__file__).parents[2] / "docs" / "faults.md"
HERE = CallContext(tenant="acme", job_id="job_1", conversation_id="conversation_1")
CLAIM_S, REFUSAL_S = 1.0, 2.0
SETTINGS = GuardSettings(
    timeouts={"transcribe": 0.5, "generate": 0.5, "embed": 0.5, "find": 0.5, "entail": 0.5, "diarize": 0.5},
    retry={"base_s": 0.001, "cap_s": 0.01, "max_tries": 2},
    rate={"max_wait_s": 0, "burst": 50},
    breaker={"min_failures": 2, "open_first_s": 1.5},
    bulkhead={"max_concurrent": 1, "max_waiting": 0, "max_wait_s": 0.1},
    cache={"claim_s": CLAIM_S, "refusal_s": REFUSAL_S},
    budget={"per_tenant": {"tokens": 100_000, "audio_seconds": 10_000}},
)
FULL = (100_000, 10_000)


@dataclass(frozen=True)
class Row:
    """A row of the table. `sees` is a problem's code, `answer` or `cancelled`."""

    sees: str
    status: str
    stored: str
    budget: str


def rows() -> dict[str, Row]:
    found = {}
    for line in TABLE.read_text().splitlines():
        if named := re.match(r"\| `([a-z-]+)`", line):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            found[named[1]] = Row(cells[1].strip("`"), cells[2], cells[3], cells[4])
    return found


@dataclass(frozen=True)
class Kind:
    """One of the model ports: how it is asked, a good answer and one that breaks a rule."""

    ask: Callable[[Bench, Any, CallContext], Awaitable[Any]]
    good: Any
    bad: Any


KINDS_OF_CALL = {
    "transcribe": Kind(
        lambda bench, backend, here: bench.transcriber(backend).transcribe(window(2.0), TranscriptionOptions(), here),
        heard(segment()),
        heard(segment(0.0, 9.0)),
    ),
    "generate": Kind(
        lambda bench, backend, here: bench.language_model(backend).generate(prompt(), here),
        written('{"title": "x"}'),
        written("{}"),
    ),
    "embed": Kind(
        lambda bench, backend, here: bench.embedder(backend).embed(["one", "two"], InputType.DOCUMENT, here),
        vectors([1.0, 0.0], [0.6, 0.8]),
        vectors([1.0, 0.0]),
    ),
    "find": Kind(
        lambda bench, backend, here: bench.item_finder(backend).find([Line("Ann", "We go."), Line(None, "Good.")], here),
        read(reading(), reading()),
        read(reading()),
    ),
    "entail": Kind(
        lambda bench, backend, here: bench.entailment(backend).judge([Claim((Line("Ann", "We go."),), "They go.")], here),
        judged(0.9),
        judged(1.5),
    ),
    "diarize": Kind(
        lambda bench, backend, here: bench.diarizer(backend).listen(window(2.0).pcm, here),
        stretches(Stretch(0.0, 1.0, 0, (0.6, 0.8), 1.0)),
        stretches(Stretch(0.0, 9.0, 0)),
    ),
}


class Away:
    """A real store behind a door: while a verb is in `shut`, it fails as the adapter does when its server is away."""

    def __init__(self, store: Any) -> None:
        self.store = store
        self.shut: set[str] = set()

    def __getattr__(self, verb: str) -> Any:
        method = getattr(self.store, verb)

        async def through(*arguments: Any) -> Any:
            if verb in self.shut:
                raise StorageFailed("away")
            return await method(*arguments)

        return through


class Shop:
    """One process with a guard over a scripted backend and a real store, and what a test may do to them."""

    def __init__(self, kind: Kind, calls: Any, ledger: Any, board: Any) -> None:
        self.kind, self.calls, self.ledger, self.board = kind, Away(calls), Away(ledger), Away(board)
        self.script: list[Any] = []
        self.bench = self.another(SETTINGS)
        self.backend = self.bench.backend(otherwise=self._next)

    def another(self, settings: GuardSettings, owner: str = "process-1") -> Bench:
        """A guard over the same stores."""
        return Bench(SystemClock(), settings, cache=self.calls, ledger=self.ledger, board=self.board, owner=owner)

    def _next(self, request: object) -> Any:
        return self.script.pop(0) if self.script else self.kind.good

    def says(self, *lines: Any) -> None:
        self.script = list(lines)

    async def ask(self, here: CallContext = HERE, bench: Bench | None = None) -> Any:
        async with asyncio.timeout(20):
            return await self.kind.ask(bench or self.bench, self.backend, here)

    async def place(self) -> tuple[str, str]:
        """Scope and key of the call, read off the last attempt that reached the backend, or off one made for it."""
        if not self.backend.asked:
            answer = await self.kind.ask(Bench(SystemClock(), SETTINGS), self.backend, HERE)
            self.backend.asked.clear()
            return HERE.cache_scope, answer.provenance.key
        return HERE.cache_scope, self.backend.asked[-1].meta.key


Fault = Callable[[Shop], Awaitable[Any]]
FAULTS: dict[str, Fault] = {}


def fault(name: str) -> Callable[[Fault], Fault]:
    def register(function: Fault) -> Fault:
        FAULTS[name] = function
        return function

    return register


DOWN = ModelUnavailable("down", None)


@fault("fails-once")
async def _(shop: Shop) -> Any:
    shop.says(DOWN)
    answer = await shop.ask()
    assert answer.provenance.attempts == 2
    return answer


@fault("down")
async def _(shop: Shop) -> Any:
    shop.says(DOWN, DOWN)
    return await shop.ask()


@fault("breaker-open")
async def _(shop: Shop) -> Any:
    shop.says(*[DOWN] * 4)
    for _ in range(2):
        with pytest.raises(ModelUnavailable):
            await shop.ask()
    asked = len(shop.backend.asked)
    try:
        return await shop.ask()
    finally:
        assert len(shop.backend.asked) == asked
        await asyncio.sleep(1.6)  # the open time


@fault("provider-limits")
async def _(shop: Shop) -> Any:
    # Longer than a retry waits for, so that it is passed on; short enough to see it pass.
    shop.bench = shop.another(
        SETTINGS.model_copy(update={"retry": SETTINGS.retry.model_copy(update={"retry_after_most_s": 0.1})})
    )
    shop.says(RateLimited("quota", 0.5))
    with pytest.raises(RateLimited):
        await shop.ask()
    asked = len(shop.backend.asked)
    try:
        return await shop.ask()
    finally:
        assert len(shop.backend.asked) == asked == 1
        await asyncio.sleep(0.6)


@fault("too-many")
async def _(shop: Shop) -> Any:
    # A place comes back after two seconds: a store on a busy machine must not take that long between the two calls.
    narrow = SETTINGS.rate.model_copy(update={"burst": 1, "calls_per_s": 0.5})
    shop.bench = shop.another(SETTINGS.model_copy(update={"rate": narrow}))
    shop.says(ModelRejected("no"))
    with pytest.raises(ModelRejected):
        await shop.ask()
    try:
        return await shop.ask()
    finally:
        await asyncio.sleep(2.1)


@fault("overloaded")
async def _(shop: Shop) -> Any:
    shop.says(ModelOverloaded("full", None), ModelOverloaded("full", None))
    return await shop.ask()


@fault("crowded")
async def _(shop: Shop) -> Any:
    # Another call on the same backend holds its only place: under another tenant, so that it is not the same call.
    shop.bench = shop.another(SETTINGS.model_copy(update={"timeouts": AttemptTimeouts()}))
    shop.says(Delayed(30, shop.kind.good))
    first = asyncio.create_task(shop.ask(replace(HERE, tenant="other", job_id="job_2")))
    while not shop.backend.running:
        await asyncio.sleep(0.005)
    try:
        return await shop.ask()
    finally:
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)


@fault("hangs")
async def _(shop: Shop) -> Any:
    shop.says(Delayed(30, shop.kind.good), Delayed(30, shop.kind.good))
    return await shop.ask()


@fault("deadline")
async def _(shop: Shop) -> Any:
    # Long enough to reach the backend on a busy machine, and no attempt has a shorter time of its own.
    shop.bench = shop.another(SETTINGS.model_copy(update={"timeouts": AttemptTimeouts()}))
    shop.says(Delayed(30, shop.kind.good))
    return await shop.ask(replace(HERE, deadline=shop.bench.clock.now() + 0.5))


@fault("too-late")
async def _(shop: Shop) -> Any:
    try:
        return await shop.ask(replace(HERE, deadline=shop.bench.clock.now() - 1))
    finally:
        assert not shop.backend.asked


@fault("refused")
async def _(shop: Shop) -> Any:
    shop.says(ModelRejected("too long"))
    try:
        return await shop.ask()
    finally:
        assert len(shop.backend.asked) == 1


@fault("malformed")
async def _(shop: Shop) -> Any:
    shop.says(shop.kind.bad)
    with pytest.raises(InvalidModelOutput):
        await shop.ask()
    try:
        return await shop.ask()
    finally:
        assert len(shop.backend.asked) == 1
        await asyncio.sleep(REFUSAL_S + 0.1)


@fault("budget")
async def _(shop: Shop) -> Any:
    wide, narrow = shop.bench, GuardSettings(budget={"per_job": {"tokens": 1, "audio_seconds": 1}})
    shop.bench = shop.another(narrow)
    try:
        return await shop.ask()
    finally:
        assert not shop.backend.asked
        shop.bench = wide


@fault("ledger-away")
async def _(shop: Shop) -> Any:
    shop.ledger.shut = {"reserve", "settle", "release"}
    try:
        return await shop.ask()
    finally:
        assert not shop.backend.asked
        shop.ledger.shut = set()


@fault("cache-away")
async def _(shop: Shop) -> Any:
    shop.calls.shut = {"begin"}
    try:
        return await shop.ask()
    finally:
        assert not shop.backend.asked
        shop.calls.shut = set()


@fault("board-away")
async def _(shop: Shop) -> Any:
    shop.board.shut = {"exchange", "open", "probe", "drop_probe", "reopen", "close"}
    return await shop.ask()


@fault("cache-full")
async def _(shop: Shop) -> Any:
    shop.calls.shut = {"put"}
    answer = await shop.ask()
    shop.calls.shut = set()
    assert len(shop.backend.asked) == 1
    return answer


@fault("damaged")
async def _(shop: Shop) -> Any:
    scope, key = await shop.place()
    claim = await shop.calls.begin(scope, key, "vandal", CLAIM_S, None)
    assert isinstance(claim, Claimed)
    assert await shop.calls.put(scope, key, "vandal", claim.fence, {"not": "an answer"}, None)
    answer = await shop.ask()
    assert not answer.provenance.cache_hit
    return answer


@fault("caller-gone")
async def _(shop: Shop) -> Any:
    shop.says(Delayed(30, shop.kind.good))
    caller = asyncio.create_task(shop.ask())
    while not shop.backend.running:
        await asyncio.sleep(0.005)
    caller.cancel()
    await caller


@fault("holder-dies")
async def _(shop: Shop) -> Any:
    scope, key = await shop.place()
    # A process that claimed the call and then never said anything more: what a killed one leaves behind.
    assert isinstance(await shop.calls.begin(scope, key, "dead process", CLAIM_S, None), Claimed)
    answers = await asyncio.gather(*(shop.ask() for _ in range(5)))
    assert len(shop.backend.asked) == 1
    return answers[0]


@fault("holder-late")
async def _(shop: Shop) -> Any:
    scope, key = await shop.place()
    late = await shop.calls.begin(scope, key, "slow process", CLAIM_S, None)
    assert isinstance(late, Claimed)
    answer = await shop.ask()
    assert not await shop.calls.put(scope, key, "slow process", late.fence, {"late": 1}, None)
    again = await shop.ask()
    assert again.provenance.cache_hit
    assert again.value == answer.value
    return answer


STORES = ("sqlite", "postgresql", "postgresql+redis")
CASES = [
    pytest.param(store, name, kind, id=f"{store}-{name}-{kind}", marks=() if (row + column) % 3 == turn else pytest.mark.long)
    for row, name in enumerate(FAULTS)
    for column, kind in enumerate(KINDS_OF_CALL)
    for turn, store in enumerate(STORES)
]
"""The gate has every fault with every kind of call and with every store; `just reliability` all three together."""


@pytest.fixture
async def shop(request: pytest.FixtureRequest, kind: str) -> AsyncIterator[Shop]:
    store = SqlStore.open(request.getfixturevalue(f"{request.param.split('+')[0]}_url"), SystemClock())
    redis = RedisCalls(request.getfixturevalue("redis_url"), SystemClock()) if "redis" in request.param else None
    board = RedisCallBoard(request.getfixturevalue("redis_url"), SystemClock()) if "redis" in request.param else None
    yield Shop(KINDS_OF_CALL[kind], redis or store.calls, store.ledger, board or store.board)
    if redis is not None and board is not None:
        await redis.close()
        await board.end()
    store.close()


@pytest.mark.parametrize(("shop", "name", "kind"), CASES, indirect=["shop"])
async def test_a_fault_is_seen_stored_and_healed_as_the_table_says(shop: Shop, name: str) -> None:
    row = rows()[name]

    seen, status = await outcome(FAULTS[name](shop))

    assert (seen, status) == (row.sees, row.status)
    kept = await shop.calls.read(*(place := await shop.place()))
    assert ("nothing" if kept is None else "refusal" if is_refusal(kept) else "answer") == row.stored
    assert await landed(shop, place), "the flight was left in the air"
    assert ("released" if await unspent(shop, patient=row.budget == "released") else "used") == row.budget
    # What the table calls recovery: with the cause gone, the same call is answered.
    shop.says()
    answer = await shop.ask()
    assert answer.provenance.cache_hit is (row.stored == "answer")


async def outcome(work: Awaitable[Any]) -> tuple[str, str]:
    """Return what a caller sees, and the HTTP status with its header, as the gateway would put it."""
    try:
        await work
    except WordloopError as error:
        problem = of_domain(error)
        retry = ", `Retry-After`" if "Retry-After" in problem.extra_headers else ""
        return problem.code, f"{KINDS[problem.code].status}{retry}"
    except asyncio.CancelledError:
        return "cancelled", "none"
    return "answer", "200"


async def unspent(shop: Shop, *, patient: bool) -> bool:
    """Return whether the whole budget is left; what was taken after its caller had gone may come back a moment later."""
    for _ in range(100 if patient else 1):
        left = await shop.bench.guard.budget_left("acme")
        if (left.tokens, left.audio_seconds) == FULL:
            return True
        await asyncio.sleep(0.05 if patient else 0)
    return False


async def landed(shop: Shop, place: tuple[str, str]) -> bool:
    """Return whether no flight is in the air, giving back the one that looking may have claimed.

    What was taken after its caller had gone is given back behind the caller's back, a moment later: on a busy machine this may
    still be under way. A claim that only ran out was not given back.
    """
    first = found = await shop.calls.begin(*place, "looker", CLAIM_S, None)
    while isinstance(found, InFlight):
        await asyncio.sleep(0.02)
        found = await shop.calls.begin(*place, "looker", CLAIM_S, None)
    in_time = not isinstance(first, InFlight) or shop.bench.clock.now() < first.until
    if isinstance(found, Claimed):
        await shop.calls.release(*place, "looker", found.fence)
    return in_time


def test_every_row_has_its_fault_and_every_fault_its_row() -> None:
    assert set(rows()) == set(FAULTS)
