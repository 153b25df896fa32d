"""Any OpenAI-compatible server as a backend, against a real server on the loopback that misbehaves."""

import asyncio
import base64
import io
import wave
from collections.abc import AsyncIterator

import pytest

from adapters.openai_compatible import ChatBackend, Connection, EmbeddingsBackend, OpenAiBackend, Server, TranscriptionsBackend
from adapters.openai_compatible.connection import retry_after_s
from domain.call import ModelIdentity, Usage
from domain.errors import (
    InvalidModelOutput,
    ModelError,
    ModelOverloaded,
    ModelRejected,
    ModelTimeout,
    ModelUnavailable,
    RateLimited,
)
from ports.model_backend import CallMeta, EmbedRequest, GenerateRequest, TranscribeRequest
from ports.transcriber import TranscriptionOptions
from tests.guarded import SCHEMA
from tests.scripted_http import Reply, ScriptedServer, chat, embeddings, refused, scripted_server, spoken, verbose

MODEL = ModelIdentity("tiny-1", "2026-01", "openai_compatible", "unknown")
KEY = "sk-canary-7f3a"
META = CallMeta("k" * 64, "acme", "00-" + "a" * 32 + "-" + "b" * 16 + "-01")
GENERATE = GenerateRequest(
    (("system", "Be brief."), ("user", "Hi.")), SCHEMA, {"max_tokens": 9, "temperature": 0.0, "top_p": 1.0, "seed": 20}
)
EMBED = EmbedRequest(("one", "two"), {"input_type": "query", "dimensions": 2})
TRANSCRIBE = TranscribeRequest(b"\x01\x00" * 32_000, TranscriptionOptions(language="en", prompt="Wordloop").parameters())


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with scripted_server() as script:
        yield script


@pytest.fixture
async def backend(server: ScriptedServer) -> AsyncIterator[OpenAiBackend]:
    backend = OpenAiBackend(server.url, MODEL, api_key=KEY)
    yield backend
    await backend.close()


# --- What is sent and read


async def test_a_chat_carries_schema_sampling_key_and_trace(server: ScriptedServer, backend: OpenAiBackend) -> None:
    server.then(chat('{"title": "x"}', prompt_tokens_details={"cached_tokens": 8}))
    output = await backend.call(GENERATE, META, 5)

    assert output.payload == {"text": '{"title": "x"}', "finish_reason": "stop"}
    assert output.usage == Usage(input_tokens=12, output_tokens=4, cached_input_tokens=8)
    (request,) = server.received
    assert request.path == "/v1/chat/completions"
    assert request.json == {
        "model": "tiny-1",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi."}],
        "max_tokens": 9,
        "temperature": 0.0,
        "top_p": 1.0,
        "seed": 20,
        "n": 1,
        "stream": False,
        "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True}},
    }
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["idempotency-key"] == f'"{META.key}"'
    assert request.headers["traceparent"] == META.traceparent


async def test_free_text_asks_for_no_schema_and_the_token_field_can_be_named(server: ScriptedServer) -> None:
    server.then(chat("Hello."))
    connection = Connection(Server(server.url))
    backend = ChatBackend(connection, MODEL, max_tokens_field="max_completion_tokens")
    await backend.call(GenerateRequest((("user", "Hi."),), None, {"max_tokens": 9}), CallMeta(), 5)
    await connection.close()
    body = server.received[0].json
    assert ("response_format" in body, body["max_completion_tokens"], "max_tokens" in body) == (False, 9, False)
    assert "authorization" not in server.received[0].headers


async def test_embeddings_come_back_in_the_order_of_the_texts(server: ScriptedServer, backend: OpenAiBackend) -> None:
    reply = embeddings([1.0, 0.0], [0.0, 1.0])
    reply.body["data"].reverse()
    server.then(reply)
    output = await backend.call(EMBED, META, 5)
    assert (output.payload, output.usage) == ({"vectors": [[1.0, 0.0], [0.0, 1.0]]}, Usage(input_tokens=6))
    assert server.received[0].json == {"model": "tiny-1", "input": ["one", "two"], "encoding_format": "float"}


async def test_dimensions_and_input_type_are_sent_where_the_server_reads_them(server: ScriptedServer) -> None:
    server.then(embeddings([1.0, 0.0], [0.0, 1.0]))
    connection = Connection(Server(server.url))
    await EmbeddingsBackend(connection, MODEL, send_dimensions=True, send_input_type=True).call(EMBED, META, 5)
    await connection.close()
    assert server.received[0].json.items() >= {"dimensions": 2, "input_type": "query"}.items()


