"""Who speaks when: windows are planned, heard side by side, and put together to turns."""

import asyncio
import math
from itertools import pairwise
from pathlib import Path

import pytest

import prompts
from adapters.scripted import ScriptedDiarizer, ScriptedRates
from application.diarise.find_speakers import DiarizationSettings, FindSpeakers, planned
from application.expected_time import ExpectedTime
from domain.audio import SAMPLE_RATE, DecodedAudio
from domain.call import CallContext, CallKind
from domain.errors import ModelUnavailable
from domain.rate import EngineRate
from domain.speakers import SpeakerCount, SpeakerTurn, Stretch

SECOND = 2 * SAMPLE_RATE
QUIET, ANN, BO = 0, 1, 2
VOICES = {ANN: (1.0, 0.0), BO: (0.0, 1.0)}
"""Sound of a person is one byte over and over; the scripted diarizer knows whose byte it is."""


def recording(folder: Path, *parts: tuple[int, float]) -> DecodedAudio:
    """Sound of these persons for so many seconds each."""
    pcm = b"".join(bytes([person]) * round(seconds * SECOND) for person, seconds in parts)
    (folder / "sound.pcm").write_bytes(pcm)
    return DecodedAudio(str(folder / "sound.pcm"), len(pcm) / SECOND, "wav", "pcm_s16le", 1, SAMPLE_RATE)


def hear(pcm: bytes) -> tuple[Stretch, ...]:
    """Tells persons apart by their bytes, and numbers them from 0 in each window, in order of their first sound."""
    found: list[Stretch] = []
    numbers: dict[int, int] = {}
    start = 0
    while start < len(pcm):
        person = pcm[start]
        end = next((at for at in range(start, len(pcm), 320) if pcm[at] != person), len(pcm))
        if person != QUIET:
            number = numbers.setdefault(person, len(numbers))
            found.append(Stretch(start / SECOND, end / SECOND, number, VOICES[person], (end - start) / SECOND))
        start = end
    return tuple(found)


async def ignore(_done: int, _total: int) -> None:
    pass


async def turns(audio: DecodedAudio, count: SpeakerCount | None = None) -> list[tuple[int, float, float]]:
    found = await FindSpeakers(ScriptedDiarizer(hear))(audio, count or SpeakerCount(), CallContext(), ignore)
    return [(turn.speaker, round(turn.start, 2), round(turn.end, 2)) for turn in found.turns]


async def test_persons_keep_their_number_over_many_windows(tmp_path: Path) -> None:
    parts = [(QUIET, 1.0), (BO, 12.0), (QUIET, 2.0), (ANN, 3.0), (BO, 6.0), (QUIET, 1.0), (ANN, 9.5)]

    found = await turns(recording(tmp_path, *parts))

    assert found == [(0, 0.8, 13.2), (1, 14.8, 18.0), (0, 18.0, 24.2), (1, 24.8, 34.5)]


async def test_every_window_is_one_call_and_is_counted(tmp_path: Path) -> None:
    diarizer, told = ScriptedDiarizer(hear), []

    async def note(done: int, total: int) -> None:
        told.append((done, total))

    found = await FindSpeakers(diarizer)(recording(tmp_path, (ANN, 21.0)), SpeakerCount(), CallContext(), note)

    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert len(diarizer.asked) == len(found.provenance) == 4
    assert {each.kind for each in found.provenance} == {CallKind.DIARIZE}
    assert found.turns == (SpeakerTurn(0.0, 21.0, 0),)


async def test_silence_and_no_sound_have_no_turns(tmp_path: Path) -> None:
    assert await turns(recording(tmp_path, (QUIET, 12.0))) == []
    assert await turns(recording(tmp_path)) == []


async def test_a_count_joins_or_keeps_apart(tmp_path: Path) -> None:
    audio = recording(tmp_path, (ANN, 8.0), (BO, 8.0))

    assert {speaker for speaker, _, _ in await turns(audio, SpeakerCount(most=1))} == {0}
    assert {speaker for speaker, _, _ in await turns(audio, SpeakerCount(least=2))} == {0, 1}


async def test_a_window_that_fails_fails_it_as_it_is(tmp_path: Path) -> None:
    down = ModelUnavailable("down", None)
    with pytest.raises(ModelUnavailable):
        await FindSpeakers(ScriptedDiarizer(failure=down))(
            recording(tmp_path, (ANN, 30.0)), SpeakerCount(), CallContext(), ignore
        )


async def test_a_cancel_ends_the_windows_in_flight(tmp_path: Path) -> None:
    reached, ended = asyncio.Event(), []

    class Hanging(ScriptedDiarizer):
        async def listen(self, pcm: bytes, context: CallContext):  # type: ignore[no-untyped-def]
            reached.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(len(pcm))

    finding = FindSpeakers(Hanging(), DiarizationSettings(concurrent_windows=2))
    work = asyncio.create_task(finding(recording(tmp_path, (ANN, 40.0)), SpeakerCount(), CallContext(), ignore))
    await reached.wait()
    await asyncio.sleep(0)
    work.cancel()

    with pytest.raises(asyncio.CancelledError):
        await work
    assert 1 <= len(ended) <= 2


async def test_expected_time_counts_what_is_heard_twice() -> None:
    expected = ExpectedTime(ScriptedRates({CallKind.DIARIZE: EngineRate(10.0)}), prompts, {})

    assert await expected.speakers(0.0) == 0.0
    assert await expected.speakers(10.0) == pytest.approx(1.0)
    assert await expected.speakers(20.0) == pytest.approx(3.0), "windows from 0, 5 and 10 s"
    assert await ExpectedTime(ScriptedRates(), prompts, {}).speakers(10.0) is None


async def test_expected_time_has_the_waking_of_a_model_in_the_first_stage_that_needs_it() -> None:
    slow = dict.fromkeys(CallKind, EngineRate(100.0, 50.0, loads_s=40.0))
    awake, asleep = (ExpectedTime(ScriptedRates(slow, sleepers), prompts, {}) for sleepers in ((), CallKind))
    assert await asleep.speakers(10.0) == pytest.approx((await awake.speakers(10.0) or 0.0) + 40.0)
    assert await asleep.speakers(0.0) == 0.0, "nobody is woken for nothing"
    before, after = await awake.recap(500), await asleep.recap(500)
    assert after.chapters == pytest.approx((before.chapters or 0.0) + 40.0)
    assert after.title == before.title, "the same model, awake by then"


@pytest.mark.parametrize("seconds", [0.0, 0.2, 10.0, 10.01, 17.3, 63.0])
def test_windows_cover_everything_and_overlap(seconds: float) -> None:
    settings = DiarizationSettings()
    spans = planned(seconds, settings)

    assert len(spans) == (0 if seconds == 0 else 1 + math.ceil(max(0.0, seconds - settings.window_s) / settings.step_s))
    if spans:
        assert (spans[0].start, round(spans[-1].end, 4)) == (0.0, seconds)
        assert all(span.seconds <= settings.window_s for span in spans)
        assert all(after.start < before.end for before, after in pairwise(spans))
