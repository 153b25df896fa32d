"""Action items: who promised or was asked to do what until when."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from application.recap.cues import CONCLUDING, CONDITIONAL, POINTS_BACK, RESTATING, UNKNOWN
from application.recap.dates import FIRM_DATE, due_in
from application.recap.exchanges import due_nearby, owner_of, proposal_before, request_before, somebody_wanted, welcomed
from application.recap.items import Dialogue, Item, distinct, other_voice
from application.recap.people import called, names_in
from application.recap.sentences import Sentence
from application.recap.tasks import (
    ACCEPTED,
    CLAUSE,
    I_ACT,
    LABELLED,
    NEVER_A_TASK,
    NOT_A_TASK,
    OFFER,
    ON_ITS_OWN,
    PLEASE,
    TO_THE_ROOM,
    WE_MUST,
    YOU_ACT,
    has_object,
    plain_verb,
    task_of,
    verb_of,
    without_date,
)
from application.recap.text import content_stems, stem, tokens

THRESHOLD: Final = 2.0
"""Evidence needed: a plain promise, or an ability or duty with a date."""
PROMISE, DUTY, ABILITY, REQUEST, ASSIGNED, RESTATED = 2.0, 1.0, 0.7, 2.0, 2.0, 1.0
DATED: Final = 1.3
ASKED: Final = 0.8
TALK: Final = 1.5
"""Taken off for verbs that mostly announce the next words (`I will start with …`)."""


def action_items_in(dialogue: Dialogue, hints: Mapping[int, float], limit: int) -> list[Item]:
    """Return the action items of a conversation in its order; owner and due are None when nobody said them."""
    names = names_in(dialogue.sentences)
    found: list[Item] = []
    restating = -1
    for sentence in dialogue.sentences:
        if RESTATING.search(sentence.clean):
            restating = sentence.turn
        if sentence.suspicious or sentence.is_backchannel:
            continue
        found += _asked(sentence, dialogue)
        found += _promised(sentence, dialogue, hints.get(sentence.index, 0.0))
        found += _assigned(sentence, names, hints.get(sentence.index, 0.0))
        if restating == sentence.turn:
            found += _restated(sentence, names)
    return distinct([item for item in found if item.score >= THRESHOLD], dialogue, limit, _same_task)


def _promised(sentence: Sentence, dialogue: Dialogue, hint: float) -> Iterator[Item]:
    """`I will …`, `I can … by Friday`: the speaker owns it."""
    if sentence.is_question:
        return
    for clause in CLAUSE.split(sentence.clean):
        match = I_ACT.search(clause)
        if not match:
            continue
        task = match["task"] or match.group(0)
        verb = (match["verb"] or "").lower()
        request = request_before(sentence, dialogue)
        wanted = bool(request) or somebody_wanted(sentence, dialogue)
        due = due_in(task) or due_nearby(sentence, request, dialogue)
        score = PROMISE if match["will"] or match["other"] else ABILITY if match["can"] else DUTY
        score += DATED * bool(due) + ASKED * wanted + ASKED * (not match["will"] and welcomed(sentence, dialogue)) + hint
        if verb in NEVER_A_TASK and not re.match(r"be \w+ing\b", task):
            continue
        if TO_THE_ROOM.match(task) or (verb in NOT_A_TASK and not due and not has_object(task)):
            continue
        score -= TALK if (verb in NOT_A_TASK or verb in ("start", "begin", "look", "take", "try")) and not due else 0.0
        score -= 1.0 if CONDITIONAL.search(clause[: match.start("task") if match["task"] else 0]) else 0.0
        if UNKNOWN.search(" ".join(s.clean for s in dialogue.before(sentence.index, 1))) and not match["will"]:
            continue
        places: tuple[int, ...] = (sentence.index,)
        text = task_of(task)
        if (ON_ITS_OWN.match(task) or len(content_stems(tokens(without_date(text)))) < 1) and (
            source := request or proposal_before(sentence, dialogue)
        ):
            text, places = task_of(source[1]), (source[0].index, sentence.index)
        elif POINTS_BACK.search(text) and request and verb == verb_of(request[1]):
            text, places = task_of(request[1]), (request[0].index, sentence.index)
        if len(text.split()) >= 2 and (due or wanted or len(content_stems(tokens(text))) >= 2):
            yield Item(text, places, score, owner_of(sentence, request, dialogue), due)


def _asked(sentence: Sentence, dialogue: Dialogue) -> Iterator[Item]:
    """`Anna, can you …?` followed by a yes: the one addressed, else the one who answers, owns it."""
    offer = OFFER.search(sentence.clean)
    match = offer or YOU_ACT.search(sentence.clean)
    if not match or not sentence.is_question or TO_THE_ROOM.match(match["task"]) or match["verb"].lower() in NEVER_A_TASK:
        return
    for answer in dialogue.after(sentence.index, 2):
        if not other_voice(sentence, answer):
            continue
        follow = [answer, *[s for s in dialogue.after(answer.index, 2) if s.turn == answer.turn]]
        if not offer and any((promise := I_ACT.search(s.clean)) and (promise["will"] or promise["can"]) for s in follow):
            return
        if ACCEPTED.search(answer.clean) and len(answer.clean.split()) <= 8:
            owner = sentence.speaker if offer else called(sentence.clean) or answer.speaker
            due = due_in(match["task"]) or due_in(answer.clean)
            yield Item(task_of(match["task"]), (sentence.index, answer.index), REQUEST + DATED * bool(due), owner, due)
        return


def _assigned(sentence: Sentence, names: tuple[str, ...], hint: float) -> Iterator[Item]:
    """`Anna will …`, `please … by Monday`, `we need to … by Monday`, `action item: …`."""
    if sentence.is_question:
        return
    text = CONCLUDING.sub("", sentence.clean)
    for name in names:
        person = re.search(
            rf"(?:^|[,.;] |\band |\bthe |\bour )(?i:{re.escape(name)})(?:'ll|,? (?:you(?:'ll| will| have to| need to|"
            rf" should| are going to|'re going to)|please)| (?:will|is going to|has to|needs to|shall|must|is to|"
            rf"takes care of|is responsible for)) "
            rf"(?:also |then |please )?(?P<task>(?P<verb>[\w']+).*)",
            text,
        )
        if person and person["verb"].lower() not in NEVER_A_TASK and not CONDITIONAL.search(text):
            due = due_in(person["task"])
            yield Item(task_of(person["task"]), (sentence.index,), ASSIGNED + DATED * bool(due) + hint, name, due)
            return
        absent = re.search(
            rf"\b{re.escape(name)}\b.*\b(?:he|she|they)(?:'ll| will| is going to| are going to) (?P<task>(?P<verb>[\w']+).*)",
            text,
        )
        if absent and absent["verb"].lower() not in NEVER_A_TASK and (due := due_in(absent["task"])):
            yield Item(task_of(absent["task"]), (sentence.index,), ASSIGNED + hint, name, due)
            return
    if label := LABELLED.search(text):
        yield Item(task_of(label["task"]), (sentence.index,), ASSIGNED, label["owner"], due_in(text))
        return
    order = PLEASE.search(text)
    if order:
        task, verb = order["task"] or order["task2"], (order["verb"] or order["verb2"]).lower()
        due = due_in(task)
        if verb not in NEVER_A_TASK and not TO_THE_ROOM.match(task):
            yield Item(task_of(task), (sentence.index,), DUTY + DATED * bool(due) + hint, called(sentence.clean), due)
        return
    must = WE_MUST.search(text)
    if must and must["verb"].lower() not in NOT_A_TASK and FIRM_DATE.search(text) and not CONDITIONAL.search(text):
        yield Item(task_of(must["task"]), (sentence.index,), DUTY + DATED + hint, None, due_in(text))


def _restated(sentence: Sentence, names: tuple[str, ...]) -> Iterator[Item]:
    """`Tom fixes the crash by Wednesday and runs the test on Friday`, said while summing up."""
    owner: str | None = None
    known = "|".join(re.escape(name) for name in names)
    for clause in re.split(r",? and (?=[a-z]+s?\b)|; ", CONCLUDING.sub("", sentence.clean)):
        subject = re.match(
            rf"(?:(?P<name>{known or '(?!)'})|(?P<i>I)|(?P<other>[A-Z][a-z]+)(?= [a-z]+s ))\s+(?:will |am going to |"
            rf"is going to )?(?P<task>[a-z]+.*)",
            clause,
        )
        due = due_in(clause)
        if subject:
            owner = subject["name"] or subject["other"] or sentence.speaker if not subject["i"] else sentence.speaker
            task = subject["task"]
        elif owner and re.match(r"[a-z]+s\b", clause):
            task = clause
        else:
            owner = None
            continue
        verb, _, rest = task.partition(" ")
        if verb in ("is", "was", "has", "are", "thinks", "knows", "says") or not rest:
            continue
        plain = verb if subject and subject["i"] else plain_verb(verb)
        yield Item(task_of(f"{plain} {rest}"), (sentence.index,), RESTATED + DATED * bool(due), owner, due, restated=True)


def _same_task(left: Item, right: Item) -> bool:
    """The same owner and the same date, or one of them unsaid, and words in common."""
    if left.owner and right.owner and left.owner != right.owner:
        return False
    if not (left.due and right.due) or not (left.restated or right.restated):
        return False
    dates = [{stem(word) for word in tokens(due)} - {"the", "of"} for due in (left.due, right.due)]
    shared = (left.stems & right.stems) - dates[0] - dates[1]
    return bool(dates[0] & dates[1]) and bool(shared)
