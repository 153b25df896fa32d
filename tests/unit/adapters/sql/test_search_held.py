"""What a process holds in memory of an index stays what the database says, however it changed; codes find what cosines do."""

import random
from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from adapters.scripted.clock import MovableClock
from adapters.sql import SqlStore, search, search_ranking
from adapters.sql.search_blocks import Block, Indexed, block_of, codes_of
from adapters.sql.search_parts import FARTHEST, Part, merged
from domain.call import ModelIdentity
from domain.search import EVERYTHING, Passage, QueryVector, SearchFilters, SearchHit, SearchMode
from ports.results import Ownership

MODEL, OTHER = ModelIdentity("m", "1", "scripted", "float32"), ModelIdentity("m", "2", "scripted", "float32")
WORDS = ["budget", "importer", "plan", "ship", "night", "friday", "office", "crash", "mend", "zeppelin"]
SIZE = 24


@pytest.fixture
def store(sqlite_url: str) -> Iterator[SqlStore]:
    made = SqlStore.open(sqlite_url, MovableClock())
    yield made
    made.close()


def vector_of(chance: random.Random) -> tuple[float, ...]:
    return tuple(chance.gauss(0, 1) for _ in range(SIZE))


def said(source: str, chance: random.Random) -> list[Passage]:
    return [
        Passage(
            source, (n,), n, n + 1, " ".join(chance.choices(WORDS, k=4)), vector_of(chance) if chance.random() > 0.1 else (),
            MODEL, chance.choice(("Ann", "Ben", None)), recorded_at=chance.choice((None, 5.0, 9.0)),
        )
        for n in range(chance.randrange(1, 12))
    ]  # fmt: skip


async def answers(store: SqlStore, chance: random.Random) -> list[Sequence[SearchHit]]:
    query, vector = " ".join(chance.choices(WORDS, k=2)), vector_of(chance)
    chosen = (EVERYTHING, SearchFilters(speakers=("Ann",)), SearchFilters(recorded_from=6.0))
    return [
        await store.search.search("default", query, vector, MODEL, mode, 5, filters) for mode in SearchMode for filters in chosen
    ]


async def test_a_process_that_followed_every_change_answers_like_a_new_one(store: SqlStore, sqlite_url: str) -> None:
    chance = random.Random(5)
    for step in range(60):
        number = chance.randrange(12)
        source, owner = f"transcript_{number}", Ownership("default", f"conversation_{number}_{step // 20}")
        if step % 7 == 6:
            await store.search.retell("default", source, lambda told: told)
        elif step % 9 == 8:
            await store.search.index(owner, source, [])
        else:
            await store.search.index(owner, source, said(source, chance))
        if step % 3 == 0:
            seed = chance.random()
            fresh = SqlStore.open(sqlite_url, MovableClock())
            assert await answers(store, random.Random(seed)) == await answers(fresh, random.Random(seed))
            fresh.close()


async def test_nearest_passages_are_those_of_the_exact_cosines(store: SqlStore) -> None:
    numbers = np.random.default_rng(3)
    centres = numbers.standard_normal((60, 128))
    vectors = centres[numbers.integers(0, 60, 3000)] + numbers.standard_normal((3000, 128))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    spoken = [Passage("t", (n,), n, n + 1, "x", tuple(map(float, row)), MODEL) for n, row in enumerate(vectors)]
    await store.search.index(Ownership("default", "c"), "t", spoken)
    found = 0
    for query in centres[:20] + numbers.standard_normal((20, 128)):
        exact = set(np.argsort(-(vectors @ query))[:10].tolist())
        hits = await store.search.search("default", "", tuple(query), MODEL, SearchMode.SEMANTIC, 10)
        found += len(exact & {hit.segment_ids[0] for hit in hits})
    assert found / 200 >= 0.99


async def test_a_passage_is_compared_in_the_first_space_that_it_is_in(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the search of that space did not come as far as to it."""
    monkeypatch.setattr(search, "CANDIDATES", 1)
    monkeypatch.setattr(search_ranking, "LOOKED_AT", 1)
    vectors = {"near": (1.0, 0.5, 0.5), "far": (-1.0, -0.5, -0.5)}
    spoken = [Passage("t", (n,), n, n + 1, said, vectors[said], MODEL) for n, said in enumerate(vectors)]
    await store.search.index(Ownership("default", "c"), "t", spoken)
    source = await store.spaces.unplaced(OTHER, 10)
    assert source is not None
    await store.spaces.put(source, OTHER, {n: (1.0, 1.0) if said == "far" else (-1.0, -1.0) for n, said in source.texts.items()})
    others = [QueryVector(OTHER, (1.0, 1.0))]
    asked = ("default", "", (1.0, 0.1, 0.1), MODEL, SearchMode.SEMANTIC, 1)
    assert [hit.text for hit in await store.search.search(*asked, others=others)] == ["near"]


def test_a_block_is_read_as_it_was_written() -> None:
    made = _block("c", [Indexed(7, "Die Grüße, die Grüße", "Zoë", "line", None), Indexed(9, "die", None, "chapter", 4.0)])
    read = Block.from_bytes(made.to_bytes())
    assert (read.conversation_id, read.names, read.kind_names) == ("c", ("Zoë",), ("line", "chapter"))
    assert read.vocabulary == ("die", "grusse")
    assert read.ids.tolist() == [7, 9]
    assert (read.speakers.tolist(), read.kinds.tolist(), read.lengths.tolist()) == ([0, -1], [0, 1], [4, 1])
    assert (read.offsets.tolist(), read.rows.tolist(), read.times.tolist()) == ([0, 2, 3], [0, 1, 0], [2, 1, 2])
    rows, bits = read.codes[3]
    assert (rows.tolist(), bits.shape) == ([1], (1, 1))


def test_parts_put_together_keep_what_is_there_and_lose_what_is_gone() -> None:
    def part(n: int) -> Part:
        spoken = [Indexed(10 * n, "a b", "Ann", "line", 1.0), Indexed(10 * n + 1, "b", "Ben", "line", 2.0)]
        return Part.of(n, _block(f"c{n}", spoken))

    parts = [part(n) for n in (1, 2, 3)]
    both = merged([merged(parts[:2]).without([1]), parts[2]])
    assert both.ids.tolist() == [20, 21, 30, 31]
    assert {block: (held.start, held.stop) for block, held in both.sources.items()} == {2: (0, 2), 3: (2, 4)}
    assert both.postings("b")[0].tolist() == [0, 1, 2, 3]
    assert both.postings("a")[0].tolist() == [0, 2]
    assert both.left_by(SearchFilters(conversation_ids=("c1", "c3"))).tolist() == [False, False, True, True]
    assert both.left_by(SearchFilters(speakers=("Ben",), recorded_from=2.0)).tolist() == [False, True, False, True]
    (code,) = codes_of(np.ones((1, 4), dtype=np.float32))
    rows, distances = both.distances(3, code, both.left_by(SearchFilters(conversation_ids=("c3",))))
    assert (rows.tolist(), distances.tolist()) == ([1, 3], [FARTHEST, 0])


def _block(conversation: str, indexed: Sequence[Indexed]) -> Block:
    return block_of(conversation, indexed, {3: ([1], np.ones((1, 4), dtype=np.float32))})
