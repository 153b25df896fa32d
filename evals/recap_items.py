"""Decisions, tasks and open questions against meetings whose items are known completely: cases, scores, tables, reliability."""

import math
import time
from collections.abc import Mapping, Sequence
from typing import Final

from evals.item_matching import ITEM_KINDS, ItemsOf, Kind, Matching, Reported, is_due_right, is_owner_right, match
from evals.recap_material import segments_of
from evals.scoring import BINS, score
from evals.suite import Bin, Case, Report, Row, StatisticSpec, silent
from training.meetings import LabelledMeeting

OUTPUTS: Final = ("reported", "missed", "look_alikes")
GROUPS: Final[Mapping[str, tuple[Kind, ...]]] = {
    **{kind: (kind,) for kind in ITEM_KINDS},
    "outcomes": ("decisions", "actions"),
    "items": ITEM_KINDS,
}
"""What is counted together: each kind, what a meeting came to, and everything."""
ORIGINS: Final = ("written", "real")
PREFIX: Final = "items/"
"""Before the id of a meeting whose items are looked at, which may be one whose recap is as well."""


def item_cases(meetings: Sequence[LabelledMeeting], items_of: ItemsOf, report: Report = silent) -> tuple[list[Case], float]:
    """Score what is found in each meeting; return the cases, and the seconds that the finding took."""
    cases: list[Case] = []
    seconds = 0.0
    for done, meeting in enumerate(meetings, 1):
        segments, started = segments_of(meeting), time.perf_counter()
        found = items_of(segments, meeting.language)
        seconds += time.perf_counter() - started
        cases.append(case_of(meeting, match(found, meeting)))
        report(f"{PREFIX}{meeting.id}", done, len(meetings))
    return cases, seconds


def case_of(meeting: LabelledMeeting, found: Matching) -> Case:
    """Count what was reported of one meeting, by kind and by bin of confidence."""
    scores = counts(meeting, found)
    indices = range(len(found.reported))
    bins = [_bin_of(each) for each in found.reported]
    for number in range(BINS):
        inside = [index for index in indices if bins[index] == number]
        scores |= {
            f"bin{number}/items": float(len(inside)),
            f"bin{number}/confidence": sum(found.reported[index].confidence for index in inside),
            f"bin{number}/right": float(sum(index in found.matched for index in inside)),
        }
    tags = {"language": meeting.language, "origin": "real" if meeting.real else "written"}
    return {"id": f"{PREFIX}{meeting.id}", "scores": scores, "texts": _texts(meeting, found), "tags": tags}


def counts(meeting: LabelledMeeting, found: Matching) -> dict[str, float]:
    """Return what was wanted, reported and matched of each group, and what is said of it."""
    labels = dict(zip(ITEM_KINDS, meeting.items, strict=True))
    scores: dict[str, float] = {}
    for group, kinds in GROUPS.items():
        indices = [index for index, item in enumerate(found.reported) if item.kind in kinds]
        scores |= {
            f"{group}_wanted": float(sum(len(labels[kind]) for kind in kinds)),
            f"{group}_reported": float(len(indices)),
            f"{group}_matched": float(sum(index in found.matched for index in indices)),
            f"{group}_matched_own": float(sum(index in found.matched_own for index in indices)),
        }
    tasks = [(found.reported[index], label) for index, label in found.matched.items() if found.reported[index].kind == "actions"]
    scores["owners_right"] = float(sum(is_owner_right(task.owner, label) for task, label in tasks))
    scores["dues_right"] = float(sum(is_due_right(task.due, label) for task, label in tasks))
    scores["look_alikes"] = float(len(meeting.look_alikes))
    scores["look_alikes_reported"] = float(len(found.look_alikes))
    scores["wrong_kinds"] = float(len(found.wrong_kinds))
    return scores


def item_statistics(languages: Sequence[str]) -> dict[str, StatisticSpec]:
    """Return how each score follows from the meetings; languages are scored on written ones, since the real ones are English."""
    found: dict[str, StatisticSpec] = {}
    for kind in ITEM_KINDS:
        found[f"{kind}_precision"] = _ratio(f"{kind}_matched", f"{kind}_reported")
        found[f"{kind}_recall"] = _ratio(f"{kind}_matched", f"{kind}_wanted")
        found[f"{kind}_f1"] = f1_of(kind)
        found[f"{kind}_own_words_f1"] = f1_of(kind, "matched_own")
        found |= {f"{origin}_{kind}_f1": f1_of(kind, origin=origin) for origin in ORIGINS}
    found |= {f"outcomes_f1/{each}": f1_of("outcomes", language=each, origin="written") for each in languages}
    return found | {
        "owner": _ratio("owners_right", "actions_matched"),
        "due": _ratio("dues_right", "actions_matched"),
        "look_alikes_reported": {"kind": "sum", "of": ("look_alikes_reported",)},
        "look_alikes_share": _ratio("look_alikes_reported", "look_alikes"),
        "wrong_kind_share": _ratio("wrong_kinds", "items_reported"),
        "calibration_error": {
            "kind": "calibration_error",
            "of": [f"bin{number}/{part}" for number in range(BINS) for part in ("items", "confidence", "right")],
        },
    }


