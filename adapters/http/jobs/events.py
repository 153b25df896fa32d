"""A job's events as a stream that can be taken up again where it broke off."""

import json
import re
import zlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from sse_starlette import EventSourceResponse, ServerSentEvent

from adapters.http.common.documents import Responses
from adapters.http.common.problems import HttpProblem
from adapters.http.jobs.event_views import MEANINGS, EventType, event_of, progress_of
from ports.clock import Clock
from ports.jobs import JobStore

EVENTS_PER_LOOK = 100
RETRY_MS = 3000
"""Milliseconds until a client whose connection broke should come back."""
EVENT_STREAM = "text/event-stream"
EVENT_ID = re.compile(r"(?P<sequence>[0-9]{1,18})(\.(?P<state>[0-9]{1,10}))?")
"""The sequence of a stored event; behind a point which state of progress was told after it."""
EXAMPLE = (
    'id: 7\nevent: transcript.completed\ndata: {"job_id": "job_6f1c", "sequence": 7, "type": "transcript.completed", '
    '"created_at": 1800000000.0, "data": {"transcript_id": "transcript_6f1c"}}\n\n'
)


class Heartbeat(ServerSentEvent):
    """A comment alone. An empty line after it would end an event, and some clients then hand out one without data."""

    def encode(self) -> bytes:
        return b": ping\n"


@dataclass(frozen=True, slots=True)
class Seen:
    """How far a client has heard a job's events: up to a sequence, and to a state of progress after it."""

    sequence: int
    state: int | None = None


def resume_point(last_event_id: str | None, after: int) -> Seen:
    """What was seen. Raises HttpProblem (400) when the header is no id of an event."""
    if last_event_id is None:
        return Seen(after)
    found = EVENT_ID.fullmatch(last_event_id)
    if found is None:
        raise HttpProblem("malformed_request", "Last-Event-ID is the id of an event of this job.", "Last-Event-ID")
    return Seen(int(found["sequence"]), int(found["state"]) if found["state"] else None)


def event_stream(events: AsyncIterator[ServerSentEvent], heartbeat_s: float) -> EventSourceResponse:
    """Answer with the events, and with heartbeats between them."""
    headers = {"Cache-Control": "no-cache"}
    return EventSourceResponse(events, ping=heartbeat_s, ping_message_factory=Heartbeat, headers=headers, sep="\n")


async def follow(
    jobs: JobStore, clock: Clock, tenant: str, job_id: str, seen: Seen, poll_s: float
) -> AsyncIterator[ServerSentEvent]:
    """Yield the events after `seen` in order, the job's present progress where no event tells it, and end after the last event.

    Every event has an id, and taking the stream up after any of them misses nothing and repeats nothing.
    """
    after, shown, retry = seen.sequence, seen.state, RETRY_MS
    while True:
        job = await jobs.get(tenant, job_id)
        events = await jobs.events(tenant, job_id, after, EVENTS_PER_LOOK)
        for event in events:
            told, after = event_of(event, job), event.sequence
            shown = _state(told) if event.type == EventType.PROGRESS else shown
            yield _sent(told, str(after), retry)
            retry = 0
        if len(events) == EVENTS_PER_LOOK:
            continue
        if job.status.ended:
            return
        told = progress_of(job, after, clock.now())
        if (state := _state(told)) != shown:
            shown = state
            yield _sent(told, f"{after}.{state}", retry)
            retry = 0
        await clock.sleep(poll_s)


def _state(told: Mapping[str, Any]) -> int:
    """A number for a state of progress, the same for the same state: a client that comes back has seen it or has not."""
    return zlib.crc32(json.dumps(told["data"], sort_keys=True).encode())


def _sent(told: Mapping[str, Any], name: str, retry_ms: int) -> ServerSentEvent:
    """ASCII only: some clients take what Unicode calls a line separator for the end of a line."""
    return ServerSentEvent(json.dumps(told), event=told["type"], id=name, retry=retry_ms or None, sep="\n")


def stream_responses() -> Responses:
    """What the document says of the stream."""
    names = "\n".join(f"- `{kind.value}`: {meaning}" for kind, meaning in MEANINGS.items())
    about = (
        "Server-Sent Events. `data` is a JobEventView in JSON. Every event has an id: send the last one back as `Last-Event-ID`, "
        f"and the stream goes on behind it. Heartbeats are comments; `retry` is {RETRY_MS} ms.\n\n{names}"
    )
    return {
        200: {"description": about, "content": {EVENT_STREAM: {"schema": {"type": "string"}, "example": EXAMPLE}}},
        204: {"description": "The job has ended and every event was seen: do not reconnect"},
    }
