"""What a recap is worth against its reference: likeness of the summary, items found, and an own look at the citations."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np

from domain.recap import ActionItem, Recap, Statement
from domain.transcript import Segment
from evals.recap_material import Meeting, Task
from evals.recap_models import Made

ROUGE: Final = {"rouge1": "rouge_1", "rouge2": "rouge_2", "rougeL": "rouge_l"}
LIKENESS_CHARACTERS: Final = 760
"""Of each text: what MiniLM reads for sure, 256 tokens of three characters. Talk of researchers comes to 3.5 a token."""
MATCH: Final = 0.5
"""Cosine of MiniLM from which a found item is the wanted one, when nothing else speaks against it."""
SAME_DATE: Final = 0.2
"""Added to the cosine of two tasks with the same owner and the same date: short tasks (`Tell them tomorrow.`) say little else."""
CARRIED: Final = 0.6
"""Share of a statement's words that its cited segments hold, from which they carry it: the check knows no synonyms."""
LETTERS: Final = 4
"""Shorter words are mostly grammar."""
TELLING: Final = frozenset(
    re.findall(
        r"\w+",
        """about also been being but could does from group have into meeting more other should some that their them then there
        these they this those was were what when where which while will with would your because discuss discussed discussing
        said says suggest suggested suggests agree agreed agrees decide decided decides team participants speaker whether
        mention mentioned explain explained propose proposed plan planned consider considered note noted emphasize emphasized""",
    )
)
"""Grammar, and words of telling that nobody in the room needs to have said."""

Likeness = Callable[[Sequence[str], Sequence[str]], Any]
"""Two lists of texts -> their cosines, numpy float32, shape (first, second)."""


@lru_cache(maxsize=1)
def _rouge() -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(list(ROUGE), use_stemmer=True)


@lru_cache(maxsize=1)
def _stemmer() -> Any:
    from nltk.stem.porter import PorterStemmer

    return PorterStemmer()


def summary_scores(text: str, segment_ids: frozenset[int], meeting: Meeting, likeness: Likeness) -> dict[str, float]:
    """Score a summary, of whatever method: ROUGE-1/2/L (F measure, stemmed), cosine, and the topics that it draws on."""
    found = {name: score.fmeasure for name, score in _rouge().score(meeting.summary, text).items()}
    scores = {ours: float(found[name]) for name, ours in ROUGE.items()}
    scores["similarity"] = float(likeness([meeting.summary[:LIKENESS_CHARACTERS]], [text[:LIKENESS_CHARACTERS]])[0][0])
    if meeting.topics:
        scores["topics_covered"] = float(sum(bool(topic & segment_ids) for topic in meeting.topics))
        scores["topics"] = float(len(meeting.topics))
    return scores


def item_scores(recap: Recap, meeting: Meeting, likeness: Likeness) -> dict[str, float]:
    """Count wanted, found and matched items of each kind; `due_right` counts matched tasks with the right date."""
    near = _matcher(likeness)
    decisions = near([d.text for d in recap.decisions], meeting.decisions, None)
    tasks = near(
        [a.text for a in recap.action_items], [t.text for t in meeting.tasks], _agreement(recap.action_items, meeting.tasks)
    )
    questions = near([q.text for q in recap.open_questions], meeting.questions, None)
    dated = [(found, wanted) for found, wanted in tasks if meeting.tasks[wanted].due]
    on_time = sum(_same_date(recap.action_items[found].due, meeting.tasks[wanted].due) for found, wanted in dated)
    counts = {
        "decisions": (len(recap.decisions), len(meeting.decisions), len(decisions)),
        "actions": (len(recap.action_items), len(meeting.tasks), len(tasks)),
        "questions": (len(recap.open_questions), len(meeting.questions), len(questions)),
    }
    scores = {f"due_{part}": float(value) for part, value in (("wanted", len(dated)), ("right", on_time))}
    for name, (found, wanted, matched) in counts.items():
        if name != "questions" or meeting.exact:
            scores |= {f"{name}_found": float(found), f"{name}_wanted": float(wanted), f"{name}_matched": float(matched)}
    return scores


