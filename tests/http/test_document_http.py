"""What generators of clients read in the OpenAPI document."""

import re

import httpx
import pytest
from conftest import a_transcript

from adapters.http.documentation.examples import BODIES
from domain.named_speakers import Speakers, SpeakerStatus, ToldBy
from ports.results import Ownership
from tests.http.documented import held_to_the_document

JOBS = ("/v1/conversations", "/v1/transcriptions", "/v1/recaps", "/v1/embeddings", "/v1/audio/transcriptions")
CALLS = ("/v1/search", "/v1/estimate", "/v1/chat/completions")
OF_CALLS = {"Wordloop-Timeout", "Cache-Control", "traceparent"}
OF_JOBS = OF_CALLS | {"Idempotency-Key", "Prefer"}


@pytest.fixture
async def document(world):
    return (await world.client.get("/openapi.json")).json()


def operations(document):
    return [(path, method, each) for path, known in document["paths"].items() for method, each in known.items()]


async def test_headers_that_mean_something_are_described(document):
    for paths, wanted in ((JOBS, OF_JOBS), (CALLS, OF_CALLS)):
        for path in paths:
            given = {each["name"]: each for each in document["paths"][path]["post"]["parameters"]}
            assert wanted <= set(given), path
            assert all(given[name]["in"] == "header" and given[name]["description"] for name in wanted)
    assert "Prefer" in {each["name"] for each in document["paths"]["/v1/jobs/{job_id}"]["get"]["parameters"]}


async def test_every_refusal_of_what_does_not_fit_is_described(document):
    for path, method, each in operations(document):
        if each.get("parameters") or each.get("requestBody"):
            openai = path.startswith(("/v1/audio/", "/v1/embeddings", "/v1/models", "/v1/chat/"))
            assert ("400" if openai else "422") in each["responses"], (method, path)
    for path in JOBS:
        assert "422" in document["paths"][path]["post"]["responses"], "a key that was used for another request"


async def test_operations_have_short_names_of_their_own(document):
    names = [each["operationId"] for _, _, each in operations(document)]

    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+){0,3}", name) for name in names), names
    assert {"create_conversation", "get_job", "search", "get_recap", "transcribe", "livez"} <= set(names)


async def test_results_and_links_of_a_job_have_named_members(document):
    schemas = document["components"]["schemas"]
    job = schemas["JobView"]["properties"]

    assert job["result"] == {"$ref": "#/components/schemas/JobResultView"}
    assert job["links"] == {"$ref": "#/components/schemas/JobLinksView"}
    assert set(schemas["JobResultView"]["properties"]) == {"conversation_id", "transcript_id", "recap_id", "embedding_id"}
    assert {"self", "events", "conversation"} == set(schemas["JobLinksView"]["required"])


async def test_json_comes_first_where_an_answer_has_several_forms(document):
    several = 0
    for path, method, each in operations(document):
        for answer in each["responses"].values():
            forms = list(answer.get("content", {}))
            if "application/json" in forms:
                assert forms[0] == "application/json", (method, path)
                several += len(forms) > 1
    assert several >= 3, "transcripts, recaps, transcriptions"


async def test_every_reference_leads_somewhere(document):
    schemas = document["components"]["schemas"]
    named = set(re.findall(r"'\$ref': '#/components/schemas/([^']+)'", str(document)))

    assert named <= set(schemas)
    assert "#/$defs/" not in str(document)


async def test_every_example_is_taken_by_its_route(world, document):
    taken = set()
    two = Speakers(SpeakerStatus.FOUND, None, ToldBy.VOICE, ("Speaker 1", "Speaker 2"), ("Speaker 1", "Speaker 2"), (0, 1))
    await world.store.results.put_transcript(Ownership("default", "conversation_1"), a_transcript("transcript_1").naming(two))
    for path, method, each in operations(document):
        content = each.get("requestBody", {}).get("content", {}).get("application/json")
        if content is not None:
            answer = await world.client.request(method, path.format(transcript_id="transcript_1"), json=content["example"])
            assert answer.is_success, (path, answer.text)
            taken.add(each["operationId"])
    assert taken == set(BODIES)


@pytest.mark.parametrize(("status", "media_type"), [(418, "application/problem+json"), (200, "text/html")])
async def test_an_answer_that_the_document_does_not_know_fails_the_test_that_sees_it(world, status, media_type):
    request = httpx.Request("GET", "http://service/v1/jobs")
    answer = httpx.Response(status, headers={"content-type": media_type}, request=request)

    with pytest.raises(AssertionError, match="not in the document"):
        await held_to_the_document(world.app)(answer)
