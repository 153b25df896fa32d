"""Priorities and lanes at the gateway: who may ask for which, what a job shows of them, and which recordings pass for short."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import LIMITS, WaitingClock, World, make_world

from domain.api_key import NO_LIMITS, KeyLimits, Scope

SEGMENTS = [{"start": 0, "end": 2, "text": "we ship on Friday"}]


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[World]:
    made = make_world(tmp_path, replace(LIMITS, queued_jobs=100), WaitingClock(), ask_for_keys=True)
    async with made.client:
        yield made
    made.store.close()


async def key_of(world: World, limits: KeyLimits = NO_LIMITS) -> dict[str, str]:
    _, text = await world.store.keys.create("acme", frozenset(Scope), "", None, limits)
    return {"Authorization": f"Bearer {text}"}


async def recap(world: World, headers: dict[str, str], priority: str | None) -> Any:
    asked = headers | ({"Wordloop-Priority": priority} if priority is not None else {})
    return await world.client.post("/v1/recaps", json={"segments": SEGMENTS}, headers=asked)


@pytest.mark.parametrize(
    ("limits", "priority", "status"),
    [
        (NO_LIMITS, None, 202),
        (NO_LIMITS, "-3", 202),
        (NO_LIMITS, "0", 202),
        (NO_LIMITS, "1", 403),
        (KeyLimits(max_priority=2), "2", 202),
        (KeyLimits(max_priority=2), "+1", 202),
        (KeyLimits(max_priority=2), "3", 403),
        (KeyLimits(max_priority=-1), "0", 403),
        (KeyLimits(max_priority=-1), None, 202),
        (NO_LIMITS, "9", 400),
        (NO_LIMITS, "high", 400),
        (NO_LIMITS, "1.5", 400),
    ],
)
async def test_a_key_asks_for_priorities_within_its_rights(
    guarded: World, limits: KeyLimits, priority: str | None, status: int
) -> None:
    answer = await recap(guarded, await key_of(guarded, limits), priority)
    assert answer.status_code == status, answer.text
    if status == 202:
        assert answer.json()["priority"] == (min(0, limits.max_priority or 0) if priority is None else int(priority))
    else:
        assert (await guarded.store.jobs.depth())["queued"] == 0


async def test_a_higher_priority_is_worked_on_first_and_its_place_says_so(guarded: World) -> None:
    key = await key_of(guarded, KeyLimits(max_priority=3))
    ordinary, urgent, patient = [(await recap(guarded, key, priority)).json() for priority in (None, "3", "-1")]
    places = [
        (await guarded.client.get(f"/v1/jobs/{job['id']}", headers=key)).json()["progress"]["queue_position"]
        for job in (urgent, ordinary, patient)
    ]
    assert places == [1, 2, 3]
    assert [(await guarded.claim()).job.id for _ in range(3)] == [job["id"] for job in (urgent, ordinary, patient)]


async def test_the_same_request_under_another_priority_is_the_same_request(guarded: World) -> None:
    key = await key_of(guarded, KeyLimits(max_priority=3)) | {"Idempotency-Key": "k"}
    first, again = await recap(guarded, key, "3"), await recap(guarded, key, None)
    assert (first.json()["id"], first.json()["priority"]) == (again.json()["id"], again.json()["priority"])


async def test_without_keys_the_configuration_says_how_high(tmp_path: Path) -> None:
    world = make_world(tmp_path, replace(LIMITS, max_priority=1), WaitingClock())
    async with world.client:
        assert [(await recap(world, {}, priority)).status_code for priority in ("1", "2")] == [202, 403]
    world.store.close()


@pytest.mark.parametrize(
    ("name", "media_type", "size", "lane"),
    [
        ("call.wav", "audio/wav", 900_000, "short"),
        ("call.opus", "audio/ogg", 900_000, "short"),
        ("call.opus", "audio/ogg", 6_100_000, "long"),
        ("call", "audio/webm;codecs=opus", 6_100_000, "long"),
        ("call.webm", "video/webm", 6_100_000, "short"),
        ("call.mp3", "audio/mpeg", 13_000_000, "long"),
        ("call.m4a", "audio/mp4", 13_000_000, "long"),
        ("call.bin", "application/octet-stream", 13_000_000, "short"),
    ],
)
async def test_a_recording_passes_for_short_by_its_kind_and_size(
    tmp_path: Path, name: str, media_type: str, size: int, lane: str
) -> None:
    world = make_world(tmp_path, replace(LIMITS, upload_bytes=20_000_000), WaitingClock())
    async with world.client:
        answer = await world.upload(files={"file": (name, b"\0" * size, media_type)})
        assert answer.json()["lane"] == lane, answer.text
    world.store.close()


async def test_what_is_not_there_yet_is_taken_for_long_and_a_recap_is_as_long_as_its_transcript(world: World) -> None:
    fetched = await world.client.post("/v1/transcriptions", json={"audio_url": "https://media.example.com/call.wav"})
    assert fetched.json()["lane"] == "long"
    await world.store.jobs.cancel("default", fetched.json()["id"])
    await world.upload()
    job = await world.complete()
    again = await world.client.post("/v1/recaps", json={"transcript_id": job.result["transcript_id"]})
    assert again.json()["lane"] == "short"
    hour = [{"start": n, "end": n + 1, "text": "word " * 100} for n in range(90)]
    assert (await world.client.post("/v1/recaps", json={"segments": hour})).json()["lane"] == "long"
