"""What was measured of an embedder comes with it: another one, whose cosines mean something else, does the same work."""

import math
from collections.abc import Sequence

import pytest

import prompts
from adapters.scripted import MovableClock, ScriptedItemFinder, by_words
from adapters.sql import SqlStore
from application.recap.make_recap import MakeRecap
from application.search_transcripts import SearchTranscripts
from domain.call import Answer, CallContext
from domain.recap import Recap
from domain.search import CosineScale, Passage, SearchMode
from ports.embedder import InputType, Vectors
from ports.results import Ownership
from tests.doubles_recap import DECISION, TWO_CHAPTERS, HashingEmbedder, RuledLanguageModel, conversation, nobody

WIDE = CosineScale(0.1, 0.8, 0.85)
COMMON = 0.7
"""Cosine of two texts without a common word, for an embedder that finds everything a little alike."""
NARROW = CosineScale(*(COMMON + (1 - COMMON) * cosine for cosine in (WIDE.unrelated, WIDE.related, WIDE.same)))

MEETING = conversation(
    ("Anna", "We decide to buy a new colour printer for the second floor office."),
    ("Ben", "The repair company charged us two hundred for the last visit."),
    ("Anna", "The old printer breaks down nearly every week now."),
    ("Ben", "The toner of the old printer is expensive too."),
    ("Ben", "The shop around the corner sells printers."),
    ("Anna", "We decide to buy a small scanner for the second floor office."),
    ("Ben", "The museum garden holds eighty guests and has a roof against rain."),
    ("Anna", "Last year the guests liked the music band more than the food."),
    ("Ben", "The music band asks four hundred for the whole evening of the party."),
    ("Anna", "The band can not come before eight in the evening."),
    ("Anna", "We decide to hold the summer party in the museum garden."),
    ("Ben", "The guests of the party will like the garden of the museum."),
)


class NarrowEmbedder(HashingEmbedder):
    """The same bag of words beside a large common part, as of models that are trained at a high temperature."""

    dimensions = HashingEmbedder.dimensions + 1

    async def embed(self, texts: Sequence[str], input_type: InputType, context: CallContext) -> Answer[Vectors]:
        answer = await HashingEmbedder().embed(texts, input_type, context)
        own = math.sqrt(1 - COMMON)
        return Answer(
            tuple((math.sqrt(COMMON), *(own * value for value in vector)) for vector in answer.value), answer.provenance
        )


async def recap_by(embedder: HashingEmbedder) -> Recap:
    finder = ScriptedItemFinder(by_words({"We decide": DECISION}))
    make = MakeRecap(RuledLanguageModel(), embedder, finder, prompts, TWO_CHAPTERS)
    return (await make("rc_1", "tr_1", MEETING, "en", prompts.template("general"), CallContext(), nobody)).recap


async def scores_by(embedder: HashingEmbedder, question: str) -> dict[int, float]:
    """Score of each line of the meeting, by meaning alone."""
    store = SqlStore.open("sqlite://", MovableClock())
    texts = [segment.text for segment in MEETING]
    vectors = (await embedder.embed(texts, InputType.DOCUMENT, CallContext())).value
    passages = [
        Passage("tr_1", (n,), n, n + 1, text, vector, embedder.identity)
        for n, (text, vector) in enumerate(zip(texts, vectors, strict=True))
    ]
    await store.search.index(Ownership("default", "conversation_1"), "tr_1", passages)
    search = SearchTranscripts(store.search, embedder, MovableClock(), 2.0)
    found = await search(CallContext(), question, SearchMode.SEMANTIC, 50)
    store.close()
    return {hit.segment_ids[0]: hit.score for hit in found.hits}


async def test_a_recap_is_the_same_by_an_embedder_whose_cosines_are_narrow() -> None:
    wide, narrow = await recap_by(HashingEmbedder(cosines=WIDE)), await recap_by(NarrowEmbedder(cosines=NARROW))
    assert len(wide.decisions) == 3
    assert [d.segment_ids for d in narrow.decisions] == [d.segment_ids for d in wide.decisions]
    assert [c.segment_ids for c in narrow.chapters] == [c.segment_ids for c in wide.chapters]


async def test_measures_of_another_model_take_two_matters_for_one() -> None:
    """So no such measure may stand in the code that all models share."""
    assert len((await recap_by(NarrowEmbedder(cosines=WIDE))).decisions) < 3


@pytest.mark.parametrize("question", ["Where is the summer party?", "How do I bake sourdough bread?"])
async def test_a_search_scores_the_same_by_an_embedder_whose_cosines_are_narrow(question: str) -> None:
    wide = await scores_by(HashingEmbedder(cosines=WIDE), question)
    assert await scores_by(NarrowEmbedder(cosines=NARROW), question) == pytest.approx(wide, abs=2e-4)
    misread = await scores_by(NarrowEmbedder(cosines=WIDE), question)
    assert min(misread.values()) > max(wide.values())
