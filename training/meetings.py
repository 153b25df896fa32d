"""The labelled meetings, and which of them may be looked at for what."""

import hashlib
import json
import lzma
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal

DATA: Final = Path(__file__).with_name("data")
Split = Literal["train", "tune", "confirm"]
SHARES: Final[Mapping[Split, float]] = {"train": 0.7, "tune": 0.15, "confirm": 0.15}
"""Of the meetings of each language, and of the real ones: learnt from, chosen by, and looked at by the gate only."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What one speaker said without a break; times in seconds."""

    speaker: str
    start: float
    end: float
    text: str


@dataclass(frozen=True, slots=True)
class Item:
    """Something a recap has to report, or a look-alike that it must not; `evidence`: indices of turns, rising.

    `owners` are the names that are right, none for an item that is no task; `due` is copied from an evidence turn; `why` says
    what a look-alike is.
    """

    text: str
    evidence: tuple[int, ...]
    owners: tuple[str, ...] = ()
    due: str | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class LabelledMeeting:
    """A meeting with the complete list of its items. `orders`: turns that speak to a machine (`training/orders.py`)."""

    id: str
    language: str
    real: bool
    turns: tuple[Turn, ...]
    summary: str
    decisions: tuple[Item, ...]
    tasks: tuple[Item, ...]
    questions: tuple[Item, ...]
    look_alikes: tuple[Item, ...]
    orders: frozenset[int] = frozenset()

    @property
    def items(self) -> tuple[tuple[Item, ...], tuple[Item, ...], tuple[Item, ...]]:
        """Decisions, tasks, questions."""
        return self.decisions, self.tasks, self.questions


def meetings(split: Split | None = None, real: bool | None = None) -> list[LabelledMeeting]:
    """Return the meetings of a split, in order of id; `real` true or false keeps one sort."""
    return [m for m in _all() if (split is None or _splits()[m.id] == split) and (real is None or m.real == real)]


@lru_cache(maxsize=1)
def _all() -> tuple[LabelledMeeting, ...]:
    return tuple(meeting for name in ("written", "real") for meeting in _read(DATA / f"{name}.jsonl.xz", name == "real"))


@lru_cache(maxsize=1)
def _splits() -> Mapping[str, Split]:
    """Cut each language, and the real meetings, by the hash of the name; a series of one group stays together."""
    groups: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for meeting in _all():
        groups["real" if meeting.real else meeting.language][_series(meeting)].append(meeting.id)
    found: dict[str, Split] = {}
    for series in groups.values():
        whole, before = sum(map(len, series.values())), 0
        for name in sorted(series, key=lambda name: hashlib.sha256(name.encode()).digest()):
            for each in series[name]:
                found[each] = _split_at(before / whole)
            before += len(series[name])
    return found


def _split_at(share: float) -> Split:
    for split, size in SHARES.items():
        if share < size:
            return split
        share -= size
    return "confirm"


def _series(meeting: LabelledMeeting) -> str:
    """Four meetings `a` to `d` of one AMI group are about one product."""
    found = re.search(r"(es|is|ts|in|ib)\d{4}", meeting.id.lower()) if meeting.real else None
    return found.group(0) if found else meeting.id


def _read(path: Path, real: bool) -> Iterator[LabelledMeeting]:
    with lzma.open(path, "rt", encoding="utf-8") as file:
        for row in map(json.loads, file):
            turns = tuple(Turn(speaker, start, end, text) for speaker, start, end, text in row["turns"])
            decisions, tasks, questions, look_alikes = (
                _items(row[kind]) for kind in ("decisions", "action_items", "open_questions", "distractors")
            )
            summary = row["summary"] if isinstance(row["summary"], str) else " ".join(row["summary"])
            yield LabelledMeeting(row["id"], row["language"], real, turns, summary, decisions, tasks, questions, look_alikes)


def _items(rows: Sequence[Mapping[str, Any]]) -> tuple[Item, ...]:
    return tuple(
        Item(
            row.get("task") or row["text"],
            tuple(row["evidence"]),
            tuple(name for name in (row.get("owner"), *row.get("owner_aliases", ())) if name),
            row.get("due"),
            row.get("why", ""),
        )
        for row in rows
    )