def trust_scores(made: Made, segments: Sequence[Segment]) -> dict[str, float]:
    """Count statements that their own citations carry, calls that came to a valid answer, and chapters told in quotes."""
    recap = made.recap
    statements = statements_of(recap)
    quoted = sum(": chapter " in reason for reason in recap.degraded)
    return {
        "support": recap.support,
        "statements": float(len(statements)),
        "carried": float(sum(is_carried(statement, segments) for statement in statements)),
        "calls": float(made.calls.asked),
        "valid": float(len(made.calls.answers)),
        "chapters": float(len(recap.chapters)),
        "quoted": float(quoted),
    }


def statements_of(recap: Recap) -> list[Statement | ActionItem]:
    """Return every statement of a recap once, those of the chapters included."""
    parts: list[Statement | ActionItem] = [
        *recap.summary,
        *recap.key_points,
        *recap.decisions,
        *recap.action_items,
        *recap.open_questions,
    ]
    parts += [statement for chapter in recap.chapters for statement in chapter.summary]
    unique = {(isinstance(part, ActionItem), part.text): part for part in parts}
    return list(unique.values())


def is_carried(statement: Statement | ActionItem, segments: Sequence[Segment]) -> bool:
    """True when the cited segments hold most words of a statement and all of its figures.

    Made without the recap's own check, so that a fault in that one shows.
    """
    by_id = {segment.id: segment for segment in segments}
    cited = [by_id[place] for place in statement.segment_ids if place in by_id]
    if not cited or len(cited) < len(statement.segment_ids):
        return False
    said = " ".join(f"{segment.speaker or ''} {segment.text}" for segment in cited)
    figures = set(re.findall(r"\d+", statement.text))
    if figures - set(re.findall(r"\d+", said)):
        return False
    claims, held = _stems(statement.text), _stems(said)
    return not claims or len(claims & held) >= CARRIED * len(claims)


def _stems(text: str) -> set[str]:
    words = re.findall(r"[^\W\d_]+", text.lower())
    return {_stemmer().stem(word) for word in words if len(word) >= LETTERS and word not in TELLING}


def _matcher(likeness: Likeness) -> Callable[[Sequence[str], Sequence[str], Any], list[tuple[int, int]]]:
    def match(found: Sequence[str], wanted: Sequence[str], allowed: Any) -> list[tuple[int, int]]:
        """Pair found with wanted items one to one, nearest first."""
        if not found or not wanted:
            return []
        near = np.array(likeness(found, wanted), dtype=float)
        if allowed is not None:
            near = np.where(allowed > 0, near + SAME_DATE * (allowed > 1), -1.0)
        pairs: list[tuple[int, int]] = []
        while near.max() >= MATCH:
            row, column = (int(place) for place in np.unravel_index(int(near.argmax()), near.shape))
            pairs.append((row, column))
            near[row, :] = near[:, column] = -1.0
        return pairs

    return match


def _agreement(found: Sequence[ActionItem], wanted: Sequence[Task]) -> Any:
    """0 where owners differ, 1 where they agree, 2 where dates do as well, shape (found, wanted); no owner agrees with all."""
    table = [
        [
            int(task.owner is None or (item.owner or "").lower() == task.owner.lower())
            * (1 + (task.due is not None and _same_date(item.due, task.due)))
            for task in wanted
        ]
        for item in found
    ]
    return np.array(table, dtype=int).reshape(len(found), len(wanted))


def _same_date(found: str | None, wanted: str | None) -> bool:
    """True when the telling words of a date are the same (`by Friday`, `Friday`)."""
    plain = [
        set(re.findall(r"\w+", (date or "").lower())) - {"by", "on", "the", "of", "until", "before", "in"}
        for date in (found, wanted)
    ]
    return plain[0] == plain[1]


def texts_of(recap: Recap) -> Mapping[str, str]:
    """Return a recap as texts to be read and compared, one line per statement."""
    actions = "\n".join(f"{a.owner or '?'}: {a.text} ({a.due or 'no date'})" for a in recap.action_items)
    return {
        "title": recap.title,
        "summary": "\n".join(s.text for s in recap.summary),
        "decisions": "\n".join(s.text for s in recap.decisions),
        "action_items": actions,
        "open_questions": "\n".join(s.text for s in recap.open_questions),
        "chapters": "\n".join(chapter.title for chapter in recap.chapters),
        "degraded": "\n".join(recap.degraded),
    }
