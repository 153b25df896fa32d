"""The time a job still takes: it follows the price, then what was seen, moves with the clock, and says when a stage is late."""

from itertools import pairwise

import pytest

from adapters.scripted import MovableClock
from application.remaining_time import RemainingTime

USUAL = {"transcribing": 0.7, "recapping": 0.3}


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


def priced(clock: MovableClock, transcribing: float | None = 100.0, recapping: float | None = 50.0) -> RemainingTime:
    remaining = RemainingTime(clock, USUAL)
    remaining.price("transcribing", transcribing)
    remaining.price("recapping", recapping)
    return remaining


async def test_a_job_that_keeps_to_its_price_counts_down_to_nothing(clock: MovableClock) -> None:
    remaining = priced(clock)
    for stage, seconds in (("transcribing", 100), ("recapping", 50)):
        before = remaining.left_s
        remaining.begin(stage, in_flight=0.1)
        assert remaining.left_s == pytest.approx(before)  # no jump where a stage begins
        for unit in range(1, 11):
            await clock.advance(seconds / 10)
            remaining.advance(unit, 10)
            assert remaining.left_s == pytest.approx(150 - clock.monotonic())
            assert not remaining.overdue
    assert remaining.fraction == pytest.approx(1.0)


async def test_a_slower_pace_is_believed_more_with_every_unit(clock: MovableClock) -> None:
    remaining = priced(clock, recapping=0.0)
    remaining.begin("transcribing", in_flight=0.1)
    errors = []
    for unit in range(1, 10):
        await clock.advance(20)
        remaining.advance(unit, 10)
        errors.append((remaining.left_s or 0) / (200 - clock.monotonic()))
    assert errors == sorted(errors)
    assert 0.5 < errors[0] < errors[-1] < 1.01


async def test_units_that_share_an_engine_and_end_together_are_no_surprise(clock: MovableClock) -> None:
    remaining = priced(clock, transcribing=0.0)
    remaining.begin("recapping", in_flight=1.0, in_order=False)
    await clock.advance(45)
    remaining.advance(1, 4)
    assert remaining.left_s == pytest.approx(5)


async def test_units_from_the_cache_shorten_what_is_left_and_teach_no_pace(clock: MovableClock) -> None:
    remaining = priced(clock, recapping=0.0)
    remaining.begin("transcribing", in_flight=0.1)
    for unit in range(1, 6):
        remaining.advance(unit, 10)
    assert (remaining.left_s, remaining.fraction) == (pytest.approx(50), pytest.approx(0.5))
    await clock.advance(10)
    remaining.advance(6, 10)
    assert remaining.left_s == pytest.approx(40)


async def test_what_comes_before_the_first_unit_is_no_pace_of_the_units(clock: MovableClock) -> None:
    remaining = priced(clock, transcribing=100.0, recapping=0.0)
    remaining.begin("transcribing", in_flight=0.1, head_s=20.0)
    assert remaining.left_s == 120
    await clock.advance(20)
    remaining.advance(5, 10)  # from the cache, as soon as the search for speech is over
    assert remaining.left_s == pytest.approx(50)
    await clock.advance(10)
    remaining.advance(6, 10)
    assert remaining.left_s == pytest.approx(40)


async def test_a_stage_of_the_same_model_is_off_its_price_as_the_one_before_was(clock: MovableClock) -> None:
    remaining = priced(clock, transcribing=10.0, recapping=5.0)
    remaining.begin("transcribing")
    await clock.advance(30)
    remaining.begin("recapping", like="transcribing")
    assert remaining.left_s == pytest.approx(15)


async def test_a_stage_that_is_late_says_so_and_its_number_keeps_moving(clock: MovableClock) -> None:
    remaining = priced(clock, transcribing=10.0, recapping=0.0)
    remaining.begin("transcribing")
    told = []
    for _ in range(100):
        await clock.advance(1)
        told.append((remaining.left_s, remaining.overdue))
    assert [overdue for _, overdue in told].index(True) == 13  # as late again as it is: 14 + 4 is more than 1.5 * 10 + 2
    assert all(overdue for _, overdue in told[13:])
    assert all(before != after for (before, _), (after, _) in pairwise(told))
    assert told[-1][0] == pytest.approx(90)


async def test_without_a_price_nothing_is_told_until_the_last_stage_shows_its_pace(clock: MovableClock) -> None:
    remaining = priced(clock, transcribing=None, recapping=None)
    remaining.begin("transcribing")
    await clock.advance(10)
    remaining.advance(1, 2)
    assert (remaining.left_s, remaining.overdue, remaining.fraction) == (None, False, pytest.approx(0.35))
    remaining.begin("recapping")
    await clock.advance(10)
    remaining.advance(1, 2)
    assert remaining.left_s == pytest.approx(10)


async def test_a_stage_that_was_skipped_takes_nothing(clock: MovableClock) -> None:
    remaining = priced(clock, transcribing=None)
    remaining.begin("recapping")
    assert (remaining.left_s, remaining.fraction) == (50, 0)
