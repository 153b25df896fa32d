"""The prose of recaps: what its scores are made of, simpler methods beside it, versions of a prompt, other suites over recaps."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import prompts
from domain.recap import Chapter, Recap, Statement
from domain.transcript import Segment
from evals import injection
from evals.extractive import METHODS, candidates, extract
from evals.prompt_versions import compare_prompts, comparison_lines
from evals.recap_material import Meeting, bundled_meetings, labelled, told
from evals.recap_models import CountedLanguageModel, Made, Models
from evals.recap_scores import is_carried, is_quote, summary_scores, trust_scores
from tests.doubles_recap import RuledLanguageModel
from tests.evals.scripted_recaps import copies_the_lines, joins_the_lines, scripted_models

OWN = bundled_meetings()
TOLD = [told(meeting) for meeting in labelled() if meeting.id == "de-mieterin-balkon"]
SEGMENTS = (
    Segment(0, 0, 4, "The printer on the second floor breaks every week.", speaker="Anna"),
    Segment(1, 4, 8, "Then we buy a new printer for 900.", speaker="Ben"),
)


def words_in_common(first: Sequence[str], second: Sequence[str]) -> np.ndarray:
    """Stands for the cosine: shared words over all words."""
    bags = [[set(text.lower().split()) for text in texts] for texts in (first, second)]
    return np.array([[len(a & b) / max(1, len(a | b)) for b in bags[1]] for a in bags[0]])


def recap_with(**parts: Any) -> Recap:
    empty = Recap("r", None, "en", "Printers", (), (), (), (), (), (), 1.0)
    return replace(empty, **parts)


def meeting_with(**parts: Any) -> Meeting:
    empty = Meeting("m", "en", "own", SEGMENTS, "A new printer is bought.")
    return replace(empty, **parts)


# --- prose ---


@pytest.mark.parametrize(
    ("text", "ids", "carried"),
    [
        ("Ben says they will buy a new printer for 900.", (1,), True),
        ("The printer on the second floor breaks.", (0,), True),
        ("The printer on the second floor breaks.", (1,), False),
        ("Ben says they will buy a new printer for 800.", (1,), False),
        ("The canteen serves lentil soup tomorrow.", (0, 1), False),
        ("The printer breaks.", (), False),
        ("The printer breaks.", (0, 7), False),
    ],
)
def test_a_statement_is_carried_only_by_what_it_cites(text: str, ids: tuple[int, ...], carried: bool) -> None:
    assert is_carried(Statement(text, ids, 1.0), SEGMENTS) is carried


def test_a_statement_is_carried_in_other_languages_by_the_beginnings_of_its_words() -> None:
    said = (Segment(0, 0, 4, "Wir bestellen die Drucker nächste Woche.", speaker="Ben"),)
    assert is_carried(Statement("Die Bestellung der Drucker erfolgt nächste Woche.", (0,), 1.0), said, "de")
    assert not is_carried(Statement("Die Kantine bietet morgen Linsensuppe.", (0,), 1.0), said, "de")


@pytest.mark.parametrize(
    ("text", "ids", "quote"),
    [
        ("Then we buy a new printer for 900.", (1,), True),
        ("then we WE buy a new printer", (1,), True),
        ("They buy a new printer for 900.", (1,), False),
        ("Then we buy a new printer for 900.", (0,), False),
    ],
)
def test_a_quote_is_word_for_word_in_a_cited_segment(text: str, ids: tuple[int, ...], quote: bool) -> None:
    assert is_quote(Statement(text, ids, 1.0), SEGMENTS) is quote


def test_statements_that_nobody_said_cost_support_even_when_the_recap_vouches_for_them() -> None:
    invented = recap_with(summary=(Statement("Aliens landed beside the harbour.", (0,), 1.0),), support=1.0)
    found = trust_scores(Made(invented, CountedLanguageModel(RuledLanguageModel())), SEGMENTS)
    assert (found["support"], found["carried"], found["statements"]) == (1.0, 0.0, 1.0)


def test_support_is_that_of_the_prose_and_chapters_in_quotes_are_counted() -> None:
    quoted = Chapter("Printers", 0, 8, (0, 1), (Statement("The printer on the second floor breaks every week.", (0,), 1.0),))
    told_of = Chapter("Printers", 0, 8, (0, 1), (Statement("A new printer for 900 is bought.", (1,), 0.5),))
    made = recap_with(
        chapters=(quoted, told_of), decisions=(Statement("Buy.", (1,), 0.0),), degraded=("language_model_unavailable: items",)
    )
    found = trust_scores(Made(made, CountedLanguageModel(RuledLanguageModel())), SEGMENTS)
    assert (found["support"], found["statements"]) == (0.75, 2.0)
    assert (found["quoted"], found["chapters"], found["degraded"]) == (1.0, 2.0, 1.0)


def test_topics_count_when_the_summary_draws_on_them() -> None:
    meeting = meeting_with(topics=(frozenset({0}), frozenset({1})))
    found = summary_scores("A new printer is bought.", frozenset({1}), meeting, words_in_common)
    assert (found["topics_covered"], found["topics"]) == (1, 2)
    assert found["rouge_1"] == found["rouge_l"] == 1.0


def test_likeness_in_other_languages_is_by_whole_words() -> None:
    meeting = meeting_with(language="de", summary="Für die Küche wird ein Drucker bestellt.")
    same = summary_scores("FUR die kuche wird ein Drucker bestellt", frozenset(), meeting, words_in_common)
    other = summary_scores("fürstlich ärgern öfter", frozenset(), meeting, words_in_common)
    assert same["rouge_1"] == 1.0
    assert other["rouge_1"] == 0.0


# --- simpler methods ---


def test_each_method_fills_the_wanted_length_in_the_order_of_the_meeting() -> None:
    meeting = OWN[1]
    sentences = candidates(meeting.segments)
    vectors = np.array(scripted_models().vectors([sentence.clean for sentence in sentences]))
    taken = {method: extract(method, sentences, vectors, 80) for method in METHODS}

    assert len({each.text for each in taken.values()}) == len(METHODS)
    assert taken["lead"].text.startswith(sentences[0].clean)
    for each in taken.values():
        assert 60 <= len(each.text.split()) <= 100
        places = [place for place, sentence in enumerate(sentences) if sentence.clean in each.text]
        text = " ".join(sentences[place].clean for place in places)
        assert set(each.text.split()) <= set(text.split())
    with pytest.raises(ValueError, match="a method is one of"):
        extract("luck", sentences, vectors, 80)


def test_mmr_does_not_say_the_same_thing_twice() -> None:
    said = ["the printer is far too slow today", "the printer is far too slow now", "we should rent a bus on monday"]
    sentences = candidates([Segment(i, i, i + 1, f"{text}.", speaker="Anna") for i, text in enumerate(said)])
    vectors = np.array([[1.0, 0.0], [0.999, 0.045], [0.2, 0.98]])
    assert [s.segment_ids for s in sentences] == [(0,), (1,), (2,)]
    assert extract("mmr", sentences, vectors, 14).segment_ids == {1, 2}
    assert extract("centroid", sentences, vectors, 14).segment_ids == {0, 1}


def test_talk_without_an_end_is_cut_for_the_embedder() -> None:
    long = candidates([Segment(0, 0, 60, " ".join(f"word{place}" for place in range(130)))])
    assert [len(each.clean.split()) for each in long] == [60, 60, 10]


# --- versions of a prompt ---


@pytest.fixture
def second_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second version of the words for chapters, which says the same."""
    load = prompts.load

    def with_second(name: str, version: str | None = None, language: str | None = None) -> prompts.Prompt:
        if (name, version) == ("write_chapter", "v2"):
            return replace(load(name, "v1"), version="v2")
        return load(name, version, language)

    monkeypatch.setattr(prompts, "load", with_second)


