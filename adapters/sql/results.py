"""Transcripts, recaps and vectors as rows, and their deletion."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from pydantic import TypeAdapter
from sqlalchemy import Connection, Table, delete, insert, select, update

from adapters.sql.blobs import SqlBlobReferences, check_room, set_tombstone
from adapters.sql.job_rows import find
from adapters.sql.plain import floats_from_bytes, floats_to_bytes, from_text, pack, unpack, upsert
from adapters.sql.search_rows import count_up
from adapters.sql.search_tables import passages, search_blocks
from adapters.sql.tables import blob_uses, deleted_conversations, embeddings, recaps, transcripts
from domain.conversation import Held
from domain.embedding import Embedding
from domain.errors import Gone, InvalidRequest, NotFound
from domain.recap import Recap
from domain.transcript import Transcript
from ports.blob_store import Blob
from ports.results import ConversationDeleter, ConversationStore, EmbeddingStore, Ownership, RecapStore, TranscriptStore

Value = TypeVar("Value")
_TRANSCRIPT: TypeAdapter[Transcript] = TypeAdapter(Transcript)
_RECAP: TypeAdapter[Recap] = TypeAdapter(Recap)
_EMBEDDING: TypeAdapter[Embedding] = TypeAdapter(Embedding)


class SqlResults(SqlBlobReferences, TranscriptStore, RecapStore, EmbeddingStore, ConversationStore, ConversationDeleter):
    """Results as packed JSON under (tenant, id), vectors as float32.

    A worker that writes late, after its conversation was deleted, gets Gone: nothing comes back to life.
    """

    async def put_transcript(self, owner: Ownership, transcript: Transcript) -> None:
        body = pack(_TRANSCRIPT.dump_json(transcript))
        await self._database.write(lambda c: _put(c, transcripts, owner, id=transcript.id, body=body))

    async def get_transcript(self, tenant: str, transcript_id: str) -> Transcript:
        row = await self._database.read(lambda c: _get(c, transcripts, tenant, transcript_id, "transcript"))
        return _TRANSCRIPT.validate_json(unpack(row.body))

    async def change_transcript(self, tenant: str, transcript_id: str, change: Callable[[Transcript], Transcript]) -> Transcript:
        def work(connection: Connection) -> Transcript:
            row = _get(connection, transcripts, tenant, transcript_id, "transcript")
            changed = change(_TRANSCRIPT.validate_json(unpack(row.body)))
            mine = (transcripts.c.tenant == tenant, transcripts.c.id == transcript_id)
            connection.execute(update(transcripts).where(*mine).values(body=pack(_TRANSCRIPT.dump_json(changed))))
            return changed

        return await self._database.write(work)

    async def put_recap(self, owner: Ownership, recap: Recap) -> None:
        body = pack(_RECAP.dump_json(recap))
        await self._database.write(lambda c: _put(c, recaps, owner, id=recap.id, body=body))

    async def get_recap(self, tenant: str, recap_id: str) -> Recap:
        row = await self._database.read(lambda c: _get(c, recaps, tenant, recap_id, "recap"))
        return _RECAP.validate_json(unpack(row.body))

    async def put_embedding(self, owner: Ownership, embedding_id: str, embedding: Embedding) -> None:
        vectors = embedding.vectors
        dimensions = len(vectors[0]) if vectors else 0
        if any(len(vector) != dimensions for vector in vectors):
            raise InvalidRequest("Vectors of one embedding have one length.")
        data, body = floats_to_bytes(vectors), pack(_EMBEDDING.dump_json(replace(embedding, vectors=())))
        columns = {"id": embedding_id, "body": body, "vectors": data, "dimensions": dimensions}
        await self._database.write(lambda c: _put(c, embeddings, owner, **columns))

    async def get_embedding(self, tenant: str, embedding_id: str) -> Embedding:
        row = await self._database.read(lambda c: _get(c, embeddings, tenant, embedding_id, "embedding"))
        vectors: list[list[float]] = floats_from_bytes(row.vectors, row.dimensions).tolist() if row.dimensions else []
        return replace(_EMBEDDING.validate_json(unpack(row.body)), vectors=vectors)

    async def held(self, tenant: str, conversation_id: str) -> Held:
        return await self._database.read(lambda c: _held(c, tenant, conversation_id))

    async def delete_conversation(self, tenant: str, conversation_id: str) -> Sequence[str]:
        blobs = await self._database.write(lambda c: _delete(c, tenant, conversation_id, self._database.now(c, self._clock)))
        await self._database.scrub()
        return blobs

    async def forget_deletions(self, before: float) -> int:
        return await self._database.write(lambda c: _forget(c, before))

    async def blob_of_conversation(self, tenant: str, conversation_id: str) -> str | None:
        return await self._database.read(lambda c: _named_blob(c, tenant, conversation_id))

    async def name_blob(self, tenant: str, conversation_id: str, blob: Blob) -> str:
        owner = Ownership(tenant, conversation_id)
        return await self._database.write(lambda c: _name_blob(c, owner, blob, self._max_tenant_bytes))


def _held(connection: Connection, tenant: str, conversation_id: str) -> Held:
    def ids(table: Table) -> Sequence[str]:
        mine = (table.c.tenant == tenant, table.c.conversation_id == conversation_id)
        return connection.execute(select(table.c.id).where(*mine).order_by(table.c.id)).scalars().all()

    return Held(ids(transcripts), ids(recaps), ids(embeddings))


def _forget(connection: Connection, before: float) -> int:
    return connection.execute(delete(deleted_conversations).where(deleted_conversations.c.deleted_at < before)).rowcount


def _named_blob(connection: Connection, tenant: str, conversation_id: str) -> str | None:
    mine = (blob_uses.c.tenant == tenant, blob_uses.c.conversation_id == conversation_id)
    return connection.execute(
        select(blob_uses.c.blob_id).where(*mine).order_by(blob_uses.c.blob_id).limit(1)
    ).scalar_one_or_none()


def _name_blob(connection: Connection, owner: Ownership, blob: Blob, most: int | None) -> str:
    refuse_deleted(connection, owner)
    named = _named_blob(connection, owner.tenant, owner.conversation_id)
    if named is None:
        check_room(connection, owner.tenant, blob.id, blob.size, most)
        use = {"tenant": owner.tenant, "blob_id": blob.id, "conversation_id": owner.conversation_id, "size": blob.size}
        connection.execute(insert(blob_uses).values(**use))
    return named or blob.id


def refuse_deleted(connection: Connection, owner: Ownership) -> None:
    """Raises Gone when the conversation was deleted."""
    gone = deleted_conversations.c
    chosen = select(gone.owner).where(gone.owner == owner.tenant, gone.conversation_id == owner.conversation_id)
    if connection.execute(chosen).first() is not None:
        raise Gone("The conversation was deleted.")


def _put(connection: Connection, table: Table, owner: Ownership, **columns: Any) -> None:
    refuse_deleted(connection, owner)
    columns["conversation_id"] = owner.conversation_id
    statement = upsert(connection.dialect.name, table).values(tenant=owner.tenant, **columns)
    kept = {name: value for name, value in columns.items() if name != "id"}
    connection.execute(statement.on_conflict_do_update(index_elements=["tenant", "id"], set_=kept))


def _get(connection: Connection, table: Table, tenant: str, result_id: str, what: str) -> Any:
    row = connection.execute(select(table).where(table.c.tenant == tenant, table.c.id == result_id)).one_or_none()
    if row is None:
        raise NotFound(f"No such {what}.")
    return row


def _delete(connection: Connection, tenant: str, conversation_id: str, now: float) -> Sequence[str]:
    blobs = _blobs_of(connection, tenant, conversation_id)
    removed = 0
    for table in (transcripts, recaps, embeddings, passages, search_blocks, blob_uses):
        mine = (table.c.tenant == tenant, table.c.conversation_id == conversation_id)
        removed += connection.execute(delete(table).where(*mine)).rowcount
    if not removed and blobs is None:
        raise NotFound("No such conversation.")
    count_up(connection, tenant)
    gone = {"owner": tenant, "conversation_id": conversation_id, "deleted_at": now}
    connection.execute(upsert(connection.dialect.name, deleted_conversations).values(**gone).on_conflict_do_nothing())
    return [blob_id for blob_id in sorted(blobs or ()) if set_tombstone(connection, tenant, blob_id, now)]


def _blobs_of(connection: Connection, tenant: str, conversation_id: str) -> set[str] | None:
    """Return the blobs of a conversation, also those that a deletion cut short has left; None when nothing is known of it."""
    mine = (blob_uses.c.tenant == tenant, blob_uses.c.conversation_id == conversation_id)
    blobs = set(connection.execute(select(blob_uses.c.blob_id).where(*mine)).scalars())
    job = find(connection, tenant, "job_" + conversation_id.rpartition("_")[2])
    if job is None:
        return blobs or None
    blob_id = from_text(job["payload"]).get("blob_id")
    return blobs | {blob_id} if isinstance(blob_id, str) else blobs
