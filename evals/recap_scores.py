"""What the prose of a recap is worth: likeness of the summary to its reference, and an own look at the citations."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from typing import Any, Final

from domain.recap import ActionItem, Recap, Statement
from domain.transcript import Segment
from evals.item_matching import content_words, folded
from evals.recap_material import Meeting
from evals.recap_models import Made

ROUGE: Final = {"rouge1": "rouge_1", "rouge2": "rouge_2", "rougeL": "rouge_l"}
LIKENESS_CHARACTERS: Final = 760
"""Of each text: what MiniLM reads for sure, 256 tokens of three characters. Talk of researchers comes to 3.5 a token."""
LIKENESS_ABROAD: Final = 600
"""The same in other languages, of which its vocabulary knows fewer words: 2.6 characters a token at the least (Dutch)."""
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
"""Grammar, and words of telling that nobody in the room needs to have said. English."""

Likeness = Callable[[Sequence[str], Sequence[str]], Any]
"""Two lists of texts -> their cosines, numpy float32, shape (first, second)."""


class _FoldedWords:
    """Words as rouge_score wants them; its own ones are cut at every letter that is not of the English alphabet."""

    def tokenize(self, text: str) -> list[str]:
        return re.findall(r"\w+", folded(text))


@lru_cache(maxsize=2)
def _rouge(english: bool) -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(list(ROUGE), use_stemmer=english, tokenizer=None if english else _FoldedWords())


@lru_cache(maxsize=1)
def _stemmer() -> Any:
    from nltk.stem.porter import PorterStemmer

    return PorterStemmer()


def summary_scores(text: str, segment_ids: frozenset[int], meeting: Meeting, likeness: Likeness) -> dict[str, float]:
    """Score a summary, of whatever method: ROUGE-1/2/L (F measure; English words stemmed), cosine, topics that it draws on."""
    found = {name: score.fmeasure for name, score in _rouge(meeting.language == "en").score(meeting.summary, text).items()}
    scores = {ours: float(found[name]) for name, ours in ROUGE.items()}
    wanted, given = (readable(each, meeting.language) for each in (meeting.summary, text))
    scores["similarity"] = float(likeness([wanted], [given])[0][0])
    if meeting.topics:
        scores["topics_covered"] = float(sum(bool(topic & segment_ids) for topic in meeting.topics))
        scores["topics"] = float(len(meeting.topics))
    return scores


def readable(text: str, language: str) -> str:
    """Return the beginning of a text that the embedder reads whole."""
    return text[: LIKENESS_CHARACTERS if language == "en" else LIKENESS_ABROAD]


def trust_scores(made: Made, segments: Sequence[Segment], language: str = "en") -> dict[str, float]:
    """Say how far the prose is supported, by the recap's own account and by its citations, and what was quoted or failed."""
    recap = made.recap
    prose = prose_of(recap)
    quoted = [chapter for chapter in recap.chapters if all(is_quote(statement, segments) for statement in chapter.summary)]
    return {
        "support": sum(statement.support for statement in prose) / len(prose) if prose else 1.0,
        "statements": float(len(prose)),
        "carried": float(sum(is_carried(statement, segments, language) for statement in prose)),
        "calls": float(made.calls.asked),
        "valid": float(len(made.calls.answers)),
        "chapters": float(len(recap.chapters)),
        "quoted": float(len(quoted)),
        "degraded": float(bool(recap.degraded)),
    }


def prose_of(recap: Recap) -> list[Statement | ActionItem]:
    """Return every statement of the prose once: summary, key points, chapters."""
    return _once([*recap.summary, *recap.key_points, *(each for chapter in recap.chapters for each in chapter.summary)])


def statements_of(recap: Recap) -> list[Statement | ActionItem]:
    """Return every statement of a recap once, items included."""
    return _once([*recap.decisions, *recap.action_items, *recap.open_questions, *prose_of(recap)])


def is_carried(statement: Statement | ActionItem, segments: Sequence[Segment], language: str = "en") -> bool:
    """True when the cited segments hold most words of a statement and all of its figures.

    Made without the recap's own check, so that a fault in that one shows.
    """
    by_id = {segment.id: segment for segment in segments}
    cited = [by_id[index] for index in statement.segment_ids if index in by_id]
    if not cited or len(cited) < len(statement.segment_ids):
        return False
    said = " ".join(f"{segment.speaker or ''} {segment.text}" for segment in cited)
    figures = set(re.findall(r"\d+", statement.text))
    if figures - set(re.findall(r"\d+", said)):
        return False
    claims, held = _stems(statement.text, language), _stems(said, language)
    return not claims or len(claims & held) >= CARRIED * len(claims)


def is_quote(statement: Statement, segments: Sequence[Segment]) -> bool:
    """True when a statement is, word for word, part of a segment that it cites; words said twice in a row count as said once."""
    words = _words_once(statement.text)
    said = [_words_once(segment.text) for segment in segments if segment.id in statement.segment_ids]
    return any(words == each[start : start + len(words)] for each in said for start in range(len(each) - len(words) + 1))


def _words_once(text: str) -> list[str]:
    return [word for word, _ in groupby(re.findall(r"\w+", folded(text)))]


def _once(parts: Iterable[Statement | ActionItem]) -> list[Statement | ActionItem]:
    return list({(isinstance(part, ActionItem), part.text): part for part in parts}.values())


def _stems(text: str, language: str) -> frozenset[str]:
    if language != "en":
        return content_words(text, language)
    words = re.findall(r"[^\W\d_]+", text.lower())
    return frozenset(_stemmer().stem(word) for word in words if len(word) >= LETTERS and word not in TELLING)


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
