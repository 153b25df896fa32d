"""Webhooks: who wants to be told what, and one telling on its way."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class WebhookEvent(StrEnum):
    """What can be told: the ends of jobs."""

    COMPLETED = "job.completed"
    FAILED = "job.failed"
    CANCELLED = "job.cancelled"
    EXPIRED = "job.expired"


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
    lasts. `tries` have been made before this one. Every record of it carries the `fence`.
    """

    id: str
    url: str
    secrets: Sequence[str]
    body: str
    tries: int
    fence: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a receiver answered: an HTTP status (None when it was not reached), and when it wants to be asked again."""

    status: int | None
    retry_after_s: float | None = None
