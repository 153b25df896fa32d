"""What scores of a search mean, and which passages a filter leaves, on both databases."""

import math
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest

from adapters.scripted.clock import MovableClock
from adapters.sql import SqlStore
from domain.call import ModelIdentity
from domain.search import EVERYTHING, CosineScale, Passage, PassageKind, SearchFilters, SearchHit, SearchMode
from ports.results import Ownership

MODEL = ModelIdentity("all-MiniLM-L6-v2", "r1", "scripted", "float32")
OWNER = Ownership("default", "conversation_1")
MEETING = (
    "the meeting begins",
    "the importer crashed at night",
    "Ben fixes the importer",
    "the budget is the same",
    "the office opens on Friday",
    "the end",
)


def direction(degrees: float) -> tuple[float, ...]:
    return (math.cos(math.radians(degrees)), math.sin(math.radians(degrees)))


def said(text: str, place: int = 0, degrees: float = 90.0, speaker: str | None = None, **about: object) -> Passage:
    made = Passage("transcript_1", (place,), place, place + 1, text, direction(degrees), MODEL, speaker)
    return replace(made, **about)  # type: ignore[arg-type]


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[SqlStore]:
    made = SqlStore.open(database_url, MovableClock())
    yield made
    made.close()


async def found(
    store: SqlStore,
    query: str,
    mode: SearchMode = SearchMode.LEXICAL,
    degrees: float = 0.0,
    filters: SearchFilters = EVERYTHING,
    scale: CosineScale | None = None,
) -> Sequence[SearchHit]:
    scale = scale or CosineScale()
    return await store.search.search("default", query, direction(degrees), MODEL, mode, 10, filters, scale)


async def test_words_score_by_their_share_and_how_rare_they_are(store: SqlStore) -> None:
    await store.search.index(OWNER, "transcript_1", [said(text, n) for n, text in enumerate(MEETING)])
    everything, most = await found(store, "Ben fixes importer"), await found(store, "who fixes the importer?")
    assert (everything[0].text, everything[0].score) == ("Ben fixes the importer", pytest.approx(1.0))
    assert most[0].text == "Ben fixes the importer"
    assert 0.1 < most[0].score < 1.0
    assert most[0].score > 2 * most[1].score, "a passage with the frequent words only is far behind"


async def test_an_unrelated_query_gets_low_scores_or_none(store: SqlStore) -> None:
    await store.search.index(OWNER, "transcript_1", [said(text, n) for n, text in enumerate(MEETING)])
    for mode in (SearchMode.LEXICAL, SearchMode.HYBRID):
        hits = await found(store, "what is the capital of France", mode, degrees=180.0)
        assert all(hit.score < 0.05 for hit in hits), [(hit.text, hit.score) for hit in hits]
    assert await found(store, "zeppelin", SearchMode.HYBRID, degrees=180.0) == []


async def test_meaning_is_scored_on_the_scale_of_its_model(store: SqlStore) -> None:
    """Two models that give the same texts other cosines give them the same scores, each by its own scale."""
    angles = {"near": 20.0, "apart": 60.0, "elsewhere": 80.0}
    await store.search.index(OWNER, "transcript_1", [said(text, n, angles[text]) for n, text in enumerate(angles)])
    cosines = {text: math.cos(math.radians(degrees)) for text, degrees in angles.items()}
    wide = await found(store, "", SearchMode.SEMANTIC, scale=CosineScale(0.0, 1.0))
    assert [hit.text for hit in wide] == ["near", "apart", "elsewhere"]
    narrow = CosineScale(cosines["apart"] - 0.1, cosines["near"])
    hits = await found(store, "", SearchMode.SEMANTIC, scale=narrow)
    within = 0.1 / (narrow.related - narrow.unrelated)
    assert [(hit.text, hit.score) for hit in hits] == [
        ("near", pytest.approx(1.0, abs=1e-4)),
        ("apart", pytest.approx(within, abs=1e-4)),
    ]


async def test_scores_lie_between_none_and_one_and_fall(store: SqlStore) -> None:
    many = [said(f"word{n % 7} the importer {n}", n, degrees=n * 4.0) for n in range(40)]
    await store.search.index(OWNER, "transcript_1", many)
    for mode in SearchMode:
        scores = [hit.score for hit in await found(store, "word3 importer", mode, scale=CosineScale(0.2, 0.8))]
        assert scores
        assert scores == sorted(scores, reverse=True)
        assert all(0 < score <= 1 for score in scores)


async def test_rarity_is_the_tenants_own(store: SqlStore) -> None:
    await store.search.index(OWNER, "transcript_1", [said("zeppelin budget"), said("the budget", 1), said("budget", 2)])
    before = [(hit.text, hit.score) for hit in await found(store, "zeppelin budget")]
    other = Ownership("other", "conversation_2")
    await store.search.index(other, "transcript_2", [said("zeppelin", n) for n in range(50)])
    assert [(hit.text, hit.score) for hit in await found(store, "zeppelin budget")] == before


