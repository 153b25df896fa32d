"""Removing stored bytes: orphans go, and an upload of the same bytes at the same moment never loses its recording."""

import asyncio
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters.local_blobs import LocalBlobStore
from adapters.s3_blobs import S3BlobStore
from adapters.scripted.clock import MovableClock
from adapters.sql import SqlStore
from application.accept_upload import AcceptUpload
from application.payloads import AudioPayload
from application.submit_job import JobOptions, SubmitJob
from domain.errors import NotFound, StorageFailed
from domain.job import Job, JobKind
from ports.blob_store import COLLECT_S, HOLD_S, TAKE_OVER_S, Blob
from tests.contracts.test_blob_store_contract import content_of
from tests.s3_server import S3Server
from tests.upload_place import Sound, UploadPlace

SOUND = b"the same sound" * 1000
JOB_OPTIONS = JobOptions("t")


class Place(UploadPlace):
    """What happens at the stores of one test."""

    async def uploaded(self) -> Job:
        return (await self.accept(JobKind.TRANSCRIPTION, Sound(SOUND), JOB_OPTIONS))[0]

    async def stored_without_a_job(self, content: bytes = SOUND) -> Blob:
        """What an ingress leaves that is killed between storing the bytes and writing the job."""
        async with self.blobs.writer("t") as writer:
            await writer.write(content)
            blob = await writer.finish()
            assert await self.store.results.hold("t", blob.id, "killed")
            return await writer.commit()


@pytest.fixture(params=["sqlite on disk", "postgresql with s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    clock = MovableClock()
    if request.param == "sqlite on disk":
        url, blobs = request.getfixturevalue("sqlite_url"), LocalBlobStore(tmp_path / "blobs")
    else:
        url = request.getfixturevalue("postgresql_url")
        s3: S3Server = request.getfixturevalue("s3")
        blobs = S3BlobStore(s3.bucket(), tmp_path, 2**30, clock)
    store = SqlStore.open(url, clock)
    yield Place(store, blobs, clock)
    store.close()


async def test_an_orphan_is_removed_once_nobody_can_be_at_it(place: Place) -> None:
    blob = await place.stored_without_a_job()
    await place.clock.advance(HOLD_S - 1)
    assert await place.removal.leftovers() == 0
    assert await content_of(place.blobs, blob.id) == SOUND
    await place.clock.advance(1)
    assert await place.removal.leftovers() == 1
    with pytest.raises(NotFound):
        await content_of(place.blobs, blob.id)
    assert await place.removal.leftovers() == 0


async def test_bytes_that_a_job_names_are_no_orphan(place: Place) -> None:
    blob = await place.stored_without_a_job()
    job = await place.uploaded()
    await place.clock.advance(10 * HOLD_S)
    assert await place.removal.leftovers() == 0
    assert await content_of(place.blobs, blob.id) == SOUND
    await place.store.jobs.cancel("t", job.id)
    await place.delete("t", job.result_id("conversation"))
    with pytest.raises(NotFound):
        await content_of(place.blobs, blob.id)


async def test_a_refused_upload_leaves_the_bytes_of_another_alone(place: Place) -> None:
    job = await place.uploaded()
    refused = AcceptUpload(place.blobs, place.store.results, SubmitJob(place.store.jobs, 100, 5.0), 2**30, place.clock)
    again = JobOptions("t", idempotency_key="k")
    await refused(JobKind.TRANSCRIPTION, Sound(b"other"), again)
    with pytest.raises(Exception, match="another body"):
        await refused(JobKind.TRANSCRIPTION, Sound(SOUND), again)
    assert await content_of(place.blobs, AudioPayload.of(job.request.payload).blob_id) == SOUND


async def test_bytes_that_were_stored_and_whose_job_is_being_written_stay(place: Place) -> None:
    earlier = await place.uploaded()
    reached, go = asyncio.Event(), asyncio.Event()

    class HeldUp(SubmitJob):
        async def __call__(self, *arguments: Any) -> Any:
            reached.set()
            await go.wait()
            return await super().__call__(*arguments)

    accept = replace(place.accept, submit=HeldUp(place.store.jobs, 100, 5.0))
    uploading = asyncio.create_task(accept(JobKind.TRANSCRIPTION, Sound(SOUND), JOB_OPTIONS))
    await reached.wait()
    await place.store.jobs.cancel("t", earlier.id)
    await place.delete("t", earlier.result_id("conversation"))
    assert await place.removal.leftovers() == 0
    go.set()
    job, _ = await uploading
    assert await content_of(place.blobs, AudioPayload.of(job.request.payload).blob_id) == SOUND


async def test_an_upload_waits_for_a_removal_of_the_same_bytes(place: Place) -> None:
    blob = await place.stored_without_a_job()
    assert await place.store.results.set_tombstone("t", blob.id, "killed")
    asked = place.clock.monotonic()
    uploading = asyncio.create_task(place.uploaded())
    for _ in range(5):
        await asyncio.sleep(0.05)
    assert not uploading.done()
    await place.removal.collect("t", blob.id, asked)
    while not uploading.done():
        await place.clock.advance(0.2)
        await asyncio.sleep(0.02)
    job = await uploading
    assert await content_of(place.blobs, AudioPayload.of(job.request.payload).blob_id) == SOUND


async def test_a_removal_whose_process_died_is_finished_by_another(place: Place) -> None:
    blob = await place.stored_without_a_job()
    assert await place.store.results.set_tombstone("t", blob.id, "killed")
    await place.clock.advance(TAKE_OVER_S - 1)
    assert await place.removal.leftovers() == 0
    await place.clock.advance(1)
    assert await place.removal.leftovers() == 1
    with pytest.raises(NotFound):
        await content_of(place.blobs, blob.id)


async def test_a_remover_that_slept_too_long_removes_nothing(place: Place) -> None:
    blob = await place.stored_without_a_job()
    asked = place.clock.monotonic()
    assert await place.store.results.set_tombstone("t", blob.id, "killed")
    await place.clock.advance(TAKE_OVER_S)
    assert await place.removal.leftovers() == 1
    await place.uploaded()  # the same bytes, stored anew
    assert place.clock.monotonic() - asked > COLLECT_S
    await place.removal.collect("t", blob.id, asked)
    assert await content_of(place.blobs, blob.id) == SOUND


async def test_no_upload_loses_its_recording_to_collectors_and_deletions(place: Place) -> None:
    """Uploads, deletions and the chore at once, on one content, in whatever order the machine makes of it."""
    seed = random.SystemRandom().randrange(2**32)
    print("seed", seed)
    dice = random.Random(seed)
    living: list[Job] = []

    async def upload() -> None:
        while True:
            try:
                living.append(await place.uploaded())
                return
            except StorageFailed:  # five seconds of the movable clock passed: the client sends it again
                await asyncio.sleep(0.01)

    async def deletion() -> None:
        await asyncio.sleep(dice.random() / 50)
        if living:
            job = living.pop(dice.randrange(len(living)))
            await place.store.jobs.cancel("t", job.id)
            await place.delete("t", job.result_id("conversation"))

    async def chore() -> None:
        await asyncio.sleep(dice.random() / 50)
        await place.removal.leftovers()

    async def time_goes_on() -> None:
        while True:
            await place.clock.advance(0.1)
            await asyncio.sleep(0.005)

    ticking = asyncio.create_task(time_goes_on())
    for _ in range(8):
        await asyncio.gather(*(dice.choice((upload, upload, deletion, chore))() for _ in range(12)))
        for job in living:
            assert await content_of(place.blobs, AudioPayload.of(job.request.payload).blob_id) == SOUND
    ticking.cancel()
