"""Recaps and search: JSON bodies in."""

import math

import pytest

from application.payloads import AudioPayload, RecapPayload, SpokenSegment
from domain.errors import CircuitOpen, ModelRejected

SAID = [{"start": 0, "end": 1.5, "text": "Hello", "speaker": "Ann"}, {"start": 1.5, "end": 2, "text": "Bye"}]


async def test_segments_of_the_caller_become_a_recap_job(world):
    answer = await world.client.post("/v1/recaps", json={"segments": SAID, "language": "en", "template": "sales"})

    request = (await world.store.jobs.get("default", answer.json()["id"])).request
    assert answer.status_code == 202
    assert RecapPayload.of(request.payload) == RecapPayload(
        None, (SpokenSegment(0, 1.5, "Hello", "Ann"), SpokenSegment(1.5, 2, "Bye")), "en", "sales"
    )


async def test_a_stored_transcript_becomes_a_recap_job(world):
    await world.upload()
    transcript_id = (await world.complete()).result["transcript_id"]
    answer = await world.client.post("/v1/recaps", json={"transcript_id": transcript_id})

    assert answer.status_code == 202
    assert (await world.complete()).result["recap_id"]


async def test_the_same_key_and_segments_give_the_same_job(world):
    first, again = [
        await world.client.post("/v1/recaps", json={"segments": SAID}, headers={"Idempotency-Key": "k"}) for _ in range(2)
    ]
    other = await world.client.post("/v1/recaps", json={"segments": SAID[:1]}, headers={"Idempotency-Key": "k"})

    assert first.json()["id"] == again.json()["id"]
    assert again.headers["idempotent-replayed"] == "true"
    assert other.status_code == 422


def segment(**changed: object) -> dict[str, object]:
    return {"segments": [SAID[0] | changed]}