def by_version(prompt: Any) -> Mapping[str, object]:
    return joins_the_lines(prompt) if prompt.reference.version == "v2" else copies_the_lines(prompt)


@pytest.mark.usefixtures("second_version")
def test_two_versions_are_compared_case_by_case_with_scores_cost_and_words() -> None:
    found = compare_prompts("write_chapter@v1..v2", models=scripted_models(by_version), meetings=[TOLD[0], OWN[1]])

    assert (found["prompt"], found["before"], found["after"]) == ("write_chapter", "v1", "v2")
    assert found["scores"]["quoted_share"]["change"] < 0
    assert (
        found["cost_before"]["calls"] == found["cost_after"]["calls"] == sum(c["cost_after"]["calls"] for c in found["cases"]) > 0
    )
    assert all("chapters" in case["diff"] or "summary" in case["diff"] for case in found["cases"])
    lines = comparison_lines(found)
    assert lines[0] == "write_chapter v1 -> v2, 2 meetings"
    assert any(line.startswith("== recap/bakery-orders") for line in lines)
    assert any(line.startswith("    + ") for line in lines)


def test_the_same_version_twice_differs_in_nothing() -> None:
    found = compare_prompts("write_chapter@v1..v1", models=scripted_models(), meetings=OWN[:1])
    assert found["cases"][0]["diff"] == {}
    assert {change["change"] for change in found["scores"].values()} == {0.0}


@pytest.mark.parametrize(("reference", "error"), [("write_chapter", ValueError), ("write_chapter@v1..v99", LookupError)])
def test_a_comparison_of_what_there_is_not_is_refused(reference: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        compare_prompts(reference, models=scripted_models(), meetings=OWN[:1])


# --- other suites over recaps ---


def test_the_metrics_of_ragas_need_no_judge() -> None:
    from evals.ragas_scores import RAGAS, RagasScores

    judged = RagasScores(scripted_models())
    same = judged("Ben buys a printer.", "Ben buys a printer.")
    other = judged("Ben buys a printer.", "The soup was cold again on Monday.")
    assert set(same) == set(RAGAS)
    assert all(same[name] > other[name] for name in RAGAS)
    assert same["ragas_rouge_l"] == 1.0


def test_the_injection_suite_counts_the_meetings_in_which_an_attack_shows() -> None:
    good = injection.run(models=scripted_models())
    assert (good["scores"]["breached"], good["scores"]["attacks"]) == (0.0, injection.FAST)
    assert good["findings"] == []


class Gullible(Models):
    """Quotes whoever speaks third, as a recap without rules on injection might."""

    def recap(self, segments: Sequence[Segment], language: str, *_more: object, **_others: object) -> Made:
        third = segments[2]
        recap = recap_with(summary=(Statement(f"{third.speaker}: {third.text}", (2,), 1.0),))
        return Made(recap, CountedLanguageModel(self.language_model))


def test_the_injection_suite_sees_recaps_that_let_orders_through() -> None:
    models = scripted_models()
    bad = injection.run(models=Gullible(models.language_model, models.embedder, models.item_finder))
    assert bad["scores"]["breached"] == injection.FAST == len(bad["findings"])
