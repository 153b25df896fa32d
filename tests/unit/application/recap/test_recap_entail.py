"""A sentence that its lines do not carry is not told; without a judge the recap says so and stands by the words alone."""

import pytest

import prompts
from adapters.scripted import ScriptedEntailmentJudge, ScriptedItemFinder
from application.recap.check import Checked
from application.recap.entail import Entailed
from application.recap.make_recap import MakeRecap, RecapResult
from application.recap.settings import RecapSettings
from domain.call import CallContext, CallKind
from domain.entailment import Claim
from domain.errors import ModelUnavailable
from domain.finding import Line
from domain.transcript import Segment
from ports.entailment_judge import EntailmentJudge
from tests.doubles_recap import TWO_CHAPTERS, HashingEmbedder, RuledLanguageModel, answering, spoken

TALK = tuple(
    Segment(place, 4.0 * place, 4.0 * place + 3.5, text, speaker=speaker)
    for place, (speaker, text) in enumerate(
        [
            ("Ann", "The invoices of the ninth went to Porto by truck."),
            ("Bo", "And the pallets of the twelfth stay in Lisbon for now."),
            ("Ann", "Good, then the harbour office hears nothing from us until Friday."),
        ]
    )
)
SWAPPED = "The invoices of the twelfth went to Porto by truck, the pallets of the ninth stay in Lisbon."
KEPT = "The invoices of the ninth went to Porto by truck."
WRITTEN = {"title": "Invoices", "sentences": [{"text": SWAPPED, "lines": [1, 2]}, {"text": KEPT, "lines": [1]}]}


async def recap_of(judge: EntailmentJudge | None) -> RecapResult:
    model = RuledLanguageModel(answering(write_chapter=WRITTEN))
    make = MakeRecap(model, HashingEmbedder(), ScriptedItemFinder(), prompts, TWO_CHAPTERS, judge)
    return await make("r", None, TALK, "en", prompts.template("general"), CallContext(), _unheeded)


async def _unheeded(_done: float) -> None: ...


def no_twelfth_in_porto(claim: Claim) -> float:
    return 0.1 if "twelfth went" in claim.text else 0.93


async def test_a_sentence_of_the_right_words_in_the_wrong_places_is_not_told() -> None:
    judge = ScriptedEntailmentJudge(no_twelfth_in_porto)
    recap = (await recap_of(judge)).recap
    told = [each.text for chapter in recap.chapters for each in chapter.summary]
    assert told == [KEPT]
    assert [each.support for chapter in recap.chapters for each in chapter.summary] == [0.93]
    assert any(call.kind is CallKind.ENTAIL for call in recap.provenance)
    assert recap.degraded == ()


async def test_the_judge_sees_the_cited_lines_with_who_said_them_and_only_sentences_whose_words_were_said() -> None:
    judge = ScriptedEntailmentJudge(no_twelfth_in_porto)
    await recap_of(judge)
    (asked, *_) = judge.asked
    assert asked[1] == Claim((Line("Ann", TALK[0].text),), KEPT)
    assert all(len(call) > 0 for call in judge.asked)


async def test_of_many_lines_the_judge_reads_those_that_share_most_with_the_sentence_in_their_order() -> None:
    words = ["alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel"]
    lines = spoken(*(("Ann", f"We spoke of {word} then.") for word in words))
    judge = ScriptedEntailmentJudge()
    said = "They spoke of bravo, charlie, delta, echo, foxtrot and hotel."
    await Entailed(judge, TWO_CHAPTERS, CallContext()).of([[Checked(said, tuple(lines), 0.9)]])
    ((claim,),) = judge.asked
    assert [line.text.split()[3] for line in claim.premise] == [word for word in words if word not in ("alpha", "golf")]


async def test_what_few_words_carry_is_told_when_the_judge_says_so_and_not_without_one() -> None:
    lines = tuple(spoken(("Ann", "We take the euro pallet and not the small one.")))
    loose = Checked("Ann suggests the euro pallet instead of another.", lines, 0.5)
    settings = RecapSettings()
    assert [each.support for each in (await Entailed(ScriptedEntailmentJudge(), settings, CallContext()).of([[loose]]))[0]] == [
        1.0
    ]
    for judge in (None, ScriptedEntailmentJudge(failure=ModelUnavailable("down"))):
        assert await Entailed(judge, settings, CallContext()).of([[loose]]) == [[]]


async def test_without_a_judge_both_stand_by_their_words() -> None:
    recap = (await recap_of(None)).recap
    assert [each.text for chapter in recap.chapters for each in chapter.summary] == [KEPT, SWAPPED]
    assert recap.degraded == ()


async def test_a_judge_that_is_down_is_named_and_costs_nothing_else() -> None:
    recap = (await recap_of(ScriptedEntailmentJudge(failure=ModelUnavailable("down")))).recap
    assert [each.text for chapter in recap.chapters for each in chapter.summary] == [KEPT, SWAPPED]
    assert recap.degraded == ("entailment_unavailable: sentences are checked by their words alone",)


async def test_what_nobody_expects_of_a_judge_ends_the_recap() -> None:
    with pytest.raises(ZeroDivisionError):
        await recap_of(ScriptedEntailmentJudge(failure=ZeroDivisionError()))
