"""A changed embedding model: passages move to its space while searches are answered, on both databases."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace

import pytest
from sqlalchemy import text

from adapters.scripted.clock import MovableClock
from adapters.sql import SqlStore
from adapters.sql.engine import connect
from application.embed_anew import TELL_EVERY_S, EmbedAnew
from application.search_transcripts import SearchAnswer, SearchTranscripts
from domain.call import Answer, CallContext, CallKind, CallSpec, ModelIdentity, Provenance, Usage
from domain.canonical import sha256_of
from domain.errors import BudgetExceeded, ModelRejected, ModelUnavailable
from domain.search import UNMEASURED, CosineScale, Passage, SearchMode, SpaceStanding
from ports.embedder import Embedder, InputType, LongTexts, Vectors
from ports.model_backend import CallMeta, EmbedRequest, ModelBackend, ModelRequest, RawOutput
from ports.results import Ownership
from serve_app.composition.clock import SystemClock
from tests.guarded import Bench

FIRST, SECOND = "the budget was agreed", "the importer crashed"


@dataclass
class Model(Embedder):
    """Places a text by its digest, so each model has a space of its own; `refuse` raises for some texts."""

    name: str
    dimensions: int = 16  # type: ignore[assignment]
    refuse: Callable[[Sequence[str], CallContext], Exception | None] = lambda _texts, _context: None
    asked: list[str] = field(default_factory=list)

    @property
    def identity(self) -> ModelIdentity:
        return ModelIdentity(self.name, "1", "scripted", "float32")

    @property
    def cosines(self) -> CosineScale:
        return UNMEASURED

    def place(self, said: str) -> tuple[float, ...]:
        digest = hashlib.shake_128(f"{self.name} {said}".encode()).digest(self.dimensions)
        return tuple(value - 127.5 for value in digest)

    async def embed(
        self, texts: Sequence[str], input_type: InputType, context: CallContext, long_texts: LongTexts = LongTexts.REFUSE
    ) -> Answer[Vectors]:
        if (error := self.refuse(texts, context)) is not None:
            raise error
        if input_type is InputType.DOCUMENT:
            self.asked += texts
        spec = CallSpec(CallKind.EMBED, sha256_of(list(texts)), self.identity, {})
        return Answer(tuple(map(self.place, texts)), Provenance.of(spec))


@dataclass
class Desk:
    url: str
    store: SqlStore
    clock: MovableClock = field(default_factory=MovableClock)
    old: Model = field(default_factory=lambda: Model("old"))
    new: Model = field(default_factory=lambda: Model("new", 24))

    async def index(self, source: str, *said: str, by: Model | None = None, tenant: str = "default") -> None:
        model = by or self.old
        await self.store.search.index(
            Ownership(tenant, f"conversation_{source}"),
            f"transcript_{source}",
            [
                Passage(f"transcript_{source}", (n,), n, n + 1, each, model.place(each), model.identity)
                for n, each in enumerate(said)
            ],
        )

    def anew(self) -> EmbedAnew:
        return EmbedAnew(self.store.spaces, self.new, self.clock, salt=lambda: 0)

    async def search(self, query: str, mode: SearchMode = SearchMode.SEMANTIC, *, both: bool = True) -> SearchAnswer:
        previous = self.old if both else None
        search = SearchTranscripts(self.store.search, self.new, self.clock, 2.0, previous=previous)
        return await search(CallContext(), query, mode, 10)

    async def best(self, query: str) -> tuple[str, float]:
        hit = (await self.search(query)).hits[0]
        return hit.text, hit.score

    async def answered_by(self) -> str:
        provenance = (await self.search(FIRST)).provenance
        assert provenance is not None
        return provenance.model.id

    def vectors(self) -> int:
        with connect(self.url).connect() as connection:
            return int(connection.execute(text("SELECT count(*) FROM passage_vectors")).scalar_one())


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[Desk]:
    store = SqlStore.open(database_url, MovableClock())
    yield Desk(database_url, store)
    store.close()


def away_after(count: int) -> Callable[[Sequence[str], CallContext], Exception | None]:
    """Answer so many calls for documents, then no more."""
    left = [count]

    def refuse(texts: Sequence[str], context: CallContext) -> Exception | None:
        if context.conversation_id is None:
            return None
        left[0] -= 1
        return ModelUnavailable("away") if left[0] < 0 else None

    return refuse


async def test_searches_are_answered_from_the_old_space_until_all_has_moved(desk: Desk) -> None:
    await desk.index("1", FIRST)
    await desk.index("2", SECOND)
    desk.new.refuse = away_after(1)
    assert await desk.anew().round() == 1
    assert await desk.store.spaces.standing(desk.new.identity) == SpaceStanding(2, 1)
    assert await desk.answered_by() == "old"
    for said in (FIRST, SECOND):
        assert await desk.best(said) == (said, pytest.approx(1.0))

    desk.new.refuse = Model("new").refuse
    assert await desk.anew().round() == 1
    assert desk.new.asked == [FIRST, SECOND], "what was embedded is not embedded again"
    assert await desk.answered_by() == "new"
    for said in (FIRST, SECOND):
        assert await desk.best(said) == (said, pytest.approx(1.0))
    assert desk.vectors() == 2, "the old vectors are gone"
    assert await desk.anew().round() == 0


async def test_what_is_indexed_meanwhile_is_found_beside_what_has_not_moved(desk: Desk) -> None:
    await desk.index("1", FIRST)
    await desk.index("2", SECOND, by=desk.new)
    assert await desk.answered_by() == "old"
    for said in (FIRST, SECOND):
        assert await desk.best(said) == (said, pytest.approx(1.0))
    assert len((await desk.search(FIRST)).hits) == len({hit.text for hit in (await desk.search(FIRST)).hits})


async def test_while_one_of_two_models_is_away_the_other_answers(desk: Desk) -> None:
    await desk.index("1", FIRST)
    await desk.index("2", SECOND, by=desk.new)
    desk.new.refuse = lambda _texts, _context: ModelUnavailable("it is away")
    answer = await desk.search(FIRST)
    assert [hit.text for hit in answer.hits] == [FIRST]
    assert answer.degraded == "Passages of the other embedding model were found by words only: it is away"
    desk.old.refuse = desk.new.refuse
    with pytest.raises(ModelUnavailable):
        await desk.search(FIRST)
    assert (await desk.search("budget", SearchMode.HYBRID)).mode is SearchMode.LEXICAL


async def test_without_the_old_model_an_answer_says_what_it_does_not_reach(desk: Desk) -> None:
    await desk.index("1", FIRST, SECOND)
    for mode in (SearchMode.SEMANTIC, SearchMode.HYBRID):
        told = (await desk.search(FIRST, mode, both=False)).degraded
        assert told == "2 passages wait to be embedded by new: found by words only."
    assert [hit.text for hit in (await desk.search("budget", SearchMode.HYBRID, both=False)).hits] == [FIRST]
    assert (await desk.search(FIRST)).degraded is None
    await desk.anew().round()
    assert (await desk.search(FIRST, both=False)).degraded is None
    assert (await desk.search(FIRST, both=False)).hits[0].text == FIRST


async def test_what_was_deleted_or_told_otherwise_meanwhile_is_not_placed(desk: Desk) -> None:
    await desk.index("1", FIRST)
    await desk.index("2", SECOND)
    found = [await desk.store.spaces.unplaced(desk.new.identity, 10, salt) for salt in (0, 1008)]
    assert {source.source_id for source in found if source} == {"transcript_1", "transcript_2"}
    await desk.store.results.delete_conversation("default", "conversation_1")
    await desk.store.search.retell("default", "transcript_2", lambda told: replace(told, text="it was told otherwise"))
    for source in found:
        assert source is not None
        vectors = {passage_id: desk.new.place(said) for passage_id, said in source.texts.items()}
        await desk.store.spaces.put(source, desk.new.identity, vectors)
    assert await desk.store.spaces.standing(desk.new.identity) == SpaceStanding(1, 1)
    await desk.anew().round()
    assert desk.new.asked == ["it was told otherwise"]
    assert await desk.best("it was told otherwise") == ("it was told otherwise", pytest.approx(1.0))


async def test_a_text_that_the_model_refuses_keeps_nothing_else_from_moving(desk: Desk) -> None:
    await desk.index("1", FIRST, SECOND)
    desk.new.refuse = lambda texts, _context: ModelRejected("no") if FIRST in texts else None
    assert await desk.anew().round() == 2
    assert await desk.store.spaces.standing(desk.new.identity) == SpaceStanding(2, 0)
    desk.new.refuse = Model("new").refuse
    assert await desk.answered_by() == "new"
    assert [hit.text for hit in (await desk.search(SECOND)).hits] == [SECOND]
    assert (await desk.search("budget", SearchMode.HYBRID)).hits[0].text == FIRST


async def test_a_tenant_without_budget_does_not_hold_up_the_others(desk: Desk) -> None:
    await desk.index("1", FIRST, tenant="poor")
    await desk.index("2", SECOND)
    spent = BudgetExceeded("spent", Usage(), 0.0)
    desk.new.refuse = lambda _texts, context: spent if context.tenant == "poor" else None
    assert await desk.anew().round() == 1
    assert desk.new.asked == [SECOND]
    assert await desk.answered_by() == "new"
    assert await desk.store.spaces.standing(desk.new.identity) == SpaceStanding(2, 1)


async def test_passages_that_have_no_vector_get_one(desk: Desk) -> None:
    nowhere = Passage("transcript_1", (0,), 0, 1, FIRST, (), desk.new.identity)
    await desk.store.search.index(Ownership("default", "conversation_1"), "transcript_1", [nowhere])
    assert (await desk.search(FIRST)).hits == []
    await desk.anew().round()
    assert await desk.best(FIRST) == (FIRST, pytest.approx(1.0))


async def test_it_goes_on_by_itself_and_looks_again(desk: Desk) -> None:
    task = asyncio.create_task(desk.anew()())
    for number, said in enumerate((FIRST, SECOND)):
        await desk.index(str(number), said)
        while (await desk.store.spaces.standing(desk.new.identity)).unplaced:
            await desk.clock.advance(TELL_EVERY_S)
    task.cancel()
    assert desk.new.asked == [FIRST, SECOND]


@dataclass
class Counted(ModelBackend):
    """The replicas of a model, which count what they are asked."""

    model: Model
    asked: list[str] = field(default_factory=list)
    name: str = "counted"  # type: ignore[assignment]

    @property
    def identity(self) -> ModelIdentity:
        return self.model.identity

    async def call(self, request: ModelRequest, meta: CallMeta, timeout_s: float) -> RawOutput:
        assert isinstance(request, EmbedRequest)
        self.asked += request.texts
        await asyncio.sleep(0.05)
        placed = [self.model.place(said) for said in request.texts]
        lengths = [sum(value * value for value in vector) ** 0.5 for vector in placed]
        rows = [[value / length for value in vector] for vector, length in zip(placed, lengths, strict=True)]
        return RawOutput({"vectors": rows}, Usage(input_tokens=3))


async def test_two_workers_at_once_make_each_call_once_through_the_guard(database_url: str) -> None:
    clock = SystemClock()
    store = SqlStore.open(database_url, clock)
    desk, replicas = Desk(database_url, store), Counted(Model("new", 24))
    for number in range(4):
        await desk.index(str(number), f"{FIRST} {number}", f"{SECOND} {number}")
    workers = [
        EmbedAnew(store.spaces, Bench(clock=clock, cache=store.calls, owner=owner).embedder(replicas, 24), clock, salt=lambda: 0)
        for owner in ("one", "two")
    ]
    await asyncio.gather(*(worker.round() for worker in workers))
    assert sorted(replicas.asked) == sorted(f"{said} {number}" for number in range(4) for said in (FIRST, SECOND))
    assert await store.spaces.standing(desk.new.identity) == SpaceStanding(8, 0)
    store.close()