def f1_of(group: str, matched: str = "matched", **where: str) -> StatisticSpec:
    """F1 of a group of items."""
    return {"kind": "f1", "of": (f"{group}_{matched}", f"{group}_reported", f"{group}_wanted"), "where": where}


def breakdown(cases: Sequence[Case]) -> list[Row]:
    """Return counts, precision, recall and F1 for written and real meetings, by language and kind."""
    rows: list[Row] = []
    for group in groups_of(cases):
        for kind in ITEM_KINDS:
            wanted, reported, matched = (_sum(cases, f"{kind}_{part}", group) for part in ("wanted", "reported", "matched"))
            values = {
                "precision": score(_ratio(f"{kind}_matched", f"{kind}_reported", **group), cases),
                "recall": score(_ratio(f"{kind}_matched", f"{kind}_wanted", **group), cases),
                "F1": score(f1_of(kind, **group), cases),
                "F1 by own words": score(f1_of(kind, "matched_own", **group), cases),
            }
            counted = {"kind": kind, "wanted": wanted, "reported": reported, "matched": matched}
            rows.append({**_head(group), **counted, **{name: _shown(value) for name, value in values.items()}})
    return rows


def by_language(cases: Sequence[Case]) -> list[Row]:
    """Return what is not of one kind: owners, dates, look-alikes and wrong kinds, with F1 over decisions and tasks."""
    rows: list[Row] = []
    for group in groups_of(cases):
        values = {
            "F1 of outcomes": score(f1_of("outcomes", **group), cases),
            "owner": score(_ratio("owners_right", "actions_matched", **group), cases),
            "due": score(_ratio("dues_right", "actions_matched", **group), cases),
            "look-alikes' share": score(_ratio("look_alikes_reported", "look_alikes", **group), cases),
            "wrong kinds' share": score(_ratio("wrong_kinds", "items_reported", **group), cases),
        }
        counted = {"meetings": _count(cases, group), "look-alikes": _sum(cases, "look_alikes_reported", group)}
        rows.append({**_head(group), **counted, **{name: _shown(value) for name, value in values.items()}})
    return rows


def reliability(cases: Sequence[Case]) -> list[Bin]:
    """Return, for each bin of confidence, how sure its items were and how many were right."""
    found: list[Bin] = []
    for number in range(BINS):
        items, confidence, right = (_sum(cases, f"bin{number}/{part}", {}) for part in ("items", "confidence", "right"))
        known = {"confidence": confidence / items if items else None, "right": right / items if items else None}
        found.append({"low": number / BINS, "high": (number + 1) / BINS, "items": int(items), **known})  # type: ignore[typeddict-item]
    return found


def groups_of(cases: Sequence[Case]) -> list[dict[str, str]]:
    """Return the tags that a table has rows for: each sort of meeting, and each of its languages where it has several."""
    found: list[dict[str, str]] = []
    for origin in ORIGINS:
        languages = languages_of(cases, origin)
        found += [{"origin": origin, "language": each} for each in languages if len(languages) > 1]
        found += [{"origin": origin}] if languages else []
    return found


def languages_of(cases: Sequence[Case], origin: str = "written") -> list[str]:
    """Return the languages of the meetings of one sort."""
    return sorted({case["tags"]["language"] for case in cases if case["tags"]["origin"] == origin})


def _head(group: Mapping[str, str]) -> Row:
    return {"origin": group["origin"], "language": group.get("language", "all")}


def _ratio(part: str, whole: str, **where: str) -> StatisticSpec:
    return {"kind": "ratio", "of": (part, whole), "where": where}


def _sum(cases: Sequence[Case], column: str, where: Mapping[str, str]) -> float:
    return score({"kind": "sum", "of": (column,), "where": where}, cases)


def _count(cases: Sequence[Case], where: Mapping[str, str]) -> int:
    return sum(all(case["tags"][tag] == value for tag, value in where.items()) for case in cases)


def _shown(value: float) -> str | float:
    return "" if math.isnan(value) else value


def _bin_of(item: Reported) -> int:
    return max(0, min(BINS - 1, int(item.confidence * BINS)))


def _texts(meeting: LabelledMeeting, found: Matching) -> dict[str, str]:
    """What to read when a score moved: what was reported, and whether it was right; what was not; which look-alikes were."""
    labels = [(kind, label) for kind, all_of in zip(ITEM_KINDS, meeting.items, strict=True) for label in all_of]
    return {
        "reported": "\n".join(
            f"{'right' if index in found.matched else 'wrong'} {item.kind} {item.confidence:.2f}: {item.text}"
            for index, item in enumerate(found.reported)
        ),
        "missed": "\n".join(
            f"{kind}: {label.text}" for kind, label in labels if not any(label is each for each in found.matched.values())
        ),
        "look_alikes": "\n".join(meeting.look_alikes[number].text for number in sorted(found.look_alikes)),
    }
