"""Webhooks: who wants to be told what, and one telling on its way."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class WebhookEvent(StrEnum):
    """What can be told: the ends of jobs."""

    COMPLETED = "job.completed"
    FAILED = "job.failed"
    CANCELLED = "job.cancelled"
    EXPIRED = "job.expired"


TEST_EVENT: Final = "webhook.test"
"""What a receiver hears when somebody tries it out; it is sent once, wanted or not."""


class DeliveryState(StrEnum):
    """`pending` waits for its next try, `delivered` was answered with 2xx, `dead` is given up."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class WebhookEndpoint:
    """A registered receiver, without its secret. Times are Unix seconds; a disabled one is told nothing any more."""

    id: str
    url: str
    events: Sequence[WebhookEvent]
    created_at: float
    disabled_at: float | None = None
    disabled_reason: str | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way to one receiver, held by whoever delivers it.

    `id` is the same on every try; `body` too, to the byte. `secrets`: the newest first, and the one before it while a rotation
    lasts. `tries` have been made before this one; `once`: there is no other after it. Every record of it carries the `fence`.
    """

    id: str
    url: str
    secrets: Sequence[str]
    body: str
    tries: int
    fence: int
    once: bool = False


@dataclass(frozen=True, slots=True)
class DeliveryRecord:
    """What became of one event for one receiver, as its owner may see it. Times are Unix seconds.

    `job_id` None: it is of no job (a test). `last_status` is what the last try was answered, `last_failure` the kind of error
    where it was answered nothing. `next_try` None: there is none.
    """

    id: str
    type: str
    job_id: str | None
    state: DeliveryState
    tries: int
    last_status: int | None
    last_failure: str | None
    next_try: float | None
    created_at: float
    changed_at: float


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a receiver answered: an HTTP status (None when it was not reached), and when it wants to be asked again.

    `failure`: the kind of error that kept it from being reached.
    """

    status: int | None
    retry_after_s: float | None = None
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class WebhookBacklog:
    """Events that were to be sent by now and are not: how many, and by how many seconds the latest of them is late."""

    behind: int = 0
    late_s: float = 0.0
