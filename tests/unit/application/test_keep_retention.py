"""What is deleted, by its owner or by age, is nowhere: planted words, sound and numbers are looked for in every store."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import inspect, text

from adapters.local_blobs import LocalBlobStore
from adapters.s3_blobs import S3BlobStore
from adapters.scripted.clock import MovableClock
from adapters.sql import SqlStore
from adapters.sql.engine import connect
from application.keep_retention import DAY_S, KeepRetention, Retention
from domain.call import CallContext
from domain.embedding import Embedding
from domain.job import Job, JobKind
from domain.recap import Recap, Statement
from domain.search import Passage
from domain.transcript import Coverage, Segment, Transcript
from ports.results import Ownership
from tests.contracts.test_results_contract import MODEL
from tests.s3_server import S3Server
from tests.unit.application.test_remove_blobs import JOB_OPTIONS, Place, Sound

WORD = "zugvogelklappe"
NUMBER = 0.123456789
PLANTED = {"word": WORD.encode(), "sound": b"wagenheberton" * 100, "vector": struct.pack("<2f", NUMBER, -NUMBER)}


@dataclass
class Everything(Place):
    """Every place in which bytes of a conversation may lie."""

    folder: Path
    url: str
    s3: S3Server | None = None

    def content(self) -> bytes:
        """All files of the data folder; of servers, all rows and all objects."""
        parts = [path.read_bytes() for path in sorted(self.folder.rglob("*")) if path.is_file()]
        if self.s3 is not None:
            parts.append(self.s3.contents(self.blobs._access))  # type: ignore[attr-defined]
            parts.append(rows_of(self.url))
        return b"\n".join(parts)

    def found(self) -> set[str]:
        """Names of what was planted and can be found."""
        there = self.content()
        return {name for name, planted in PLANTED.items() if planted in there}

    async def conversation(self, tenant: str = "t") -> Job:
        """A conversation with all that belongs to one, ended."""
        options = type(JOB_OPTIONS)(tenant)
        job, _ = await self.accept(JobKind.CONVERSATION, Sound(PLANTED["sound"]), options)
        owner = Ownership(tenant, job.result_id("conversation"))
        context = CallContext(tenant=tenant, conversation_id=owner.conversation_id)
        segment = Segment(0, 0.0, 1.0, f"the {WORD} opened", None, (), None)
        transcript_id = job.result_id("transcript")
        lease = await self.store.jobs.claim("w", 30.0)
        assert lease is not None
        await self.store.jobs.emit(lease, "window", {"text": segment.text})
        await self.store.results.put_transcript(owner, Transcript(transcript_id, "en", 1.0, (segment,), Coverage(1, 1)))
        said = Statement(segment.text, (0,), 1.0)
        recap = Recap(job.result_id("recap"), transcript_id, "en", WORD, (said,), (), (), (), (), (), 1.0, (), ())
        await self.store.results.put_recap(owner, recap)
        vector = [NUMBER, -NUMBER]
        await self.store.results.put_embedding(owner, job.result_id("embedding"), Embedding(MODEL, [vector]))
        await self.store.search.index(owner, transcript_id, [Passage(transcript_id, (0,), 0, 1, segment.text, vector, MODEL)])
        calls, scope, key = self.store.calls, context.cache_scope, f"key of {job.id}"
        claimed = await calls.begin(scope, key, "w", 10.0, owner.conversation_id)
        await calls.put(scope, key, "w", claimed.fence, {"text": segment.text}, owner.conversation_id)  # type: ignore[union-attr]
        await self.store.jobs.complete(lease, {"transcript_id": transcript_id})
        return job

    def retention(self, kept: Retention) -> KeepRetention:
        return KeepRetention(self.store.jobs, self.store.results, self.delete, kept, self.clock)


def rows_of(url: str) -> bytes:
    """Every value of every row, as the database would show it and as bytes."""
    engine, parts = connect(url), []
    with engine.connect() as connection:
        for table in inspect(connection).get_table_names():
            for row in connection.execute(text(f'SELECT * FROM "{table}"')):
                parts += [bytes(value) if isinstance(value, bytes | memoryview) else repr(value).encode() for value in row]
    engine.dispose()
    return b"\n".join(parts)


@pytest.fixture(params=["sqlite on disk", "postgresql with s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Everything]:
    clock = MovableClock()
    if request.param == "sqlite on disk":
        url, s3 = request.getfixturevalue("sqlite_url"), None
        blobs = LocalBlobStore(tmp_path / "blobs")
    else:
        url, s3 = request.getfixturevalue("postgresql_url"), request.getfixturevalue("s3")
        access = s3.bucket()
        blobs = S3BlobStore(access, tmp_path, 2**30, clock)
        blobs._access = access  # type: ignore[attr-defined]
    store = SqlStore.open(url, clock)
    yield Everything(store, blobs, clock, tmp_path, url, s3)
    store.close()


async def test_nothing_of_a_deleted_conversation_is_found_anywhere(place: Everything) -> None:
    job = await place.conversation()
    assert place.found() == set(PLANTED)
    await place.delete("t", job.result_id("conversation"))
    assert place.found() == set()
    assert await place.store.jobs.all_jobs(10) == []


async def test_what_is_past_its_retention_is_found_nowhere_and_the_rest_stays(place: Everything) -> None:
    kept = Retention(days=10.0, tenants={"brief": 1.0, "ever": None})
    jobs = {tenant: await place.conversation(tenant) for tenant in ("usual", "brief", "ever")}

    async def there() -> list[str]:
        await place.retention(kept)()
        return sorted(job.request.tenant for job in await place.store.jobs.all_jobs(10))

    await place.clock.advance(DAY_S - 1)
    assert await there() == ["brief", "ever", "usual"]
    await place.clock.advance(2)
    assert await there() == ["ever", "usual"]
    await place.clock.advance(10 * DAY_S)
    assert await there() == ["ever"]
    assert place.found() == set(PLANTED)
    await place.delete("ever", jobs["ever"].result_id("conversation"))
    assert place.found() == set()


async def test_bytes_that_two_conversations_share_go_with_the_second(place: Everything) -> None:
    first, second = await place.conversation(), await place.conversation()
    await place.delete("t", first.result_id("conversation"))
    assert place.found() == set(PLANTED)
    await place.delete("t", second.result_id("conversation"))
    assert place.found() == set()


async def test_without_retention_nothing_is_ever_deleted(place: Everything) -> None:
    await place.conversation()
    await place.clock.advance(10_000 * DAY_S)
    assert await place.retention(Retention())() == 0
    assert place.found() == set(PLANTED)
