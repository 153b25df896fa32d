"""Who is served first when many wait for the same engine."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.in_process import InProcessBackend
from adapters.ray_serve.health_rules import HealthRules
from adapters.ray_serve.recycling import RecycleLimits
from adapters.ray_serve.watchdog import HealthLimits
from domain.call import ModelIdentity
from domain.errors import ModelUnavailable, WordloopError
from domain.waiting_line import SECONDS_WORTH_A_SECOND, WaitingLine
from ports.model_backend import CallMeta, RawOutput, TranscribeRequest

IDENTITY = ModelIdentity("double", "1", "double-1", "float32")
WELL = HealthRules(HealthLimits(60.0), RecycleLimits(), lambda *_: True)


def test_a_short_recording_goes_before_the_windows_of_a_long_one_that_came_with_it() -> None:
    line: WaitingLine[str] = WaitingLine()
    for place in range(5):
        line.put(f"hour {place}", 3600.0 - 30 * place, now_s=100.0)
    line.put("clip", 4.0, now_s=100.5)

    assert line.take(2) == ["clip", "hour 4"]
    assert len(line) == 4


def test_who_has_waited_long_enough_is_served_before_all_that_come_later() -> None:
    line: WaitingLine[str] = WaitingLine()
    line.put("hour", 3600.0, now_s=0.0)
    patience = 3600.0 / SECONDS_WORTH_A_SECOND
    line.put("clip in time", 5.0, now_s=patience - 1)
    line.put("clip too late", 5.0, now_s=patience + 1)

    assert line.take(3) == ["clip in time", "hour", "clip too late"]


@given(st.lists(st.tuples(st.floats(0, 7200), st.floats(0, 100))), st.integers(1, 9))
def test_everybody_is_served_once(waiting: list[tuple[float, float]], most: int) -> None:
    line: WaitingLine[int] = WaitingLine()
    for place, (left, now) in enumerate(waiting):
        line.put(place, left, now)

    served: list[int] = []
    while line:
        batch = line.take(most)
        assert 1 <= len(batch) <= most
        served += batch

    assert sorted(served) == list(range(len(waiting)))


def test_what_waits_alike_is_served_as_it_came() -> None:
    line: WaitingLine[int] = WaitingLine()
    for place in range(6):
        line.put(place, 0.0, now_s=1.0)

    assert line.take(6) == [0, 1, 2, 3, 4, 5]


class Noting:
    """Notes what it is asked, in order; every sound but the first waits for the first."""

    def __init__(self) -> None:
        self.passes: list[list[bytes]] = []

    def warm_up(self) -> None: ...

    def sample(self) -> Sequence[TranscribeRequest]:
        return [TranscribeRequest(b"sample", {})]

    def run(self, batch: Sequence[TranscribeRequest]) -> Sequence[RawOutput | WordloopError]:
        self.passes.append([request.pcm for request in batch])
        return [RawOutput({"heard": request.pcm}) for request in batch]


async def test_in_this_process_a_clip_overtakes_a_long_recording() -> None:
    engine = Noting()
    backend = InProcessBackend(engine, IDENTITY, 2)
    asked = [TranscribeRequest(b"%d" % place, {}, 900.0) for place in range(4)] + [TranscribeRequest(b"clip", {}, 3.0)]

    answers = await asyncio.gather(*(backend.call(request, CallMeta(), 5) for request in asked))

    assert engine.passes[0] == [b"clip", b"0"]
    assert [answer.payload["heard"] for answer in answers] == [request.pcm for request in asked]


class Unmeasured:
    def span(self, *_about: object) -> "Unmeasured":
        return self

    def __enter__(self) -> "Unmeasured":
        return self

    def __exit__(self, *_error: object) -> None: ...


async def a_replica(engine: Noting, max_batch_size: int) -> "object":
    """A replica outside of Ray: its constructor is awaited by Serve otherwise."""
    from adapters.ray_serve.replicas import BatchedModelReplica

    replica = object.__new__(BatchedModelReplica)
    await replica.__init__(lambda: engine, Unmeasured, WELL, max_batch_size, 0.0)  # type: ignore[misc]
    engine.passes.clear()
    return replica


async def test_in_a_replica_a_clip_overtakes_a_long_recording_and_passes_are_full() -> None:
    engine = Noting()
    replica = await a_replica(engine, 3)
    asked = [TranscribeRequest(b"%d" % place, {}, 900.0) for place in range(5)] + [TranscribeRequest(b"clip", {}, 3.0)]

    answers = await asyncio.gather(*(replica.call(request, CallMeta()) for request in asked))  # type: ignore[attr-defined]

    assert engine.passes == [[b"clip", b"0", b"1"], [b"2", b"3", b"4"]]
    assert [answer.payload["heard"] for answer in answers] == [request.pcm for request in asked]


async def test_who_gives_up_leaves_the_line_of_a_replica() -> None:
    engine = Noting()
    replica = await a_replica(engine, 1)
    calls = [asyncio.create_task(replica.call(TranscribeRequest(name, {}), CallMeta())) for name in (b"one", b"two")]  # type: ignore[attr-defined]
    await asyncio.sleep(0)

    calls[0].cancel()
    await calls[1]

    assert engine.passes == [[b"two"]]


async def test_an_engine_that_answers_too_few_is_down_for_all_of_the_pass() -> None:
    class Short(Noting):
        def run(self, batch: Sequence[TranscribeRequest]) -> Sequence[RawOutput | WordloopError]:
            return [] if len(batch) > 1 else super().run(batch)

    replica = await a_replica(Short(), 2)
    asked = [TranscribeRequest(b"one", {}), TranscribeRequest(b"two", {})]

    answers = await asyncio.gather(*(replica.call(each, CallMeta()) for each in asked), return_exceptions=True)  # type: ignore[attr-defined]

    assert [type(answer) for answer in answers] == [ModelUnavailable, ModelUnavailable]


@pytest.mark.parametrize("left", [0.0, 3.0, 7200.0])
def test_what_is_left_of_the_recording_is_no_part_of_the_call(left: float) -> None:
    from domain.audio import SpeechWindow

    assert SpeechWindow(0, 0.0, 1.0, b"sound", (), left).sha256 == SpeechWindow(7, 5.0, 6.0, b"sound").sha256
