"""Decisions: what the group settled, found by how it was said and by who agreed."""

import re
from collections.abc import Mapping
from typing import Final

from application.recap.cues import (
    AGREEMENT,
    APPROVAL_ALONE,
    CONCLUDING,
    CONDITIONAL,
    DECIDED,
    DISAGREEMENT,
    NOT_DOING,
    POINTS_BACK,
    PROCEDURE,
    PROPOSAL,
    RESTATING,
    STRONG_CONCLUDING,
)
from application.recap.items import Dialogue, Item, distinct, other_voice
from application.recap.sentences import Sentence

THRESHOLD: Final = 2.0
"""Evidence needed: one explicit word, or two weaker signs together."""
EXPLICIT: Final = 3.0
LET_US: Final = 2.0
WE_WILL: Final = 1.5
WE_DO: Final = 1.0
THEY_DO: Final = 0.5
CONCLUDES: Final = 1.5
APPROVED: Final = 1.0
WE_ACT: Final = re.compile(
    r"^(?:from now on,? |from today,? )?(?P<who>we|let us|let's)"
    r"(?P<will>(?:'ll| will| shall|'re going to| are going to|'re gonna|'re not going to| are not going to|"
    r" won't)(?: not| never)?| do not| don't)?"
    r" (?:all |both |also |just |now |then |really |simply |first )*(?P<verb>[\w']+)",
    re.IGNORECASE,
)
THEY_CHANGE: Final = re.compile(
    r"\b(?:stays?|remains?|moves?|starts?|begins?|opens?|closes?|goes|go|ends?|stops?|becomes?|gets?|changes?|"
    r"takes?|runs?|replaces?|comes?|leaves?|"
    r"joins?|shifts?|switch(?:es)?|drops?|pays?|receives?|rises?|falls?|appl(?:y|ies)|continues?|waits?|keeps?|will|won't)\b",
    re.IGNORECASE,
)
"""Verbs by which a plan changes, or is kept."""
SUGGESTS: Final = re.compile(
    r"\bI (?:would |'d )?(?:suggest|propose|recommend|vote)\b|\bmy (?:proposal|suggestion) is\b", re.IGNORECASE
)
SHORT_ANSWER: Final = 6
"""Words of an answer that does little else than agree."""
RULED_OUT: Final = re.compile(r"\b(?:will not|won't|not going to|will never)\b", re.IGNORECASE)
"""`We will not …` settles something by itself."""
NO_DEED: Final = re.compile(
    r"^(?:have (?:to|any|a look)|need|know|think|see|like|even|really|get (?:to|back|an? (?:e-?mail|message))|ask|"
    r"find out|try)\b",
    re.IGNORECASE,
)
"""After `we will` or `we do not`: duties, opinions and announcements."""
DO_WORK: Final = re.compile(r"^do (?:the|this|that|these|those|our|all the|both)\s+(?!same\b|other\b)[\w'-]+", re.IGNORECASE)
"""`We do the building work in July`, unlike `we do need one`."""
SUPPOSED: Final = re.compile(r"^(?:if|whether|unless|maybe|perhaps)\b", re.IGNORECASE)
THEN: Final = re.compile(
    r"^(?:(?:good|great|fine|ok|okay|all right|alright|right|well|and|perfect|yes)[,.]? )*(?:then|so)\b", re.IGNORECASE
)
THEY_ACT: Final = re.compile(
    r"^(?!(?:there|let|please|it|that|this|you|i|they|he|she|what|who|how|when|where|why|which|if|is|are|do|does|"
    r"can|could)\b)\w+(?: [\w'-]+){2,}",
    re.IGNORECASE,
)
STATE: Final = re.compile(r"\b(?:is|are|was|were|has|have|had|seems?|means?|think|know|can|I|you)\b", re.IGNORECASE)


def decisions_in(dialogue: Dialogue, hints: Mapping[int, float], limit: int) -> list[Item]:
    """Return the decisions of a conversation in its order. `hints` is extra evidence by sentence, from vectors."""
    found: list[Item] = []
    restating = -1
    for sentence in dialogue.sentences:
        if RESTATING.search(sentence.clean):
            restating = sentence.turn
        if sentence.suspicious or sentence.is_question or not sentence.stems:
            continue
        score = _evidence(sentence, dialogue) + hints.get(sentence.index, 0.0)
        if score >= THRESHOLD:
            named_and_restated = restating == sentence.turn and sentence.speaker is not None
            found.append(_item(sentence, dialogue, score, named_and_restated))
    return distinct(found, dialogue, limit)


