"""The table of metrics is what is recorded: by name and label as Ray's agent shows them, and by the code that counts."""

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from ray.serve import context
from ray.serve._private.common import DeploymentID, ReplicaID
from ray.serve._private.config import DeploymentConfig
from ray.serve.context import ReplicaContext
from ray.serve.schema import ReplicaRank

from adapters.ray_serve import metric_table as table
from adapters.ray_serve.instruments import OTHER, BoundedLabel, Instruments, RayInstruments
from adapters.ray_serve.metric_table import FROM_RAY, OWN, Metric, MetricKind
from adapters.ray_serve.metrics import RayJobMetrics, RayMetrics, rule_of
from adapters.ray_serve.replica_work import ReplicaWork
from adapters.ray_serve.scaling import ReplicaLoad
from adapters.telemetry.recording import RecordingTelemetry
from domain.call import CallContext, CallKind, CallSpec, ModelIdentity, Provenance, Usage
from domain.errors import InvalidModelOutput, ModelTimeout
from domain.job import Job, JobKind, JobRequest, JobStatus, Lane, LaneStanding, Progress, QueueStanding
from domain.search import SpaceStanding
from domain.webhook import WebhookBacklog
from ports.job_metrics import JobOutcome
from ports.telemetry import BreakerState, CallEvent
from tests.metrics_page import record

ROOT = Path(__file__).parents[4]
MODEL = ModelIdentity("m", "1", "e", "p")
SPEC = CallSpec(CallKind.GENERATE, "0" * 64, MODEL, {})
CALL = {"operation": "generate", "model": "m", "backend": "b"}


class Recorded(Instruments):
    """Keeps the values, and holds labels to the table."""

    def __init__(self) -> None:
        self.values: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}

    def count(self, metric: Metric, amount: float, **labels: str) -> None:
        if amount:
            self._keep(metric, MetricKind.COUNTER, labels, self.of(metric, **labels) + amount)

    def set(self, metric: Metric, value: float, **labels: str) -> None:
        self._keep(metric, MetricKind.GAUGE, labels, value)

    def observe(self, metric: Metric, value: float, **labels: str) -> None:
        self._keep(metric, MetricKind.HISTOGRAM, labels, value)

    def _keep(self, metric: Metric, kind: MetricKind, labels: dict[str, str], value: float) -> None:
        assert metric.kind is kind
        assert set(labels) == set(metric.labels) - set(table.REPLICA)
        self.values[metric.name, frozenset(labels.items())] = value

    def of(self, metric: Metric, **labels: str) -> float:
        return self.values.get((metric.name, frozenset(labels.items())), 0.0)


def test_every_metric_has_the_name_and_the_labels_on_rays_page_that_the_table_says() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.metrics_page"], cwd=ROOT, capture_output=True, text=True, timeout=120, check=True
    )
    shown = {family.name: family for family in text_string_to_metric_families(done.stdout)}
    for metric in (*OWN, *FROM_RAY):
        family = shown[metric.exposed.removesuffix("_total")]
        assert family.type == metric.kind.value
        assert family.documentation == metric.help
        told = [sample for sample in family.samples if sample.name in metric.series]
        assert {sample.name for sample in told} == set(metric.series)
        labels = set(told[0].labels) - {"le"} - {label for label in told[0].labels if label.startswith("otel_scope")}
        assert labels == set(metric.labels)


def test_rays_own_metrics_are_made_from_the_table_and_refuse_other_labels() -> None:
    instruments = RayInstruments()
    for metric in OWN:
        if not set(table.REPLICA) <= set(metric.labels):
            record(instruments, metric)
    with pytest.raises(ValueError, match="tenant"):
        instruments.count(table.COST, 1.0, operation="o", model="m", backend="b")


