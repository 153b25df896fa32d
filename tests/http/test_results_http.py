"""Transcripts and recaps in every format, and conversations that go for good."""

import pytest

from domain.errors import NotFound


async def test_a_transcript_as_json_has_the_members_of_the_contract(world):
    await world.upload()
    done = await world.complete()
    body = (await world.client.get(f"/v1/transcripts/{done.result['transcript_id']}")).json()

    assert set(body) == {
        "id",
        "object",
        "language",
        "duration",
        "text",
        "segments",
        "speakers",
        "coverage",
        "damaged",
        "provenance",
    }
    assert body["text"] == "Good morning We ship A&B <now> --> on Friday"
    assert body["segments"][0]["words"][0] == {
        "start": 0.5,
        "end": 0.9,
        "text": "Good",
        "probability": 0.9,
        "speaker": "Ann",
    }
    assert body["speakers"] == {
        "status": "found",
        "reason": None,
        "told_by": "voice",
        "names": ["Ann", "Bob"],
        "labels": {"Ann": "Ann", "Bob": "Bob"},
        "voices": None,
    }
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
        ("md", "text/markdown; charset=utf-8", '<a id="t-1"></a>**[0:02]** Bob: We ship'),
        ("html", "text/html; charset=utf-8", '<div class="turn" id="t-1">'),
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
        "open_questions", "chapters", "support", "degraded", "sections", "calls", "provenance",
    }  # fmt: skip
    assert body["summary"] == [
        {
            "text": "The team ships on Friday.", "segment_ids": [1], "support": 0.9,
            "start": 2.0, "end": 65.25, "speaker": "Bob", "confidence": None,
        }
    ]  # fmt: skip
    assert body["action_items"] == [
        {
            "text": "Prepare the release", "segment_ids": [0, 1], "support": 0.8, "start": 0.5, "end": 65.25, "speaker": None,
            "confidence": None, "owner": "Bob", "due": "Friday", "due_date": None, "due_rule": None,
        }
    ]  # fmt: skip
    assert body["sections"] == ["summary", "key_points", "decisions", "action_items", "open_questions", "chapters"]
    assert body["calls"] == {"made": 0, "reused": 0}


async def test_a_recap_of_words_that_nobody_keeps_says_that_its_times_are_not_known(world):
    """As older recaps of a caller's own segments are stored."""
    recap_id = (await world.client.post("/v1/recaps", json={"segments": [{"start": 0, "end": 1, "text": "Hello"}]})).json()["id"]
    done = await world.complete()
    assert done.id == recap_id
    (summary,) = (await world.client.get(f"/v1/recaps/{done.result['recap_id']}")).json()["summary"]

    assert (summary["start"], summary["end"], summary["speaker"]) == (None, None, None)


@pytest.mark.parametrize(
    ("form", "media_type", "cited"),
    [
        ("md", "text/markdown; charset=utf-8", "The team ships on Friday. ([0:02](/v1/transcripts/{}?format=html#t-1))"),
        ("txt", "text/plain; charset=utf-8", "The team ships on Friday. Heard from Bob at 2 seconds."),
        ("html", "text/html; charset=utf-8", '<a href="/v1/transcripts/{}?format=html#t-1">0:02</a>'),
        ("csv", "text/csv; charset=utf-8", '"Bob","Prepare the release","Friday","","","0.500","65.250","0 1"\r\n'),
        ("ics", "text/calendar; charset=utf-8", "SUMMARY:Bob: Prepare the release\r\n"),
    ],
)
async def test_a_recap_as_a_file_leads_to_the_times_of_its_transcript(world, form, media_type, cited):
    await world.upload()
    done = await world.complete()
    answer = await world.client.get(f"/v1/recaps/{done.result['recap_id']}", params={"format": form})

    assert answer.headers["content-type"] == media_type
    assert cited.format(done.result["transcript_id"]) in answer.text
    assert f'filename="{done.result["recap_id"]}.{form}"' in answer.headers["content-disposition"]


async def test_pages_may_show_their_own_styles_and_do_nothing_else(world):
    await world.upload()
    done = await world.complete()
    for path in (f"recaps/{done.result['recap_id']}", f"transcripts/{done.result['transcript_id']}"):
        answer = await world.client.get(f"/v1/{path}", params={"format": "html"})

        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'unsafe-inline';")
        assert "script-src" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "<now>" not in answer.text


async def test_a_link_of_a_recap_leads_to_an_anchor_that_is_there(world):
    await world.upload()
    done = await world.complete()
    page = (await world.client.get(f"/v1/recaps/{done.result['recap_id']}", params={"format": "html"})).text
    address, _, anchor = page.partition('<a href="')[2].partition('"')[0].partition("#")

    assert f'id="{anchor}"' in (await world.client.get(address)).text


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