def _evidence(sentence: Sentence, dialogue: Dialogue) -> float:
    """Add up what speaks for a decision in this sentence and around it."""
    text = sentence.clean
    bare = CONCLUDING.sub("", text)
    if DECIDED.search(text) and not SUPPOSED.match(bare):
        return EXPLICIT if len(sentence.stems) >= 2 else 0.0
    score = _base(bare, text)
    if score == 0.0:
        return 0.0
    previous = dialogue.before(sentence.index, 1)
    approved_before = bool(previous) and _same_breath(previous[0], sentence) and bool(APPROVAL_ALONE.search(previous[0].clean))
    settled_before = approved_before and bool(DECIDED.search(previous[0].clean))
    if settled_before:
        score += EXPLICIT
    elif approved_before or STRONG_CONCLUDING.search(text):
        score += CONCLUDES
    answers = [s for s in dialogue.after(sentence.index, 3) if other_voice(sentence, s)]
    asked = [s for s in dialogue.before(sentence.index, 3) if other_voice(sentence, s)]
    if any(AGREEMENT.search(s.clean) for s in asked):
        score += APPROVED * 0.5
    if any(AGREEMENT.search(s.clean) for s in answers):
        score += APPROVED
    if any(DISAGREEMENT.search(s.clean) for s in answers):
        score -= APPROVED
    agreed = any(AGREEMENT.search(s.clean) and len(s.words) <= SHORT_ANSWER for s in (*answers[:2], *asked[:2]))
    return min(score, THRESHOLD - 0.1) if _needs_approval(bare, text, approved_before, agreed) else score


def _needs_approval(bare: str, text: str, approved_before: bool, agreed: bool) -> bool:
    """What we do anyway, and what things do, is decided only when it concludes something or somebody approves it."""
    if approved_before or SUGGESTS.search(bare):
        return False
    match = WE_ACT.match(bare)
    if match is None and agreed and THEN.match(text):
        return False
    return match is None or (match["who"].lower() == "we" and not match["will"] and not STRONG_CONCLUDING.search(text))


def _base(bare: str, text: str) -> float:
    if match := WE_ACT.match(bare):
        verb, will = match["verb"].lower(), match["will"]
        deed = bare[match.start("verb") :]
        if PROCEDURE.match(deed):
            return 0.0
        if not will and not DO_WORK.match(deed) and (verb in NOT_DOING or verb.endswith("ed")):
            return 0.0
        if will and NO_DEED.match(bare[match.start("verb") :]):
            return 0.0
        if CONDITIONAL.search(bare) or re.search(r"\bif\b", bare[:20]):
            return 0.0
        if match["who"].lower() != "we":
            return LET_US if len(bare.split()) >= 4 else 0.0
        if will and RULED_OUT.search(will):
            return LET_US
        return WE_WILL if will else WE_DO
    if SUGGESTS.search(bare) and re.search(r"\bwe\b", bare, re.IGNORECASE):
        return WE_DO
    if (
        STRONG_CONCLUDING.search(text)
        and THEY_ACT.match(bare)
        and THEY_CHANGE.search(bare)
        and not STATE.search(bare)
        and not CONDITIONAL.search(bare)
    ):
        return THEY_DO
    return 0.0


def _same_breath(left: Sentence, right: Sentence) -> bool:
    return left.turn == right.turn


def _item(sentence: Sentence, dialogue: Dialogue, score: float, restated: bool) -> Item:
    """Word the decision; one that only points back (`let's do that`) brings along what it points to."""
    text = CONCLUDING.sub("", sentence.clean)
    text = text[:1].upper() + text[1:]
    places = (sentence.index,)
    if len(sentence.stems) < 2 and POINTS_BACK.search(text):
        for earlier in dialogue.before(sentence.index, 5):
            if (
                len(earlier.stems) >= 2
                and not earlier.suspicious
                and (PROPOSAL.search(earlier.clean) or other_voice(earlier, sentence))
            ):
                return Item(f"{earlier.clean} {text}", (earlier.index, sentence.index), score, restated=restated)
    return Item(text, places, score, restated=restated)