def test_in_a_replica_serves_metrics_name_the_replica(monkeypatch: pytest.MonkeyPatch) -> None:
    """Serve's own words for a replica, on a thread as the engine's is: nothing of it hangs on the event loop."""
    here = ReplicaContext(
        replica_id=ReplicaID("r1", DeploymentID("Transcriber", "wordloop")),
        servable_object=None,
        _deployment_config=DeploymentConfig(),
        rank=ReplicaRank(rank=0, node_rank=0, local_rank=0),
        world_size=1,
    )
    monkeypatch.setattr(context, "_INTERNAL_REPLICA_CONTEXT", here)
    instruments = RayInstruments()
    work = ReplicaWork(instruments, ReplicaLoad())

    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: (work.begin(), work.end(Usage(1.5, 7, 2)))).result()
    for metric in (table.REPLICA_AUDIO, table.REPLICA_TOKENS, table.REPLICA_BUSY):
        info = instruments._made[metric.name].info
        assert set(info["tag_keys"]) == set(metric.labels)
        assert info["default_tags"] == {"application": "wordloop", "deployment": "Transcriber", "replica": "r1"}


def test_names_and_labels_are_legal_and_stand_once() -> None:
    names = [metric.name for metric in (*OWN, *FROM_RAY)]
    assert len(names) == len(set(names))
    for metric in (*OWN, *FROM_RAY):
        assert re.fullmatch(r"[a-z_]+", metric.name)
        assert all(re.fullmatch(r"[a-z_]+", label) for label in metric.labels)
        assert metric.help.endswith(".")
        assert (metric.kind is MetricKind.HISTOGRAM and metric in OWN) == bool(metric.buckets)


def metrics(recorded: Recorded, most: int = 50, tenants: tuple[str, ...] = ()) -> RayMetrics:
    return RayMetrics(RecordingTelemetry(), recorded, most, tenants)


def answered(telemetry: RayMetrics, tenant: str, **changes: object) -> None:
    with telemetry.call(SPEC, "b", CallContext(tenant=tenant)) as span:
        span.answered(Provenance(SPEC.key, SPEC.kind, SPEC.input_sha256, MODEL, {}, **changes), "stop")  # type: ignore[arg-type]


def test_a_call_is_counted_with_what_it_used_and_cost() -> None:
    recorded = Recorded()
    telemetry = metrics(recorded)
    answered(telemetry, "acme", attempts=3, latency_s=1.5, usage=Usage(2.0, 100, 7), cost_usd=0.25)
    answered(telemetry, "acme", cache_hit=True)

    assert recorded.of(table.CALLS, **CALL, outcome="ok") == 2
    assert recorded.of(table.RETRIES, **CALL) == 2
    assert recorded.of(table.CACHE_HITS, **CALL) == 1
    assert recorded.of(table.AUDIO, **CALL) == 2.0
    assert recorded.of(table.TOKENS, **CALL, direction="input") == 100
    assert recorded.of(table.TOKENS, **CALL, direction="output") == 7
    assert recorded.of(table.COST, **CALL, tenant="acme") == 0.25


def test_so_many_tenants_are_told_apart_and_those_with_a_budget_always() -> None:
    recorded = Recorded()
    telemetry = metrics(recorded, most=2, tenants=("big",))
    for tenant in ("a", "b", "c", "d", "a", "big"):
        answered(telemetry, tenant, cost_usd=1.0)

    cost = {tenant: recorded.of(table.COST, **CALL, tenant=tenant) for tenant in ("a", "b", "c", "d", "big", OTHER)}
    assert cost == {"a": 2.0, "b": 1.0, "c": 0.0, "d": 0.0, "big": 1.0, OTHER: 2.0}


def test_refused_answers_are_counted_by_the_rule_alone() -> None:
    recorded = Recorded()
    telemetry = metrics(recorded)
    with telemetry.call(SPEC, "b", CallContext()) as span:
        for number in (3, 12):
            span.refused(InvalidModelOutput(f"not one vector for each of {number} texts"))
        span.refused(InvalidModelOutput("the answer breaks its schema at /properties/items/7/maxLength"))
        span.failed(ModelTimeout("no answer within 3.0 s"), Provenance.of(SPEC))

    assert recorded.of(table.REFUSED, **CALL, reason="not one vector for each of N texts") == 2
    assert recorded.of(table.REFUSED, **CALL, reason="the answer breaks its schema") == 1
    assert recorded.of(table.CALLS, **CALL, outcome="ModelTimeout") == 1


