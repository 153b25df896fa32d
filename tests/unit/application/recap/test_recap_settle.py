"""What is said twice is reported once: the last state stands."""

import math

import pytest

from application.recap.candidates import Candidate, ItemKind
from application.recap.settings import RecapSettings
from application.recap.settle import settled
from application.recap.vectors import Vector
from domain.search import CosineScale

SETTINGS, SCALE = RecapSettings(same_matter_lines=12), CosineScale(same=0.75)


def at(degrees: float) -> Vector:
    return (math.cos(math.radians(degrees)), math.sin(math.radians(degrees)))


def decision(*lines: int, kind: ItemKind = ItemKind.DECISION) -> Candidate:
    return Candidate(kind, lines, lines, 0.9)


def kept(candidates: list[Candidate], directions: dict[int, float], scale: CosineScale = SCALE) -> list[tuple[int, ...]]:
    vectors = {place: at(degrees) for place, degrees in directions.items()}
    return [each.lines for each in settled(candidates, vectors, scale, SETTINGS)]


def test_the_later_of_two_about_one_matter_stands() -> None:
    assert kept([decision(0), decision(5)], {0: 0, 5: 30}) == [(5,)]


def test_two_matters_stay_two() -> None:
    assert kept([decision(0), decision(5)], {0: 0, 5: 50}) == [(0,), (5,)]


def test_which_cosine_is_one_matter_comes_with_the_model() -> None:
    assert kept([decision(0), decision(5)], {0: 0, 5: 30}, CosineScale(same=0.9)) == [(0,), (5,)]


def test_of_three_in_a_row_the_last_one_stands() -> None:
    assert kept([decision(0), decision(5), decision(9)], {0: 0, 5: 20, 9: 40}) == [(9,)]


@pytest.mark.parametrize(("place", "left"), [(12, [(12,)]), (13, [(0,), (13,)])])
def test_what_comes_back_much_later_is_another_matter(place: int, left: list[tuple[int, ...]]) -> None:
    assert kept([decision(0), decision(place)], {0: 0, place: 0}) == left


def test_a_decision_and_a_task_about_one_matter_are_both_told() -> None:
    assert kept([decision(0), decision(1, kind=ItemKind.TASK)], {0: 0, 1: 0}) == [(0,), (1,)]


def test_a_matter_is_where_its_lines_point_together() -> None:
    assert kept([decision(0, 1), decision(3)], {0: 60, 1: -60, 3: 0}) == [(3,)]


def test_without_vectors_nothing_is_taken_for_a_repeat() -> None:
    assert kept([decision(0), decision(1)], {}) == [(0,), (1,)]
    assert kept([], {}) == []
