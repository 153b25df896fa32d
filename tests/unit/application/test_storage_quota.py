"""What the recordings of one tenant may take: counted once each, exact under concurrency, given back by a deletion."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from sqlalchemy import update

from adapters.local_blobs import LocalBlobStore
from adapters.scripted.clock import MovableClock
from adapters.sql import SqlStore, StoreSettings
from adapters.sql.engine import connect, writing
from adapters.sql.tables import blob_uses, schema_version
from application.payloads import AudioPayload
from application.submit_job import JobOptions
from domain.errors import IdempotencyMismatch, QuotaExceeded
from domain.job import Job, JobKind, JobRequest
from ports.blob_store import HOLD_S, Blob
from tests.contracts.test_blob_store_contract import files_in
from tests.upload_place import Sound, UploadPlace

MOST = 3000
THOUSAND = [bytes([number]) * 1000 for number in range(9)]
JOB_OPTIONS = JobOptions("t")


@dataclass
class Place(UploadPlace):
    """The stores of one test, `folder` those of the recordings."""

    folder: Path

    async def upload(self, content: bytes, options: JobOptions = JOB_OPTIONS) -> Job:
        return (await self.accept(JobKind.TRANSCRIPTION, Sound(content), options))[0]


@pytest.fixture
def place(tmp_path: Path, database_url: str) -> Iterator[Place]:
    clock = MovableClock()
    store = SqlStore.open(database_url, clock, StoreSettings(max_tenant_bytes=MOST))
    yield Place(store, LocalBlobStore(tmp_path / "blobs"), clock, tmp_path / "blobs")
    store.close()


async def test_what_does_not_fit_is_refused_and_leaves_nothing(place: Place) -> None:
    for content in THOUSAND[:2]:
        await place.upload(content)
    with pytest.raises(QuotaExceeded, match="2000 of 3000 bytes"):
        await place.upload(b"x" * 1001)
    assert len(files_in(place.folder)) == 2
    await place.upload(b"x" * 1000)


async def test_a_tenant_without_room_is_refused_before_a_byte_is_read(place: Place) -> None:
    for content in THOUSAND[:3]:
        await place.upload(content)
    sound = Sound(b"x")
    with pytest.raises(QuotaExceeded):
        await place.accept(JobKind.TRANSCRIPTION, sound, JOB_OPTIONS)
    assert not sound.read
    await place.accept(JobKind.TRANSCRIPTION, sound, replace(JOB_OPTIONS, tenant="other"))
    assert sound.read


async def test_the_same_recording_counts_once(place: Place) -> None:
    for _ in range(3):
        await place.upload(b"x" * (MOST - 1))
    await place.upload(b"y")


async def test_a_deletion_gives_the_room_back(place: Place) -> None:
    first = await place.upload(b"x" * MOST)
    with pytest.raises(QuotaExceeded):
        await place.upload(b"y")
    await place.store.jobs.cancel("t", first.id)
    await place.delete("t", first.result_id("conversation"))
    await place.upload(b"y" * MOST)


async def test_a_request_that_was_here_before_is_answered_though_there_is_no_room(place: Place) -> None:
    keyed = replace(JOB_OPTIONS, idempotency_key="k")
    job = await place.upload(b"x" * MOST, keyed)
    assert (await place.upload(b"x" * MOST, keyed)).id == job.id
    with pytest.raises(IdempotencyMismatch):
        await place.upload(b"y", keyed)
    with pytest.raises(QuotaExceeded):
        await place.upload(b"y", replace(JOB_OPTIONS, idempotency_key="other"))
    assert len(files_in(place.folder)) == 1


async def test_of_many_at_once_no_more_are_taken_than_fit(place: Place) -> None:
    taken = await asyncio.gather(*(place.upload(content) for content in THOUSAND), return_exceptions=True)
    refused = [outcome for outcome in taken if isinstance(outcome, BaseException)]
    assert {type(outcome) for outcome in refused} == {QuotaExceeded}
    assert len(taken) - len(refused) == 3
    assert len(files_in(place.folder)) == 3


async def test_a_recording_by_address_needs_room_when_it_is_asked_for_and_when_it_has_come(place: Place) -> None:
    payload = AudioPayload(None, 0, audio_url="https://media.example.com/a.wav").plain()
    await place.upload(b"x" * 2000)
    asked, _ = await place.store.jobs.submit(JobRequest(JobKind.TRANSCRIPTION, payload, tenant="t"))
    conversation = asked.result_id("conversation")
    with pytest.raises(QuotaExceeded):
        await place.store.results.name_blob("t", conversation, Blob("b" * 64, 1001))
    assert await place.store.results.name_blob("t", conversation, Blob("b" * 64, 1000)) == "b" * 64
    with pytest.raises(QuotaExceeded):
        await place.store.jobs.submit(JobRequest(JobKind.TRANSCRIPTION, payload, tenant="t"))
    # What keeps no recording is taken as ever.
    await place.store.jobs.submit(JobRequest(JobKind.RECAP, {"number": 1}, tenant="t"))


async def test_an_older_database_learns_the_sizes_of_what_it_keeps(place: Place, database_url: str) -> None:
    job = await place.upload(b"x" * MOST)
    engine = writing(connect(database_url))
    with engine.begin() as connection:
        connection.execute(update(schema_version).values(version=5))
        connection.exec_driver_sql(f"ALTER TABLE {blob_uses.name} DROP COLUMN size")
    engine.dispose()
    SqlStore.migrate(database_url)
    with pytest.raises(QuotaExceeded, match="3000 of 3000"):
        await place.store.results.check_room("t", 1)
    await place.clock.advance(HOLD_S)
    await place.store.jobs.cancel("t", job.id)
    await place.delete("t", job.result_id("conversation"))
    await place.store.results.check_room("t", MOST)
