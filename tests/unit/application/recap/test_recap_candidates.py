"""From readings to candidates: which lines belong to one item, who owns it, and until when."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.scripted import span_of
from application.recap.candidates import Candidate, ItemKind, candidates_in, joined
from application.recap.settings import RecapSettings
from domain.finding import NOTHING_FOUND, LineReading
from tests.doubles_recap import DECISION, QUESTION, TASK, spoken

SETTINGS = RecapSettings(minimum_confidence=0.5, evidence_share=0.6, evidence_gap=1, minimum_owner=0.4, minimum_due=0.5)
OWNERLESS = replace(TASK, speaker_owns=0.0)
ASKED = "Ben, can you send the list?"
WILL = "Yes, I will send it by Friday."


def found(lines: Sequence[tuple[str | None, str]], *readings: LineReading) -> list[Candidate]:
    return candidates_in(spoken(*lines), readings, SETTINGS)


def runs(*values: float, minimum: float = 0.5, share: float = 0.6, gap: int = 1) -> list[list[int]]:
    return list(joined(values, minimum, share, gap))


def test_lines_beside_each_other_are_evidence_of_one_item() -> None:
    assert runs(0, 0.4, 0.9, 0.3, 0) == [[1, 2, 3]]


def test_a_line_between_two_may_say_something_else() -> None:
    assert runs(0.9, 0, 0.9) == [[0, 2]]
    assert runs(0.9, 0, 0, 0.9) == [[0], [3]]
    assert runs(0.9, 0, 0.9, gap=0) == [[0], [2]]


def test_an_item_needs_one_line_that_is_probable_enough() -> None:
    assert runs(0.49, 0.49, 0.49) == []
    assert runs(0.3, 0.5, 0.29) == [[0, 1]]
    assert runs(0, 0) == runs() == []


def test_nothing_is_found_where_nothing_is_probable_even_without_a_minimum() -> None:
    assert runs(0, 0, 0, minimum=0.0) == []


@given(st.lists(st.floats(0, 1), max_size=60), st.floats(0.05, 1), st.floats(0, 1), st.integers(0, 3))
def test_runs_rise_never_meet_and_hold_every_line_that_is_sure(
    values: list[float], minimum: float, share: float, gap: int
) -> None:
    found = runs(*values, minimum=minimum, share=share, gap=gap)
    places = [place for run in found for place in run]
    assert places == sorted(set(places))
    assert {place for place, value in enumerate(values) if value >= minimum} <= set(places)
    for run in found:
        assert max(values[place] for place in run) >= minimum
        assert all(after - before <= gap + 1 for before, after in pairwise(run))
    for before, after in pairwise(found):
        assert after[0] - before[-1] > gap + 1


def test_candidates_come_in_the_order_of_the_conversation_and_keep_their_confidence() -> None:
    lines = [("A", "one"), ("B", "two"), ("A", "three"), ("B", "four")]
    weak = replace(DECISION, decision=0.6)
    made = found(lines, QUESTION, NOTHING_FOUND, weak, DECISION)
    assert made == [
        Candidate(ItemKind.QUESTION, (0,), (0,), 0.9),
        Candidate(ItemKind.DECISION, (2, 3), (3, 2), 0.9),
    ]


def test_one_line_may_be_evidence_of_two_kinds() -> None:
    both = replace(TASK, decision=0.8)
    assert [(each.kind, each.confidence) for each in found([("A", "I buy it.")], both)] == [
        (ItemKind.DECISION, 0.8),
        (ItemKind.TASK, 0.9),
    ]


def test_what_only_looks_like_an_item_is_none() -> None:
    assert found([("A", "one")], LineReading(0.0, 0.0, 0.0, 1.0, speaker_owns=1.0)) == []


def owner_of(lines: Sequence[tuple[str | None, str]], *readings: LineReading) -> str | None:
    (task,) = found(lines, *readings)
    return task.owner


def test_the_owner_is_who_takes_the_task() -> None:
    assert owner_of([("Anna", "I will send it."), ("Ben", "Good.")], TASK, OWNERLESS) == "Anna"


def test_the_owner_is_the_name_that_is_said_spelt_as_the_speaker_s() -> None:
    named = replace(OWNERLESS, owner=span_of("carla", "carla could send it."))
    assert owner_of([("Anna", "carla could send it.")], named) == "carla"
    assert owner_of([("Anna", "carla could send it."), ("Carla", "Sure.")], named, NOTHING_FOUND) == "Carla"


def test_two_hints_at_one_name_outweigh_a_better_one_at_another() -> None:
    asked = replace(OWNERLESS, owner=span_of("Ben", ASKED, 0.35), speaker_owns=0.38)
    taken = replace(TASK, speaker_owns=0.35)
    assert owner_of([("Anna", ASKED), ("Ben", WILL)], asked, taken) == "Ben"
    assert owner_of([("Anna", ASKED), ("Ben", WILL)], asked, replace(taken, speaker_owns=0.0)) is None


def test_a_line_that_is_less_sure_of_the_task_says_less_about_its_owner() -> None:
    turns = [("Anna", "I could do it."), ("Ben", "I will do it.")]
    unsure, sure = replace(TASK, task=0.3, speaker_owns=0.9), replace(TASK, speaker_owns=0.5)
    assert owner_of(turns, unsure, sure) == "Ben"
    assert owner_of(turns, replace(unsure, task=0.9), sure) == "Anna"


@pytest.mark.parametrize("speaker", ["Anna", None])
def test_nobody_owns_what_nobody_probably_takes(speaker: str | None) -> None:
    assert owner_of([(speaker, "Somebody has to send it.")], replace(TASK, speaker_owns=0.39)) is None
    assert owner_of([(None, "I will send it.")], TASK) is None


def test_a_name_is_never_empty() -> None:
    nothing = replace(OWNERLESS, owner=replace(span_of(" ", "I send"), probability=0.9))
    assert owner_of([("Anna", "I send")], nothing) is None


def test_the_date_is_in_the_words_of_the_line_that_is_surest() -> None:
    later = "Or on Monday, the fourth."
    readings = (
        replace(TASK, due=span_of("by Friday", WILL, 0.6)),
        replace(TASK, due=span_of("Monday, the fourth", later, 0.8)),
    )
    (task,) = found([("Ben", WILL), ("Ben", later)], *readings)
    assert task.due == "Monday, the fourth"


def test_a_line_that_is_less_sure_of_the_task_says_less_about_its_date() -> None:
    lines = ["By Monday, maybe.", WILL]
    readings = (replace(TASK, task=0.3, due=span_of("Monday", lines[0], 0.9)), replace(TASK, due=span_of("Friday", WILL, 0.6)))
    (task,) = found([("Ben", text) for text in lines], *readings)
    assert task.due == "Friday"


def test_an_improbable_date_is_none() -> None:
    (task,) = found([("Ben", WILL)], replace(TASK, due=span_of("by Friday", WILL, 0.49)))
    assert task.due is None


def test_decisions_and_questions_have_neither_owner_nor_date() -> None:
    reading = LineReading(0.9, 0.0, 0.9, 0.0, speaker_owns=0.9, due=span_of("by Friday", WILL))
    assert [(each.owner, each.due) for each in found([("Ben", WILL)], reading)] == [(None, None), (None, None)]
