"""Vectors over HTTP: at once, through a job, and with OpenAI's own client."""

import base64
import struct

import pytest
from conftest import DIMENSIONS, EMBEDDER, WRITER, vector_of
from openai import AsyncOpenAI, BadRequestError, NotFoundError

from adapters.http.common.services import HttpLimits
from application.payloads import EmbeddingPayload
from domain.errors import ModelOverloaded, ModelTimeout
from ports.embedder import InputType, LongTexts


async def test_a_text_becomes_a_vector_in_openais_shape(world):
    body = (await world.client.post("/v1/embeddings", json={"input": "hello", "model": "all-MiniLM-L6-v2"})).json()
    (call,) = body.pop("provenance")

    assert (call["kind"], call["model"]["id"], call["usage"]["input_tokens"]) == ("embed", EMBEDDER.id, 3)
    assert body == {
        "object": "list",
        "data": [{"object": "embedding", "index": 0, "embedding": list(vector_of("hello"))}],
        "model": EMBEDDER.id,
        "usage": {"prompt_tokens": 3, "total_tokens": 3},
    }


async def test_texts_keep_their_order_and_say_what_they_are(world):
    request = {"input": ["b", "a"], "input_type": "query", "encoding_format": "base64", "user": "u"}
    data = (await world.client.post("/v1/embeddings", json=request)).json()["data"]

    read = [struct.unpack(f"<{DIMENSIONS}f", base64.b64decode(item["embedding"])) for item in data]
    assert [item["index"] for item in data] == [0, 1]
    assert read == [pytest.approx(vector_of("b"), abs=1e-6), pytest.approx(vector_of("a"), abs=1e-6)]
    (texts, input_type, context) = world.embedder.asked[0]
    assert (texts, input_type) == (("b", "a"), InputType.QUERY)
    assert context.deadline == world.clock.now() + 5


async def test_fewer_dimensions_are_cut_and_made_unit_length_again(world):
    (item,) = (await world.client.post("/v1/embeddings", json={"input": "hello", "dimensions": 4})).json()["data"]

    assert len(item["embedding"]) == 4
    assert sum(value * value for value in item["embedding"]) == pytest.approx(1)


REFUSED = {
    "ids of another vocabulary": ({"input": [[1], [100_256]]}, 400, "unsupported_parameter", "input"),
    "a mark that is no text": ({"input": [100_257]}, 400, "unsupported_parameter", "input"),
    "half a letter": ({"input": [127]}, 400, "validation_failed", "input"),
    "no ids": ({"input": [[]]}, 400, "validation_failed", "input"),
    "nothing": ({"input": []}, 400, "validation_failed", "input"),
    "empty text": ({"input": ["a", " "]}, 400, "validation_failed", "input"),
    "too many": ({"input": ["a"] * 2049}, 400, "validation_failed", "input"),
    "mixed": ({"input": ["a", 1]}, 400, "validation_failed", "input.1"),
    "more dimensions than there are": ({"input": "a", "dimensions": 9}, 400, "unsupported_parameter", "dimensions"),
    "no dimensions": ({"input": "a", "dimensions": 0}, 400, "validation_failed", "dimensions"),
    "unknown format": ({"input": "a", "encoding_format": "int8"}, 400, "validation_failed", "encoding_format"),
    "unknown member": ({"input": "a", "tenant": "x"}, 400, "validation_failed", "tenant"),
    "unknown model": ({"input": "a", "model": "gpt-9"}, 404, "model_not_found", "model"),
    "a model of another kind": ({"input": "a", "model": "whisper-base"}, 404, "model_not_found", "model"),
    "too much in all": ({"input": ["word " * 200] * 60}, 413, "too_large", "input"),
}


async def test_texts_that_come_as_token_ids_are_read_in_the_vocabulary_of_openais_clients(world):
    """What tiktoken makes of the texts, as LangChain sends it: a list for each text, or one text without its list."""
    texts = ["Größe: 日本語 🎉", "hello"]
    half = [6600, 80040, 25, 76502, 22656, 45918, 252, 11410, 236]
    for ids, expected in (
        ([half], ["Größe: 日本語 "]),
        ([[6600, 80040, 25, 76502, 22656, 45918, 252, 11410, 236, 231], [15339]], texts),
        ([15339], ["hello"]),
    ):
        answer = await world.client.post("/v1/embeddings", json={"input": ids})
        assert answer.status_code == 200, answer.text
        assert list(world.embedder.asked[-1][0]) == expected


async def test_an_answer_from_the_cache_tells_the_tokens_of_its_texts(world):
    world.embedder.cached = True
    body = (await world.client.post("/v1/embeddings", json={"input": ["a", "b"]})).json()

    assert body["usage"] == {"prompt_tokens": 6, "total_tokens": 6}
    assert (body["provenance"][0]["cache_hit"], body["provenance"][0]["usage"]["input_tokens"]) == (True, 0)


