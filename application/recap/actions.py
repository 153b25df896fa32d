"""Action items: who promised or was asked to do what until when."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from application.recap.cues import CONCLUDING, CONDITIONAL, POINTS_BACK, PROPOSAL, RESTATING, UNKNOWN
from application.recap.dates import FIRM_DATE, due_in
from application.recap.items import Dialogue, Item, distinct, other_voice
from application.recap.lexicon import word_set
from application.recap.people import called, names_in, thanked
from application.recap.sentences import Sentence
from application.recap.text import content_stems, stem, tokens

THRESHOLD: Final = 2.0
"""Evidence needed: a plain promise, or an ability or duty with a date."""
PROMISE, DUTY, ABILITY, REQUEST, ASSIGNED, RESTATED = 2.0, 1.0, 0.7, 2.0, 2.0, 1.0
DATED: Final = 1.3
ASKED: Final = 0.8
TALK: Final = 1.5
"""Taken off for verbs that mostly announce the next words (`I will start with …`)."""
_ADVERBS: Final = (
    r"(?:(?:also|just|then|now|definitely|quickly|personally|gladly|certainly|probably|please|maybe|perhaps|try to|"
    r"make sure to|of course|make sure that we) )*"
)
I_ACT: Final = re.compile(
    rf"\bI(?:(?P<will>'ll| will| shall| am going to|'m going to|'m gonna| am gonna| promise to)|(?P<duty> have to|"
    rf" need to| must|'ve got to| should| plan to)|(?P<can> can| could)) {_ADVERBS}(?P<task>(?P<verb>[\w']+).*)"
    r"|\b(?:ich (?P<de>werde|mache|schicke|schreibe|übernehme|kümmere|rufe|bereite|prüfe)|je (?P<fr>vais|m'occupe|"
    r"ferai|prépare|envoie)|(?:yo )?(?P<es>voy a|me encargo|vou)) (?P<other>.*)"
    r"|^(?:ich|je|yo|eu) (?!habe\b|bin\b|war\b|hatte\b|suis\b|he\b|estoy\b|tenho\b|sou\b|weiß\b|denke\b|glaube\b|"
    r"pense\b|sais\b)\w+ (?P<dated>.*)",
    re.IGNORECASE,
)
YOU_ACT: Final = re.compile(rf"\b(?:can|could|would|will) you {_ADVERBS}(?P<task>(?P<verb>[\w']+).*)", re.IGNORECASE)
OFFER: Final = re.compile(rf"\b(?:shall|should) I {_ADVERBS}(?P<task>(?P<verb>[\w']+).*)\?", re.IGNORECASE)
PLEASE: Final = re.compile(
    r"^(?:so |and |then )?please (?P<task>(?P<verb>[\w']+).*)|^(?:you(?:'ll| will| have to| need to| should|"
    r"'re going to| are going to)) (?P<task2>(?P<verb2>[\w']+).*)",
    re.IGNORECASE,
)
NUMBERED: Final = re.compile(r"^(?:speaker|spk|voice|channel|person|participant|unknown)[\s_-]*\w{0,2}$", re.IGNORECASE)
"""Labels that a diarizer gives, which name nobody."""
WHO_WILL: Final = re.compile(
    r"\bwho (?:will|can|could|would|wants to|is going to|takes|does|should)\b|\b(?:any|a) volunteers?\b", re.IGNORECASE
)
WELCOME: Final = re.compile(
    r"^(?:sure|great|good|perfect|thank|thanks|yes|please|that would|excellent|wonderful|lovely|ok|okay|fine)\b", re.IGNORECASE
)
WE_MUST: Final = re.compile(
    r"\b(?:we (?:need to|have to|must|should)|(?:somebody|someone) (?:has to|needs to|should|must)) (?P<task>(?P<verb>[\w']+).*)",
    re.IGNORECASE,
)
LABELLED: Final = re.compile(
    r"\b(?:action items?|action points?|to-?dos?)(?: is| are|(?: for (?P<owner>[A-Z]\w+))?\s*:)\s+(?P<task>(?P<verb>[\w']+).*)",
    re.IGNORECASE,
)
ACCEPTED: Final = re.compile(
    r"^(?:yes|yeah|yep|sure|of course|okay|ok|will do|no problem|absolutely|certainly|gladly|happy to|with pleasure|"
    r"fine|i will|i'll|i can|alright|all right|consider it|done|right|i am on it|i'm on it)\b",
    re.IGNORECASE,
)
NOT_A_TASK: Final = word_set(
    "be say think know guess assume agree hear understand believe remember imagine admit bet mean suppose feel hope "
    "like love prefer not never explain mention add repeat remind summarize summarise skip wait pass let see have get "
    "need want live miss go come only always never leave talk speak continue stop stay call imagine tell show ask "
    "give do read hand"
)
"""Verbs of talking and being; a date or another person as the object makes tasks of some (`tell the team tomorrow`)."""
NEVER_A_TASK: Final = word_set(
    "be say think know guess assume agree hear understand believe remember imagine admit bet mean suppose feel hope "
    "like love prefer not never always miss only want"
)
TO_THE_ROOM: Final = re.compile(
    r"^(?:tell|show|ask|give|read|hand|remind|help|walk|let|excuse|explain|describe|repeat|say|hear|imagine|see|"
    r"pass|start|begin|speak|open|introduce|elaborate|clarify|confirm|summari[sz]e|go|believe|think)\b(?:\s+(?:you|"
    r"us|me|everybody|everyone|it|that|this|with|again|on|the (?:numbers|slides|agenda|next))|\s*[.?!]|$| .*\b(?:us|"
    r"me)\b)",
    re.IGNORECASE,
)
"""Done by speaking, right away: no item outlives the sentence."""
_TAIL: Final = re.compile(
    r",? (?:so that|because|since|but|which|although|unless|as soon as|when (?:the|we|you|they)|and then (?:we|you)|"
    r"if) .*$|, (?:and|so) (?:we|you|they|then|that|it|all|the) .*$| and (?:we|they|it|you) (?:should|will|can|"
    r"would|could|are|is|have)\b.*$",
    re.IGNORECASE,
)
_CLAUSE: Final = re.compile(r",? and (?=(?:then )?(?:I(?:'ll| will| am going to)\b|[a-z]+s\b))|; |, then ")
_ON_ITS_OWN: Final = re.compile(
    r"^(?:do|handle|take care of|look into|fix|arrange|finish|prepare|organize|organise|check|try|manage|get|"
    r"have) (?:it|that|this|so|them)\b",
    re.IGNORECASE,
)


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
    for clause in _CLAUSE.split(sentence.clean):
        match = I_ACT.search(clause)
        if not match:
            continue
        task = match["task"] or match.group(0)
        verb = (match["verb"] or "").lower()
        request = _request_before(sentence, dialogue)
        wanted = bool(request) or _somebody_wanted(sentence, dialogue)
        due = due_in(task) or _due_nearby(sentence, request, dialogue)
        score = PROMISE if match["will"] or match["other"] else ABILITY if match["can"] else DUTY
        score += DATED * bool(due) + ASKED * wanted + ASKED * (not match["will"] and _welcomed(sentence, dialogue)) + hint
        if verb in NEVER_A_TASK and not re.match(r"be \w+ing\b", task):
            continue
        if TO_THE_ROOM.match(task) or (verb in NOT_A_TASK and not due and not _has_object(task)):
            continue
        score -= TALK if (verb in NOT_A_TASK or verb in ("start", "begin", "look", "take", "try")) and not due else 0.0
        score -= 1.0 if CONDITIONAL.search(clause[: match.start("task") if match["task"] else 0]) else 0.0
        if UNKNOWN.search(" ".join(s.clean for s in dialogue.before(sentence.index, 1))) and not match["will"]:
            continue
        places: tuple[int, ...] = (sentence.index,)
        text = _task(task)
        if (_ON_ITS_OWN.match(task) or len(content_stems(tokens(_without_date(text)))) < 1) and (
            source := request or _proposal_before(sentence, dialogue)
        ):
            text, places = _task(source[1]), (source[0].index, sentence.index)
        elif POINTS_BACK.search(text) and request and verb == _verb(request[1]):
            text, places = _task(request[1]), (request[0].index, sentence.index)
        if len(text.split()) >= 2 and (due or wanted or len(content_stems(tokens(text))) >= 2):
            yield Item(text, places, score, _owner(sentence, request, dialogue), due)


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
            yield Item(_task(match["task"]), (sentence.index, answer.index), REQUEST + DATED * bool(due), owner, due)
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
            yield Item(_task(person["task"]), (sentence.index,), ASSIGNED + DATED * bool(due) + hint, name, due)
            return
        absent = re.search(
            rf"\b{re.escape(name)}\b.*\b(?:he|she|they)(?:'ll| will| is going to| are going to) (?P<task>(?P<verb>[\w']+).*)",
            text,
        )
        if absent and absent["verb"].lower() not in NEVER_A_TASK and (due := due_in(absent["task"])):
            yield Item(_task(absent["task"]), (sentence.index,), ASSIGNED + hint, name, due)
            return
    if label := LABELLED.search(text):
        yield Item(_task(label["task"]), (sentence.index,), ASSIGNED, label["owner"], due_in(text))
        return
    order = PLEASE.search(text)
    if order:
        task, verb = order["task"] or order["task2"], (order["verb"] or order["verb2"]).lower()
        due = due_in(task)
        if verb not in NEVER_A_TASK and not TO_THE_ROOM.match(task):
            yield Item(_task(task), (sentence.index,), DUTY + DATED * bool(due) + hint, called(sentence.clean), due)
        return
    must = WE_MUST.search(text)
    if must and must["verb"].lower() not in NOT_A_TASK and FIRM_DATE.search(text) and not CONDITIONAL.search(text):
        yield Item(_task(must["task"]), (sentence.index,), DUTY + DATED + hint, None, due_in(text))


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
        plain = verb if subject and subject["i"] else _plain_verb(verb)
        yield Item(_task(f"{plain} {rest}"), (sentence.index,), RESTATED + DATED * bool(due), owner, due, restated=True)


def _plain_verb(verb: str) -> str:
    if verb.endswith(("sses", "xes", "ches", "shes", "zzes", "goes", "does")):
        return verb[:-2]
    return verb[:-3] + "y" if verb.endswith("ies") else verb.removesuffix("s")


def _task(words: str) -> str:
    """Return the promise as a task: its verb first, without the reasons behind it."""
    text = _TAIL.sub("", words.strip()).rstrip(" .?!,;")
    text = re.sub(r"^be (?=\w+ing\b)", "", text)
    return text[:1].upper() + text[1:] + "." if text else ""


def _without_date(text: str) -> str:
    due = due_in(text)
    return text.replace(due, "") if due else text


def _has_object(task: str) -> bool:
    return len(content_stems(tokens(task))) >= 3


def _verb(task: str) -> str:
    return task.partition(" ")[0].lower()


def _request_before(sentence: Sentence, dialogue: Dialogue) -> tuple[Sentence, str] | None:
    """The question that a promise answers, with the task it asks for."""
    for earlier in dialogue.before(sentence.index, 3):
        if (
            not earlier.suspicious
            and other_voice(earlier, sentence)
            and earlier.is_question
            and (match := YOU_ACT.search(earlier.clean))
        ):
            return (earlier, match["task"])
    return None


def _proposal_before(sentence: Sentence, dialogue: Dialogue) -> tuple[Sentence, str] | None:
    for earlier in dialogue.before(sentence.index, 5):
        if (
            not earlier.suspicious
            and PROPOSAL.search(earlier.clean)
            and (match := re.search(r"\b(?:to|should|could|we) (?P<task>(?!we\b)\w+ .+)", earlier.clean))
        ):
            return (earlier, match["task"])
        if not earlier.suspicious and (match := WE_MUST.search(earlier.clean)):
            return (earlier, match["task"])
    return None


def _due_nearby(sentence: Sentence, request: tuple[Sentence, str] | None, dialogue: Dialogue) -> str | None:
    """The date asked for, or the date of what the task makes possible, said in the next breath."""
    if request and (asked := due_in(request[1])):
        return asked
    for later in dialogue.after(sentence.index, 1):
        same_breath = later.turn == sentence.turn and not later.is_question and not I_ACT.search(later.clean)
        if (
            same_breath
            and re.search(r"\b(?:can|will|should|ready|done|finished|have it|get it)\b", later.clean)
            and not CONDITIONAL.search(later.clean)
        ):
            return due_in(later.clean)
    return None


def _somebody_wanted(sentence: Sentence, dialogue: Dialogue) -> bool:
    """Somebody has just asked who will do it."""
    return any(
        s.is_question and WHO_WILL.search(s.clean) and other_voice(s, sentence) for s in dialogue.before(sentence.index, 4)
    )


def _welcomed(sentence: Sentence, dialogue: Dialogue) -> bool:
    """The next voice takes an offer up (`I can draft it`. `Great, thanks`)."""
    for later in dialogue.after(sentence.index, 2):
        if later.turn != sentence.turn or sentence.speaker is None:
            return bool(WELCOME.search(later.clean))
    return False


def _owner(sentence: Sentence, request: tuple[Sentence, str] | None, dialogue: Dialogue) -> str | None:
    """Who promised: the speaker; a name that was called instead of a bare number of a diarizer."""
    if sentence.speaker and not NUMBERED.match(sentence.speaker):
        return sentence.speaker
    return _unnamed_owner(sentence, request, dialogue) or sentence.speaker


def _unnamed_owner(sentence: Sentence, request: tuple[Sentence, str] | None, dialogue: Dialogue) -> str | None:
    """Without speaker labels the owner is whom the request named, or who is thanked next; else nobody is named."""
    if request and (name := called(request[0].clean)):
        return name
    for later in dialogue.after(sentence.index, 2):
        if name := thanked(later.clean):
            return name
    return None


def _same_task(left: Item, right: Item) -> bool:
    """The same owner and the same date, or one of them unsaid, and words in common."""
    if left.owner and right.owner and left.owner != right.owner:
        return False
    if not (left.due and right.due) or not (left.restated or right.restated):
        return False
    dates = [{stem(word) for word in tokens(due)} - {"the", "of"} for due in (left.due, right.due)]
    shared = (left.stems & right.stems) - dates[0] - dates[1]
    return bool(dates[0] & dates[1]) and bool(shared)
