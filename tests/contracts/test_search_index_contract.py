"""The promises of SearchIndex, one per test."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.scripted.clock import MovableClock
from adapters.sql import SqlStore
from domain.call import ModelIdentity
from domain.errors import InvalidRequest
from domain.search import Passage, PassageKind, SearchFilters, SearchHit, SearchMode, Told
from ports.results import Ownership, SearchIndex

MODEL = ModelIdentity("all-MiniLM-L6-v2", "r1", "sentence-transformers", "float32")
OTHER_REVISION = ModelIdentity("all-MiniLM-L6-v2", "r2", "sentence-transformers", "float32")
OWNER = Ownership("default", "conversation_1")


def direction(degrees: float) -> tuple[float, ...]:
    return (math.cos(math.radians(degrees)), math.sin(math.radians(degrees)))


def passage(text: str, degrees: float | None = 90.0, segment: int = 0, model: ModelIdentity = MODEL) -> Passage:
    vector = () if degrees is None else direction(degrees)
    return Passage("transcript_1", (segment, segment + 1), segment * 1.5, segment * 1.5 + 1, text, vector, model, "Ada")


def texts(hits: Sequence[SearchHit]) -> list[str]:
    return [hit.text for hit in hits]


class SearchIndexContract:
    """Override `index`."""

    @pytest.fixture
    def index(self, tmp_path: Path) -> Iterator[SearchIndex]:
        raise NotImplementedError

    async def find(self, index: SearchIndex, query: str, mode: SearchMode, degrees: float = 0.0, limit: int = 10) -> list[str]:
        return texts(await index.search("default", query, direction(degrees), MODEL, mode, limit))

    async def test_an_empty_index_finds_nothing(self, index: SearchIndex) -> None:
        for mode in SearchMode:
            assert await self.find(index, "anything", mode) == []

    async def test_passages_are_told_anew_with_their_vectors_and_all_else_left(self, index: SearchIndex) -> None:
        held = replace(passage("Ada ships the zeppelin", 10, 3), title="Ada", recap_id="recap_1", recorded_at=5.0)
        await index.index(OWNER, "transcript_1", [held, passage("nothing of it", 80, 5)])
        await index.index(OWNER, "transcript_2", [replace(passage("Ada too", 20), transcript_id="transcript_2")])
        assert await self.find(index, "", SearchMode.SEMANTIC) == ["Ada ships the zeppelin", "Ada too", "nothing of it"]
        seen: list[Told] = []

        def change(told: Told) -> Told:
            seen.append(told)
            return replace(told, speaker="Eva", text=told.text.replace("Ada", "Eva"), title=told.title and "Eva")

        await index.retell("default", "transcript_1", change)
        await index.retell("other", "transcript_1", change)
        assert [told.segment_ids for told in seen] == [(3, 4), (5, 6)]
        assert seen[0] == Told(PassageKind.LINE, (3, 4), 4.5, "recap_1", "Ada", "Ada ships the zeppelin", "Ada")
        (hit,) = await index.search("default", "zeppelin", None, None, SearchMode.LEXICAL, 10, SearchFilters(speakers=("Eva",)))
        assert (hit.text, hit.speaker, hit.title, hit.recorded_at) == ("Eva ships the zeppelin", "Eva", "Eva", 5.0)
        assert (hit.segment_ids, hit.start, hit.recap_id, hit.conversation_id) == ((3, 4), 4.5, "recap_1", "conversation_1")
        assert await self.find(index, "Ada", SearchMode.LEXICAL) == ["Ada too"]
        assert await self.find(index, "", SearchMode.SEMANTIC) == ["Eva ships the zeppelin", "Ada too", "nothing of it"]

    async def test_a_hit_tells_where_it_was_said(self, index: SearchIndex) -> None:
        await index.index(OWNER, "transcript_1", [passage("we ship on Friday", segment=4)])
        (hit,) = await index.search("default", "friday", None, None, SearchMode.LEXICAL, 10)
        assert (hit.transcript_id, hit.segment_ids, hit.start, hit.end, hit.speaker) == ("transcript_1", (4, 5), 6.0, 7.0, "Ada")

    async def test_words_are_found_whatever_their_case_and_accents(self, index: SearchIndex) -> None:
        await index.index(OWNER, "transcript_1", [passage("Die Grüße aus Ångström"), passage("nothing of it")])
        for query in ("GRUSSE angstrom", "grüße", "Angström!"):
            assert await self.find(index, query, SearchMode.LEXICAL) == ["Die Grüße aus Ångström"]

    async def test_the_passage_with_more_of_the_rare_words_comes_first(self, index: SearchIndex) -> None:
        common = [passage(f"the meeting of day {n}", segment=n) for n in range(20)]
        rare = [passage("the budget of the meeting", segment=30), passage("the budget for the zeppelin", segment=31)]
        await index.index(OWNER, "transcript_1", common + rare)
        found = await self.find(index, "meeting budget zeppelin", SearchMode.LEXICAL, limit=3)
        assert found[:2] == ["the budget for the zeppelin", "the budget of the meeting"]

    async def test_meaning_is_ranked_by_cosine(self, index: SearchIndex) -> None:
        angles = (80, 10, 170, 45)
        await index.index(OWNER, "transcript_1", [passage(f"at {a}", a, n) for n, a in enumerate(angles)])
        hits = await index.search("default", "", direction(0), MODEL, SearchMode.SEMANTIC, 10)
        assert texts(hits) == ["at 10", "at 45", "at 80"], "what points away is no answer"
        assert [hit.score for hit in hits] == pytest.approx([math.cos(math.radians(a)) for a in (10, 45, 80)], abs=1e-4)

    async def test_hybrid_takes_words_and_meaning_together(self, index: SearchIndex) -> None:
        both = passage("budget in both", 60, 0)
        words = passage("budget budget budget", 170, 1)
        meaning = passage("money plan", 60, 2)
        await index.index(OWNER, "transcript_1", [meaning, both, words])
        half = [passage(f"filler {n}", 170, 3 + n) for n in range(3)]
        await index.index(OWNER, "transcript_2", half)
        hits = await index.search("default", "budget", direction(0), MODEL, SearchMode.HYBRID, 10)
        assert [(hit.text, hit.score) for hit in hits] == [
            ("budget in both", pytest.approx(1.0)),
            ("budget budget budget", pytest.approx(1.0)),
            ("money plan", pytest.approx(0.5, abs=1e-6)),
        ]

    async def test_hybrid_without_a_vector_searches_by_words(self, index: SearchIndex) -> None:
        await index.index(OWNER, "transcript_1", [passage("budget"), passage("else")])
        assert texts(await index.search("default", "budget", None, None, SearchMode.HYBRID, 10)) == ["budget"]

    async def test_semantic_without_a_vector_is_refused(self, index: SearchIndex) -> None:
        with pytest.raises(InvalidRequest):
            await index.search("default", "budget", None, None, SearchMode.SEMANTIC, 10)

    async def test_no_more_than_the_limit_is_returned(self, index: SearchIndex) -> None:
        await index.index(OWNER, "transcript_1", [passage("budget", n, n) for n in range(20)])
        for mode in SearchMode:
            assert len(await self.find(index, "budget", mode, limit=3)) == 3
            assert await self.find(index, "budget", mode, limit=0) == []

    async def test_vectors_of_another_revision_are_never_compared(self, index: SearchIndex) -> None:
        await index.index(OWNER, "transcript_1", [passage("new", 60), passage("old", 0, model=OTHER_REVISION)])
        assert await self.find(index, "", SearchMode.SEMANTIC) == ["new"]
        assert await self.find(index, "old", SearchMode.LEXICAL) == ["old"]

    async def test_a_passage_without_a_vector_is_found_by_its_words_only(self, index: SearchIndex) -> None:
        await index.index(OWNER, "transcript_1", [passage("budget", None), passage("plan", 5)])
        assert await self.find(index, "budget", SearchMode.SEMANTIC) == ["plan"]
        assert await self.find(index, "budget", SearchMode.LEXICAL) == ["budget"]

    async def test_tenants_never_see_one_another(self, index: SearchIndex) -> None:
        await index.index(Ownership("other", "c"), "transcript_1", [passage("secret budget", 0)])
        for mode in SearchMode:
            assert await self.find(index, "budget", mode) == []

    async def test_indexing_again_replaces_the_transcripts_passages(self, index: SearchIndex) -> None:
        await index.index(OWNER, "transcript_2", [passage("budget of two", 50)])
        for text, degrees in (("budget before", 10), ("budget after", 70)):
            await index.index(OWNER, "transcript_1", [passage(text, degrees)])
            assert await self.find(index, "budget", SearchMode.SEMANTIC, degrees) == [text, "budget of two"]
        assert sorted(await self.find(index, "budget", SearchMode.LEXICAL)) == ["budget after", "budget of two"]
        await index.index(OWNER, "transcript_1", [])
        for mode in SearchMode:
            assert await self.find(index, "budget", mode) == ["budget of two"]

    @pytest.mark.parametrize("vector", [(math.nan, 1.0), (math.inf, 0.0), (0.0, 0.0)])
    async def test_a_vector_that_is_no_direction_is_refused(self, index: SearchIndex, vector: tuple[float, ...]) -> None:
        broken = Passage("transcript_1", (0,), 0, 1, "x", vector, MODEL)
        with pytest.raises(InvalidRequest):
            await index.index(OWNER, "transcript_1", [broken])
        await index.index(OWNER, "transcript_1", [passage("fine")])
        with pytest.raises(InvalidRequest):
            await index.search("default", "x", vector, MODEL, SearchMode.SEMANTIC, 5)

    async def test_vectors_of_another_length_are_refused(self, index: SearchIndex) -> None:
        await index.index(OWNER, "transcript_1", [passage("fine", 0)])
        longer = Passage("transcript_2", (0,), 0, 1, "x", (1.0, 0.0, 0.0), MODEL)
        with pytest.raises(InvalidRequest):
            await index.index(OWNER, "transcript_2", [longer])
        with pytest.raises(InvalidRequest):
            await index.search("default", "x", (1.0, 0.0, 0.0), MODEL, SearchMode.SEMANTIC, 5)

    @pytest.mark.parametrize(
        "query",
        [
            '"',
            '""" OR 1',
            "NEAR(a b)",
            "text:budget",
            "budget*",
            "-budget",
            "^budget",
            "(",
            "a AND",
            "' OR ''='",
            "\x00",
            "_",
            "{a b}",
        ],
    )
    async def test_nothing_in_a_query_is_syntax(self, index: SearchIndex, query: str) -> None:
        await index.index(OWNER, "transcript_1", [passage("the budget", 0)])
        found = await self.find(index, query, SearchMode.LEXICAL)
        assert found == (["the budget"] if "budget" in query else [])

    @given(query=st.text(max_size=200))
    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    async def test_any_text_can_be_searched_for(self, index: SearchIndex, query: str) -> None:
        assert await self.find(index, query, SearchMode.LEXICAL) == []


class TestSqlSearchIndex(SearchIndexContract):
    @pytest.fixture
    def index(self, database_url: str) -> Iterator[SearchIndex]:
        store = SqlStore.open(database_url, MovableClock())
        yield store.search
        store.close()

    async def test_what_another_process_indexed_is_found_at_once(self, index: SearchIndex, database_url: str) -> None:
        other = SqlStore.open(database_url, MovableClock())
        await index.index(OWNER, "transcript_1", [passage("first", 0)])
        assert await self.find(index, "", SearchMode.SEMANTIC) == ["first"]
        await other.search.index(OWNER, "transcript_2", [passage("second", 40)])
        await other.search.index(OWNER, "transcript_3", [passage("third", 20)])
        await other.search.index(OWNER, "transcript_1", [])
        assert await self.find(index, "", SearchMode.SEMANTIC) == ["third", "second"]
        other.close()
