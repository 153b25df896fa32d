"""Action items as iCalendar: what is written is read again, and is nothing else."""

from dataclasses import replace
from datetime import UTC, date, datetime

from hypothesis import given, settings
from hypothesis import strategies as st
from icalendar import Calendar, Todo

from adapters.icalendar_tasks import IcalendarTasks
from application.recap_tasks import tasks_of
from application.transcript_formats import one_line
from domain.recap import ActionItem, Recap
from domain.transcript import Segment
from tests.documents import EMPTY, FULL, SEGMENTS

MADE_AT = 1_796_000_000.5
HOSTILE = ("\r\nDUE:20000101", "\nEND:VTODO\nBEGIN:VALARM", "\\n", ";", ",", ":", '"', "\\", "X-A;B=C:", "\x85", "\u2028")
WORDS = st.lists(st.sampled_from(HOSTILE) | st.text(max_size=40), min_size=1, max_size=4).map("".join).filter(one_line)


def written(recap: Recap, segments: tuple[Segment, ...] = SEGMENTS) -> str:
    return IcalendarTasks().calendar(tasks_of(recap, segments), MADE_AT)


def read(recap: Recap, segments: tuple[Segment, ...] = SEGMENTS) -> list[Todo]:
    calendar = Calendar.from_ical(written(recap, segments))
    assert calendar.errors == []
    assert calendar["version"] == "2.0"
    assert all(isinstance(part, Todo) for part in calendar.subcomponents)
    return list(calendar.todos)


def test_every_action_item_is_a_task_with_its_owner_its_words_and_the_time_they_were_said():
    repair, notes, cell = read(FULL)

    assert repair["summary"] == "Chloé: Repair the export"
    assert repair.decoded("due") == date(2026, 12, 4)
    assert repair.decoded("dtstamp") == datetime(2026, 11, 30, 0, 53, 20, tzinfo=UTC)
    assert repair["description"].split("\n") == [
        "Due: Friday",
        'Date: "Friday" as said on 2026-11-30 (dateparser, prefer future)',
        '3:20 Chloé: "I can repair it by Friday, and Ann writes the notes."',
    ]
    assert "due" not in notes
    assert cell["summary"] == "=SUM(A1) is wrong; check the cell, please"


def test_lines_end_and_fold_as_the_standard_asks():
    lines = written(FULL).encode().split(b"\r\n")
    assert lines[-1] == b""
    assert not any(b"\n" in line or b"\r" in line or len(line) > 75 for line in lines)


def test_the_same_item_of_the_same_conversation_keeps_its_name_and_no_two_share_one():
    names = [todo["uid"] for todo in read(FULL)]
    made_again = [todo["uid"] for todo in read(replace(FULL, id="recap_9"))]
    twice = [todo["uid"] for todo in read(replace(FULL, action_items=FULL.action_items[:1] * 2))]

    assert names == made_again
    assert len({*names, *twice}) == 4
    assert [todo["uid"] for todo in read(replace(FULL, transcript_id="transcript_2"))] != names


def test_a_recap_without_action_items_is_an_empty_calendar():
    assert read(EMPTY) == []


@given(words=WORDS, other=WORDS)
@settings(max_examples=150, deadline=None)
def test_no_words_leave_their_property(words, other):
    item = ActionItem(words, (0,), 1.0, other, words, None, other)
    (todo,) = read(replace(EMPTY, action_items=(item,)), (Segment(0, 2.0, 9.5, words, speaker=other),))

    said, who = one_line(words), one_line(other)
    assert set(todo) == {"UID", "DTSTAMP", "SUMMARY", "DESCRIPTION", "STATUS"}
    assert todo["summary"] == f"{who}: {said}"
    assert todo["description"] == f'Due: {said}\nDate: {who}\n0:02 {who}: "{said}"'
