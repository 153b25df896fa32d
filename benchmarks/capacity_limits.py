"""What gives first beside replicas: to how many hours of audio a day each part of the service is good, as it is set up."""

from dataclasses import dataclass
from typing import Final

WRITES_OF_A_CALL: Final = 4
"""Transactions of the store around one model call: flight and answer; reserving and settling where there are budgets."""
WRITES_BESIDE_REDIS: Final = 2
"""Of those the budget's, where Redis keeps answers and flights."""
WRITES_OF_A_JOB: Final = 30
"""Submission, claim, stages, results, index, events, and a heartbeat every two seconds of about half a minute."""
SQLITE_WRITES_S: Final = 140.0
"""Durable transactions a second of guarded calls side by side in one process on an SQLite file: seen on two busy cores."""
POSTGRESQL_WRITES_S: Final = 2_000.0
"""Serialisable transactions a second of one PostgreSQL of eight cores: not measured. Seen: 250 to 350, the server and
four processes of calls on two busy cores."""
REQUESTS_OF_A_JOB: Final = 25
"""An upload, its state asked twenty times, its results, a search."""
INGRESS_REQUESTS_S: Final = 100.0
"""Of one ingress replica, a quarter of what the bare handlers do (`wordloop bench ingress`)."""
BYTES_OF_A_SECOND: Final = 8_000
"""Speech at 64 kbit/s."""
NETWORK_BYTES_S: Final = 1.0e9
"""Ten gigabit, used to four fifths."""
LINES_OF_AN_HOUR: Final = 750
PASSAGES_OF_A_TENANT: Final = 3_000_000
"""That one process holds in its 512 MiB, in about a tenth of a second a search."""
KEPT_DAYS: Final = 365
LARGEST_TENANT: Final = 0.01
"""Share of all audio that the largest tenant brings."""
SERVE_REPLICAS: Final = 1_000
"""Replicas of one Ray cluster: nobody here has tried more than a few."""


@dataclass(frozen=True, slots=True)
class Day:
    """Hours of audio, the busiest hour over the mean, seconds of a recording, calls of an hour of audio, replicas of models."""

    hours: float
    peak: float
    length_s: float
    calls_of_an_hour: int
    replicas: int

    @property
    def jobs_s(self) -> float:
        """Jobs that come in a second of the busiest hour."""
        return self.hours * 3600 / self.length_s / 86_400 * self.peak

    @property
    def audio_hours_s(self) -> float:
        """Hours of audio that come in a second of the busiest hour."""
        return self.hours / 86_400 * self.peak


@dataclass(frozen=True, slots=True)
class Limit:
    """A part of the service, the hours of audio a day to which it is good, and what is done about it beyond."""

    name: str
    hours: float
    remedy: str


def split_limits(day: Day) -> tuple[list[Limit], list[Limit]]:
    """Return the limits that the day is beyond and those that it is not, the lowest first in each."""
    limits = sorted(_limits(day), key=lambda limit: limit.hours)
    return [limit for limit in limits if limit.hours <= day.hours], [limit for limit in limits if limit.hours > day.hours]


def _limits(day: Day) -> list[Limit]:
    calls_s = day.calls_of_an_hour * day.audio_hours_s
    jobs = WRITES_OF_A_JOB * day.jobs_s
    writes, beside_redis = calls_s * WRITES_OF_A_CALL + jobs, calls_s * WRITES_BESIDE_REDIS + jobs
    passages = day.hours * LINES_OF_AN_HOUR * KEPT_DAYS * LARGEST_TENANT
    received = day.audio_hours_s * 3600 * BYTES_OF_A_SECOND
    shares = (
        ("one SQLite file", writes / SQLITE_WRITES_S, "PostgreSQL (database.url_env)"),
        ("one ingress replica", day.jobs_s * REQUESTS_OF_A_JOB / INGRESS_REQUESTS_S, "more of them; webhooks for polling"),
        ("one PostgreSQL", writes / POSTGRESQL_WRITES_S, "answers of calls in Redis (call_cache.redis_url_env)"),
        ("one PostgreSQL beside Redis", beside_redis / POSTGRESQL_WRITES_S, "a service and a database for each group of tenants"),
        ("search of the largest tenant", passages / PASSAGES_OF_A_TENANT, "retention, or another index behind the port"),
        ("network of one node", received / NETWORK_BYTES_S, "more nodes with an ingress; recordings in a bucket (storage.s3)"),
        ("one Ray cluster", day.replicas / SERVE_REPLICAS, "several clusters on one database"),
    )
    return [Limit(name, day.hours / share, remedy) for name, share, remedy in shares]
