"""What operators and documents see: health, models, headers, errors nobody expected, the OpenAPI document."""

import asyncio
import json
import os
from pathlib import Path

import pytest

from adapters.http.common.services import ModelReadiness, Readiness
from domain.call import CallKind
from domain.errors import BudgetExceeded, LeaseLost, RateLimited, StorageFailed

COMMITTED = Path(__file__).parents[2] / "docs" / "openapi.json"


async def test_alive_answers_without_asking_anybody(world):
    world.store.close()

    assert (await world.client.get("/livez")).json() == {"status": "alive"}


async def test_ready_lists_the_warm_models(world):
    answer = await world.client.get("/readyz")

    assert (answer.status_code, answer.json()["models"][0]["ready"]) == (200, True)


async def test_not_ready_lists_what_is_missing(world):
    cold = ModelReadiness("llm", CallKind.GENERATE, False, "loading weights")
    world.readiness.append(Readiness([*world.readiness[0].models, cold], ["the store does not answer"]))
    answer = await world.client.get("/readyz")

    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    assert answer.json()["models"] == [{"id": "llm", "kind": "generate", "ready": False, "detail": "loading weights"}]
    assert answer.json()["problems"] == ["the store does not answer"]
    assert answer.headers["retry-after"] == "5"


async def test_models_are_listed_with_their_breakers(world):
    listed = (await world.client.get("/v1/models")).json()
    one = (await world.client.get("/v1/models/all-MiniLM-L6-v2")).json()

    assert listed["data"][1] == one
    assert (one["object"], one["breaker"], one["precision"]) == ("model", "open", "float32")
    alias = (await world.client.get("/v1/models/whisper-1")).json()
    assert (alias["id"], alias["alias_of"], one["alias_of"]) == ("whisper-1", "whisper-base", None)
    assert alias in listed["data"]
    assert (await world.client.get("/v1/models/gpt-9")).json()["error"]["code"] == "model_not_found"


async def test_every_answer_has_an_id_and_safe_headers(world):
    for path in ("/livez", "/nowhere", "/v1/models/none"):
        headers = (await world.client.get(path)).headers
        assert headers["x-request-id"] == "request-1"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert headers["content-security-policy"].startswith("default-src 'none'")


@pytest.mark.parametrize(("offered", "used"), [("abc-1.2", "abc-1.2"), ('bad id"', "request-1"), ("x" * 200, "request-1")])
async def test_a_callers_request_id_is_kept_when_it_is_one(world, offered, used):
    answer = await world.client.get("/nowhere", headers={"X-Request-ID": offered})

    assert answer.headers["x-request-id"] == answer.json()["request_id"] == used


async def test_a_method_that_is_not_there_names_those_that_are(world):
    answer = await world.client.put("/v1/search")

    assert (answer.status_code, answer.json()["code"], answer.headers["allow"]) == (405, "method_not_allowed", "POST")


@pytest.mark.parametrize(
    ("error", "status", "code", "more"),
    [
        (RateLimited("Slow down.", 1.5), 429, "rate_limited", {}),
        (BudgetExceeded("No tokens left.", "tokens", 12.0), 402, "budget_exceeded", {"what": "tokens", "left": 12.0}),
        (StorageFailed("The disk is full."), 503, "storage_failed", {}),
    ],
)
async def test_error_kinds_have_one_status_each(world, error, status, code, more):
    world.embedder.error = error
    answer = await world.client.post("/v1/search", json={"query": "x", "mode": "semantic"})

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json() | more == answer.json()


@pytest.mark.parametrize("error", [LeaseLost("worker-7 on node 10.0.0.3"), ValueError("password=hunter2 in /srv/app.py")])
async def test_what_nobody_expected_says_nothing_of_itself(world, error, caplog):
    world.embedder.error = error
    ours = await world.client.post("/v1/search", json={"query": "x", "mode": "semantic"})
    openai = await world.client.post("/v1/embeddings", json={"input": "x"})

    assert (ours.status_code, ours.json()["code"]) == (500, "internal_error")
    assert (openai.status_code, openai.json()["error"]["type"]) == (500, "server_error")
    assert not any(word in ours.text + openai.text for word in ("hunter2", "10.0.0.3", "app.py", "ValueError"))


