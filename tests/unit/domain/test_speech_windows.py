"""Probabilities of speech become spans, and spans windows."""

import itertools
from dataclasses import astuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.silero_vad import SILERO_SCALE
from domain.audio import Span
from domain.speech import DetectorScale, PlannedWindow, SpeechRules, faint_window, plan_windows, speech_spans

FRAME = 0.032
RULES = SpeechRules()
TINY = 1e-6

runs = st.lists(st.tuples(st.sampled_from([0.0, 0.2, 0.4, 0.6, 0.99]), st.integers(1, 1500)), max_size=20)


def frames_of(*parts: tuple[float, float]) -> list[float]:
    """Return frames from (probability, seconds) parts."""
    return [probability for probability, seconds in parts for _ in range(round(seconds / FRAME))]


def planned(probabilities: list[float], rules: SpeechRules = RULES) -> tuple[tuple[Span, ...], tuple[PlannedWindow, ...]]:
    duration = len(probabilities) * FRAME
    spans = speech_spans(probabilities, FRAME, duration, SILERO_SCALE, rules)
    return spans, plan_windows(spans, probabilities, FRAME, duration, rules)


@settings(deadline=None, max_examples=60)
@given(runs)
def test_windows_are_short_ordered_disjoint_and_hold_every_span(parts: list[tuple[float, int]]) -> None:
    probabilities = [probability for probability, count in parts for _ in range(count)]
    duration = len(probabilities) * FRAME

    spans, windows = planned(probabilities)

    assert [window.index for window in windows] == list(range(len(windows)))
    for window in windows:
        assert 0 < window.end - window.start <= RULES.max_window + TINY
        assert window.start >= -TINY
        assert window.end <= duration + TINY
        assert all(window.start - TINY <= span.start < span.end <= window.end + TINY for span in window.speech)
    for before, after in itertools.pairwise(windows):
        assert before.end <= after.start + TINY
    heard = sum(span.seconds for window in windows for span in window.speech)
    assert heard == pytest.approx(sum(span.seconds for span in spans))
    for span in spans:
        inside = sum(_overlap(span, window) for window in windows)
        assert inside == pytest.approx(span.seconds)


@settings(deadline=None, max_examples=60)
@given(runs)
def test_the_number_of_windows_is_bounded_by_the_time_and_the_long_silences(parts: list[tuple[float, int]]) -> None:
    probabilities = [probability for probability, count in parts for _ in range(count)]

    spans, windows = planned(probabilities)

    silences = sum(1 for one, two in itertools.pairwise(spans) if two.start - one.end > RULES.max_gap)
    shortest_full = RULES.max_window - RULES.cut_search
    assert len(windows) <= 1 + silences + len(probabilities) * FRAME / (shortest_full / 2)


@settings(deadline=None, max_examples=60)
@given(runs)
def test_planning_is_a_function_of_the_probabilities(parts: list[tuple[float, int]]) -> None:
    probabilities = [probability for probability, count in parts for _ in range(count)]

    assert planned(probabilities) == planned(list(probabilities))


def test_speech_starts_at_the_threshold_and_lasts_through_doubt() -> None:
    probabilities = frames_of((0.0, 1), (0.9, 1), (0.4, 1), (0.9, 1), (0.1, 1))

    (span,) = speech_spans(probabilities, FRAME, 5.0, SILERO_SCALE)

    assert (span.start, span.end) == (pytest.approx(1.0, abs=FRAME), pytest.approx(4.0, abs=2 * FRAME))


def test_what_a_probability_means_comes_with_the_detector() -> None:
    half_as_sure = DetectorScale(*(probability / 2 for probability in astuple(SILERO_SCALE)))
    probabilities = frames_of((0.0, 1), (0.9, 1), (0.4, 1), (0.9, 1), (0.1, 1), (0.2, 1))
    halved = [probability / 2 for probability in probabilities]
    expected = speech_spans(probabilities, FRAME, 6.0, SILERO_SCALE)
    assert speech_spans(halved, FRAME, 6.0, half_as_sure) == expected
    assert speech_spans(halved, FRAME, 6.0, SILERO_SCALE) == ()
    (faint,) = faint_window([value / 3 for value in probabilities], FRAME, 6.0, SILERO_SCALE)
    (same,) = faint_window([value / 6 for value in probabilities], FRAME, 6.0, half_as_sure)
    assert (faint.faint, same) == (False, faint)