async def test_a_window_is_sent_as_wav_and_words_find_their_segments(server: ScriptedServer, backend: OpenAiBackend) -> None:
    words = [{"word": "Good", "start": 0.1, "end": 0.4}, {"word": "Bye", "start": 1.2, "end": 1.6}]
    server.then(verbose(spoken(), spoken(1.1, 1.8, " Bye."), words=words))
    output = await backend.call(TRANSCRIBE, META, 5)

    first, second = output.payload["segments"]
    assert output.payload["language"] == "en"
    assert [word["word"] for word in first["words"]] == ["Good"]
    assert [word["word"] for word in second["words"]] == ["Bye"]
    assert second["words"][0]["probability"] == pytest.approx(0.7788, abs=1e-4)
    assert output.usage == Usage(audio_seconds=2.0)
    form = server.received[0].body
    assert form.count(b'name="timestamp_granularities[]"') == 2
    for name, value in {"model": b"tiny-1", "response_format": b"verbose_json", "language": b"en", "prompt": b"Wordloop"}.items():
        assert f'name="{name}"\r\n\r\n'.encode() + value in form
    sound = form[form.index(b"RIFF") :]
    with wave.open(io.BytesIO(sound)) as read:
        assert (read.getframerate(), read.getnchannels(), read.getnframes()) == (16_000, 1, 32_000)


async def test_a_translation_has_a_route_of_its_own_and_names_no_language(server: ScriptedServer, backend: OpenAiBackend) -> None:
    server.then(verbose(spoken(), language="english"))
    options = TranscriptionOptions(task="translate", language="de", word_timestamps=False, prompt="Wordloop")
    output = await backend.call(TranscribeRequest(TRANSCRIBE.pcm, options.parameters()), META, 5)

    (request,) = server.received
    assert (request.path, output.payload["language"]) == ("/v1/audio/translations", "en")
    assert b'name="language"' not in request.body
    assert b"granularities" not in request.body
    assert b"Wordloop" in request.body


async def test_scores_that_a_server_does_not_report_are_computed_or_neutral(
    server: ScriptedServer, backend: OpenAiBackend
) -> None:
    bare = {"id": 0, "start": 0.0, "end": 1.0, "text": " Good morning.", "avg_logprob": -0.5}
    server.then(verbose(bare, language=None))
    row = (await backend.call(TRANSCRIBE, META, 5)).payload["segments"][0]
    assert (row["no_speech_prob"], row["temperature"], row["words"]) == (0.0, 0.0, [])
    assert row["compression_ratio"] == pytest.approx(14 / 22, abs=0.01)


async def test_translation_is_refused() -> None:
    backend = TranscriptionsBackend(Connection(Server("http://127.0.0.1:9/v1")), MODEL)
    with pytest.raises(ModelRejected):
        await backend.call(TranscribeRequest(b"", TranscriptionOptions(task="summarise").parameters()), META, 5)


# --- What goes wrong


@pytest.mark.parametrize(
    ("reply", "kind", "retry_after"),
    [
        (refused(429, "rate_limit_exceeded", retry_after="7"), RateLimited, 7.0),
        (refused(429, retry_after_ms="250"), RateLimited, 0.25),
        (refused(429), RateLimited, None),
        (refused(503, retry_after="3"), ModelOverloaded, 3.0),
        (refused(503), ModelUnavailable, None),
        (refused(500), ModelUnavailable, None),
        (refused(502, retry_after="1"), ModelUnavailable, 1.0),
        (refused(401), ModelUnavailable, None),
        (refused(404), ModelUnavailable, None),
        (Reply({}, 307, {"location": "http://127.0.0.1:1/elsewhere"}), ModelUnavailable, None),
        (refused(408), ModelTimeout, ...),
        (refused(400, "context_length_exceeded"), ModelRejected, ...),
        (refused(413), ModelRejected, ...),
        (refused(422), ModelRejected, ...),
        (Reply(b'{"choices": [', cut=5), ModelUnavailable, None),
        (Reply(b'{"choices": ['), ModelUnavailable, None),
        (Reply(b"<html>gateway</html>"), ModelUnavailable, None),
        (Reply(b"\xff\xfe"), ModelUnavailable, None),
        (Reply(b"\x1f\x8b", headers={"content-encoding": "gzip"}), ModelUnavailable, None),
        (Reply([]), InvalidModelOutput, ...),
        (Reply({}), InvalidModelOutput, ...),
        (Reply({"choices": []}), InvalidModelOutput, ...),
        (Reply({"choices": [{"finish_reason": "stop"}]}), InvalidModelOutput, ...),
        (Reply({"choices": [{"message": {"refusal": "I can not."}}]}), ModelRejected, ...),
    ],
)
async def test_each_failure_is_one_of_our_errors_and_quotes_nothing(server, backend, reply, kind, retry_after) -> None:
    server.then(reply)
    with pytest.raises(kind) as caught:
        await backend.call(GENERATE, META, 5)
    assert type(caught.value) is kind
    if retry_after is not ...:
        assert caught.value.retry_after_s == retry_after
    assert "quoting" not in str(caught.value)
    assert KEY not in repr(caught.value)
    assert len(server.received) == 1, "a redirect is not followed"


