"""The line of a job on the terminal: its stage, the time left, and that it takes longer."""

import pytest
from rich.progress import Progress

from serve_app.terminal.display import JobBar

CASES = [
    ({"eta_s": 40.4, "overdue": False}, "talk: transcribing, about 40 s left"),
    ({"eta_s": 40.4, "overdue": True}, "talk: transcribing, longer than expected, about 40 s left"),
    ({"eta_s": 0.0, "overdue": False}, "talk: transcribing, about 1 s left"),
    ({"eta_s": None, "overdue": False}, "talk: transcribing"),
    ({"eta_s": 3.0}, "talk: transcribing, about 3 s left"),  # a service of an older version
]


@pytest.mark.parametrize(("told", "words"), CASES)
def test_a_running_job_shows_how_long_it_still_takes(told: dict[str, object], words: str) -> None:
    progress = Progress()
    JobBar(progress, "talk").show({"status": "in_progress", "progress": {"fraction": 0.5, "stage": "transcribing", **told}})
    assert progress.tasks[0].description == words
