"""Recaps that were stored before statements knew their times are read as they are, on both databases."""

import json

from sqlalchemy import update

from adapters.scripted.clock import MovableClock
from adapters.sql import SqlStore
from adapters.sql.plain import pack
from adapters.sql.tables import recaps
from application.recap_times import with_times
from domain.template import SECTIONS
from ports.results import Ownership
from tests.documents import FULL, SEGMENTS

STORED = {
    "id": "recap_1", "transcript_id": "transcript_1", "language": "en", "title": "A plan",
    "summary": [{"text": "The team ships.", "segment_ids": [1, 2], "support": 0.9}], "key_points": [], "decisions": [],
    "action_items": [{"text": "Repair it", "segment_ids": [3], "support": 0.7, "owner": "Chloé", "due": "Friday"}],
    "open_questions": [],
    "chapters": [{"title": "Release", "start": 2.0, "end": 264.0, "segment_ids": [0], "summary": []}],
    "support": 0.8, "degraded": [], "provenance": [],
}  # fmt: skip
"""A row as the first version wrote it."""


async def test_a_recap_of_before_is_read_and_gets_its_times_from_the_transcript(database_url: str) -> None:
    store = SqlStore.open(database_url, MovableClock())
    await store.results.put_recap(Ownership("default", "conversation_1"), FULL)
    older = update(recaps).where(recaps.c.id == "recap_1").values(body=pack(json.dumps(STORED)))
    await store.results._database.write(lambda connection: connection.execute(older))
    recap = await store.results.get_recap("default", "recap_1")
    store.close()

    (item,) = recap.action_items
    assert (item.owner, item.due, item.due_date, item.confidence, item.start, item.end) == (
        "Chloé",
        "Friday",
        None,
        None,
        0.0,
        0.0,
    )
    assert recap.sections == SECTIONS
    assert [(s.start, s.end, s.speaker) for s in with_times(recap, SEGMENTS).summary] == [(65.0, 137.0, "Bob")]


async def test_a_recap_of_now_is_read_as_it_was_written(database_url: str) -> None:
    store = SqlStore.open(database_url, MovableClock())
    await store.results.put_recap(Ownership("default", "conversation_1"), FULL)
    found = await store.results.get_recap("default", FULL.id)
    store.close()

    assert found == FULL
