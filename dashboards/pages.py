"""What stands on which dashboard: rows of panels, each of a few queries."""

from dataclasses import dataclass
from typing import Final

from adapters.ray_serve import metric_table as table
from dashboards.queries import added, now, per_second, quantile, share

REPLICA: Final = "deployment, replica"


@dataclass(frozen=True, slots=True)
class Panel:
    """A graph over time. `queries` maps a legend, in Grafana's spelling, to PromQL; `unit` is one of Grafana's."""

    title: str
    unit: str
    queries: dict[str, str]
    description: str


@dataclass(frozen=True, slots=True)
class Page:
    """A dashboard: titles of rows with their panels."""

    uid: str
    title: str
    rows: dict[str, tuple[Panel, ...]]


def _quantiles(metric: table.Metric, by: str, where: str = "") -> dict[str, str]:
    shown = " ".join(f"{{{{{label.strip()}}}}}" for label in by.split(","))
    return {f"{shown} p{round(q * 100)}": quantile(metric, q, by, where) for q in (0.5, 0.95)}


QUEUE: Final = (
    Panel("Jobs that wait", "short", {"{{lane}}": now(table.WAITING, "lane")}, "In each lane, over all tenants."),
    Panel("Age of the oldest", "s", {"{{lane}}": now(table.OLDEST, "lane")}, "For how long it could have been claimed."),
    Panel("Jobs under way", "short", {"{{lane}}": now(table.RUNNING, "lane")}, "That a worker holds."),
    Panel("Laid aside", "short", {"jobs": now(table.DEAD)}, "Failed with every attempt used up: wordloop jobs list --dead."),
)
JOBS: Final = (
    Panel(
        "Ends of attempts",
        "cpm",
        {"{{kind}} {{outcome}}": per_second(table.JOBS_ENDED, "kind, outcome") + " * 60"},
        "A minute, by how they ended.",
    ),
    Panel("From submission to completion", "s", _quantiles(table.JOB_TIME, "kind, lane"), "Of jobs that were completed."),
    Panel("Time by stage", "s", _quantiles(table.STAGE_TIME, "stage"), "Where the time of a job goes."),
    Panel(
        "Share of the time by stage",
        "percentunit",
        {
            "{{stage}}": f"sum by (stage) (rate({table.STAGE_TIME.exposed}_sum[5m]))"
            f" / on () group_left sum (rate({table.STAGE_TIME.exposed}_sum[5m]))"
        },
        "Of all seconds that jobs spend in stages.",
    ),
    Panel("Taken over", "short", {"{{kind}}": added(table.TAKEOVERS, "kind")}, "In an hour, from lost workers."),
)
WEBHOOKS: Final = (
    Panel("Events behind", "short", {"events": now(table.HOOKS_BEHIND)}, "Past the time at which they were to be sent."),
    Panel("How late", "s", {"latest": now(table.HOOKS_LATE)}, "The event that waits longest."),
)
SEARCH: Final = (
    Panel(
        "Passages",
        "short",
        {"indexed": now(table.PASSAGES), "to embed": now(table.TO_EMBED)},
        "Those to embed have no vector of the present embedder yet; searches of their tenants are answered from the one before.",
    ),
)
DOOR: Final = (
    Panel("Requests", "reqps", {"{{route}}": per_second(table.REQUESTS, "route")}, "Answered, by the template of the route."),
    Panel("Answers", "reqps", {"{{status_code}}": per_second(table.REQUESTS, "status_code")}, "By their status."),
    Panel("Time to answer", "ms", _quantiles(table.REQUEST_TIME, "route"), "Following a job counts for as long as it takes."),
    Panel(
        "Errors that nobody foresaw",
        "reqps",
        {"{{method}} {{route}}": per_second(table.REQUESTS, "method, route", 'status_code="500"')},
        "Status 500; what is refused on purpose has another.",
    ),
)
CALLS: Final = (
    Panel("Calls", "ops", {"{{operation}} {{outcome}}": per_second(table.CALLS, "operation, outcome")}, "By how they ended."),
    Panel("Time of a call", "s", _quantiles(table.CALL_TIME, "operation"), "Queue, attempts and pauses; cached ones too."),
    Panel(
        "Answered from the cache",
        "percentunit",
        {"{{operation}}": share(per_second(table.CACHE_HITS, "operation"), per_second(table.CALLS, "operation"))},
        "Share of all calls.",
    ),
    Panel("Attempts after the first", "ops", {"{{model}}": per_second(table.RETRIES, "model")}, "What a model is asked again."),
    Panel(
        "Refused answers",
        "cpm",
        {
            "{{model}}: {{reason}}": per_second(table.REFUSED, "model, reason") + " * 60",
            "{{model}}: from memory": per_second(table.REMEMBERED, "model") + " * 60",
        },
        "A minute, by the rule that was broken.",
    ),
    Panel("Breakers", "short", {"{{model}} {{backend}}": now(table.BREAKER, "model, backend")}, table.BREAKER.help),
)
WORK: Final = (
    Panel(
        "Audio seconds per second, by replica",
        "short",
        {"{{deployment}} {{replica}}": per_second(table.REPLICA_AUDIO, REPLICA)},
        "How many times faster than speech a replica works just now.",
    ),
    Panel(
        "Tokens per second, by replica",
        "short",
        {"{{deployment}} {{replica}} {{direction}}": per_second(table.REPLICA_TOKENS, f"{REPLICA}, direction")},
        "Read and written.",
    ),
    Panel(
        "Busy, by replica",
        "percentunit",
        {"{{deployment}} {{replica}}": per_second(table.REPLICA_BUSY, REPLICA)},
        "Share of the time in which it computed.",
    ),
    Panel("Calls at a replica", "short", {"{{deployment}} {{replica}}": now(table.ONGOING, REPLICA)}, "Under way."),
    Panel("Calls that wait", "short", {"{{deployment}}": now(table.QUEUED, "deployment", how="sum")}, "For a replica."),
    Panel("Healthy replicas", "short", {"{{deployment}}": now(table.HEALTHY, "deployment", how="sum")}, "As Serve sees them."),
    Panel("Starts", "short", {"{{deployment}}": now(table.STARTS, "deployment", how="sum")}, "Since the nodes came up."),
)
COST: Final = (
    Panel("Audio transcribed", "s", {"seconds a second": per_second(table.AUDIO)}, "Over all replicas; what was cached is not."),
    Panel("Tokens", "short", {"{{operation}} {{direction}}": per_second(table.TOKENS, "operation, direction")}, "A second."),
    Panel(
        "Cost by tenant",
        "currencyUSD",
        {"{{tenant}}": added(table.COST, "tenant")},
        "In an hour, by the configured prices; tenants beyond telemetry.tenants_shown are together.",
    ),
    Panel("Cost by model", "currencyUSD", {"{{model}}": added(table.COST, "model")}, "In an hour."),
)

PAGES: Final = (
    Page(
        "wordloop-service",
        "Wordloop: service",
        {"Queue": QUEUE, "Jobs": JOBS, "Webhooks": WEBHOOKS, "Search": SEARCH, "Requests": DOOR},
    ),
    Page("wordloop-models", "Wordloop: models", {"Calls": CALLS, "Replicas": WORK, "What it takes": COST}),
)
