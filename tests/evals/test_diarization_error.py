"""The diarization error rate: what is missed, made up and confused, in seconds, with and without collar and overlap."""

import pytest

from evals.diarization_error import DiarizationErrors, Talk, diarization_errors

ANN_THEN_BO = (Talk("Ann", 0.0, 10.0), Talk("Bo", 10.0, 20.0))
BOTH_AT_ONCE = (Talk("Ann", 0.0, 10.0), Talk("Bo", 6.0, 14.0))


def errors(missed: float = 0.0, false_alarm: float = 0.0, confused: float = 0.0, spoken: float = 20.0) -> DiarizationErrors:
    return DiarizationErrors(*(pytest.approx(each) for each in (missed, false_alarm, confused, spoken)))


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ((Talk("1", 0.0, 10.0), Talk("0", 10.0, 20.0)), errors()),
        ((Talk("0", 0.0, 20.0),), errors(confused=10.0)),
        ((Talk("0", 0.0, 12.0), Talk("1", 12.0, 20.0)), errors(confused=2.0)),
        ((Talk("0", 0.0, 9.0),), errors(missed=11.0)),
        ((), errors(missed=20.0)),
        ((Talk("0", 0.0, 10.0), Talk("1", 10.0, 25.0)), errors(false_alarm=5.0)),
        ((Talk("0", 0.0, 10.0), Talk("1", 10.0, 20.0), Talk("2", 4.0, 7.0)), errors(false_alarm=3.0)),
        ((Talk("0", 0.0, 3.0), Talk("1", 3.0, 10.0), Talk("2", 10.0, 20.0)), errors(confused=3.0)),
    ],
    ids=["names do not matter", "one for two", "late", "stops early", "nothing", "goes on", "one too many", "one as two"],
)
def test_errors_are_counted_by_the_second(found: tuple[Talk, ...], expected: DiarizationErrors) -> None:
    assert diarization_errors(ANN_THEN_BO, found, collar=0.0) == expected


def test_a_collar_forgives_edges_of_the_reference_only() -> None:
    found = (Talk("0", 0.2, 10.2), Talk("1", 10.2, 20.0), Talk("2", 5.0, 5.5))

    assert diarization_errors(ANN_THEN_BO, found) == errors(false_alarm=0.5, spoken=19.0)


def test_two_at_once_count_twice_or_not_at_all() -> None:
    found = (Talk("0", 0.0, 10.0), Talk("1", 10.0, 14.0))

    assert diarization_errors(BOTH_AT_ONCE, found, collar=0.0) == errors(missed=4.0, spoken=18.0)
    assert diarization_errors(BOTH_AT_ONCE, found, collar=0.0, overlap=False) == errors(spoken=10.0)


def test_the_matching_is_the_best_one_of_all_and_not_the_first_that_fits() -> None:
    reference = (Talk("a", 0.0, 10.0), Talk("b", 10.0, 19.0))
    found = (Talk("0", 0.0, 6.0), Talk("1", 6.0, 10.0), Talk("0", 10.0, 15.0))

    # "0" fits "a" best by itself (6 s), but "0" as "b" (5 s) and "1" as "a" (4 s) is worth more together.
    assert diarization_errors(reference, found, collar=0.0) == errors(missed=4.0, confused=6.0, spoken=19.0)
