"""Open questions: asked, and left without an answer."""

import re
from collections.abc import Mapping
from typing import Final

from application.recap.cues import CONCLUDING, DEFERRED, INDIRECT_QUESTION, POINTS_BACK, RESTATING, UNKNOWN
from application.recap.items import Dialogue, Item, distinct, other_voice
from application.recap.sentences import Sentence

THRESHOLD: Final = 2.0
UNANSWERED: Final = 2.0
ANNOUNCED: Final = 1.0
PUT_OFF: Final = 1.2
STATED: Final = 2.0
SHORTEST_QUESTION: Final = 4
"""Words of a question that says too little by itself but points back to what says the rest."""
ASKED_BARE: Final = re.compile(
    r"^(?:and |but |so |then |now )?(?:who|what|when|where|which|how|why|whether|are we|can we|do we|should we|"
    r"is it|is there|does (?:it|the|anybody|anyone))\b(?!.*\bI (?:think|mean)\b)",
    re.IGNORECASE,
)
"""Recognisers sometimes write a full stop behind a question."""
YOUR_VIEW: Final = re.compile(
    r"\b(?:do|did|would) you (?:think|feel|want|like|mean|find|say|see|get)\b|\bare you\b|\bhow do you\b", re.IGNORECASE
)
"""Asks one person for a view; not knowing one leaves nothing open."""
ANNOUNCED_UNKNOWN: Final = re.compile(
    r"\b(?:thing|point|what) (?:that |which )?(?:I|we) (?:still )?(?:do not|don't) (?:yet )?know\b|\bI have (?:a|"
    r"one|another) question\b",
    re.IGNORECASE,
)
LEFT_OPEN: Final = re.compile(r"\b(?:keep|leave)\b.*\bopen\b|\bopen question\b|\bstays? open\b", re.IGNORECASE)
ANSWER_WINDOW: Final = 4
"""Sentences in which an `I do not know` still speaks to the question."""


def open_questions_in(dialogue: Dialogue, hints: Mapping[int, float], limit: int) -> list[Item]:
    """Return the questions that stayed open, in the order of the conversation."""
    found: list[Item] = []
    for sentence in dialogue.sentences:
        if sentence.suspicious or sentence.is_backchannel or RESTATING.search(sentence.clean):
            continue
        evidence = _evidence(sentence, dialogue)
        points_back = bool(POINTS_BACK.search(sentence.clean)) and len(sentence.words) >= SHORTEST_QUESTION
        if len(sentence.stems) < 2 and not points_back:
            continue
        if evidence and evidence[0] + hints.get(sentence.index, 0.0) >= THRESHOLD:
            found.append(_item(sentence, dialogue, *evidence))
    return distinct(found, dialogue, limit)


def _evidence(sentence: Sentence, dialogue: Dialogue) -> tuple[float, tuple[int, ...]] | None:
    """Return how open a question is and the sentences that show it; None for what is no question."""
    asked = sentence.is_question or bool(ASKED_BARE.search(sentence.clean))
    return _asked_evidence(sentence, dialogue) if asked else _stated_evidence(sentence, dialogue)


def _stated_evidence(sentence: Sentence, dialogue: Dialogue) -> tuple[float, tuple[int, ...]] | None:
    """What is not known, said as a statement."""
    if INDIRECT_QUESTION.search(sentence.clean) and len(sentence.stems) >= 2:
        return STATED, (sentence.index,)
    if not ANNOUNCED_UNKNOWN.search(sentence.clean):
        return None
    for later in dialogue.after(sentence.index, ANSWER_WINDOW + 1):
        if later.is_question:
            return None
        if LEFT_OPEN.search(later.clean):
            return STATED, (sentence.index, later.index)
    return None


def _asked_evidence(sentence: Sentence, dialogue: Dialogue) -> tuple[float, tuple[int, ...]]:
    """What was asked: a `do not know` behind it, a postponement, an announcement in front of it."""
    score = 0.0
    shown: tuple[int, ...] = (sentence.index,)
    for later in dialogue.after(sentence.index, ANSWER_WINDOW):
        if UNKNOWN.search(later.clean) and (other_voice(sentence, later) or later.turn == sentence.turn):
            opinion = YOUR_VIEW.search(sentence.clean)
            score, shown = score + (0.0 if opinion else UNANSWERED), (sentence.index, later.index)
            break
        if later.is_question or (other_voice(sentence, later) and _answers(later, sentence)):
            break
    for later in dialogue.after(sentence.index, ANSWER_WINDOW + 1):
        if DEFERRED.search(later.clean) and (score or other_voice(sentence, later)):
            score += PUT_OFF
            shown = shown if len(shown) > 1 else (sentence.index, later.index)
            break
        if later.is_question:
            break
    for earlier in dialogue.before(sentence.index, 2):
        if UNKNOWN.search(earlier.clean) and earlier.turn == sentence.turn:
            score += ANNOUNCED
            break
    return score, shown


def _answers(later: Sentence, question: Sentence) -> bool:
    """True when what follows has enough of its own to be an answer (and is no clarification by the one who asked)."""
    if question.speaker is None and re.match(r"(?:I mean|that is|in other words)\b", later.clean, re.IGNORECASE):
        return False
    return (
        len(later.stems - question.stems) >= 2
        or bool(later.numbers)
        or bool(re.match(r"(?:yes|no|yeah|sure|of course)\b", later.clean, re.IGNORECASE))
    )


def _item(sentence: Sentence, dialogue: Dialogue, score: float, shown: tuple[int, ...]) -> Item:
    """Word the question so that it stands alone: a short one that points back brings the sentence before it."""
    text = CONCLUDING.sub("", sentence.clean)
    text = text[:1].upper() + text[1:]
    if len(sentence.stems) < 6 and POINTS_BACK.search(text):
        for earlier in dialogue.before(sentence.index, 1):
            if (
                earlier.turn == sentence.turn
                and len(earlier.stems) >= 2
                and not earlier.suspicious
                and not UNKNOWN.search(earlier.clean)
            ):
                return Item(f"{earlier.clean} {text}", tuple(sorted({earlier.index, *shown})), score)
    return Item(text, tuple(sorted(shown)), score)