def test_a_silence_shorter_than_min_silence_does_not_end_a_span() -> None:
    rules = SpeechRules(min_silence=0.2)

    spans = speech_spans(frames_of((0.9, 1), (0.0, 0.13), (0.9, 1), (0.0, 0.3), (0.9, 1)), FRAME, 10.0, SILERO_SCALE, rules)

    assert len(spans) == 2


def test_a_click_is_no_speech() -> None:
    assert speech_spans(frames_of((0.0, 1), (0.9, 0.1), (0.0, 1)), FRAME, 2.1, SILERO_SCALE) == ()


def test_speech_up_to_the_last_frame_ends_with_the_recording() -> None:
    (span,) = speech_spans(frames_of((0.0, 1), (0.9, 1)), FRAME, 1.97, SILERO_SCALE)

    assert span.end == 1.97


def test_no_speech_gives_no_window() -> None:
    assert planned(frames_of((0.1, 100))) == ((), ())


def test_a_recording_that_fits_is_left_whole() -> None:
    _, windows = planned(frames_of((0.0, 8), (0.9, 2), (0.0, 9), (0.9, 2), (0.0, 5)))

    assert [(window.start, window.end) for window in windows] == [(0.0, pytest.approx(26.0, abs=5 * FRAME))]


def test_a_full_window_is_cut_at_its_longest_late_silence() -> None:
    _, windows = planned(frames_of((0.9, 20), (0.0, 0.5), (0.9, 4), (0.0, 1.5), (0.9, 3), (0.0, 0.3), (0.9, 10)))

    assert windows[0].speech[-1].end == pytest.approx(24.5, abs=3 * FRAME)
    assert windows[1].speech[0].start == pytest.approx(26.0, abs=3 * FRAME)


def test_windows_are_as_few_as_the_speech_allows() -> None:
    _, windows = planned(frames_of(*((0.9, 4), (0.0, 1)) * 24))

    assert [len(window.speech) for window in windows] == [6, 6, 6, 6]


def test_of_as_few_windows_those_are_taken_that_are_cut_at_long_silences() -> None:
    short = (0.0, 0.2)
    _, windows = planned(frames_of((0.9, 9), short, (0.9, 9), (0.0, 2), (0.9, 9), short, (0.9, 9), short, (0.9, 9)))

    assert [len(window.speech) for window in windows] == [2, 3]


def test_a_full_window_keeps_some_silence_after_its_last_word() -> None:
    _, windows = planned(frames_of(*((0.9, 5.6), (0.0, 0.4)) * 20))

    for window in windows[:-1]:
        assert window.end - window.speech[-1].end >= 0.19


def test_windows_know_how_much_of_their_recording_is_still_to_come() -> None:
    _, windows = planned(frames_of(*((0.9, 4), (0.0, 1)) * 24))

    assert [window.left for window in windows] == [
        pytest.approx(sum(each.end - each.start for each in windows[place:])) for place in range(len(windows))
    ]


def test_a_long_silence_parts_windows_that_would_fit_together() -> None:
    _, windows = planned(frames_of((0.9, 3), (0.0, 60), (0.9, 3)))

    assert [round(window.end - window.start) for window in windows] == [4, 4]


def test_speech_without_any_pause_is_cut_where_it_is_least_like_speech() -> None:
    probabilities = frames_of((0.99, 25), (0.5, FRAME), (0.99, 20))

    _, windows = planned(probabilities)

    assert next(window.end for window in windows) == pytest.approx(25.0, abs=2 * FRAME)
    assert windows[1].start == windows[0].end


def test_the_same_speech_is_cut_alike_wherever_it_stands() -> None:
    speech = frames_of((0.9, 12), (0.0, 0.7), (0.9, 14), (0.0, 0.4), (0.9, 9))
    silence = frames_of((0.0, 300))

    _, early = planned(silence[:400] + speech + silence)
    _, late = planned(silence + speech + silence)

    assert [round(w.end - w.start, 6) for w in early] == [round(w.end - w.start, 6) for w in late]
    assert len(early) == 2


def test_hours_are_planned_in_time() -> None:
    probabilities = frames_of((0.9, 4), (0.1, 1)) * 2200

    _, windows = planned(probabilities)

    assert 350 < len(windows) < 650


def _overlap(span: Span, window: PlannedWindow) -> float:
    return max(0.0, min(span.end, window.end) - max(span.start, window.start))
