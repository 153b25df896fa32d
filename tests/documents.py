"""A recap and its transcript with something of everything, for the tests of formats."""

from domain.recap import ActionItem, Chapter, Recap, Statement
from domain.transcript import Coverage, Segment, SuspectSpan, Transcript

SAID = (
    (2.0, 9.5, "Ann", "Good morning, let us look at the release and at what the export still needs."),
    (65.0, 71.0, "Bob", "We ship on Friday, 3 < 5 & that is settled."),
    (130.0, 137.0, "Bob", "The export <script>alert(1)</script> fails for large customers."),
    (200.0, 204.0, "Chloé", "I can repair it by Friday, and Ann writes the notes."),
    (260.5, 263.0, "Ann", "=SUM(A1), that cell is still wrong."),
    (3700.0, 3705.0, None, "Who pays for the servers?"),
)
SEGMENTS = tuple(Segment(n, start, end, text, speaker=speaker) for n, (start, end, speaker, text) in enumerate(SAID))
TRANSCRIPT = Transcript("transcript_1", "en", 3710.0, SEGMENTS, Coverage(40.0, 38.0, (SuspectSpan(12.0, 14.0, "no_text"),)))
FULL = Recap(
    id="recap_1",
    transcript_id="transcript_1",
    language="en",
    title="A <plan> for the release",
    summary=(
        Statement("The team ships on *Friday*.", (1, 2), 0.9, 65.0, 137.0, "Bob"),
        Statement("The export fails for large customers, and will be repaired before the release", (2, 3), 0.8, 130.0, 204.0),
    ),
    key_points=(),
    decisions=(Statement("Ship on Friday.", (0, 1, 2, 3, 4), 1.0, 2.0, 263.0, None, 0.91),),
    action_items=(
        ActionItem(
            "Repair the export", (3,), 0.7, "Chloé", "Friday", "2026-12-04",
            '"Friday" as said on 2026-11-30 (dateparser, prefer future)', 200.0, 204.0, "Chloé", 0.83,
        ),
        ActionItem("Write the notes", (3,), 0.7, "Ann", "soon", start=200.0, end=204.0, speaker="Chloé"),
        ActionItem("=SUM(A1) is wrong; check the cell, please", (4,), 0.7),
    ),
    open_questions=(Statement("Who pays?", (5,), 0.5, 3700.0, 3705.0),),
    chapters=(
        Chapter("Release", 2.0, 264.0, (0, 1, 2, 3, 4), (Statement("It is ready.", (1,), 1.0, 65.0, 71.0, "Bob"),)),
        Chapter("Money", 3700.0, 3705.0, (5,), ()),
    ),
    support=0.85,
    degraded=("the model was away",),
)  # fmt: skip
"""Its third action item is as older recaps are stored: without times."""
EMPTY = Recap("recap_2", None, "en", "", (), (), (), (), (), (), 1.0)
