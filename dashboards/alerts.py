"""When somebody has to be told. Each alert has a part of its own in docs/operate.md: what it means and what to do."""

from dataclasses import dataclass
from typing import Any, Final

from adapters.ray_serve import metric_table as table
from dashboards.queries import added, now, per_second, selector, share

RUNBOOK: Final = "docs/operate.md"
NOBODYS_FAULT: Final = "ok|BudgetExceeded|RateLimited|CancelledError|JobCancelled|DeadlineExceeded|CircuitOpen"
"""Outcomes of a call that say nothing about its model: what was refused before it was made, and what was called off."""


@dataclass(frozen=True, slots=True)
class Alert:
    """A rule of Prometheus: `expr` has to hold for `lasts`. `page`: somebody is woken; else it can wait for the morning."""

    name: str
    expr: str
    lasts: str
    page: bool
    summary: str

    def rule(self) -> dict[str, Any]:
        """Return it as Prometheus reads it."""
        anchor = self.name.lower()
        return {
            "alert": self.name,
            "expr": self.expr,
            "for": self.lasts,
            "labels": {"severity": "page" if self.page else "ticket", "service": "wordloop"},
            "annotations": {"summary": self.summary, "runbook": f"{RUNBOOK}#{anchor}"},
        }


_FAILED = per_second(table.CALLS, "model, backend", f'outcome!~"{NOBODYS_FAULT}"')
_WHICH, _OURS = "application, deployment", 'application="wordloop"'
_HEALTHY = now(table.HEALTHY, _WHICH, _OURS, how="sum")
"""A replica that is gone tells nothing any more, so that a deployment without any is one that was started and is not there."""
_BUSY = f"avg by ({_WHICH}) (rate({table.REPLICA_BUSY.exposed}[10m]))"

ALERTS: Final = (
    Alert(
        "WordloopNoWorker",
        f"absent({now(table.WAITING)})",
        "5m",
        True,
        "No job worker tells about the queue: jobs are accepted and nobody works on them.",
    ),
    Alert(
        "WordloopShortJobsWait",
        now(table.OLDEST, "lane", 'lane="short"') + " > 300",
        "5m",
        True,
        "A short recording waits for {{ $value | humanizeDuration }}.",
    ),
    Alert(
        "WordloopLongJobsWait",
        now(table.OLDEST, "lane", 'lane="long"') + " > 3600",
        "10m",
        False,
        "A job waits for {{ $value | humanizeDuration }}; at limits.max_queue_wait_s new ones are refused.",
    ),
    Alert(
        "WordloopJobsLaidAside",
        f"{now(table.DEAD)} - {now(table.DEAD, offset='15m')} > 0",
        "0m",
        False,
        "{{ $value }} jobs more than a quarter of an hour ago failed with every attempt used up.",
    ),
    Alert(
        "WordloopJobsFail",
        share(
            per_second(table.JOBS_ENDED, "kind", 'outcome="failed"', "30m"),
            per_second(table.JOBS_ENDED, "kind", 'outcome=~"failed|completed"', "30m"),
        )
        + " > 0.1",
        "15m",
        False,
        "{{ $value | humanizePercentage }} of the {{ $labels.kind }} jobs fail.",
    ),
    Alert(
        "WordloopWorkersLost",
        added(table.TAKEOVERS, over="30m") + " > 3",
        "0m",
        False,
        "Workers were lost with {{ $value }} jobs in half an hour; others took these over.",
    ),
    Alert(
        "WordloopWebhooksBehind",
        now(table.HOOKS_LATE) + " > 900",
        "10m",
        False,
        "An event that was due is {{ $value | humanizeDuration }} late.",
    ),
    Alert(
        "WordloopModelDown",
        now(table.BREAKER, "model, backend") + " == 2",
        "2m",
        True,
        "Calls of {{ $labels.model }} at {{ $labels.backend }} are not made: it failed too often.",
    ),
    Alert(
        "WordloopModelFails",
        share(_FAILED, per_second(table.CALLS, "model, backend")) + " > 0.05",
        "10m",
        False,
        "{{ $value | humanizePercentage }} of the calls of {{ $labels.model }} fail, all their attempts used up.",
    ),
    Alert(
        "WordloopAnswersRefused",
        share(per_second(table.REFUSED, "model", over="30m"), per_second(table.CALLS, "model", 'outcome!="CircuitOpen"', "30m"))
        + " > 0.05",
        "30m",
        False,
        "For every call of {{ $labels.model }}, {{ $value }} answers break a rule.",
    ),
    Alert(
        "WordloopNoReplica",
        f"{_HEALTHY} < 1 or (group by ({_WHICH}) ({selector(table.STARTS, _OURS)}) unless on ({_WHICH}) {_HEALTHY})",
        "5m",
        True,
        "No replica of {{ $labels.deployment }} is healthy.",
    ),
    Alert(
        "WordloopReplicasRestart",
        f"{now(table.STARTS, _WHICH, how='sum')} - {now(table.STARTS, _WHICH, offset='30m', how='sum')} > 5",
        "0m",
        False,
        "{{ $value }} replicas of {{ $labels.deployment }} were started in half an hour.",
    ),
    Alert(
        "WordloopReplicasFull",
        f"{_BUSY} > 0.95 and on ({_WHICH}) {now(table.QUEUED, _WHICH, how='sum')} > 0",
        "30m",
        False,
        "The replicas of {{ $labels.deployment }} compute without a pause and calls wait for them.",
    ),
    Alert(
        "WordloopRequestsBreak",
        share(per_second(table.REQUESTS, where='status_code="500"'), per_second(table.REQUESTS)) + " > 0.01",
        "10m",
        True,
        "{{ $value | humanizePercentage }} of the requests end in an error that nobody foresaw.",
    ),
)


def rules() -> dict[str, Any]:
    """Return the file of rules as Prometheus reads it."""
    return {"groups": [{"name": "wordloop", "rules": [alert.rule() for alert in ALERTS]}]}
