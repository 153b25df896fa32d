"""A recording that was transcribed before is not decoded again: what is found, what is not, and what a deletion takes along."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest

from adapters.scripted.clock import MovableClock
from adapters.sql import SqlStore
from application.known_transcripts import KnownTranscripts
from domain.call import CallContext, CallKind, CallSpec, ModelIdentity, Provenance
from domain.errors import StorageFailed
from domain.transcript import REFUSED, Coverage, Segment, SuspectSpan, Transcript
from ports.results import Ownership
from ports.transcriber import TranscriptionOptions

MODEL = ModelIdentity("whisper", "r1", "faster-whisper", "int8")
CALL = replace(Provenance.of(CallSpec(CallKind.TRANSCRIBE, "0" * 64, MODEL, {})), attempts=1, cost_usd=0.5)
BLOB = "b" * 64
OPTIONS = TranscriptionOptions()
FIRST, SECOND = (CallContext(conversation_id=f"conversation_{n}", job_id=f"job_{n}") for n in (1, 2))


def transcript(number: int = 1, **changes: object) -> Transcript:
    segment = Segment(0, 0.0, 1.0, "Good morning.", None, (), None)
    return replace(Transcript(f"transcript_{number}", "en", 1.0, (segment,), Coverage(1.0, 1.0), (CALL,)), **changes)


@dataclass
class Memory:
    store: SqlStore
    known: KnownTranscripts

    async def transcribed(self, context: CallContext = FIRST, made: Transcript | None = None) -> None:
        made = made or transcript()
        await self.store.results.put_transcript(Ownership(context.tenant, str(context.conversation_id)), made)
        await self.known.note(BLOB, OPTIONS, context, made)


@pytest.fixture
async def memory() -> AsyncIterator[Memory]:
    store = SqlStore.open("sqlite://", MovableClock())
    yield Memory(store, KnownTranscripts(store.calls, store.results, {"model": "r1"}, "w"))
    store.close()


async def test_the_same_recording_is_known_and_costs_nothing(memory: Memory) -> None:
    await memory.transcribed()
    known = await memory.known.find(BLOB, OPTIONS, SECOND)
    assert known is not None
    assert known.text == "Good morning."
    (call,) = known.provenance
    assert (call.cache_hit, call.attempts, call.cost_usd, call.model) == (True, 0, 0.0, MODEL)


@pytest.mark.parametrize(
    ("blob", "options", "context"),
    [
        ("c" * 64, OPTIONS, SECOND),
        (BLOB, TranscriptionOptions(language="de"), SECOND),
        (BLOB, TranscriptionOptions(prompt="Ada"), SECOND),
        (BLOB, OPTIONS, replace(SECOND, tenant="other")),
        (BLOB, OPTIONS, replace(SECOND, store=False)),
    ],
    ids=["other bytes", "another language", "other words", "another tenant", "no-store"],
)
async def test_another_request_is_not_known(
    memory: Memory, blob: str, options: TranscriptionOptions, context: CallContext
) -> None:
    await memory.transcribed()
    assert await memory.known.find(blob, options, context) is None


async def test_another_recipe_is_not_known(memory: Memory) -> None:
    await memory.transcribed()
    newer = replace(memory.known, recipe={"model": "r2"})
    assert await newer.find(BLOB, OPTIONS, SECOND) is None


async def test_a_request_that_may_not_be_stored_is_not_remembered(memory: Memory) -> None:
    await memory.transcribed(replace(FIRST, store=False))
    assert await memory.known.find(BLOB, OPTIONS, SECOND) is None


async def test_a_transcript_with_refused_windows_is_tried_again(memory: Memory) -> None:
    refused = Coverage(1.0, 0.0, (SuspectSpan(0.0, 1.0, REFUSED),))
    await memory.transcribed(made=transcript(coverage=refused))
    assert await memory.known.find(BLOB, OPTIONS, SECOND) is None


async def test_a_deleted_transcript_is_forgotten_though_another_conversation_knew_it(memory: Memory) -> None:
    await memory.transcribed()
    assert await memory.known.find(BLOB, OPTIONS, SECOND) is not None
    await memory.store.calls.forget_conversation("tenant:default", "conversation_1")
    await memory.store.results.delete_conversation("default", "conversation_1")
    assert await memory.known.find(BLOB, OPTIONS, SECOND) is None
    await memory.transcribed(SECOND, transcript(2))
    known = await memory.known.find(BLOB, OPTIONS, replace(SECOND, conversation_id="conversation_3"))
    assert known is not None
    assert known.id == "transcript_2"


async def test_a_store_that_can_not_take_the_note_fails_nobody(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: object) -> None:
        raise StorageFailed("away")

    monkeypatch.setattr(memory.store.calls, "begin", away)
    await memory.known.note(BLOB, OPTIONS, FIRST, transcript())
