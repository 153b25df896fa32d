"""Meetings with reference summaries, topics and items: our own, whose items are complete, and those of the evaluation data."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from domain.transcript import Segment
from evals.hearing import Listener, evaluation_data, files
from evals.suite import silent
from serve_app.demo import RECORDING

BUNDLED: Final = Path(__file__).with_name("data") / "meetings"


@dataclass(frozen=True, slots=True)
class Task:
    """An action item of a reference; `owner` and `due` None where it names none."""

    text: str
    owner: str | None = None
    due: str | None = None


@dataclass(frozen=True, slots=True)
class Meeting:
    """A transcript and what a recap of it is held against.

    `topics`: for each its segments. `exact`: the items are all there are, in words near to the spoken ones; else they are an
    annotator's choice, retold.
    """

    id: str
    language: str
    segments: tuple[Segment, ...]
    summary: str
    topics: tuple[frozenset[int], ...]
    decisions: tuple[str, ...]
    tasks: tuple[Task, ...]
    questions: tuple[str, ...]
    exact: bool


def bundled_meetings() -> list[Meeting]:
    """Return the demonstration and the short meetings of our own."""
    return [read_meeting(path) for path in [RECORDING.with_suffix(".json"), *sorted(BUNDLED.glob("*.json"))]]


def all_meetings() -> list[Meeting]:
    """Return the bundled meetings and those of the evaluation data, each once. Raises FileNotFoundError without that data."""
    data = evaluation_data()
    paths = [*sorted((data / "meetings").glob("*.json")), *sorted((data / "spoken_meetings").glob("*.json"))]
    found = {meeting.id: meeting for meeting in (*bundled_meetings(), *map(read_meeting, paths))}
    return list(found.values())


def heard_meetings(listen: Listener | None = None) -> list[Meeting]:
    """Return the spoken meetings of the evaluation data as recognised from their audio, so without speakers.

    Owners are not asked for: who `I` was is not in the words.
    """
    recordings = files(evaluation_data() / "spoken_meetings")
    transcripts = (listen or Listener())([(path, None) for path in recordings], silent)
    said = [read_meeting(path.with_suffix(".json")) for path in recordings]
    return [
        replace(
            meeting,
            id=f"{meeting.id}/audio",
            segments=transcript.segments,
            topics=(),
            tasks=tuple(replace(task, owner=None) for task in meeting.tasks),
        )
        for meeting, transcript in zip(said, transcripts, strict=True)
    ]


def read_meeting(path: Path) -> Meeting:
    """Read a file of one of the two kinds (../shared/data/README.md)."""
    raw = json.loads(path.read_text(encoding="utf-8"))
    exact = "action_items" in raw
    told = raw if exact else raw.get("corpus_summary", {})
    tasks = [Task(item["task"], item["owner"], item["due"]) for item in raw["action_items"]] if exact else []
    return Meeting(
        raw["id"],
        raw["language"],
        tuple(_segments(raw["turns"])),
        raw["summary"] if isinstance(raw["summary"], str) else " ".join(raw["summary"]),
        tuple(_turns(topic["spans"]) for topic in raw.get("topics", ())),
        tuple(told.get("decisions", ())),
        tuple(tasks or map(Task, told.get("actions", ()))),
        tuple(raw.get("open_questions", ())),
        exact,
    )


def _turns(spans: Sequence[Sequence[int]]) -> frozenset[int]:
    return frozenset(turn for first, last in spans for turn in range(first, last + 1))


def _segments(turns: Sequence[Mapping[str, Any]]) -> list[Segment]:
    """Turns as segments; a turn without times starts where the last one ended."""
    found, last = list[Segment](), 0.0
    for turn in turns:
        start = last if turn.get("start_s") is None else float(turn["start_s"])
        last = max(start, float(turn.get("end_s") or start))
        found.append(Segment(turn["index"], start, last, turn["text"], speaker=turn["speaker"]))
    return found
