"""Recaps as text files."""

from application.recap_formats import recap_markdown, recap_text
from domain.recap import ActionItem, Chapter, Recap, Statement
from domain.transcript import Segment

SEGMENTS = [Segment(n, 60.0 * n, 60.0 * n + 5, "words") for n in range(6)]
FULL = Recap(
    id="recap_1",
    transcript_id="transcript_1",
    language="en",
    title="A <plan>",
    summary=(Statement("We ship on *Friday*.", (1, 2), 0.9),),
    key_points=(),
    decisions=(Statement("Ship.", (0, 1, 2, 3, 4), 1.0),),
    action_items=(ActionItem("Write the notes", (5,), 0.7, "Ann", "Monday"), ActionItem("Tidy up", (3,), 0.7)),
    open_questions=(Statement("Who pays?", (9,), 0.5),),
    chapters=(
        Chapter("Release", 0.0, 3605.0, (0, 1), (Statement("It is ready.", (0,), 1.0),)),
        Chapter("End", 3605, 3700, (), ()),
    ),
    support=0.85,
    degraded=("the model was away",),
)
EMPTY = Recap("recap_2", None, "en", "", (), (), (), (), (), (), 1.0)


def test_markdown_has_the_sections_that_are_not_empty_with_times_of_what_is_cited():
    assert (
        recap_markdown(FULL, SEGMENTS)
        == r"""# A \<plan\>

> 85% supported by what was said.

> Parts are quoted instead of phrased: the model was away.

## Summary

- We ship on \*Friday\*. `[1:00, 2:00]`

## Decisions

- Ship. `[0:00, 1:00, 2:00, +2]`

## Action items

- **Ann**: Write the notes (due Monday) `[5:00]`
- Tidy up `[3:00]`

## Open questions

- Who pays? `[#9]`

## Chapters

### 0:00-1:00:05 Release

- It is ready. `[0:00]`

### 1:00:05-1:01:40 End
"""
    )


def test_plain_text_says_the_same_without_markup():
    assert (
        recap_text(FULL, SEGMENTS)
        == """A <plan>
85% supported by what was said.
Parts are quoted instead of phrased: the model was away.

SUMMARY
- We ship on *Friday*. [1:00, 2:00]

DECISIONS
- Ship. [0:00, 1:00, 2:00, +2]

ACTION ITEMS
- Ann: Write the notes (due Monday) [5:00]
- Tidy up [3:00]

OPEN QUESTIONS
- Who pays? [#9]

CHAPTERS
0:00-1:00:05  Release
  - It is ready. [0:00]
1:00:05-1:01:40  End
"""
    )


def test_without_the_transcript_the_cited_ids_are_named():
    assert "`[#1, #2]`" in recap_markdown(FULL)


def test_an_empty_recap_is_still_a_document():
    assert recap_markdown(EMPTY) == "# Recap\n\n> 100% supported by what was said.\n"
    assert recap_text(EMPTY) == "Recap\n100% supported by what was said.\n"
