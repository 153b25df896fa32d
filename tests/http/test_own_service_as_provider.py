"""This service as the remote provider of another: the OpenAI-compatible backend, guarded, against our own routes."""

import asyncio
from dataclasses import replace

import pytest
from conftest import DIMENSIONS, EMBEDDER, LIMITS, WHISPER, WRITER, vector_of

from adapters.guard import GuardedEmbedder, GuardedLanguageModel, GuardedTranscriber
from adapters.openai_compatible import OpenAiBackend
from domain.audio import SAMPLE_RATE, SpeechWindow
from domain.call import CallContext, ModelIdentity
from domain.errors import ModelRejected, RateLimited
from ports.embedder import InputType
from ports.transcriber import TranscriptionOptions
from serve_app.composition.clock import SystemClock
from tests.guarded import SCHEMA, Bench, prompt

CONTEXT = CallContext(tenant="t")


def backend(served, served_model: ModelIdentity) -> OpenAiBackend:
    identity = replace(served_model, engine="openai_compatible", precision="unknown")
    return OpenAiBackend(f"{served.client.base_url}/v1", identity)


def bench() -> Bench:
    return Bench(clock=SystemClock())


async def test_a_chat_answer_passes_the_guard_of_the_caller(served):
    served.writer.answer = {"title": "Shipping on Friday"}
    remote = backend(served, WRITER)
    answer = await GuardedLanguageModel(remote, bench().guard, 4096).generate(prompt("Name it."), CONTEXT)
    await remote.close()

    ((asked, _),) = served.writer.asked
    assert answer.value == {"title": "Shipping on Friday"}
    assert (answer.provenance.usage.input_tokens, answer.provenance.usage.cached_input_tokens) == (20, 16)
    assert (asked.messages, asked.schema, asked.sampling) == ((("user", "Name it."),), SCHEMA, prompt().sampling)


async def test_free_text_passes_too(served):
    remote = backend(served, WRITER)
    answer = await GuardedLanguageModel(remote, bench().guard, 4096).generate(prompt("Speak.", schema=None), CONTEXT)
    await remote.close()

    assert answer.value == {"text": "Good morning."}


async def test_vectors_arrive_in_order(served):
    remote = backend(served, EMBEDDER)
    answer = await GuardedEmbedder(remote, bench().guard, DIMENSIONS).embed(["b", "a"], InputType.DOCUMENT, CONTEXT)
    await remote.close()

    assert answer.value == (pytest.approx(vector_of("b"), abs=1e-6), pytest.approx(vector_of("a"), abs=1e-6))
    assert answer.provenance.usage.input_tokens == 6


@pytest.mark.parametrize("limits", [replace(LIMITS, upload_bytes=4_000_000)])
async def test_a_window_is_transcribed_through_a_job(served):
    async def work() -> None:
        while not (await served.store.jobs.depth()).get("queued"):
            await asyncio.sleep(0.005)
        await served.complete()

    worker = asyncio.create_task(work())
    window = SpeechWindow(0, 0.0, 66.0, b"\x01\x00" * (66 * SAMPLE_RATE))
    remote = backend(served, WHISPER)
    options = TranscriptionOptions(language="en")
    answer = await GuardedTranscriber(remote, bench().guard).transcribe(window, options, CONTEXT)
    await worker
    await remote.close()

    assert [segment.text for segment in answer.value.segments] == ["Good morning", "We ship A&B <now> --> on Friday"]
    assert [word.text for word in answer.value.segments[0].words] == ["Good", "morning"]
    assert answer.value.segments[0].scores.avg_logprob == -0.2
    (job,) = await served.store.jobs.list("default", 5)
    assert job.request.payload["language"] == "en"


FAILURES = [
    (RateLimited("later", 1.0), RateLimited),
    (ModelRejected("too long"), ModelRejected),
]


@pytest.mark.parametrize(("error", "kind"), FAILURES)
async def test_a_refusal_arrives_as_the_kind_that_was_raised(served, error, kind):
    served.writer.error = error
    remote = backend(served, WRITER)
    port = GuardedLanguageModel(remote, bench().guard, 4096)
    with pytest.raises(kind):
        await port.generate(prompt("Name it."), replace(CONTEXT, deadline=SystemClock().now() + 0.9))
    await remote.close()
