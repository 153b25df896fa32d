"""Search over many passages, through the store as the service has it: what it takes to build, hold and ask, and what it misses.

Vectors are made up: unit vectors around as many centres as there are conversations, as near to their centre as sentences of one
topic are; words are drawn as often as in the bundled meeting. Recall is against the exact cosines of all of them.
"""

import asyncio
import gc
import math
import random
import resource
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import psutil
from numpy.typing import NDArray

from adapters.sql import SqlStore
from adapters.sql.engine import connect, transact
from adapters.sql.search_held import Held, HeldTenants
from adapters.sql.search_parts import merged
from adapters.sql.search_ranking import CANDIDATES, Aim, Ranking, rarity
from adapters.sql.search_words import folded, words_of
from benchmarks.material import ten_minute_meeting
from domain.call import ModelIdentity
from domain.search import EVERYTHING, UNMEASURED, Passage, SearchFilters, SearchHit, SearchMode
from ports.results import Ownership
from serve_app.composition.clock import SystemClock

PASSAGES: Final = 100_000
DIMENSIONS: Final = 384
OF_A_SOURCE: Final = 1000
"""Lines of a conversation of an hour."""
SPREAD: Final = 1.0
"""Length of the noise around a centre of length 1: two passages of one topic have a cosine of 0.5."""
QUERY_SPREAD: Final = 0.8
QUERIES: Final = 200
TOP: Final = 10
SPEAKERS: Final = 40
MODEL = ModelIdentity("made-up", "1", "none", "float32")
TENANT: Final = "default"
COPIED: Final = 1_000_000
FAR: Final = 10**9
"""Between the ids of a passage's copies."""
FIRST_SPACE: Final = 1
SEED: Final = 2026
DAY_S: Final = 86_400.0

Figures = dict[str, Any]
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Question:
    """A query near to one passage, with some of its words."""

    text: str
    vector: Floats


