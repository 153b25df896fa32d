"""Recaps as text files."""

import csv
import io
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from application.recap_formats import COLUMNS, FORMULA, action_items_csv, recap_markdown, recap_text, spoken_time
from application.recap_times import with_times
from application.transcript_formats import one_line
from domain.recap import ActionItem, Recap, Statement
from tests.documents import EMPTY, FULL, SEGMENTS

WORDS = st.text(min_size=1, max_size=60).filter(one_line)


def test_markdown_has_the_sections_that_are_not_empty_with_times_that_lead_to_what_is_cited():
    link = "/v1/transcripts/transcript_1?format=html#t"
    assert (
        recap_markdown(FULL, SEGMENTS)
        == rf"""# A \<plan\> for the release

> 85% supported by what was said.

> Parts are quoted instead of phrased: the model was away.

## Summary

- The team ships on \*Friday\*. ([1:05]({link}-1), [2:10]({link}-2))
- The export fails for large customers, and will be repaired before the release ([2:10]({link}-2), [3:20]({link}-3))

## Decisions

- Ship on Friday. ([0:02]({link}-0), [1:05]({link}-1), [2:10]({link}-2), +2)

## Action items

- **Chloé**: Repair the export (due Friday, 2026-12-04) ([3:20]({link}-3))
- **Ann**: Write the notes (due soon) ([3:20]({link}-3))
- =SUM(A1) is wrong; check the cell, please ([4:20]({link}-4))

## Open questions

- Who pays? ([1:01:40]({link}-5))

## Chapters

### [0:02]({link}-0)-4:24 Release

- It is ready. ([1:05]({link}-1))

### [1:01:40]({link}-5)-1:01:45 Money
"""
    )


def test_plain_text_is_made_of_sentences_with_speakers_and_times_in_words():
    assert (
        recap_text(FULL, SEGMENTS) == """A <plan> for the release
85% supported by what was said.
Parts are quoted instead of phrased: the model was away.

Summary
The team ships on *Friday*. Heard from Bob at 1 minute 5 seconds and at 2 minutes 10 seconds.
The export fails for large customers, and will be repaired before the release. """
        """Heard from Bob and Chloé at 2 minutes 10 seconds and at 3 minutes 20 seconds.

Decisions
Ship on Friday. Heard from Ann, Bob and Chloé at 2 seconds, at 1 minute 5 seconds, at 2 minutes 10 seconds and at 2 more places.

Action items
Repair the export. This is for Chloé. It is due Friday, which is 4 December 2026. Heard from Chloé at 3 minutes 20 seconds.
Write the notes. This is for Ann. It is due soon. Heard from Chloé at 3 minutes 20 seconds.
=SUM(A1) is wrong; check the cell, please. Heard from Ann at 4 minutes 20 seconds.

Open questions
Who pays? Heard at 1 hour 1 minute 40 seconds.

Chapters
Chapter 1, Release, from 2 seconds to 4 minutes 24 seconds.
It is ready. Heard from Bob at 1 minute 5 seconds.
Chapter 2, Money, from 1 hour 1 minute 40 seconds to 1 hour 1 minute 45 seconds.
"""
    )


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "the start"), (1, "1 second"), (60, "1 minute"), (3601, "1 hour 1 second"), (7320.9, "2 hours 2 minutes")],
)
def test_a_time_is_told_as_one_says_it(seconds, words):
    assert spoken_time(seconds) == words


def test_without_the_transcript_a_statement_keeps_its_own_time_and_leads_nowhere():
    assert "- The team ships on \\*Friday\\*. (1:05)" in recap_markdown(FULL)
    assert "please (segment 4)" in recap_markdown(FULL)
    assert "](" not in recap_markdown(FULL)
    assert "Heard from Bob at 1 minute 5 seconds." in recap_text(FULL)


def test_a_recap_that_was_stored_without_times_gets_them_from_the_segments_it_cites():
    older = replace(FULL, decisions=(Statement("Ship.", (0, 1), 1.0), Statement("Gone.", (99,), 1.0)))
    first, gone = with_times(older, SEGMENTS).decisions

    assert (first.start, first.end, first.speaker) == (2.0, 71.0, None)
    assert (gone.start, gone.end, gone.speaker) == (0.0, 0.0, None)
    assert with_times(older, SEGMENTS).action_items[2].speaker == "Ann"
    assert with_times(FULL, ()) == FULL


def test_sections_stand_in_the_order_of_the_template_and_those_it_leaves_out_are_not_shown():
    shaped = replace(FULL, sections=("action_items", "summary"))

    for written in (recap_markdown(shaped, SEGMENTS), recap_text(shaped, SEGMENTS)):
        assert written.index("Action items") < written.index("Summary")
        assert "Decisions" not in written
        assert "Chapters" not in written


def test_an_empty_recap_is_still_a_document():
    assert recap_markdown(EMPTY) == "# Recap\n\n> 100% supported by what was said.\n"
    assert recap_text(EMPTY) == "Recap\n100% supported by what was said.\n"
    assert rows(EMPTY) == [list(COLUMNS)]


def rows(recap: Recap) -> list[list[str]]:
    return list(csv.reader(io.StringIO(action_items_csv(recap), newline="")))


def test_action_items_are_rows_with_times_in_seconds():
    assert rows(with_times(FULL, SEGMENTS))[1:] == [
        ["Chloé", "Repair the export", "Friday", "2026-12-04",
         '"Friday" as said on 2026-11-30 (dateparser, prefer future)', "200.000", "204.000", "3"],
        ["Ann", "Write the notes", "soon", "", "", "200.000", "204.000", "3"],
        ["", "'=SUM(A1) is wrong; check the cell, please", "", "", "", "260.500", "263.000", "4"],
    ]  # fmt: skip
    assert action_items_csv(FULL).count("\r\n") == 4


@given(owner=WORDS, task=st.sampled_from(FORMULA).flatmap(lambda mark: WORDS.map(lambda words: mark + words)), due=WORDS)
@settings(max_examples=200, deadline=None)
def test_no_words_leave_their_cell_or_become_a_formula(owner, task, due):
    item = ActionItem(task, (1,), 1.0, owner, due, start=1.0, end=2.0)
    head, row = rows(replace(EMPTY, action_items=(item,)))

    assert head == list(COLUMNS)
    assert len(row) == len(COLUMNS)
    assert not any(cell.startswith(FORMULA) for cell in row)
    assert [cell.removeprefix("'") for cell in row[:3]] == [one_line(words).removeprefix("'") for words in (owner, task, due)]
