"""What a client may follow: links that are handed out answer GET, and HEAD works where GET does."""

import asyncio

import pytest


async def test_get_works_on_every_link_of_a_job_before_and_after_it_ends(world):
    queued = (await world.upload()).json()
    assert "cancel" in queued["links"]
    await world.complete()
    done = (await world.client.get(queued["links"]["self"])).json()

    for link in {*queued["links"].values(), *done["links"].values()}:
        assert (await world.client.get(link)).status_code == 200, link


async def test_get_works_on_what_a_location_names(world):
    tus = {"Tus-Resumable": "1.0.0", "Upload-Length": "5"}
    made = [
        await world.upload(),
        await world.client.post("/v1/uploads", headers=tus),
        await world.client.post("/v1/webhooks", json={"url": "https://hooks.example.com/"}),
    ]
    for answer in made:
        assert (await world.client.get(answer.headers["location"])).status_code == 200, answer.headers["location"]


async def test_a_conversation_tells_what_there_is_of_it(world):
    job = (await world.upload()).json()
    waiting = (await world.client.get(job["links"]["conversation"])).json()
    done = await world.complete()
    again = await world.client.post("/v1/recaps", json={"transcript_id": done.result_id("transcript")})
    recapped = await world.complete()
    told = (await world.client.get(job["links"]["conversation"])).json()

    assert (waiting["transcript_ids"], waiting["job"]["status"]) == ([], "queued")
    assert told["transcript_ids"] == [done.result_id("transcript")]
    assert told["job"]["id"] == job["id"]
    assert again.json()["links"]["conversation"] == f"/v1/conversations/{told['id']}"
    assert recapped.status.ended
    for link in told["links"]:
        assert (await world.client.get(link)).status_code == 200, link


async def test_a_conversation_that_is_not_there_or_was_deleted_is_not_found(world):
    job = (await world.upload()).json()
    await world.complete()
    assert (await world.client.delete(job["links"]["conversation"])).status_code == 200
    for path in (job["links"]["conversation"], "/v1/conversations/conversation_none"):
        answer = await world.client.get(path)
        assert (answer.status_code, answer.json()["detail"]) == (404, "No such conversation.")


async def test_an_upload_can_be_looked_at_without_the_protocol(world):
    tus = {"Tus-Resumable": "1.0.0", "Upload-Length": "5"}
    where = (await world.client.post("/v1/uploads", headers=tus)).headers["location"]
    piece = tus | {"Upload-Offset": "0", "content-type": "application/offset+octet-stream"}
    await world.client.patch(where, headers=piece, content=b"abc")
    upload = (await world.client.get(where)).json()

    assert (upload["offset"], upload["length"], upload["complete"]) == (3, 5, False)


async def test_the_door_leads_to_the_documentation(world):
    answer = await world.client.get("/")
    page = await world.client.get("/", follow_redirects=True)

    assert (answer.status_code, answer.headers["location"]) == (307, "/docs"), "a path: the Host that was sent leads nowhere"
    assert page.headers["content-type"].startswith("text/html")
    for path in answer.json().values():
        assert (await world.client.get(path)).status_code == 200, path


PATHS = ("/", "/docs", "/openapi.json", "/livez", "/readyz", "/v1/models", "/v1/jobs", "/problems/not_found")


@pytest.mark.parametrize("path", PATHS)
async def test_head_tells_what_get_would(world, path):
    head, get = await world.client.head(path), await world.client.get(path)

    assert (head.status_code, head.content) == (get.status_code, b"")
    assert head.headers == get.headers


async def test_head_works_on_pages_of_results_and_on_what_is_not_there(world):
    await world.upload()
    done = await world.complete()
    for page in (f"/v1/recaps/{done.result_id('recap')}", f"/v1/transcripts/{done.result_id('transcript')}"):
        answer = await world.client.head(page, params={"format": "html"})
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["content-type"].startswith("text/html")
    assert (await world.client.head("/nowhere")).status_code == 404
    assert (await world.client.head("/v1/search")).status_code == 405


async def test_head_on_a_stream_ends_at_once(served):
    job_id = (await served.upload()).json()["id"]
    answer = await asyncio.wait_for(served.client.head(f"/v1/jobs/{job_id}/events"), 10)

    assert answer.headers["content-type"].startswith("text/event-stream")
    assert (await served.client.get("/livez")).status_code == 200, "the connection is free again"