def test_a_refusal_from_memory_is_counted_apart() -> None:
    recorded = Recorded()
    telemetry = metrics(recorded)
    with telemetry.call(SPEC, "b", CallContext()) as span:
        span.happened(CallEvent.REFUSAL_REMEMBERED)
        span.happened(CallEvent.RETRIED)
    assert recorded.of(table.REMEMBERED, **CALL) == 1


def test_a_rule_is_told_without_the_numbers_of_one_answer() -> None:
    assert rule_of(InvalidModelOutput("words[3].start is not between 0 and 29.5")) == "words[N].start is not between N and N"


def test_a_bounded_label_has_room_for_so_many_and_no_more() -> None:
    label = BoundedLabel(3)
    assert len({label(f"t{number}") for number in range(1000)}) == 4


def test_a_breaker_is_told_again_with_every_call() -> None:
    recorded = Recorded()
    telemetry = metrics(recorded)
    telemetry.breaker_changed("b", MODEL, BreakerState.OPEN)
    recorded.values.clear()
    answered(telemetry, "acme")
    assert recorded.of(table.BREAKER, model="m", backend="b") == 2


def test_jobs_stages_and_the_queue_are_told() -> None:
    recorded = Recorded()
    told = RayJobMetrics(recorded)
    job = Job("job_1", JobRequest(JobKind.RECAP, {}), JobStatus.IN_PROGRESS, Progress(), 0.0, lane=Lane.SHORT)
    told.taken_over(job)
    told.stage_ended(job, "recapping", 4.0)
    told.attempt_ended(job, JobOutcome.COMPLETED, 9.0)
    told.attempt_ended(job, JobOutcome.RETRIED, 2.0)
    told.to_embed(SpaceStanding(9, 8))
    told.standing(QueueStanding({Lane.LONG: LaneStanding(5, 2, 61.0)}, 3), WebhookBacklog(4, 7.5))

    ended = {"kind": "recap", "lane": "short"}
    assert recorded.of(table.TAKEOVERS, kind="recap") == 1
    assert recorded.of(table.STAGE_TIME, kind="recap", stage="recapping") == 4.0
    assert recorded.of(table.JOBS_ENDED, **ended, outcome="completed") == recorded.of(
        table.JOBS_ENDED, **ended, outcome="retried"
    )
    assert recorded.of(table.JOB_TIME, **ended) == 9.0
    assert [recorded.of(metric, lane="long") for metric in (table.WAITING, table.RUNNING, table.OLDEST)] == [5, 2, 61.0]
    assert [recorded.of(metric) for metric in (table.PASSAGES, table.TO_EMBED)] == [9, 8]
    assert [recorded.of(metric) for metric in (table.DEAD, table.HOOKS_BEHIND, table.HOOKS_LATE)] == [3, 4, 7.5]


def test_a_replica_counts_its_work_and_calls_side_by_side_once() -> None:
    recorded, now = Recorded(), [100.0]
    work = ReplicaWork(recorded, ReplicaLoad(), lambda: now[0])
    work.begin()
    now[0] = 101.0
    work.begin()
    now[0] = 103.0
    work.end(Usage(0.0, 10, 2))
    now[0] = 104.0
    work.end()
    now[0] = 200.0
    work.begin()
    now[0] = 200.5
    work.end(Usage(30.0, 0, 0), Usage(12.0, 0, 0))

    assert recorded.of(table.REPLICA_BUSY) == 4.5
    assert recorded.of(table.REPLICA_AUDIO) == 42.0
    assert recorded.of(table.REPLICA_TOKENS, direction="input") == 10
    assert recorded.of(table.REPLICA_TOKENS, direction="output") == 2
