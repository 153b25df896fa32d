"""How tasks are promised, asked for and worded."""

import re
from typing import Final

from application.recap.dates import due_in
from application.recap.lexicon import word_set
from application.recap.text import content_stems, tokens

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
CLAUSE: Final = re.compile(r",? and (?=(?:then )?(?:I(?:'ll| will| am going to)\b|[a-z]+s\b))|; |, then ")
ON_ITS_OWN: Final = re.compile(
    r"^(?:do|handle|take care of|look into|fix|arrange|finish|prepare|organize|organise|check|try|manage|get|"
    r"have) (?:it|that|this|so|them)\b",
    re.IGNORECASE,
)


def plain_verb(verb: str) -> str:
    """Return a verb without the ending of the third person."""
    if verb.endswith(("sses", "xes", "ches", "shes", "zzes", "goes", "does")):
        return verb[:-2]
    return verb[:-3] + "y" if verb.endswith("ies") else verb.removesuffix("s")


def task_of(words: str) -> str:
    """Return the promise as a task: its verb first, without the reasons behind it."""
    text = _TAIL.sub("", words.strip()).rstrip(" .?!,;")
    text = re.sub(r"^be (?=\w+ing\b)", "", text)
    return text[:1].upper() + text[1:] + "." if text else ""


def without_date(text: str) -> str:
    """Return a task without the words that say when."""
    due = due_in(text)
    return text.replace(due, "") if due else text


def has_object(task: str) -> bool:
    """True when a task names more than its verb."""
    return len(content_stems(tokens(task))) >= 3


def verb_of(task: str) -> str:
    """Return the first word of a task."""
    return task.partition(" ")[0].lower()
