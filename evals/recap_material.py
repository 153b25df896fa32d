"""Meetings that recaps are made of: labelled ones that nobody tuned for, research meetings with summaries, some of our own."""

import json
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from domain.transcript import Segment
from evals.hearing import evaluation_data
from evals.scoring import SEED
from evals.suite import Tier
from serve_app.demo import RECORDING
from training.meetings import LabelledMeeting, meetings

BUNDLED: Final = Path(__file__).with_name("data") / "meetings"
SPLIT: Final = "confirm"
"""The labelled meetings of the gate: nothing was learnt from them, and nothing chosen by them."""
FAST_REAL: Final = 2
DRAWN: Final = 3
"""Meetings of the quick tier whose recap is made in full, each of another language."""


@dataclass(frozen=True, slots=True)
class Meeting:
    """A transcript and what the prose of its recap is held against.

    `sort`: `written` or `real` (labelled), `own`, or the kind of a research meeting. `topics`: for each its segments, where they
    are known. `labels`: its items, where they are known completely.
    """

    id: str
    language: str
    sort: str
    segments: tuple[Segment, ...]
    summary: str
    topics: tuple[frozenset[int], ...] = ()
    labels: LabelledMeeting | None = None


def labelled(tier: Tier = "full") -> list[LabelledMeeting]:
    """Return the labelled meetings of the gate, written and real; of the fast tier, every second of each language and few real
    ones, which are five times as long.
    """
    if tier == "full":
        return meetings(SPLIT)
    found = meetings(SPLIT, real=True)[:FAST_REAL]
    for language in sorted({meeting.language for meeting in meetings(SPLIT, real=False)}):
        found += [meeting for meeting in meetings(SPLIT, real=False) if meeting.language == language][::2]
    return found


def meetings_of(tier: Tier) -> list[Meeting]:
    """Return the meetings of a tier whose recaps are made in full. Raises FileNotFoundError where its data are not there."""
    known = [told(each) for each in labelled()]
    return drawn(known) if tier == "fast" else [*known, *research_meetings()]


def drawn(known: Sequence[Meeting], count: int = DRAWN, seed: int = SEED) -> list[Meeting]:
    """Return written meetings of different languages, by chance."""
    chance = random.Random(seed)
    written = [meeting for meeting in known if meeting.sort == "written"]
    languages = chance.sample(sorted({meeting.language for meeting in written}), count)
    return [chance.choice([meeting for meeting in written if meeting.language == each]) for each in languages]


def told(meeting: LabelledMeeting) -> Meeting:
    """Return a labelled meeting as one whose recap is made in full."""
    sort = "real" if meeting.real else "written"
    return Meeting(meeting.id, meeting.language, sort, segments_of(meeting), meeting.summary, (), meeting)


def segments_of(meeting: LabelledMeeting) -> tuple[Segment, ...]:
    """Return its turns; the id of a segment is the place of its turn."""
    return tuple(
        Segment(index, turn.start, turn.end, turn.text, speaker=turn.speaker or None) for index, turn in enumerate(meeting.turns)
    )


def research_meetings() -> list[Meeting]:
    """Return the meetings of the evaluation data (QMSum: AMI, ICSI and committees)."""
    return [read_meeting(path) for path in sorted((evaluation_data() / "meetings").glob("*.json"))]


def bundled_meetings() -> list[Meeting]:
    """Return the demonstration and the short meetings of our own, which the judge is tested on; they gate nothing."""
    return [read_meeting(path, "own") for path in [RECORDING.with_suffix(".json"), *sorted(BUNDLED.glob("*.json"))]]


def read_meeting(path: Path, sort: str | None = None) -> Meeting:
    """Read a file (../shared/data/README.md); the name of a research meeting begins with its kind."""
    raw = json.loads(path.read_text(encoding="utf-8"))
    return Meeting(
        raw["id"],
        raw["language"],
        sort or re.split(r"[-_]", raw["id"])[0],
        tuple(_segments(raw["turns"])),
        raw["summary"] if isinstance(raw["summary"], str) else " ".join(raw["summary"]),
        tuple(_turns(topic["spans"]) for topic in raw.get("topics", ())),
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
