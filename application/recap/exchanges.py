"""What stands around a promise: the request before it, the thanks behind it, the date in the next breath."""

import re
from typing import Final

from application.recap.cues import CONDITIONAL, PROPOSAL
from application.recap.dates import due_in
from application.recap.items import Dialogue, other_voice
from application.recap.people import called, thanked
from application.recap.sentences import Sentence
from application.recap.tasks import I_ACT, WE_MUST, YOU_ACT

NUMBERED: Final = re.compile(r"^(?:speaker|spk|voice|channel|person|participant|unknown)[\s_-]*\w{0,2}$", re.IGNORECASE)
"""Labels that a diarizer gives, which name nobody."""
WHO_WILL: Final = re.compile(
    r"\bwho (?:will|can|could|would|wants to|is going to|takes|does|should)\b|\b(?:any|a) volunteers?\b", re.IGNORECASE
)
WELCOME: Final = re.compile(
    r"^(?:sure|great|good|perfect|thank|thanks|yes|please|that would|excellent|wonderful|lovely|ok|okay|fine)\b", re.IGNORECASE
)


def request_before(sentence: Sentence, dialogue: Dialogue) -> tuple[Sentence, str] | None:
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


def proposal_before(sentence: Sentence, dialogue: Dialogue) -> tuple[Sentence, str] | None:
    """The proposal that an `I will do that` takes up, with its task."""
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


def due_nearby(sentence: Sentence, request: tuple[Sentence, str] | None, dialogue: Dialogue) -> str | None:
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


def somebody_wanted(sentence: Sentence, dialogue: Dialogue) -> bool:
    """Somebody has just asked who will do it."""
    return any(
        s.is_question and WHO_WILL.search(s.clean) and other_voice(s, sentence) for s in dialogue.before(sentence.index, 4)
    )


def welcomed(sentence: Sentence, dialogue: Dialogue) -> bool:
    """The next voice takes an offer up (`I can draft it`. `Great, thanks`)."""
    for later in dialogue.after(sentence.index, 2):
        if later.turn != sentence.turn or sentence.speaker is None:
            return bool(WELCOME.search(later.clean))
    return False


def owner_of(sentence: Sentence, request: tuple[Sentence, str] | None, dialogue: Dialogue) -> str | None:
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
