"""What a refusal says: one sentence in `detail` that tells what is wrong, in the words of the API."""

import json
import re
from typing import get_args

import pytest
from fastapi.exceptions import RequestValidationError
from pydantic_core import core_schema

from adapters.http.common.body import LANGUAGE, UNKNOWN_LANGUAGE
from adapters.http.common.validation import PATTERNS, findings

SAID = {"start": 0, "end": 1, "text": "Good morning."}
DETAILS = [
    ("/v1/recaps", {"segments": []}, "`segments` needs at least 1 item."),
    ("/v1/recaps", {}, "Give either transcript_id or segments."),
    ("/v1/recaps", {"segments": [SAID | {"start": -1}]}, "`segments.0.start` has to be at least 0."),
    ("/v1/recaps", {"segments": [{"start": 0, "end": 1}]}, "`segments.0.text` is missing."),
    ("/v1/recaps", {"segments": [SAID | {"text": 5}] * 2}, "`segments.0.text` has to be text (and 1 more in `errors`)."),
    ("/v1/recaps", {"segments": [SAID | {"text": ""}]}, "`segments.0.text` needs at least 1 character."),
    ("/v1/recaps", {"segments": [SAID | {"end": 2e9}]}, "`segments.0.end` has to be at most 1,000,000."),
    ("/v1/recaps", {"segments": "all"}, "`segments` has to be a list."),
    ("/v1/recaps", {"segments": [SAID], "language": "e!"}, f"`language` {PATTERNS[LANGUAGE]}."),
    ("/v1/recaps", {"segments": [SAID], "language": "canary"}, f"`language` {UNKNOWN_LANGUAGE}."),
    ("/v1/recaps", {"segments": [SAID], "recorded_at": "2026-13-01"}, "`recorded_at` is no day or time that there is."),
    ("/v1/recaps", {"segments": [SAID], "str": 1}, "`str` is not known here."),
    ("/v1/recaps", {"segments": [SAID], "Owner": 1}, "`Owner` is not known here."),
    ("/v1/recaps", {"segments": [SAID], "template": {"length": "x"}}, "`template.length` has to be 'short', 'normal' or 'long'."),
    ("/v1/recaps", {"segments": [SAID], "template": {"sections": ["summary"] * 2}}, "`template`: sections: each section once."),
    ("/v1/recaps", {"segments": [SAID], "timeout": "5"}, "`timeout` has to be a number."),
    ("/v1/recaps", [1], "The body has to be an object."),
    ("/v1/search", {"query": "x", "limit": 1.5}, "`limit` has to be a whole number."),
    ("/v1/search", {"query": " "}, "`query` needs at least 1 character."),
    ("/v1/conversations", {"audio_url": "x", "upload_id": "y"}, "Give either audio_url or upload_id."),
    ("/v1/conversations", {"audio_url": "https://x", "x": 1}, "`x` is not known here."),
    ("/v1/estimate", {"audio_seconds": 0}, "`audio_seconds` has to be greater than 0."),
]  # fmt: skip


@pytest.mark.parametrize(("route", "body", "detail"), DETAILS)
async def test_the_detail_says_what_is_wrong_in_one_sentence(world, route, body, detail):
    answer = await world.client.post(route, json=body)

    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    assert answer.json()["detail"] == detail


ONE_PART = {"messages": [{"role": "user", "content": [{"type": "text"}]}]}
OPENAI = [
    ("/v1/embeddings", {"input": 5}, "`input` has to be text or a list.", "input"),
    ("/v1/embeddings", {"input": ["a", 5]}, "`input.1` has to be text.", "input.1"),
    ("/v1/chat/completions", {"messages": []}, "`messages` needs at least 1 item.", "messages"),
    ("/v1/chat/completions", ONE_PART, "`messages.0.content.0.text` is missing.", "messages.0.content.0.text"),
]  # fmt: skip


@pytest.mark.parametrize(("route", "body", "message", "param"), OPENAI)
async def test_openai_clients_read_the_same_sentence(world, route, body, message, param):
    answer = await world.client.post(route, json=body)

    assert answer.status_code == 400
    assert (answer.json()["error"]["message"], answer.json()["error"]["param"]) == (message, param)


@pytest.mark.parametrize(
    ("request_line", "detail"),
    [
        ("GET /v1/jobs?limit=0", "The query parameter `limit` has to be at least 1."),
        ("GET /v1/jobs/a.b", "`job_id` in the path has to be an id: letters, digits, `-` and `_`, at most 64 of them."),
        ("GET /nowhere", "There is no such route; /docs lists those that there are."),
        ("PUT /v1/search", "This route takes POST."),
        ("POST /v1/search", "The body is missing."),
    ],
)
async def test_what_is_wrong_outside_of_a_body_is_told_too(world, request_line, detail):
    method, path = request_line.split()
    answer = await world.client.request(method, path, headers={"content-type": "application/json"})

    assert answer.json()["detail"] == detail


async def test_a_form_is_told_in_the_same_words(world):
    shaped = await world.upload(data={"template": "{base", "timeout": "soon"})

    assert shaped.json()["detail"] == "`template` is no JSON object (and 1 more in `errors`)."
    assert shaped.json()["errors"][1] == {"location": "timeout", "message": "has to be a number"}


async def test_nothing_that_was_sent_stands_in_a_refusal(world):
    body = {"segments": [{"start": "canary", "end": "canary", "text": ["canary"]}], "language": "canary", "recorded_at": "canary"}
    answer = await world.client.post("/v1/recaps", json=body)

    assert answer.status_code == 422
    assert "canary" not in answer.text


LIBRARY = re.compile(r"Input should|String should|Tuple|validation|Value error|Extra inputs|dictionary|instance of|pydantic")


CONTEXT = dict.fromkeys(("gt", "ge", "lt", "le", "min_length", "max_length"), 2) | {"expected": "'a' or 'b'", "pattern": "^a$"}


@pytest.mark.parametrize("kind", get_args(core_schema.ErrorType))
def test_no_kind_of_error_speaks_the_librarys_words(kind):
    item = {"type": kind, "loc": ("body", "x"), "msg": "Input should", "ctx": CONTEXT | {"error": ValueError("give one")}}
    (found,) = findings(RequestValidationError([item]))

    assert found.words
    assert "{" not in found.words
    assert not LIBRARY.search(found.sentence)


BAD_FILES = {
    "empty": (("a.wav", b"", "audio/wav"), 422, "invalid_audio"),
    "too large": (("a.wav", b"x" * 1_000_001, "audio/wav"), 413, "too_large"),
    "a picture": (("a.png", b"\x89PNG", "image/png"), 415, "unsupported_media_type"),
}
ROUTES = ("/v1/conversations", "/v1/transcriptions", "/v1/estimate", "/v1/audio/transcriptions")


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("case", BAD_FILES)
async def test_a_bad_file_has_one_status_on_every_route(world, case, route):
    file, status, code = BAD_FILES[case]
    answer = await world.client.post(route, files={"file": file})

    body = json.loads(answer.text)
    assert (answer.status_code, body.get("error", body)["code"]) == (status, code)
