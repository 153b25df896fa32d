"""What a caller is told about time, beforehand and along the way, against what the job then takes: the real worker, stages and
estimate over models that are as fast as their rates say, or are not."""

import asyncio
import functools
import tempfile
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path

import pytest

from application.estimate_inputs import Length, Recording
from tests.timed_service import Run, TimedService

LENGTHS = (10.0, 240.0, 3600.0)
SLACK_S = 5.0
"""Seconds within which nobody calls a number wrong; the last call of a job may be a short one."""
MOST_ALIKE_S = 3
"""Looks, one a second, that may show the same number: a worker brings it up to date every two seconds."""


@dataclass(frozen=True)
class Story:
    """A recording that was estimated, worked on, estimated again and worked on again; estimates in seconds."""

    by_length: float
    estimated: float
    first: Run
    estimated_again: float
    again: Run


@functools.cache
def story(seconds: float, slow: str = "", factor: float = 1.0) -> Story:
    async def lived(folder: Path) -> Story:
        service = TimedService(folder, seconds)
        if slow:
            getattr(service, slow).slower = factor
        by_length = (await service.estimate(Length(seconds))).total.seconds
        estimated = (await service.estimate(Recording(service.source))).total.seconds
        first = await service.run()
        estimated_again = (await service.estimate(Recording(service.source))).total.seconds
        again = await service.run()
        service.close()
        assert by_length is not None
        assert estimated is not None
        assert estimated_again is not None
        return Story(by_length, estimated, first, estimated_again, again)

    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(lived(Path(folder)))


@pytest.mark.parametrize("seconds", LENGTHS)
def test_an_estimate_comes_within_a_factor_of_two_of_what_the_job_takes(seconds: float) -> None:
    told = story(seconds)
    for estimate in (told.estimated, told.by_length):
        assert told.first.took / 2 < estimate < told.first.took * 2


@pytest.mark.parametrize("seconds", LENGTHS)
def test_a_recording_that_is_known_is_estimated_at_the_half_second_it_takes(seconds: float) -> None:
    told = story(seconds)
    assert told.again.took < 0.5
    assert told.estimated_again < 0.5


@pytest.mark.parametrize("seconds", LENGTHS)
def test_the_time_left_stays_within_a_factor_of_two_of_the_truth(seconds: float) -> None:
    run = story(seconds).first
    told = [(look.progress.eta_s, run.took - look.at) for look in run.seen if look.progress.stage != "decoding"]
    assert len(told) > 0.9 * (run.took - seconds / 300) - 1
    for eta_s, truth in told:
        assert eta_s is not None
        assert truth / 2 - SLACK_S <= eta_s <= 2 * truth + SLACK_S


@pytest.mark.parametrize("seconds", LENGTHS)
def test_the_time_left_falls_as_time_passes_and_does_not_jump_where_a_stage_begins(seconds: float) -> None:
    told = [look.progress.eta_s for look in story(seconds).first.seen if look.progress.eta_s is not None]
    rises = [after - before for before, after in pairwise(told) if after > before]
    falls = [before - after for before, after in pairwise(told)]
    assert all(rise <= 0.1 * max(told) for rise in rises)
    assert all(fall <= SLACK_S + 0.2 * max(told) for fall in falls)


@pytest.mark.parametrize(("slow", "factor"), [("", 1.0), ("writer", 10.0), ("whisper", 10.0)])
def test_the_time_left_never_stands_still(slow: str, factor: float) -> None:
    run = story(240.0, slow, factor).first
    assert all(len(list(alike)) <= MOST_ALIKE_S for _, alike in groupby(look.progress.eta_s for look in run.seen))


@pytest.mark.parametrize("seconds", LENGTHS)
def test_a_job_that_keeps_to_its_rates_is_never_overdue_and_its_share_never_falls(seconds: float) -> None:
    run = story(seconds).first
    assert not any(look.progress.overdue for look in run.seen)
    assert [look.progress.fraction for look in run.seen] == sorted(look.progress.fraction for look in run.seen)


@pytest.mark.parametrize(("slow", "stage"), [("writer", "recapping"), ("whisper", "transcribing")])
def test_a_stage_ten_times_slower_than_its_rate_says_so_until_it_is_over(slow: str, stage: str) -> None:
    run = story(240.0, slow, 10.0).first
    during = [look for look in run.seen if look.progress.stage == stage]
    late = [look for look in during if look.progress.overdue]
    expected = (during[-1].at - during[0].at) / 10
    assert late[0].at - during[0].at < 2 * expected + SLACK_S
    assert len(late) > 0.5 * len(during)
    assert all(look.progress.eta_s for look in late)


def test_bringing_the_time_up_to_date_is_no_event() -> None:
    run = story(240.0, "writer", 10.0).first
    assert run.progress_events < 25 < len(run.seen) / 4
