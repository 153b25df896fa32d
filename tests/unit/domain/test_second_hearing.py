"""Where speech without text is listened to again."""

from hypothesis import given
from hypothesis import strategies as st

from domain.audio import Span
from domain.second_hearing import LONGEST_GAP_SECONDS, LONGEST_SECONDS, second_hearings
from domain.spans import merged, overlap, without
from domain.speech import PlannedWindow
from domain.transcript_gates import MISSING_SPEECH_SECONDS

PAD = 0.8


def window(*speech: tuple[float, float], end: float = 30.0) -> PlannedWindow:
    return PlannedWindow(3, 0.0, end, tuple(Span(*each) for each in speech))


def spans(*times: tuple[float, float]) -> list[Span]:
    return [Span(*each) for each in times]


def times(windows: tuple[PlannedWindow, ...]) -> list[tuple[float, float]]:
    return [(round(each.start, 3), round(each.end, 3)) for each in windows]


def test_speech_with_text_is_not_heard_again() -> None:
    assert second_hearings(window((1, 5), (6, 9)), spans((0.8, 9.2)), PAD) == ()


def test_breaths_without_text_are_not_worth_it() -> None:
    assert second_hearings(window((1, 5), (6, 7)), spans((1, 5)), PAD) == ()


def test_short_utterances_in_a_row_are_heard_together() -> None:
    (again,) = second_hearings(window((1, 2), (3, 4), (5, 6)), [], PAD)

    assert (round(again.start, 3), round(again.end, 3), again.index) == (0.2, 6.8, 3)
    assert again.speech == tuple(spans((1, 2), (3, 4), (5, 6)))


def test_a_window_that_came_back_empty_is_heard_in_pieces() -> None:
    again = second_hearings(window((0, 7), (7.5, 14), (14.5, 21), (21.5, 28)), [], PAD)

    assert len(again) == 4
    assert all(each.end - each.start <= LONGEST_SECONDS + 2 * PAD for each in again)


def test_time_that_has_text_is_never_heard_twice() -> None:
    written = spans((0, 4), (9, 12))

    (again,) = second_hearings(window((0, 3.9), (4.2, 8.8), (9.1, 12)), written, PAD)

    assert times((again,)) == [(4.0, 9.0)]


seconds = st.integers(0, 290).map(lambda tenths: tenths / 10)
stretches = st.lists(st.tuples(seconds, st.integers(1, 60).map(lambda tenths: tenths / 10)), max_size=12).map(
    lambda pairs: merged(Span(start, min(30.0, start + length)) for start, length in pairs)
)


@given(stretches, stretches)
def test_all_missing_speech_that_is_worth_it_is_heard_once_and_nothing_else(speech: list[Span], written: list[Span]) -> None:
    asked = PlannedWindow(0, 0.0, 30.0, tuple(speech))

    again = second_hearings(asked, written, PAD)

    missing = [part for span in speech for part in without(span, written)]
    heard = [span for each in again for span in each.speech]
    assert all(span in missing for span in heard)
    assert len(heard) == len(set(heard))
    for span in missing:
        assert span in heard or span.seconds < MISSING_SPEECH_SECONDS
    for each in again:
        assert each.start >= 0
        assert each.end <= 30.0
        assert all(overlap(Span(each.start, each.end), text) <= 1e-9 for text in written)
        assert all(two.start - one.end <= LONGEST_GAP_SECONDS for one, two in zip(each.speech, each.speech[1:], strict=False))
