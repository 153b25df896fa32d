"""Windows that overlap become turns: who most of them name, at once where two speak, without holes for a breath."""

from itertools import pairwise

from adapters.scripted import SCRIPTED_VOICES
from domain.speaker_turns import TurnRules, speaker_turns
from domain.speakers import HeardWindow, SpeakerCount, SpeakerTurn, Stretch

ANN, BO = (1.0, 0.0), (0.0, 1.0)
BARE = TurnRules(longest_pause=0.0, least_turn=0.0, pad=0.0)


def window(start: float, *stretches: tuple[float, float, int, tuple[float, ...]]) -> HeardWindow:
    """Ten seconds; times of stretches are those of the recording, and every voice is clear."""
    rows = tuple(Stretch(a, b, speaker, voice, b - a if voice else 0.0) for a, b, speaker, voice in stretches)
    return HeardWindow(start, start + 10.0, rows)


def found(*windows: HeardWindow, rules: TurnRules = BARE) -> list[tuple[int, float, float]]:
    return [(turn.speaker, turn.start, turn.end) for turn in speaker_turns(windows, SpeakerCount(), SCRIPTED_VOICES, rules)]


def test_numbers_of_windows_become_those_of_the_recording_in_order_of_speech() -> None:
    first = window(0.0, (1.0, 4.0, 2, BO), (6.0, 10.0, 0, ANN))
    second = window(5.0, (6.0, 11.0, 1, ANN), (11.0, 15.0, 0, BO))

    assert found(first, second) == [(0, 1.0, 4.0), (1, 6.0, 11.0), (0, 11.0, 15.0)]


def test_two_who_speak_at_once_are_two_turns_and_may_overlap() -> None:
    assert found(window(0.0, (1.0, 6.0, 0, ANN), (4.0, 9.0, 1, BO))) == [(0, 1.0, 6.0), (1, 4.0, 9.0)]


def test_where_windows_disagree_the_one_in_whose_middle_it_is_wins() -> None:
    first = window(0.0, (1.0, 7.0, 0, ANN), (8.0, 9.0, 0, ANN))
    second = window(5.0, (6.0, 7.0, 0, BO), (8.0, 9.0, 0, BO), (10.0, 14.0, 0, BO))

    assert found(first, second) == [(0, 1.0, 7.0), (1, 8.0, 9.0), (1, 10.0, 14.0)]


def test_a_person_named_twice_by_one_window_counts_once() -> None:
    twice = window(0.0, (1.0, 5.0, 0, ANN), (1.0, 5.0, 1, ANN))

    assert found(twice) == [(0, 1.0, 5.0)]


def test_a_stretch_without_a_voice_is_of_whom_its_window_takes_it_for() -> None:
    heard = window(0.0, (1.0, 4.0, 0, ANN), (4.0, 8.0, 1, BO), (8.5, 8.7, 0, ()))

    assert found(heard) == [(0, 1.0, 4.0), (1, 4.0, 8.0), (0, 8.5, 8.7)]


def test_a_stretch_without_a_voice_is_of_whoever_speaks_then_in_the_next_window() -> None:
    first = window(0.0, (1.0, 4.0, 0, ANN), (9.6, 10.0, 1, ()))
    second = window(5.0, (9.6, 14.0, 0, BO))

    assert found(first, second) == [(0, 1.0, 4.0), (1, 9.6, 14.0)]


def test_a_stretch_without_length_or_a_hair_beyond_its_window_does_no_harm() -> None:
    beyond = window(0.0, (10.0, 10.0, 0, ()), (2.0, 10.0 + 1e-9, 1, ANN))
    after = window(5.0, (5.0, 12.0, 0, ANN), (12.5, 12.5, 0, ANN))

    assert [(speaker, start, round(end, 6)) for speaker, start, end in found(beyond, after)] == [(0, 2.0, 12.0)]


def test_nobody_in_sight_has_no_turn() -> None:
    assert found(window(0.0, (1.0, 1.2, 0, ()))) == []
    assert found() == []


def test_a_breath_is_inside_a_turn_and_a_click_is_none() -> None:
    heard = window(0.0, (1.0, 3.0, 0, ANN), (3.4, 5.0, 0, ANN), (6.0, 9.0, 0, ANN), (9.7, 9.75, 0, ()))

    assert found(heard, rules=TurnRules(longest_pause=0.5, least_turn=0.1, pad=0.0)) == [(0, 1.0, 5.0), (0, 6.0, 9.0)]


def test_turns_are_widened_into_silence_only() -> None:
    heard = window(0.0, (0.05, 2.0, 0, ANN), (2.2, 4.0, 1, BO), (4.0, 6.0, 0, ANN), (7.0, 9.9, 1, BO))

    turns = speaker_turns([heard], SpeakerCount(), SCRIPTED_VOICES, TurnRules(longest_pause=0.0, least_turn=0.0, pad=0.25))

    assert [(turn.speaker, round(turn.start, 3), round(turn.end, 3)) for turn in turns] == [
        (0, 0.0, 2.1),
        (1, 2.1, 4.0),
        (0, 4.0, 6.25),
        (1, 6.75, 10.0),
    ]


def test_turns_of_one_person_never_overlap_and_are_in_order() -> None:
    windows = [
        window(5.0 * n, *((5.0 * n + k, 5.0 * n + k + 1.5, k % 3, ANN if k % 2 else BO) for k in range(8))) for n in range(9)
    ]

    turns = speaker_turns(windows, SpeakerCount(), SCRIPTED_VOICES)

    assert list(turns) == sorted(turns, key=lambda turn: (turn.start, turn.end, turn.speaker))
    for person in {turn.speaker for turn in turns}:
        own = [turn for turn in turns if turn.speaker == person]
        assert all(before.end <= after.start for before, after in pairwise(own))
    assert all(isinstance(turn, SpeakerTurn) and turn.start < turn.end for turn in turns)