REFUSED = {
    "neither": ({}, 422),
    "both": ({"transcript_id": "t", "segments": SAID}, 422),
    "unknown transcript": ({"transcript_id": "transcript_nope"}, 404),
    "no segments": ({"segments": []}, 422),
    "empty text": (segment(text="  "), 422),
    "long text": (segment(text="x" * 9000), 422),
    "end before start": (segment(start=2), 422),
    "negative": (segment(start=-1), 422),
    "infinite": (segment(end=math.inf), 422),
    "not a number": (segment(start=math.nan, end=math.nan), 422),
    "huge": (segment(end=1e300), 422),
    "text as number": (segment(text=5), 422),
    "unknown member": (segment(owner="x"), 422),
    "unknown member on top": ({"segments": SAID, "tenant": "other"}, 422),
    "out of order": ({"segments": SAID[::-1]}, 422),
    "too many": ({"segments": [{"start": 0, "end": 1, "text": "x"}] * 20_001}, 413),
    "unknown template": ({"segments": SAID, "template": "poem"}, 422),
    "path as id": ({"transcript_id": "../../etc"}, 422),
    "list": ([], 422),
    "no template": ({"segments": SAID, "template": 5}, 422),
    "unknown base": ({"segments": SAID, "template": {"base": "poem"}}, 422),
    "unknown member of a template": ({"segments": SAID, "template": {"prompt": "x"}}, 422),
    "no section": ({"segments": SAID, "template": {"sections": []}}, 422),
    "unknown section": ({"segments": SAID, "template": {"sections": ["summary", "jokes"]}}, 422),
    "a section twice": ({"segments": SAID, "template": {"sections": ["summary", "summary"]}}, 422),
    "unknown length": ({"segments": SAID, "template": {"length": "endless"}}, 422),
    "an instruction for no section": ({"segments": SAID, "template": {"instructions": {"jokes": "x"}}}, 422),
    "an instruction that is left out": (
        {"segments": SAID, "template": {"sections": ["summary"], "instructions": {"decisions": "x"}}}, 422,
    ),
    "an empty instruction": ({"segments": SAID, "template": {"instructions": {"summary": "  "}}}, 422),
    "a long instruction": ({"segments": SAID, "template": {"instructions": {"summary": "x" * 301}}}, 422),
    "too many instructions": ({"segments": SAID, "template": {"instructions": dict.fromkeys("abcdefg", "x")}}, 422),
    "language of a template": ({"segments": SAID, "template": {"language": "Germanic"}}, 422),
    "no date": ({"segments": SAID, "recorded_at": "yesterday"}, 422),
    "no such date": ({"segments": SAID, "recorded_at": "2026-02-30"}, 422),
    "no such time": ({"segments": SAID, "recorded_at": "2026-02-03T25:00"}, 422),
    "date as number": ({"segments": SAID, "recorded_at": 20261130}, 422),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
async def test_a_refused_recap_says_where_and_never_what_and_stores_nothing(world, case):
    import json

    body, status = REFUSED[case]
    answer = await world.client.post("/v1/recaps", content=json.dumps(body), headers={"content-type": "application/json"})

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert "Hello" not in answer.text
    assert await world.nothing_is_stored()


PLACES = {
    "template.sections.1": {"sections": ["summary", "jokes"]},
    "template.length": {"length": "endless"},
    "template.instructions.summary": {"instructions": {"summary": "x" * 301}},
    "template.instructions": {"instructions": dict.fromkeys("abcdefg", "x")},
    "template.language": {"language": "Germanic"},
    "template": {"base": "poem"},
}


@pytest.mark.parametrize("place", PLACES)
async def test_what_is_wrong_with_a_template_is_named(world, place):
    answer = await world.client.post("/v1/recaps", json={"segments": SAID, "template": PLACES[place]})

    assert place in {error["location"] for error in answer.json()["errors"]}


SHAPED = {
    "base": "sales",
    "sections": ["summary", "decisions"],
    "instructions": {"decisions": "{{notes}} <x>"},
    "length": "short",
}


@pytest.mark.parametrize(("template", "carried"), [("sales", "sales"), ({"base": "sales"}, "sales"), (SHAPED, SHAPED)])
async def test_a_template_by_name_and_one_of_the_callers_own_are_carried_as_they_came(world, template, carried):
    body = {"segments": SAID, "template": template, "recorded_at": "2026-11-30"}
    answer = await world.client.post("/v1/recaps", json=body)

    payload = RecapPayload.of((await world.store.jobs.get("default", answer.json()["id"])).request.payload)
    assert (payload.template, payload.recorded_at) == (carried, "2026-11-30")


def test_a_request_of_before_keeps_its_fingerprint():
    assert RecapPayload(None, (SpokenSegment(0, 1, "Hello"),), "en").plain() == {
        "transcript_id": None,
        "segments": [{"start": 0, "end": 1, "text": "Hello", "speaker": None}],
        "language": "en",
        "template": "general",
    }
    assert set(AudioPayload("b", 1).plain()) == {
        "blob_id", "size", "filename", "media_type", "language", "vocabulary", "template",
    }  # fmt: skip


async def test_a_place_in_the_body_is_named(world):
    answer = await world.client.post("/v1/recaps", json=segment(end="soon"))

    assert answer.json()["errors"][0]["location"] == "segments.0.end"


@pytest.mark.parametrize(
    ("content", "media_type", "status", "code"),
    [
        (b"{", "application/json", 400, "malformed_request"),
        (b"", "application/json", 422, "validation_failed"),
        (b"\xff\xfe", "application/json", 400, "malformed_request"),
        (b"[" * 50_000, "application/json", 400, "malformed_request"),
        (b"{}", "text/plain", 415, "unsupported_media_type"),
        (b"{}", "", 415, "unsupported_media_type"),
        (b" " * 100_001, "application/json", 413, "too_large"),
    ],
)
@pytest.mark.parametrize("route", ["/v1/recaps", "/v1/search"])
async def test_what_is_no_json_body_is_refused(world, route, content, media_type, status, code):
    answer = await world.client.post(route, content=content, headers={"content-type": media_type} if media_type else {})

    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_a_json_body_of_unknown_length_is_cut_off_at_the_limit(world):
    sent = 0

    async def endless():
        nonlocal sent
        while True:
            sent += 10_000
            yield b" " * 10_000

    answer = await world.client.post("/v1/recaps", content=endless(), headers={"content-type": "application/json"})

    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert sent <= 120_000


async def test_a_search_finds_passages_with_times_and_speaker(world):
    await world.upload()
    transcript_id = (await world.complete()).result["transcript_id"]
    found = (await world.client.post("/v1/search", json={"query": "Friday", "limit": 1})).json()

    assert found["mode"] == "hybrid"
    assert found["degraded"] is None
    (hit,) = found["hits"]
    assert {name: hit[name] for name in ("transcript_id", "segment_ids", "start", "end", "speaker")} == {
        "transcript_id": transcript_id, "segment_ids": [1], "start": 2.0, "end": 65.25, "speaker": "Bob",
    }  # fmt: skip
    assert "Friday" in hit["text"]


async def test_without_the_embedder_a_hybrid_search_goes_by_words_and_says_so(world):
    await world.upload()
    await world.complete()
    world.embedder.error = CircuitOpen("The breaker of the embedder is open.", 7.0)
    hybrid = await world.client.post("/v1/search", json={"query": "Friday"})
    semantic = await world.client.post("/v1/search", json={"query": "Friday", "mode": "semantic"})

    assert (hybrid.json()["mode"], len(hybrid.json()["hits"])) == ("lexical", 1)
    assert "breaker" in hybrid.json()["degraded"]
    assert (semantic.status_code, semantic.json()["code"], semantic.headers["retry-after"]) == (503, "circuit_open", "7")


async def test_a_query_that_the_model_can_not_read_is_the_callers_mistake(world):
    world.embedder.error = ModelRejected("The text is longer than the model reads.")
    answer = await world.client.post("/v1/search", json={"query": "x " * 500})

    assert (answer.status_code, answer.json()["code"]) == (422, "model_rejected")


async def test_a_lexical_search_asks_no_model(world):
    await world.client.post("/v1/search", json={"query": "Friday", "mode": "lexical"})

    assert world.embedder.asked == []


@pytest.mark.parametrize(
    "body", [{}, {"query": " "}, {"query": "x", "limit": 0}, {"query": "x", "mode": "magic"}, {"query": "x" * 1025}]
)
async def test_a_bad_search_is_refused(world, body):
    answer = await world.client.post("/v1/search", json=body)

    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