@pytest.mark.parametrize("limits", [HttpLimits(), HttpLimits(long_texts=LongTexts.REFUSE)])
async def test_a_setting_says_what_becomes_of_texts_that_are_too_long(world, limits):
    await world.client.post("/v1/embeddings", json={"input": "a"})
    await world.client.post("/v1/embeddings", json={"input": "a"}, headers={"Prefer": "respond-async"})

    (job,) = await world.store.jobs.list("default", 2)
    assert world.embedder.long_texts == job.request.payload["long_texts"] == limits.long_texts


async def test_vectors_that_a_job_made_are_found_by_headers_and_nothing_is_kept_on_request(world):
    world.clock.during_sleep.append(world.complete)
    kept = await world.client.post("/v1/embeddings", json={"input": ["short"] * 65})
    world.clock.during_sleep.append(world.complete)
    headers = {"Cache-Control": "no-store"}
    unkept = await world.client.post("/v1/embeddings", json={"input": ["brief"] * 65}, headers=headers)

    stored = await world.client.get(f"/v1/embeddings/{kept.headers['wordloop-embedding-id']}")
    assert (stored.status_code, unkept.status_code, "location" in unkept.headers) == (200, 200, False)
    assert [job.id for job in await world.store.jobs.list("default", 5)] == [kept.headers["location"].rpartition("/")[2]]


@pytest.fixture
def limits() -> HttpLimits:
    """Room for bodies whose texts are too long."""
    return HttpLimits(text_characters=50_000, inline_characters=1_000, compatible_wait_s=30)


@pytest.mark.parametrize("case", REFUSED)
async def test_a_refusal_comes_in_openais_envelope(world, case):
    body, status, code, param = REFUSED[case]
    answer = await world.client.post("/v1/embeddings", json=body)

    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (status, code, param)
    assert (error["type"], bool(error["message"])) == ("invalid_request_error", True)
    assert world.embedder.asked == []


@pytest.mark.parametrize(
    ("error", "status"), [(ModelOverloaded("Too much to do.", 3.0), 503), (ModelTimeout("No answer within 5 s."), 504)]
)
async def test_a_model_that_does_not_answer_is_an_error_that_clients_retry(world, error, status):
    world.embedder.error = error
    answer = await world.client.post("/v1/embeddings", json={"input": "a"})

    assert (answer.status_code, answer.json()["error"]["type"]) == (status, "server_error")


async def test_on_request_a_job_is_handed_out_whose_vectors_can_be_read(world):
    answer = await world.client.post("/v1/embeddings", json={"input": ["a", "b"]}, headers={"Prefer": "respond-async"})
    job = await world.complete()
    read = await world.client.get(f"/v1/embeddings/{job.result['embedding_id']}")

    assert (answer.status_code, answer.json()["kind"]) == (202, "embedding")
    assert answer.headers["preference-applied"] == "respond-async"
    assert EmbeddingPayload.of(job.request.payload).texts == ("a", "b")
    assert [item["embedding"] for item in read.json()["data"]] == [pytest.approx(vector_of(text)) for text in "ab"]
    assert world.embedder.asked == []


@pytest.mark.parametrize("texts", [["short"] * 65, ["long " * 250]])
async def test_many_texts_go_through_a_job_that_is_waited_for(world, texts):
    world.clock.during_sleep.append(world.complete)
    answer = await world.client.post("/v1/embeddings", json={"input": texts})

    assert answer.status_code == 200
    assert len(answer.json()["data"]) == len(texts)
    assert world.embedder.asked == []


async def test_a_job_that_is_not_done_in_time_is_handed_out_with_the_error(world):
    before = world.clock.now()
    answer = await world.client.post("/v1/embeddings", json={"input": ["short"] * 65})

    error = answer.json()["error"]
    assert (answer.status_code, error["code"], answer.headers["x-should-retry"]) == (504, "not_done_yet", "false")
    assert answer.headers["location"] == f"/v1/jobs/{error['job']['id']}"
    assert world.clock.now() - before == pytest.approx(30)


async def test_openais_client_reads_vectors_and_errors(served):
    async with AsyncOpenAI(base_url=f"{served.client.base_url}/v1", api_key="none", max_retries=0) as client:
        made = await client.embeddings.create(model="text-embedding-3-small", input=["hello", "world"])
        plain = await client.embeddings.create(model=EMBEDDER.id, input="hello", encoding_format="float")
        of_ids = await client.embeddings.create(model="text-embedding-ada-002", input=[[15339], [15339, 1917]])
        with pytest.raises(BadRequestError) as tokens:
            await client.embeddings.create(model=EMBEDDER.id, input=[-1])
        with pytest.raises(NotFoundError) as unknown:
            await client.embeddings.create(model="gpt-9", input="hello")
        models = [model.id async for model in client.models.list()]

    assert made.data[0].embedding == pytest.approx(plain.data[0].embedding, abs=1e-6)
    assert [item.embedding for item in of_ids.data] == [
        pytest.approx(vector_of(text), abs=1e-6) for text in ("hello", "hello world")
    ]
    assert made.usage.prompt_tokens == 6
    assert tokens.value.code == "unsupported_parameter"
    assert tokens.value.param == "input"
    assert unknown.value.code == "model_not_found"
    assert models == ["whisper-base", EMBEDDER.id, WRITER.id, "whisper-1", "text-embedding-3-small", "text-embedding-ada-002"]