@pytest.mark.parametrize(
    ("data", "valid"),
    [
        ([{"index": 0, "embedding": [1.0]}, {"index": 0, "embedding": [1.0]}], False),
        ([{"index": "0", "embedding": [1.0]}], False),
        ([{"embedding": [1.0]}], False),
        ({"index": 0}, False),
        (None, False),
        ([{"index": 0, "embedding": base64.b64encode(b"0000").decode()}], True),
    ],
)
async def test_embeddings_of_a_wrong_shape_are_refused_here_or_left_to_the_guard(server, backend, data, valid) -> None:
    server.then(Reply({"data": data}))
    if valid:
        assert isinstance((await backend.call(EMBED, META, 5)).payload["vectors"][0], str)
    else:
        with pytest.raises(InvalidModelOutput):
            await backend.call(EMBED, META, 5)


@pytest.mark.parametrize(
    "reply",
    [
        Reply({"segments": None}),
        Reply({"segments": ["text"]}),
        Reply({"segments": [], "words": "text"}),
        verbose(spoken(), words=[{"word": "x", "start": None, "end": 1.0}]),
        verbose(spoken(avg_logprob="low")),
        verbose(spoken(avg_logprob=10**400)),
        verbose({"text": "x"}, words=[{"word": "x", "start": 0.0, "end": 1.0}]),
    ],
)
async def test_transcripts_of_a_wrong_shape_are_refused(server, backend, reply) -> None:
    server.then(reply)
    with pytest.raises(InvalidModelOutput):
        await backend.call(TRANSCRIBE, META, 5)


async def test_a_server_that_hangs_is_left_after_the_timeout(server: ScriptedServer, backend: OpenAiBackend) -> None:
    server.then(Reply({}, delay_s=60))
    with pytest.raises(ModelTimeout):
        await backend.call(GENERATE, META, 0.2)


async def test_an_answer_without_end_is_cut_at_the_size_limit(server: ScriptedServer) -> None:
    server.then(Reply(b"{", endless=True))
    connection = Connection(Server(server.url, max_response_bytes=1_000_000))
    with pytest.raises(InvalidModelOutput, match="larger than 1000000 bytes"):
        await ChatBackend(connection, MODEL).call(GENERATE, META, 10)
    await connection.close()


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    async with scripted_server() as gone:
        url = gone.url
    backend = OpenAiBackend(url, MODEL)
    with pytest.raises(ModelUnavailable):
        await backend.call(GENERATE, META, 5)
    await backend.close()


async def test_cancelling_a_call_closes_its_connection(server: ScriptedServer, backend: OpenAiBackend) -> None:
    server.then(Reply({}, delay_s=60))
    call = asyncio.create_task(backend.call(GENERATE, META, 50))
    async with asyncio.timeout(5):
        while not server.received:
            await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    async with asyncio.timeout(5):
        while not server.abandoned:
            await asyncio.sleep(0)


async def test_a_kind_that_a_backend_does_not_serve_is_rejected() -> None:
    connection = Connection(Server("http://127.0.0.1:9/v1"))
    for backend, request in (
        (ChatBackend(connection, MODEL), EMBED),
        (EmbeddingsBackend(connection, MODEL), GENERATE),
        (TranscriptionsBackend(connection, MODEL), EMBED),
    ):
        with pytest.raises(ModelError):
            await backend.call(request, META, 1)


def test_the_key_is_not_shown() -> None:
    assert KEY not in repr(Server("http://127.0.0.1/v1", KEY))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "-4"}, 0.0),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "10", "retry-after-ms": "20"}, 0.02),
        ({"retry-after": "Sun, 22 Nov 2026 22:00:30 GMT", "date": "Sun, 22 Nov 2026 22:00:00 GMT"}, 30.0),
        ({"retry-after": "Sun, 22 Nov 2026 22:00:30 GMT"}, None),
    ],
)
def test_retry_after_is_read_as_seconds_milliseconds_or_date(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers) == seconds
