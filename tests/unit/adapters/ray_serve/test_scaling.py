"""Replicas by the work that waits, in the unit of the model, over the rate that replicas measured."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ray.serve.autoscaling_policy import _apply_autoscaling_config
from ray.serve.config import AutoscalingConfig, AutoscalingContext

from adapters.ray_serve.scaling import HELD, PER_CALL, PER_S, ReplicaLoad, WorkPolicy, replicas_needed
from domain.audio import BYTES_PER_SAMPLE, SAMPLE_RATE
from domain.call import Usage
from ports.model_backend import EmbedRequest, TranscribeRequest
from serve_app.settings.serve_file import load_config

ROOT = Path(__file__).parents[4]


def sound(seconds: float) -> TranscribeRequest:
    return TranscribeRequest(bytes(int(seconds * SAMPLE_RATE) * BYTES_PER_SAMPLE), {})


TEXT = EmbedRequest(("a",), {})


def test_a_replica_tells_nothing_before_it_has_done_anything() -> None:
    assert ReplicaLoad().told() == {}


def test_sound_is_held_by_its_seconds_and_let_go_whatever_becomes_of_it() -> None:
    load = ReplicaLoad()
    load.learn((Usage(audio_seconds=60.0),), 2.0)
    with load.holding(sound(30.0)), load.holding(sound(2.0)):
        assert load.told() == {HELD: 32.0, PER_CALL: 60.0, PER_S: 30.0}
    with pytest.raises(ZeroDivisionError), load.holding(sound(9.0)):
        raise ZeroDivisionError
    assert load.told()[HELD] == 0.0


def test_a_text_is_held_as_one_of_the_usual_size() -> None:
    load = ReplicaLoad()
    load.learn((Usage(input_tokens=90, output_tokens=10), Usage(input_tokens=300)), 4.0)
    with load.holding(TEXT), load.holding(TEXT):
        assert load.told() == {HELD: 400.0, PER_CALL: 200.0, PER_S: 100.0}


def test_the_rate_follows_the_machine_and_idle_time_changes_nothing() -> None:
    load = ReplicaLoad()
    for _ in range(30):
        load.learn((Usage(audio_seconds=100.0),), 10.0)
    assert load.told()[PER_S] == pytest.approx(10.0)
    for _ in range(30):
        load.learn((Usage(audio_seconds=50.0),), 10.0)
    assert load.told()[PER_S] == pytest.approx(5.0, rel=0.05)


def told(**figures: list[float]) -> dict[str, dict[str, float]]:
    return {name: {f"r{number}": value for number, value in enumerate(values)} for name, values in figures.items()}


@pytest.mark.parametrize(
    ("figures", "queued", "needed"),
    [
        ({HELD: [300.0], PER_CALL: [30.0], PER_S: [10.0]}, 0.0, 1.0),
        ({HELD: [300.0], PER_CALL: [30.0], PER_S: [10.0]}, 20.0, 3.0),
        ({HELD: [300.0], PER_CALL: [2.0], PER_S: [10.0]}, 20.0, 340.0 / 300.0),
        ({HELD: [300.0, 600.0], PER_CALL: [30.0, 30.0], PER_S: [10.0, 20.0]}, 0.0, 2.0),
        ({HELD: [0.0, 0.0], PER_CALL: [30.0, 30.0], PER_S: [10.0, 10.0]}, 0.0, 0.0),
        ({}, 50.0, None),
    ],
    ids=["fits", "queued long calls", "queued short calls", "two replicas", "nothing to do", "nothing known"],
)
def test_so_many_replicas_that_all_is_done_in_time(figures: dict[str, list[float]], queued: float, needed: float | None) -> None:
    assert replicas_needed(told(**figures), queued, drain_s=30.0) == (None if needed is None else pytest.approx(needed))


@dataclass
class Controller:
    """What Serve's controller does with a policy: its own code for factors and delays, over a clock in `state`."""

    config: AutoscalingConfig
    replicas: int = 1

    def decide(self, metrics: dict[str, dict[Any, float]], queued: float, now: float) -> int:
        context = AutoscalingContext(
            deployment_id=None,  # type: ignore[arg-type]
            deployment_name="Transcriber",
            app_name="wordloop",
            current_num_replicas=self.replicas,
            target_num_replicas=self.replicas,
            running_replicas=[],
            total_num_requests=queued,
            total_queued_requests=queued,
            aggregated_metrics=metrics,
            raw_metrics={},
            capacity_adjusted_min_replicas=self.config.min_replicas,
            capacity_adjusted_max_replicas=8,
            policy_state={},
            last_scale_up_time=None,
            last_scale_down_time=None,
            current_time=now,
            config=self.config,
        )
        self.replicas, _ = _apply_autoscaling_config(WorkPolicy(30.0))(context)  # type: ignore[arg-type]
        return self.replicas


def test_serve_takes_the_policy_for_its_own() -> None:
    config = AutoscalingConfig(min_replicas=1, max_replicas=8, upscale_delay_s=0, downscale_delay_s=0)
    busy = told(**{HELD: [900.0], PER_CALL: [30.0], PER_S: [10.0]})
    assert Controller(config).decide(busy, 0.0, 0.0) == 3
    assert Controller(config, replicas=4).decide({}, 5.0, 0.0) == 4, "nothing known: it stays"


def test_where_nothing_is_asked_the_last_replica_may_go_and_the_first_call_brings_one_back() -> None:
    config = AutoscalingConfig(
        min_replicas=0, max_replicas=4, downscale_delay_s=0, upscale_delay_s=0, downscale_to_zero_delay_s=0
    )
    idle = told(held_units=[0.0], units_per_call=[30.0], units_per_s=[10.0])
    never_asked: dict[str, dict[Any, float]] = {}
    for metrics in (idle, never_asked):
        model = Controller(config)
        assert model.decide(metrics, 0.0, 0.0) == 0
        assert model.decide({}, 0.0, 0.0) == 0
        assert model.decide({}, 1.0, 0.0) == 1


def test_every_model_of_the_production_file_scales_by_work() -> None:
    deployments = load_config(ROOT / "serve_config.gpu.yaml").deployments
    for name in ("Transcriber", "LanguageModel", "Embedder", "Reader"):
        policy = AutoscalingConfig(**deployments[name]["autoscaling_config"]).policy
        made = policy.get_policy()(**policy.policy_kwargs)
        assert type(made).__name__ == WorkPolicy.__name__
        assert made._drain_s == policy.policy_kwargs["drain_s"]
