"""How fast a model is: measured, kept up to date, told, remembered."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from adapters.ray_serve.measuring import measured_language_model
from adapters.ray_serve.stopwatch import QuietStopwatch
from domain.call import CallKind, Usage
from domain.rate import EngineRate, RateMeter
from ports.model_backend import CallMeta, GenerateRequest, RawOutput
from serve_app.engines.measured_rates import MeasuredModel, remember, remembered, slow_words

WRITER = EngineRate(40.0, 10.0, 2.0)


def test_time_follows_what_is_read_written_and_done_side_by_side() -> None:
    assert WRITER.seconds(80, 20) == 4.0
    assert WRITER.seconds(80, 20, calls=8) == 2.0
    assert EngineRate(5.0).seconds(30) == 6.0


def test_a_meter_moves_towards_what_calls_take() -> None:
    meter = RateMeter(WRITER)
    for _ in range(20):
        meter.learn(seconds=8.0, input_units=80, output_tokens=20)
    assert meter.current is not None
    assert meter.current.seconds(80, 20) == pytest.approx(8.0, rel=0.05)
    assert meter.current.speedup == 2.0, "one call alone says nothing of many"


def test_several_calls_move_the_speed_up_and_leave_the_rate() -> None:
    meter = RateMeter(EngineRate(5.0, speedup=1.0))
    for _ in range(20):
        meter.learn(seconds=12.0, input_units=120, calls=4)
    assert meter.current is not None
    assert (meter.current.input_per_s, meter.current.speedup) == (5.0, pytest.approx(2.0, rel=0.05))


def test_one_stall_is_no_new_speed() -> None:
    meter = RateMeter(WRITER)
    meter.learn(seconds=4000.0, input_units=80, output_tokens=20)
    assert meter.current is not None
    assert meter.current.input_per_s > 0.75 * WRITER.input_per_s


def test_what_read_nothing_teaches_nothing() -> None:
    meter = RateMeter(WRITER)
    meter.learn(seconds=1.0, input_units=0)
    assert meter.current == WRITER


async def test_a_language_model_is_measured_by_what_it_read_and_wrote(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that reads 50 tokens/s and writes 10, one call after another, on a clock of its own."""
    now = [0.0]
    monkeypatch.setattr("adapters.ray_serve.stopwatch.time.perf_counter", lambda: now[0])

    async def generate(request: GenerateRequest, _meta: CallMeta) -> RawOutput:
        read = sum(len(words.split()) + 4 for _, words in request.messages)
        written = int(str(request.parameters["max_tokens"]))
        now[0] += read / 50 + written / 10
        return RawOutput({"text": "", "finish_reason": "length"}, Usage(input_tokens=read, output_tokens=written))

    rate = await measured_language_model(generate)
    assert rate.input_per_s == pytest.approx(50, rel=0.1)
    assert rate.output_per_s == pytest.approx(10, rel=0.15)
    assert rate.speedup == pytest.approx(1.0, rel=0.15)


@pytest.mark.parametrize(
    ("kind", "rate", "slow"),
    [
        (CallKind.GENERATE, EngineRate(45.0, 15.0), False),
        (CallKind.GENERATE, EngineRate(45.0, 0.4), True),
        (CallKind.GENERATE, EngineRate(2.0, 15.0), True),
        (CallKind.TRANSCRIBE, EngineRate(0.5), True),
        (CallKind.TRANSCRIBE, EngineRate(5.0), False),
        (CallKind.EMBED, EngineRate(50.0), True),
    ],
)
def test_a_rate_below_its_floor_says_what_to_do(kind: CallKind, rate: EngineRate, slow: bool) -> None:
    told = slow_words(kind, rate)
    assert (told is not None) is slow
    if told is not None:
        assert "should do anywhere:" in told


def test_nobody_is_called_slow_who_was_not_measured() -> None:
    assert slow_words(CallKind.GENERATE, None) is None


def test_what_a_start_measured_is_there_at_the_next_look(tmp_path: Path) -> None:
    card: dict[str, Any] = {
        "id": "m", "kind": "generate", "engine": "llama-cpp-1", "precision": "q4_k_m", "instructions": "avx2",
        "rate": {"input_per_s": 45.0, "output_per_s": 15.0, "speedup": 1.2},
    }  # fmt: skip
    measured = MeasuredModel.of(card)
    assert measured is not None
    remember(tmp_path, [measured])
    assert remembered(tmp_path) == [measured]
    assert measured.shown == "m (llama-cpp-1, q4_k_m, avx2): reads 45 tokens/s, writes 15 tokens/s"
    assert MeasuredModel.of(card | {"rate": None}) is None
    assert MeasuredModel.of(card | {"id": "whisper-1", "alias_of": "m"}) is None, "it is told of under its own name"


def test_a_record_that_can_not_be_read_is_none(tmp_path: Path) -> None:
    (tmp_path / "model-rates.json").write_text("[{]")
    assert remembered(tmp_path) == []


def test_what_a_busy_machine_takes_from_a_warm_up_is_not_counted() -> None:
    cores = len(os.sched_getaffinity(0))
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2 * cores)]
    try:
        stopwatch, begun, own = QuietStopwatch(), time.perf_counter(), time.process_time()
        while time.process_time() - own < 0.3:
            pass
        passed, quiet = time.perf_counter() - begun, stopwatch.seconds()
    finally:
        for other in others:
            other.kill()
            other.wait()
    assert passed > 0.5, "the others took their share"
    assert quiet == pytest.approx(0.3, rel=0.3)


def test_a_stopwatch_counts_all_the_time_of_a_process_that_waits_for_another() -> None:
    stopwatch = QuietStopwatch()
    time.sleep(0.2)
    assert stopwatch.seconds() == pytest.approx(0.2, rel=0.2)