async def test_alive_answers_while_uploads_and_waits_are_under_way(world):
    never = asyncio.Event()
    reached = asyncio.Event()

    async def stuck():
        yield b"--b\r\n"
        reached.set()
        await never.wait()

    headers = {"content-type": "multipart/form-data; boundary=b"}
    uploads = [asyncio.create_task(world.client.post("/v1/conversations", content=stuck(), headers=headers)) for _ in range(20)]
    await reached.wait()

    assert (await asyncio.wait_for(world.client.get("/livez"), 1)).status_code == 200
    for upload in uploads:
        upload.cancel()
    await asyncio.gather(*uploads, return_exceptions=True)


async def test_the_document_describes_every_route_with_schemas_for_every_answer(world):
    document = (await world.client.get("/openapi.json")).json()
    schemas = document["components"]["schemas"]

    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation.get("description"), (method, path)
            answers = operation["responses"]
            assert any(status.startswith("2") for status in answers), (method, path)
            for status, answer in answers.items():
                for media_type, content in answer.get("content", {}).items():
                    where = (method, path, status, media_type)
                    assert content.get("schema"), where
                    reference = content["schema"].get("$ref")
                    assert reference is None or reference.rsplit("/", 1)[-1] in schemas, where
                if status not in ("204",) and "$ref" not in answer:
                    assert answer.get("content") or answer.get("headers"), (method, path, status)
    upload = document["paths"]["/v1/conversations"]["post"]["requestBody"]["content"]
    assert upload["multipart/form-data"]["schema"]["required"] == ["file"]
    assert "HTTPValidationError" not in str(document)
    assert {"JobView", "TranscriptView", "RecapView", "SearchView", "ProblemView", "EmbeddingsView"} <= set(schemas)


async def test_the_document_says_that_there_may_be_no_room_for_what_is_written(world):
    paths = (await world.client.get("/openapi.json")).json()["paths"]
    for path in ("/v1/conversations", "/v1/recaps", "/v1/uploads", "/v1/webhooks", "/v1/estimate"):
        answers = paths[path]["post"]["responses"]
        assert answers["507"]["content"] == answers["503"]["content"], path
        assert answers["507"]["description"]
    assert set(paths["/v1/audio/transcriptions"]["post"]["responses"]["507"]["content"]) == {"application/json"}
    assert "507" not in paths["/v1/jobs"]["get"]["responses"]


async def test_the_document_holds_the_routes_of_the_contract(world):
    paths = (await world.client.get("/openapi.json")).json()["paths"]
    routes = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}

    assert {
        "POST /v1/conversations", "POST /v1/transcriptions", "POST /v1/recaps", "POST /v1/embeddings",
        "POST /v1/audio/transcriptions", "GET /v1/models", "GET /v1/models/{model_id}", "GET /v1/jobs",
        "GET /v1/jobs/{job_id}", "GET /v1/jobs/{job_id}/events", "POST /v1/jobs/{job_id}/cancel",
        "GET /v1/transcripts/{transcript_id}", "GET /v1/recaps/{recap_id}", "POST /v1/search",
        "DELETE /v1/conversations/{conversation_id}", "GET /livez", "GET /readyz",
    } <= routes  # fmt: skip


async def test_the_committed_document_is_the_served_one(world):
    """What changes for callers shows in a review. `./just openapi` writes the file anew."""
    served = json.dumps((await world.client.get("/openapi.json")).json(), indent=1, sort_keys=True) + "\n"
    if "WORDLOOP_WRITE_OPENAPI" in os.environ:
        COMMITTED.write_text(served)

    assert COMMITTED.read_text() == served, "the API has changed: ./just openapi, and read the difference"


async def test_the_documentation_is_one_page_that_needs_nothing_from_elsewhere(world):
    answer = await world.client.get("/docs")

    assert answer.headers["content-type"].startswith("text/html")
    assert "POST /v1/conversations" in answer.text
    assert 'href="#JobView"' in answer.text
    assert 'id="JobView"' in answer.text
    assert not any(word in answer.text for word in ("src=", 'href="http', "url(", "@import"))


async def test_the_document_says_where_a_key_may_be_asked_for_and_how_that_is_refused(world):
    document = (await world.client.get("/openapi.json")).json()

    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            probe = path in ("/livez", "/readyz", "/problems/{code}")
            assert operation.get("security") == (None if probe else [{}, {"key": []}]), (method, path)
            assert probe or {"401", "403", "429"} <= set(operation["responses"]), (method, path)