class MadeUp:
    """Sources of passages, the same for the same number."""

    def __init__(self, passages: int) -> None:
        self.passages = passages
        words = [word for segment in ten_minute_meeting() for word in folded(segment["text"])]
        self._words = [f"{word}{copy or ''}" for copy in (*[0] * 40, *range(1, 41)) for word in words]
        """Each word of the meeting, and rarer ones made of it: the meeting alone has too few."""

    def sources(self) -> Iterator[tuple[int, list[str], Floats]]:
        """Yield (number, texts, vectors) of each source."""
        for number in range((self.passages + OF_A_SOURCE - 1) // OF_A_SOURCE):
            size = min(OF_A_SOURCE, self.passages - number * OF_A_SOURCE)
            chance, numbers = random.Random(SEED + number), np.random.default_rng(SEED + number)
            texts = [" ".join(chance.choices(self._words, k=chance.randrange(5, 20))) for _ in range(size)]
            centres = unit(numbers.standard_normal((20, DIMENSIONS), dtype=np.float32))
            yield number, texts, unit(centres[numbers.integers(0, 20, size)] + _noise(numbers, size, SPREAD))

    def questions(self, count: int) -> list[Question]:
        """Return queries, each near to a passage of its own."""
        numbers = np.random.default_rng(SEED)
        chosen = set(numbers.choice(self.passages, count, replace=False).tolist())
        made = []
        for number, texts, vectors in self.sources():
            for index in range(len(texts)):
                if number * OF_A_SOURCE + index in chosen:
                    asked = " ".join(numbers.permutation(texts[index].split())[: int(numbers.integers(2, 7))])
                    made.append(Question(asked, unit(vectors[index : index + 1] + _noise(numbers, 1, QUERY_SPREAD))[0]))
        return made


def unit(vectors: Floats) -> Floats:
    """Return the rows at length 1."""
    lengths: Floats = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / lengths


def _noise(numbers: np.random.Generator, count: int, length: float) -> Floats:
    return unit(numbers.standard_normal((count, DIMENSIONS), dtype=np.float32)) * np.float32(length)


def search(passages: int = PASSAGES, database: str | None = None) -> Figures:
    """Build, memory, recall and latency of a search over many passages: `--passages N`, on SQLite or `--database URL`.

    What a database that is named holds of them already, from a run that was ended, is not built again.
    """
    with tempfile.TemporaryDirectory(prefix="wordloop-bench-") as folder:
        url = database or f"sqlite:///{Path(folder) / 'search.db'}"
        SqlStore.migrate(url)
        return asyncio.run(_measured(url, MadeUp(passages)))


async def _measured(url: str, made: MadeUp) -> Figures:
    figures: Figures = {"passages": made.passages, "dimensions": DIMENSIONS}
    questions = made.questions(QUERIES)
    asked = np.stack([question.vector for question in questions])
    store = SqlStore.open(url, SystemClock())
    figures["build, s a million"], nearest = await _build(store, made, asked)
    store.close()
    gc.collect()
    before = psutil.Process().memory_info().rss
    store = SqlStore.open(url, SystemClock())
    begun = time.perf_counter()
    await _ask(store, questions[0], SearchMode.HYBRID)
    figures["first search of a process, s"] = time.perf_counter() - begun
    found = await _timed(figures, "by meaning", questions, lambda each: _ask(store, each, SearchMode.SEMANTIC))
    hit = [len({_index_of(hit) for hit in hits} & true) / TOP for hits, true in zip(found, nearest, strict=True)]
    figures["recall at 10 of exact, by meaning"] = float(np.mean(hit))
    await _timed(figures, "by words", questions, lambda each: _ask(store, each, SearchMode.LEXICAL))
    await _timed(figures, "both", questions, lambda each: _ask(store, each, SearchMode.HYBRID))
    narrow = SearchFilters(speakers=("speaker 7",), recorded_from=10 * DAY_S)
    await _timed(figures, "both, of one speaker and later", questions, lambda each: _ask(store, each, SearchMode.HYBRID, narrow))
    begun = time.perf_counter()
    await _index(store, 0, *next((texts, vectors) for _, texts, vectors in made.sources()))
    figures["one source indexed again, s"] = time.perf_counter() - begun
    begun = time.perf_counter()
    await _ask(store, questions[0], SearchMode.HYBRID)
    figures["first search after that, ms"] = (time.perf_counter() - begun) * 1000
    figures["memory of a searching process, MiB more"] = (psutil.Process().memory_info().rss - before) / 2**20
    figures["most memory of this process, MiB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    store.close()
    return figures | _copies(url, questions)


def _copies(url: str, questions: Sequence[Question]) -> Figures:
    """What a search does in memory over copies of these passages, together at least a million; rows are not read."""
    engine = connect(url)
    held = transact(engine, lambda connection: HeldTenants().of(connection, TENANT))
    engine.dispose()
    count = math.ceil(COPIED / sum(part.standing for part in held.parts))
    parts = [
        replace(part, ids=part.ids + copy * FAR, sources={source + copy * FAR: rows for source, rows in part.sources.items()})
        for copy in range(count)
        for part in held.parts
    ]
    whole = Held(held.version, (merged(parts),))
    took = []
    for question in questions:
        begun = time.process_time()
        left = [part.left_by(EVERYTHING) for part in whole.parts]
        ranking = Ranking(whole, left, rarity(whole, words_of(question.text)))
        ranking.by_words(CANDIDATES)
        aim = Aim(FIRST_SPACE, question.vector, UNMEASURED)
        ranking.by_meaning([aim], CANDIDATES, lambda _space, _vector, ids: dict.fromkeys(ids.tolist(), 0.5))
        ranking.best(TOP)
        took.append((time.process_time() - begun) * 1000)
    return {
        "copies in memory: passages": whole.parts[0].standing,
        "copies in memory: MiB": whole.nbytes / 2**20,
        "copies in memory, both: processor p50, ms": float(np.quantile(took, 0.5)),
        "copies in memory, both: processor p95, ms": float(np.quantile(took, 0.95)),
    }


async def _build(store: SqlStore, made: MadeUp, asked: Floats) -> tuple[float, list[set[int]]]:
    """Index what is not there yet; return the seconds a million passages take, and of each query its ten nearest exactly."""
    took, there = 0.0, (await store.spaces.standing(MODEL)).passages
    best = np.full((len(asked), TOP), -2.0, dtype=np.float32)
    nearest = np.full((len(asked), TOP), -1)
    for number, texts, vectors in made.sources():
        if number * OF_A_SOURCE >= there:
            begun = time.perf_counter()
            await _index(store, number, texts, vectors)
            took += time.perf_counter() - begun
        new = np.broadcast_to(np.arange(len(texts)) + number * OF_A_SOURCE, (len(asked), len(texts)))
        both, indices = np.concatenate([best, asked @ vectors.T], axis=1), np.concatenate([nearest, new], axis=1)
        order = np.argpartition(-both, TOP, axis=1)[:, :TOP]
        best, nearest = np.take_along_axis(both, order, axis=1), np.take_along_axis(indices, order, axis=1)
    return took / max(1, made.passages - there) * 1e6, [set(row.tolist()) for row in nearest]


def _index_of(hit: SearchHit) -> int:
    return int(str(hit.transcript_id).rpartition("_")[2]) * OF_A_SOURCE + int(hit.start)


async def _index(store: SqlStore, number: int, texts: Sequence[str], vectors: Floats) -> None:
    source = f"transcript_{number}"
    passages = [
        Passage(
            source, (index,), float(index), index + 1.0, text, tuple(vector.tolist()), MODEL,
            f"speaker {(number + index) % SPEAKERS}", recorded_at=number * DAY_S / 10,
        )
        for index, (text, vector) in enumerate(zip(texts, vectors, strict=True))
    ]  # fmt: skip
    await store.search.index(Ownership(TENANT, f"conversation_{number}"), source, passages)


async def _ask(store: SqlStore, question: Question, mode: SearchMode, filters: SearchFilters = EVERYTHING) -> Sequence[SearchHit]:
    vector = tuple(question.vector.tolist())
    return await store.search.search(TENANT, question.text, vector, MODEL, mode, TOP, filters)


async def _timed(
    figures: Figures, name: str, questions: Sequence[Question], ask: Callable[[Question], Awaitable[Sequence[SearchHit]]]
) -> list[Sequence[SearchHit]]:
    took, found = [], []
    used = time.process_time()
    for question in questions:
        begun = time.perf_counter()
        found.append(await ask(question))
        took.append((time.perf_counter() - begun) * 1000)
    figures[f"{name}: processor, ms"] = (time.process_time() - used) * 1000 / len(questions)
    figures[f"{name}: p50, ms"] = float(np.quantile(took, 0.5))
    figures[f"{name}: p95, ms"] = float(np.quantile(took, 0.95))
    return found
