"""Who a stretch belongs to is voted for by the windows that hear it: by seconds, and more in their middles."""

from dataclasses import replace

import pytest

from adapters.scripted import SCRIPTED_VOICES
from domain.speaker_turns import TurnRules, speaker_turns
from domain.speakers import HeardWindow, SpeakerCount, Stretch
from domain.voice_clusters import ClusterRules

ANN, BO, NOBODY = (1.0, 0.0), (0.0, 1.0), ()
LIKE_ANN = (0.6, 0.8)
BARE = TurnRules(longest_pause=0.0, least_turn=0.0, pad=0.0)
ANYBODY = replace(SCRIPTED_VOICES, least_seconds=0.0)
Row = tuple[float, float, int, tuple[float, ...]]


def window(start: float, *rows: Row) -> HeardWindow:
    """Ten seconds; times of stretches are those of the recording, and every voice is clear."""
    return HeardWindow(
        start, start + 10.0, tuple(Stretch(a, b, who, voice, b - a if voice else 0.0) for a, b, who, voice in rows)
    )


def found(
    *windows: HeardWindow, rules: TurnRules = BARE, clusters: ClusterRules = SCRIPTED_VOICES
) -> list[tuple[int, float, float]]:
    return [(turn.speaker, turn.start, turn.end) for turn in speaker_turns(windows, SpeakerCount(), clusters, rules)]


def test_seconds_of_all_stretches_of_a_person_count_together() -> None:
    silent = window(0.0, (1.0, 5.0, 0, NOBODY))
    beside = window(1.0, (1.0, 2.0, 0, ANN), (2.0, 3.5, 1, BO), (3.5, 4.5, 0, ANN), (9.0, 10.5, 0, ANN))

    assert found(silent, beside, clusters=ANYBODY) == [(0, 1.0, 5.0), (0, 9.0, 10.5)], (
        "ann has two seconds of it, bo one and a half"
    )


def test_between_two_who_have_as_much_of_it_the_first_is_taken() -> None:
    silent = window(0.0, (3.0, 6.0, 0, NOBODY))
    beside = window(2.0, (3.0, 4.0, 0, ANN), (4.0, 5.0, 1, BO), (9.0, 11.0, 0, ANN))

    assert found(silent, beside, clusters=ANYBODY) == [(0, 3.0, 6.0), (0, 9.0, 11.0)]


@pytest.mark.parametrize("silent_place", [0, 2])
def test_only_the_windows_right_beside_it_are_asked(silent_place: int) -> None:
    rows: list[tuple[Row, ...]] = [(), (), ()]
    rows[silent_place] = ((5.0, 6.0, 0, NOBODY),)
    rows[2 - silent_place] = ((5.0, 6.0, 0, ANN),)

    assert found(*(window(float(start), *row) for start, row in enumerate(rows))) == []


def test_a_window_that_hears_the_person_at_another_time_says_nothing() -> None:
    assert found(window(0.0, (6.0, 7.0, 0, NOBODY)), window(5.0, (12.0, 14.0, 0, ANN))) == [(0, 12.0, 14.0)]


def test_half_a_second_in_common_is_enough() -> None:
    assert found(window(0.0, (5.5, 6.0, 0, NOBODY)), window(5.0, (5.5, 6.0, 0, ANN))) == [(0, 5.5, 6.0)]


def test_another_speaker_of_the_same_window_says_nothing() -> None:
    assert found(window(0.0, (1.0, 4.0, 0, ANN), (6.0, 7.0, 1, NOBODY))) == [(0, 1.0, 4.0)]


def test_two_windows_that_agree_outweigh_what_each_says_alone() -> None:
    assert found(window(0.0, (6.0, 7.0, 0, ANN)), window(5.0, (6.0, 7.0, 0, ANN))) == [(0, 6.0, 7.0)]


def test_the_middle_of_a_window_outweighs_the_edges_of_two_others() -> None:
    middle, edge, other = window(100.0, (105.0, 105.5, 0, ANN)), window(104.0), window(104.0)

    assert found(middle, edge, other) == [(0, 105.0, 105.5)]


def test_between_windows_that_leave_a_gap_nobody_speaks() -> None:
    assert found(window(0.0, (1.0, 2.0, 0, ANN)), window(20.0, (21.0, 22.0, 0, ANN))) == [(0, 1.0, 2.0), (0, 21.0, 22.0)]


@pytest.mark.parametrize(("seconds", "persons"), [(0.6, 1), (1.5, 2)])
def test_who_is_heard_by_two_windows_is_heard_twice_as_long_before_being_somebody(seconds: float, persons: int) -> None:
    brief: Row = (110.0 - seconds, 110.0, 1, BO)
    first = window(100.0, (101.0, 108.0, 0, ANN), brief)
    second = window(105.0, (105.5, 108.0, 0, ANN), brief, (111.0, 114.0, 0, ANN))

    assert len({speaker for speaker, _, _ in found(first, second)}) == persons


def test_the_rules_of_the_caller_decide_who_is_somebody() -> None:
    heard = window(0.0, (1.0, 5.0, 0, ANN), (6.0, 6.5, 1, BO))

    assert len({speaker for speaker, _, _ in found(heard)}) == 1
    assert len({speaker for speaker, _, _ in found(heard, clusters=replace(SCRIPTED_VOICES, least_seconds=0.25))}) == 2


def test_voices_that_are_alike_are_one_person_unless_one_window_tells_them_apart() -> None:
    apart = window(0.0, (1.0, 4.0, 0, ANN), (5.0, 8.0, 1, LIKE_ANN))
    far = window(0.0, (1.0, 4.0, 0, ANN)), window(10.0, (15.0, 18.0, 1, LIKE_ANN))

    assert len({speaker for speaker, _, _ in found(apart)}) == 2
    assert len({speaker for speaker, _, _ in found(*far)}) == 1


def test_a_turn_of_just_the_least_length_is_one() -> None:
    heard = window(0.0, (1.0, 1.5, 0, ANN), (4.0, 4.5, 0, ANN), (6.0, 9.0, 0, ANN), (9.25, 9.75, 0, ANN))
    rules = TurnRules(longest_pause=0.0, least_turn=0.5, pad=0.0)

    assert [end - start for _, start, end in found(heard, rules=rules)] == [0.5, 0.5, 3.0, 0.5]


def test_a_turn_is_not_widened_beyond_what_was_heard() -> None:
    heard = window(100.0, (100.125, 109.875, 0, ANN))

    assert found(heard, rules=TurnRules(pad=0.25)) == [(0, 100.0, 110.0)]
