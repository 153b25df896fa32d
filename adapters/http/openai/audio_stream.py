"""A transcription as OpenAI's stream: a delta for each segment as soon as it is final, while the rest is still being heard."""

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

from sse_starlette import ServerSentEvent

from adapters.http.common.gateway import Gateway
from adapters.http.common.problems import HttpProblem, envelope_of, of_domain
from adapters.http.openai.audio_views import TranscriptionView
from domain.errors import WordloopError
from domain.job import Job, JobEvent
from domain.transcript import Transcript

HEARD = "transcript.segment"
"""The job's event for a segment that became final; they come in order of time."""
EVENTS_PER_LOOK = 100


async def transcript_events(gateway: Gateway, tenant: str, job: Job, include: Sequence[str]) -> AsyncIterator[ServerSentEvent]:
    """Yield `transcript.text.delta` per segment, whose deltas join to the text, then `transcript.text.done`.

    Open at once, so that heartbeats keep the connection; a failure comes as the error event that SDKs raise.
    """
    told = 0
    try:
        async for event in _heard(gateway, tenant, job.id):
            if event.data.get("id") == told:
                yield _delta(str(event.data.get("text", "")), told)
                told += 1
        job, transcript = await _finished(gateway, tenant, job.id)
        for segment in transcript.segments[told:]:
            yield _delta(segment.text, segment.id)
        done = TranscriptionView.of(transcript, include).model_dump(mode="json", exclude_none=True)
        yield _event({"type": "transcript.text.done", **done})
        await gateway.forget(tenant, job)
    except (HttpProblem, WordloopError) as error:
        problem = error if isinstance(error, HttpProblem) else of_domain(error)
        yield ServerSentEvent(json.dumps(envelope_of(problem)), event="error")


async def _heard(gateway: Gateway, tenant: str, job_id: str) -> AsyncIterator[JobEvent]:
    """Yield the segments of a job as they become final, until it has ended."""
    jobs, after = gateway.services.jobs, 0
    while True:
        job = await jobs.get(tenant, job_id)
        events = await jobs.events(tenant, job_id, after, EVENTS_PER_LOOK)
        for event in events:
            after = event.sequence
            if event.type == HEARD:
                yield event
        if len(events) == EVENTS_PER_LOOK:
            continue
        if job.status.ended:
            return
        await gateway.services.clock.sleep(gateway.limits.event_poll_s)


async def _finished(gateway: Gateway, tenant: str, job_id: str) -> tuple[Job, Transcript]:
    job = await gateway.services.jobs.get(tenant, job_id)
    gateway.refuse_unless_completed(job)
    return job, await gateway.services.transcripts.get_transcript(tenant, job.result["transcript_id"])


def _delta(text: str, index: int) -> ServerSentEvent:
    return _event({"type": "transcript.text.delta", "delta": text if index == 0 else f" {text}"})


def _event(data: dict[str, Any]) -> ServerSentEvent:
    return ServerSentEvent(json.dumps(data, ensure_ascii=False), event=data["type"])
