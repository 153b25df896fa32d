"""Transcripts that were stored before speakers were looked for are read as they are, on both databases."""

import json

from sqlalchemy import update

from adapters.scripted.clock import MovableClock
from adapters.sql import SqlStore
from adapters.sql.plain import pack
from adapters.sql.tables import transcripts
from domain.named_speakers import NOT_LOOKED_FOR
from domain.transcript import Coverage, Segment, Transcript
from ports.results import Ownership

STORED = {
    "id": "transcript_1", "language": "en", "duration": 2.0,
    "segments": [{"id": 0, "start": 0.0, "end": 2.0, "text": "Good morning.", "scores": None, "words": [], "speaker": None}],
    "coverage": {"speech_seconds": 2.0, "transcribed_seconds": 2.0, "suspects": []}, "provenance": [], "damaged": False,
}  # fmt: skip
"""A row as the version before wrote it."""


async def test_a_transcript_of_before_is_read_as_one_whose_speakers_nobody_looked_for(database_url: str) -> None:
    store = SqlStore.open(database_url, MovableClock())
    made = Transcript("transcript_1", "en", 2.0, (), Coverage(2.0, 2.0))
    await store.results.put_transcript(Ownership("default", "conversation_1"), made)
    older = update(transcripts).where(transcripts.c.id == "transcript_1").values(body=pack(json.dumps(STORED)))
    await store.results._database.write(lambda connection: connection.execute(older))
    found = await store.results.get_transcript("default", "transcript_1")
    store.close()

    assert (found.segments, found.speakers) == ((Segment(0, 0.0, 2.0, "Good morning."),), NOT_LOOKED_FOR)
