"""Voices are joined to persons: by likeness, against what a window says, within a count, and in blocks as without."""

import math
import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

from adapters.scripted import SCRIPTED_VOICES
from domain import voice_clusters
from domain.speakers import SpeakerCount
from domain.voice_clusters import BLOCK, ClusterRules, Voice

DIMENSIONS = 48
ANYHOW = SpeakerCount()


def persons(
    voices: Sequence[Voice], count: SpeakerCount, rules: ClusterRules = SCRIPTED_VOICES, times_heard: float = 1.0
) -> list[int]:
    return voice_clusters.persons(voices, count, rules, times_heard)


def crowd(people: int, each: int, noise: float = 0.1, seconds: float = 2.0, seed: int = 3) -> tuple[list[Voice], list[int]]:
    """Voices of so many persons, one a window, each a person's direction and a little of its own; persons speak in turn."""
    chance = random.Random(seed)

    def direction(spread: float) -> list[float]:
        return [chance.gauss(0, spread) for _ in range(DIMENSIONS)]

    centres = [unit(direction(1.0)) for _ in range(people)]
    truth = [place % people for place in range(people * each)]
    voices = [
        Voice(unit([a + b for a, b in zip(centres[person], direction(noise), strict=True)]), seconds, window, 0)
        for window, person in enumerate(truth)
    ]
    return voices, truth


def unit(vector: list[float]) -> tuple[float, ...]:
    length = math.hypot(*vector)
    return tuple(value / length for value in vector)


def same_partition(found: list[int], truth: list[int]) -> bool:
    pairs = set(zip(found, truth, strict=True))
    return len(pairs) == len(set(found)) == len(set(truth))


@pytest.mark.parametrize(
    ("people", "each"), [(1, 5), (2, 3), (6, 10), (5, 2 * BLOCK // 5)], ids=["one", "two", "six", "in blocks"]
)
def test_persons_are_found_whatever_their_number(people: int, each: int) -> None:
    voices, truth = crowd(people, each)

    assert same_partition(persons(voices, ANYHOW), truth)


def test_nobody_is_nobody() -> None:
    assert persons([], ANYHOW) == []


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_there_are_at_most_as_many_as_there_may_be(limit: int) -> None:
    voices, _ = crowd(5, 6)

    assert len(set(persons(voices, SpeakerCount(most=limit)))) == limit


def test_two_alike_are_kept_apart_where_two_are_known_to_be() -> None:
    near, nearly = (1.0, 0.0), unit([1.0, 0.8])
    voices = [Voice(near if window % 2 else nearly, 20.0, window, 0) for window in range(8)]

    assert set(persons(voices, ANYHOW)) == {0}
    assert persons(voices, SpeakerCount(least=2)) == [window % 2 for window in range(8)]


def test_halves_of_one_person_stay_one_however_many_there_are_said_to_be() -> None:
    voices, truth = crowd(2, 6, noise=0.02, seconds=20.0)

    assert same_partition(persons(voices, SpeakerCount(least=5)), truth)


def test_less_talk_need_not_be_as_much_alike() -> None:
    def two(seconds: float) -> list[Voice]:
        return [Voice(vector, seconds, window, 0) for window, vector in enumerate([(1.0, 0.0), unit([0.6, 0.8])])]

    assert persons(two(30.0), ANYHOW) == [0, 1]
    assert persons(two(2.0), ANYHOW) == [0, 0]


def test_a_least_number_above_what_there_is_gives_what_there_is() -> None:
    voices, truth = crowd(2, 1)

    assert same_partition(persons(voices, SpeakerCount(least=9)), truth)


def test_one_window_tells_two_alike_apart_and_a_wrong_one_does_not_split_a_person() -> None:
    alike = [Voice((1.0, 0.0), 20.0, 0, 0), Voice(unit([1.0, 0.85]), 20.0, 0, 1)]
    assert len(set(persons(alike, ANYHOW))) == 2
    assert len(set(persons([alike[0], Voice(alike[1].vector, 20.0, 1, 1)], ANYHOW))) == 1

    voices, truth = crowd(2, 12)
    wrong = Voice(voices[0].vector, 2.0, voices[2].window, 1)
    assert same_partition(persons([*voices, wrong], ANYHOW), [*truth, 0])


def test_what_is_too_short_joins_whom_it_is_most_like() -> None:
    voices, truth = crowd(3, 4)
    between = Voice(unit([0.6 * a + 0.4 * b for a, b in zip(voices[1].vector, voices[2].vector, strict=True)]), 0.4, 99, 0)

    assert same_partition(persons([*voices, between], ANYHOW), [*truth, 1])


def test_seconds_count_as_often_as_they_are_heard() -> None:
    voices, _ = crowd(2, 3)
    alone = Voice(unit([1.0] * DIMENSIONS), 1.5, 50, 0)

    assert len(set(persons([*voices, alone], ANYHOW, times_heard=1.0))) == 3
    assert len(set(persons([*voices, alone], ANYHOW, times_heard=2.0))) == 2


def test_the_order_of_persons_is_no_chance() -> None:
    voices, _ = crowd(4, 5, noise=0.3)

    assert persons(voices, ANYHOW) == persons(list(voices), ANYHOW)
    assert max(persons(voices, ANYHOW, replace(SCRIPTED_VOICES, least_likeness=0.99, least_seconds=0.1))) >= 3


def test_which_likeness_makes_one_person_comes_with_the_model_of_voices() -> None:
    near = [Voice((math.cos(angle), math.sin(angle)), 60.0, number, 0) for number, angle in enumerate((0.0, 0.5, 1.5, 2.0))]
    assert same_partition(persons(near, ANYHOW), [0, 0, 1, 1])
    assert same_partition(persons(near, ANYHOW, replace(SCRIPTED_VOICES, least_likeness=0.95)), [0, 1, 2, 3])
    assert len(set(persons(near, ANYHOW, replace(SCRIPTED_VOICES, least_likeness=-0.5)))) == 1
