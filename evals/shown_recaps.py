"""`python -m evals.shown_recaps`: write docs/recaps.md, full recaps of meetings that nothing was tuned for, good and bad.

Five meetings of different languages, drawn by a seed, so that nobody picks them.
"""

from pathlib import Path
from typing import Final

from application.recap_formats import recap_text
from evals.recap_material import Meeting, drawn, labelled, told
from evals.recap_models import Models, served_models

SHOWN: Final = Path(__file__).parents[1] / "docs" / "recaps.md"
COUNT: Final = 5
HEAD: Final = """# Recaps as they come out

Written by `python -m evals.shown_recaps` with the bundled models: five of the `confirm` meetings ([evals.md](evals.md)), of
different languages, drawn by a seed. Nobody picked them, and nothing was tuned on them. The meetings are invented (CC0-1.0,
`training/data`).
"""


def main() -> None:
    """Make the recaps and write the page."""
    models = served_models()
    meetings = drawn([told(meeting) for meeting in labelled()], COUNT)
    SHOWN.write_text("\n".join([HEAD, *(shown(meeting, models) for meeting in meetings)]), encoding="utf-8")


def shown(meeting: Meeting, models: Models) -> str:
    """One recap as plain text, below what a careful reader wrote of the meeting."""
    recap = models.recap(meeting.segments, meeting.language).recap
    text = recap_text(recap, meeting.segments)
    return f"## {meeting.id}\n\nA careful reader's summary: {meeting.summary}\n\n```text\n{text}```\n"


if __name__ == "__main__":
    main()
