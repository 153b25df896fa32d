"""Transcripts and recaps in every format, and conversations that go for good."""

import pytest

from domain.errors import NotFound


async def test_a_transcript_as_json_has_the_members_of_the_contract(world):
    await world.upload()
    done = await world.complete()
    body = (await world.client.get(f"/v1/transcripts/{done.result['transcript_id']}")).json()

    assert set(body) == {"id", "object", "language", "duration", "text", "segments", "coverage", "damaged", "provenance"}
    assert body["text"] == "Good morning We ship A&B <now> --> on Friday"
    assert body["segments"][0]["words"][0] == {"start": 0.5, "end": 0.9, "text": "Good", "probability": 0.9}
    assert body["segments"][0]["scores"]["avg_logprob"] == -0.2
    assert body["coverage"]["suspects"] == [{"start": 1.4, "end": 2.0, "reason": "no_text"}]
    assert body["provenance"][0]["parameters"] == {"beam_size": 5}
    assert body["provenance"][0]["model"]["id"] == "whisper-base"


@pytest.mark.parametrize(
    ("form", "media_type", "holds"),
    [
        ("txt", "text/plain; charset=utf-8", "Ann: Good morning\n"),
        ("srt", "application/x-subrip", "00:00:00,500 --> 00:00:01,400\nAnn: Good morning\n\n"),
        ("vtt", "text/vtt; charset=utf-8", "WEBVTT\n\n"),
        ("md", "text/markdown; charset=utf-8", "**[0:02]** Bob: We ship"),
    ],
)
async def test_a_transcript_as_a_file(world, form, media_type, holds):
    await world.upload()
    done = await world.complete()
    answer = await world.client.get(f"/v1/transcripts/{done.result['transcript_id']}", params={"format": form})

    assert answer.headers["content-type"].startswith(media_type)
    assert holds in answer.text
    assert f'filename="{done.result["transcript_id"]}.{form}"' in answer.headers["content-disposition"]


async def test_a_recap_as_json_has_the_members_of_the_contract(world):
    await world.upload()
    done = await world.complete()
    body = (await world.client.get(f"/v1/recaps/{done.result['recap_id']}")).json()

    assert set(body) == {
        "id", "object", "transcript_id", "language", "title", "summary", "key_points", "decisions", "action_items",
        "open_questions", "chapters", "support", "degraded", "provenance",
    }  # fmt: skip
    assert body["summary"] == [{"text": "The team ships on Friday.", "segment_ids": [1], "support": 0.9}]
    assert (body["action_items"][0]["owner"], body["action_items"][0]["due"]) == ("Bob", "Friday")


@pytest.mark.parametrize(
    ("form", "cited"), [("md", "The team ships on Friday. `[0:02]`"), ("txt", "The team ships on Friday. [0:02]")]
)
async def test_a_recap_as_a_file_cites_the_times_of_its_transcript(world, form, cited):
    await world.upload()
    done = await world.complete()
    answer = await world.client.get(f"/v1/recaps/{done.result['recap_id']}", params={"format": form})

    assert cited in answer.text


@pytest.mark.parametrize("path", ["transcripts", "recaps", "embeddings"])
async def test_what_does_not_exist_is_not_found(world, path):
    assert (await world.client.get(f"/v1/{path}/nope_1")).status_code == 404


@pytest.mark.parametrize("path", ["transcripts/x?format=docx", "recaps/x?format=srt", "transcripts/%27--"])
async def test_a_format_or_id_that_can_not_be_is_refused(world, path):
    assert (await world.client.get(f"/v1/{path}")).status_code == 422


async def test_a_deleted_conversation_is_gone_from_everywhere(world):
    await world.upload()
    done = await world.complete()
    answer = await world.client.delete(f"/v1/conversations/{done.result['conversation_id']}")

    assert answer.json() == {"id": done.result["conversation_id"], "object": "conversation.deleted", "deleted": True}
    for path in (f"jobs/{done.id}", f"transcripts/{done.result['transcript_id']}", f"recaps/{done.result['recap_id']}"):
        assert (await world.client.get(f"/v1/{path}")).status_code == 404
    assert (await world.client.post("/v1/search", json={"query": "Friday"})).json()["hits"] == []
    assert await world.nothing_is_stored()


async def test_deleting_twice_is_not_found(world):
    await world.upload()
    path = f"/v1/conversations/{(await world.complete()).result['conversation_id']}"
    assert (await world.client.delete(path)).status_code == 200

    assert (await world.client.delete(path)).status_code == 404


async def test_sound_that_another_conversation_uses_stays_until_that_goes_too(world):
    await world.upload()
    first = await world.complete()
    await world.upload()
    second = await world.complete()
    blob_id = first.request.payload["blob_id"]

    await world.client.delete(f"/v1/conversations/{first.result['conversation_id']}")
    async with world.blobs.local_path("default", blob_id) as path:
        assert path.read_bytes() == b"RIFF sound"
    await world.client.delete(f"/v1/conversations/{second.result['conversation_id']}")
    with pytest.raises(NotFound):
        async with world.blobs.local_path("default", blob_id):
            pass


async def test_a_waiting_conversation_is_cancelled_and_deleted(world):
    waiting = (await world.upload()).json()
    answer = await world.client.delete(waiting["links"]["conversation"])

    assert answer.status_code == 200
    assert await world.nothing_is_stored()


async def test_a_running_conversation_is_stopped_before_it_is_deleted(world):
    await world.upload()
    lease = await world.claim()
    path = f"/v1/conversations/{lease.job.result_id('conversation')}"
    refused = await world.client.delete(path)
    await world.store.jobs.cancelled(lease)
    deleted = await world.client.delete(path)

    assert (refused.status_code, refused.json()["code"], refused.headers["retry-after"]) == (409, "still_running", "5")
    assert deleted.status_code == 200
    assert await world.nothing_is_stored()
