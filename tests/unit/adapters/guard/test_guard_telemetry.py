"""One span and its metrics per call, with numbers, hashes and names in them, and never content."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from adapters.guard import GuardSettings
from adapters.openai_compatible import OpenAiBackend
from adapters.telemetry import OpenTelemetry, build_telemetry, names
from domain.call import CallContext, ModelIdentity
from domain.errors import BudgetExceeded, InvalidModelOutput, ModelUnavailable
from ports.embedder import InputType
from ports.telemetry import CallEvent
from ports.transcriber import TranscriptionOptions
from serve_app.composition.clock import SystemClock
from tests.guarded import Bench, heard, prompt, segment, vectors, window, written
from tests.scripted_http import Reply, chat, scripted_server

TRACE = "ab" * 16
HERE = CallContext(tenant="acme", job_id="job_1", conversation_id="conv_1", traceparent=f"00-{TRACE}-{'cd' * 8}-01")
CANARY = "Zyzzyva"


class Watched:
    """OpenTelemetry that exports into memory."""

    def __init__(self) -> None:
        self.exporter, self.reader = InMemorySpanExporter(), InMemoryMetricReader()
        tracers = TracerProvider()
        tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.telemetry = OpenTelemetry(tracers, MeterProvider([self.reader]))

    @property
    def spans(self) -> list[Any]:
        return list(self.exporter.get_finished_spans())

    def metrics(self) -> dict[str, list[Any]]:
        data = self.reader.get_metrics_data()
        found = data.resource_metrics[0].scope_metrics[0].metrics if data else []
        return {metric.name: list(metric.data.data_points) for metric in found}

    def everything(self) -> str:
        return "".join(span.to_json() for span in self.spans) + str(self.reader.get_metrics_data() or "")


@pytest.fixture
def watched() -> Watched:
    return Watched()


async def test_a_generation_is_one_span_with_its_provenance(watched: Watched) -> None:
    bench = Bench(telemetry=watched.telemetry)
    backend = bench.backend(ModelUnavailable("down", None), written('{"title": "x"}', tokens=7))
    answer = await bench.clock.run(bench.language_model(backend).generate(prompt(), HERE))

    (span,) = watched.spans
    found = dict(span.attributes)
    assert span.name == "chat scripted"
    assert format(span.context.trace_id, "032x") == TRACE, "the client's trace goes on"
    assert backend.asked[0].meta.traceparent == f"00-{TRACE}-{span.context.span_id:016x}-01", "and the backend continues it"
    assert found.pop(names.LATENCY_S) == answer.provenance.latency_s
    assert found.pop(names.COST_USD) == answer.provenance.cost_usd
    assert found.pop("wordloop.schema.sha256") == answer.provenance.parameters["schema_sha256"]
    assert found == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "scripted",
        "gen_ai.request.model": "scripted",
        "gen_ai.response.model": "scripted",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.request.temperature": 0.0,
        "gen_ai.request.top_p": 1.0,
        "gen_ai.request.seed": 20,
        "gen_ai.request.max_tokens": 64,
        "gen_ai.prompt.name": "title",
        "gen_ai.prompt.version": "1",
        "gen_ai.usage.input_tokens": 7,
        "gen_ai.usage.output_tokens": 7,
        "gen_ai.usage.cache_read.input_tokens": 0,
        "wordloop.prompt.sha256": "d" * 64,
        "wordloop.input.sha256": answer.provenance.input_sha256,
        "wordloop.call.key": answer.provenance.key,
        "wordloop.model.revision": "1",
        "wordloop.model.precision": "none",
        "wordloop.backend": "scripted",
        "wordloop.tenant": "acme",
        "wordloop.job.id": "job_1",
        "wordloop.conversation.id": "conv_1",
        "wordloop.cache.hit": False,
        "wordloop.attempts": 2,
        "wordloop.audio.seconds": 0.0,
    }
    assert [event.name for event in span.events] == [CallEvent.RETRIED.value]


async def test_metrics_count_calls_tokens_seconds_cost_and_hits(watched: Watched) -> None:
    bench = Bench(telemetry=watched.telemetry)
    embedder = bench.embedder(bench.backend(vectors(tokens=3)))
    transcriber = bench.transcriber(bench.backend(heard(segment(), seconds=2.0)))
    for _ in range(3):
        await bench.clock.run(embedder.embed(["a"], InputType.QUERY, HERE))
    await bench.clock.run(transcriber.transcribe(window(), TranscriptionOptions(), HERE))

    metrics = watched.metrics()
    calls = {point.attributes[names.OPERATION_NAME]: point.value for point in metrics[names.CALLS]}
    assert calls == {"embeddings": 3, "speech_to_text": 1}
    assert [point.value for point in metrics[names.CACHE_HITS]] == [2]
    assert [point.value for point in metrics[names.AUDIO]] == [2.0]
    assert [(point.sum, point.attributes[names.TOKEN_TYPE]) for point in metrics[names.TOKENS]] == [(3, "input")]
    assert {point.count for point in metrics[names.DURATION]} == {3, 1}


async def test_a_failure_is_recorded_by_kind_with_what_it_cost(watched: Watched) -> None:
    bench = Bench(telemetry=watched.telemetry)
    with pytest.raises(InvalidModelOutput):
        await bench.clock.run(bench.language_model(bench.backend(written(CANARY, tokens=9))).generate(prompt(), HERE))
    (span,) = watched.spans
    assert (span.status.status_code, span.attributes[names.ERROR_TYPE]) == (StatusCode.ERROR, "InvalidModelOutput")
    assert span.attributes["gen_ai.usage.output_tokens"] == 9
    assert watched.metrics()[names.CALLS][0].attributes[names.OUTCOME] == "InvalidModelOutput"


async def test_a_refused_and_a_cancelled_call_have_their_span_too(watched: Watched) -> None:
    bench = Bench(telemetry=watched.telemetry, settings=GuardSettings(budget={"per_job": {"tokens": 0}}))
    with pytest.raises(BudgetExceeded):
        await bench.clock.run(bench.embedder(bench.backend()).embed(["a"], InputType.QUERY, HERE))
    call = asyncio.create_task(bench.embedder(bench.backend()).embed(["b"], InputType.QUERY, HERE))
    await asyncio.sleep(0)
    call.cancel()
    await bench.clock.settle()
    assert [span.attributes[names.ERROR_TYPE] for span in watched.spans] == ["BudgetExceeded", "CancelledError"]


async def test_a_refusal_from_memory_says_so_in_its_span_and_is_counted(watched: Watched) -> None:
    bench = Bench(telemetry=watched.telemetry)
    embedder = bench.embedder(bench.backend(vectors([2.0, 2.0])))
    for _ in range(3):
        with pytest.raises(InvalidModelOutput):
            await bench.clock.run(embedder.embed(["a"], InputType.QUERY, HERE))
    told = [(span.attributes.get(names.FROM_MEMORY), span.attributes[names.ATTEMPTS]) for span in watched.spans]
    assert told == [(None, 1), (True, 0), (True, 0)]
    assert [point.value for point in watched.metrics()[names.REMEMBERED]] == [2]


async def test_the_breaker_shows_its_state(watched: Watched) -> None:
    settings = GuardSettings(breaker={"min_failures": 1}, retry={"max_tries": 1})
    bench = Bench(telemetry=watched.telemetry, settings=settings)
    backend = bench.backend(ModelUnavailable("down", None), vectors())
    states = []
    for pause in (0, 10):
        await bench.clock.advance(pause)
        with suppress(ModelUnavailable):
            await bench.clock.run(bench.embedder(backend).embed(["a"], InputType.QUERY, HERE))
        states.append(watched.metrics()[names.BREAKER][0].value)
    assert states == [2, 0]


async def test_no_content_key_or_header_is_in_any_span_or_metric(watched: Watched) -> None:
    bench = Bench(SystemClock(), telemetry=watched.telemetry, settings=GuardSettings(retry={"max_tries": 1}))
    options = TranscriptionOptions(prompt=CANARY)
    async with scripted_server(chat(f'{{"title": "{CANARY}"}}'), chat(CANARY), Reply(CANARY, 400), Reply(CANARY, 500)) as server:
        backend = OpenAiBackend(server.url, ModelIdentity("tiny", "1", "openai_compatible", "unknown"), api_key=f"sk-{CANARY}")
        model = bench.language_model(backend)
        for number in range(4):
            await asyncio.gather(model.generate(prompt(f"{CANARY} {number}"), HERE), return_exceptions=True)
        await backend.close()
    scripted = [
        bench.transcriber(bench.backend(line)).transcribe(window(sample=sample), options, HERE)
        for line, sample in (
            (heard(segment(text=CANARY)), b"\x01\x00"),
            (heard(segment(text=f"{CANARY}\x00")), b"\x02\x00"),
            (RuntimeError(CANARY), b"\x03\x00"),
        )
    ]
    embedding = bench.embedder(bench.backend(vectors())).embed([CANARY], InputType.QUERY, HERE)
    await asyncio.gather(*scripted, embedding, return_exceptions=True)

    assert len(watched.spans) == 8
    assert CANARY not in watched.everything()


async def test_without_a_collector_nothing_is_recorded_and_nothing_fails() -> None:
    exported = build_telemetry()
    bench = Bench(telemetry=exported.telemetry)
    backend = bench.backend(vectors())
    await bench.clock.run(bench.embedder(backend).embed(["a"], InputType.QUERY, HERE))
    assert backend.asked[0].meta.traceparent == HERE.traceparent, "the trace passes through"
    exported.close()


async def test_with_a_collector_spans_and_metrics_arrive_there() -> None:
    before = trace.get_tracer_provider()
    async with scripted_server(otherwise=Reply(b"")) as collector:
        exported = build_telemetry(collector.url.removesuffix("/v1"))
        bench = Bench(telemetry=exported.telemetry)
        await bench.clock.run(bench.embedder(bench.backend(vectors())).embed([CANARY], InputType.QUERY, HERE))
        await asyncio.to_thread(exported.close)
        received = {request.path: request.body for request in collector.received}
    assert set(received) == {"/v1/traces", "/v1/metrics"}
    assert b"embeddings scripted" in received["/v1/traces"]
    assert names.DURATION.encode() in received["/v1/metrics"]
    assert not any(CANARY.encode() in body for body in received.values())
    assert trace.get_tracer_provider() is before, "the process's own provider is left alone"


async def test_every_refused_answer_is_told_with_the_rule_that_it_broke() -> None:
    bench = Bench()
    backend = bench.backend(written('{"title": 7}'), written('{"title": "x"}'))
    await bench.clock.run(bench.language_model(backend).generate(prompt(temperature=0.5), HERE))

    (span,) = bench.telemetry.spans  # type: ignore[attr-defined]
    assert [str(error) for error in span.refusals] == ["the answer breaks its schema at /properties/title/type"]
    assert span.error is None, "the second answer was taken"