async def test_a_hit_says_whose_words_it_is_made_of(store: SqlStore) -> None:
    told = {"recap_id": "recap_1", "title": "Plans", "recorded_at": 1_000.0}
    line = said("we ship on Friday", **told)
    chapter = said("Plans: we ship", 1, kind=PassageKind.CHAPTER, **told)
    await store.search.index(OWNER, "transcript_1", [line, chapter])
    hits = await found(store, "ship")
    assert {hit.text: hit.kind for hit in hits} == {line.text: PassageKind.LINE, chapter.text: PassageKind.CHAPTER}
    for hit in hits:
        assert (hit.conversation_id, hit.transcript_id, hit.recap_id) == ("conversation_1", "transcript_1", "recap_1")
        assert (hit.title, hit.recorded_at) == ("Plans", 1_000.0)


async def test_segments_of_a_recap_without_a_transcript_lead_to_the_recap(store: SqlStore) -> None:
    await store.search.index(OWNER, "recap_1", [replace(said("we ship on Friday"), transcript_id=None, recap_id="recap_1")])
    (hit,) = await found(store, "ship")
    assert (hit.transcript_id, hit.recap_id) == (None, "recap_1")


async def test_indexing_again_keeps_the_date_that_was_known(store: SqlStore) -> None:
    await store.search.index(OWNER, "transcript_1", [said("we ship", recorded_at=1_000.0)])
    await store.search.index(OWNER, "transcript_1", [said("we ship")])
    assert [hit.recorded_at for hit in await found(store, "ship")] == [1_000.0]
    await store.search.index(OWNER, "transcript_1", [said("we ship", recorded_at=2_000.0)])
    assert [hit.recorded_at for hit in await found(store, "ship")] == [2_000.0]


@pytest.mark.parametrize("mode", list(SearchMode))
@pytest.mark.parametrize(
    ("filters", "left"),
    [
        (EVERYTHING, {"a", "b", "c"}),
        (SearchFilters(conversation_ids=("conversation_1",)), {"a", "b"}),
        (SearchFilters(conversation_ids=("conversation_1", "conversation_2")), {"a", "b", "c"}),
        (SearchFilters(speakers=("Ann",)), {"a", "c"}),
        (SearchFilters(conversation_ids=("conversation_1",), speakers=("Ann",)), {"a"}),
        (SearchFilters(kinds=(PassageKind.CHAPTER,)), {"b"}),
        (SearchFilters(recorded_from=1_000.0), {"a", "b", "c"}),
        (SearchFilters(recorded_from=1_001.0), {"c"}),
        (SearchFilters(recorded_before=2_000.0), {"a", "b"}),
        (SearchFilters(recorded_from=1_001.0, recorded_before=2_000.0), set()),
        (SearchFilters(speakers=("Nobody",)), set()),
    ],
)
async def test_filters_leave_what_they_name(store: SqlStore, mode: SearchMode, filters: SearchFilters, left: set[str]) -> None:
    first = [
        said("a ship", 0, 10, "Ann", recorded_at=1_000.0),
        said("b ship", 1, 20, kind=PassageKind.CHAPTER, recorded_at=1_000.0),
    ]
    await store.search.index(OWNER, "transcript_1", first)
    second = [said("c ship", 0, 30, "Ann", recorded_at=2_000.0)]
    await store.search.index(Ownership("default", "conversation_2"), "transcript_2", second)
    await store.search.index(
        Ownership("other", "conversation_1"), "transcript_1", [said("d ship", 0, 0, "Ann", recorded_at=1_500.0)]
    )
    assert {hit.text[0] for hit in await found(store, "ship", mode, filters=filters)} == left


async def test_a_filter_finds_what_a_hundred_better_passages_would_hide(store: SqlStore) -> None:
    crowd = [said("ship " * 3, n, degrees=1.0, speaker="Ann") for n in range(150)]
    await store.search.index(OWNER, "transcript_1", crowd)
    await store.search.index(OWNER, "transcript_2", [said("the ship of the other one", 0, 60, "Bob")])
    for mode in SearchMode:
        hits = await found(store, "ship", mode, filters=SearchFilters(speakers=("Bob",)))
        assert [hit.speaker for hit in hits] == ["Bob"]


async def test_what_a_deleted_conversation_said_is_not_found_whatever_it_came_from(store: SqlStore) -> None:
    await store.search.index(OWNER, "recap_1", [replace(said("we ship"), transcript_id=None, recap_id="recap_1")])
    await store.search.index(OWNER, "transcript_1", [said("we ship too")])
    assert len(await found(store, "ship")) == 2
    await store.results.delete_conversation("default", "conversation_1")
    for mode in SearchMode:
        assert await found(store, "ship", mode, degrees=90.0) == []
