"""Every metric of the service, once: what is recorded, what Grafana shows and what Prometheus alerts on are made from this table.

Ray's agent puts `ray_` before a name and the Prometheus exporter `_total` behind that of a counter; `Metric.exposed` is the name
that Prometheus sees. Labels are names of models, of kinds and of things that an operator named, never content.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

PREFIX: Final = "ray_"
"""The namespace of Ray's agent."""
CALL_SECONDS: Final = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
"""The buckets that the GenAI conventions advise for durations."""
JOB_SECONDS: Final = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0, 4096.0, 8192.0, 16384.0)
"""From a cached answer to four hours: each bucket is twice the one before."""


class MetricKind(StrEnum):
    """What Prometheus calls the type of a metric."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. `unit` is what a value of it counts; `buckets` are upper edges of a histogram, in its unit."""

    name: str
    kind: MetricKind
    unit: str
    labels: tuple[str, ...]
    help: str
    buckets: tuple[float, ...] = ()

    @property
    def exposed(self) -> str:
        """The name on the page for Prometheus; a histogram has `_bucket`, `_sum` and `_count` behind it."""
        counts = self.kind is MetricKind.COUNTER and not self.name.endswith("_total")
        return f"{PREFIX}{self.name}" + ("_total" if counts else "")

    @property
    def series(self) -> tuple[str, ...]:
        """Every name under which Prometheus keeps it."""
        if self.kind is MetricKind.HISTOGRAM:
            return tuple(f"{self.exposed}_{part}" for part in ("bucket", "sum", "count"))
        return (self.exposed,)


COUNTER, GAUGE, HISTOGRAM = MetricKind.COUNTER, MetricKind.GAUGE, MetricKind.HISTOGRAM
CALL: Final = ("operation", "model", "backend")
ENDED: Final = (*CALL, "outcome")

CALLS = Metric("wordloop_model_calls", COUNTER, "calls", ENDED, "Model calls by outcome.")
CALL_TIME = Metric("wordloop_model_call_seconds", HISTOGRAM, "s", ENDED, "Seconds of a model call.", CALL_SECONDS)
CACHE_HITS = Metric("wordloop_cache_hits", COUNTER, "calls", CALL, "Calls answered from the cache.")
RETRIES = Metric("wordloop_retries", COUNTER, "attempts", CALL, "Attempts after the first.")
TOKENS = Metric("wordloop_tokens", COUNTER, "tokens", (*CALL, "direction"), "Tokens in and out.")
AUDIO = Metric("wordloop_audio_seconds", COUNTER, "s", CALL, "Seconds of audio transcribed.")
COST = Metric("wordloop_cost_usd", COUNTER, "USD", (*CALL, "tenant"), "Cost by the price table, in US dollars.")
REFUSED = Metric("wordloop_refused_outputs", COUNTER, "outputs", (*CALL, "reason"), "Answers of models that broke a rule.")
REMEMBERED = Metric("wordloop_remembered_refusals", COUNTER, "calls", CALL, "Calls refused from memory, not made again.")
BREAKER = Metric("wordloop_breaker_state", GAUGE, "state", ("model", "backend"), "0 closed, 1 half open, 2 open.")

WAITING = Metric("wordloop_jobs_waiting", GAUGE, "jobs", ("lane",), "Jobs that may be claimed or wait for another attempt.")
RUNNING = Metric("wordloop_jobs_running", GAUGE, "jobs", ("lane",), "Jobs that a worker holds.")
OLDEST = Metric("wordloop_oldest_waiting_seconds", GAUGE, "s", ("lane",), "Age of the job that waits longest.")
DEAD = Metric("wordloop_dead_jobs", GAUGE, "jobs", (), "Jobs laid aside after their last attempt.")
HOOKS_BEHIND = Metric("wordloop_webhooks_behind", GAUGE, "events", (), "Events past the time at which they were to be sent.")
HOOKS_LATE = Metric("wordloop_webhooks_late_seconds", GAUGE, "s", (), "How late the event is that waits longest.")
TAKEOVERS = Metric("wordloop_lease_takeovers", COUNTER, "jobs", ("kind",), "Jobs taken over from a worker that was lost.")
JOBS_ENDED = Metric("wordloop_jobs_ended", COUNTER, "jobs", ("kind", "lane", "outcome"), "Ends of attempts at jobs.")
JOB_TIME = Metric("wordloop_job_seconds", HISTOGRAM, "s", ("kind", "lane"), "From submission to completion.", JOB_SECONDS)
STAGE_TIME = Metric("wordloop_stage_seconds", HISTOGRAM, "s", ("kind", "stage"), "Seconds of a stage of a job.", JOB_SECONDS)
PASSAGES = Metric("wordloop_passages", GAUGE, "passages", (), "Passages that can be searched.")
TO_EMBED = Metric("wordloop_passages_to_embed", GAUGE, "passages", (), "Passages without a vector of the present embedder.")

REPLICA: Final = ("application", "deployment", "replica")
"""Labels that Ray Serve adds to what a replica records."""
REPLICA_AUDIO = Metric("wordloop_replica_audio_seconds", COUNTER, "s", REPLICA, "Seconds of audio that a replica read.")
REPLICA_TOKENS = Metric(
    "wordloop_replica_tokens", COUNTER, "tokens", (*REPLICA, "direction"), "Tokens that a replica read and wrote."
)
REPLICA_BUSY = Metric("wordloop_replica_busy_seconds", COUNTER, "s", REPLICA, "Seconds in which a replica computed.")

OWN: Final = (
    *(CALLS, CALL_TIME, CACHE_HITS, RETRIES, TOKENS, AUDIO, COST, REFUSED, REMEMBERED, BREAKER),
    *(WAITING, RUNNING, OLDEST, DEAD, HOOKS_BEHIND, HOOKS_LATE, TAKEOVERS, JOBS_ENDED, JOB_TIME, STAGE_TIME, PASSAGES, TO_EMBED),
    *(REPLICA_AUDIO, REPLICA_TOKENS, REPLICA_BUSY),
)
"""What this service records."""

# Ray Serve's own, as far as a panel or a rule uses them: names and labels of 2.60.
HTTP: Final = ("application", "route", "method", "status_code")
"""`route` is the template of a route, never an address."""
REQUESTS = Metric("serve_num_http_requests", COUNTER, "requests", HTTP, "Requests that were answered.")
REQUEST_TIME = Metric("serve_http_request_latency_ms", HISTOGRAM, "ms", HTTP, "Time that the service took to answer.")
ONGOING = Metric("serve_replica_processing_queries", GAUGE, "requests", REPLICA, "Requests that a replica works on.")
QUEUED = Metric("serve_deployment_queued_queries", GAUGE, "requests", REPLICA[:2], "Requests that wait for a replica.")
HEALTHY = Metric("serve_deployment_replica_healthy", GAUGE, "replicas", REPLICA[:2], "Replicas that are healthy.")
STARTS = Metric("serve_deployment_replica_starts", COUNTER, "replicas", REPLICA, "Starts of replicas.")

FROM_RAY: Final = (REQUESTS, REQUEST_TIME, ONGOING, QUEUED, HEALTHY, STARTS)
"""What Ray Serve records beside it, as far as it is shown."""
