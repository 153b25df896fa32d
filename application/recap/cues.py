"""What people say when they decide, promise, ask, agree or do not know. English first, then a few languages more."""

import re
from typing import Final

from application.recap.lexicon import word_set


def _cue(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.IGNORECASE)


AGREEMENT: Final = _cue(
    r"^(?:yes|yeah|yep|sure|okay|ok|fine|good|great|perfect|agreed|exactly|absolutely|right|all right|alright|"
    r"very well|excellent|done|deal|"
    r"wonderful|lovely|clear|understood|got it|no problem)\b",
    r"\bI (?:totally |fully |completely |also )?agree\b",
    r"\b(?:that|this|it|which)(?:'s| is| sounds| seems| would be| works)(?: \w+)? (?:fine|fair|good|great|"
    r"reasonable|sensible|ok|okay|better|right|clear|for me)\b",
    r"\bsounds (?:good|fine|great|fair|reasonable)\b|\bI(?:'m| am) (?:fine|happy|ok|okay|good) with\b|"
    r"\bI like (?:it|that|the idea)\b|\bworks for me\b",
    r"\bno objections?\b|\bmakes sense\b|\bgood idea\b|\bwell spent\b|\bsafe choice\b|\bI support\b|\bin favou?r\b",
    r"^(?:ja|genau|einverstanden|gut|klar|d'accord|oui|très bien|de acuerdo|vale|sí|claro|concordo|sim)\b",
)
APPROVAL_ALONE: Final = _cue(
    r"^(?:(?:then|so|well|and|yes|ok|okay|good|great|fine|perfect|all right|alright|right|very well|agreed|"
    r"excellent|done|deal|wonderful|"
    r"(?:that|this) (?:is|sounds|seems) (?:fair|fine|good|great|clear|reasonable|settled|agreed|right|sensible|"
    r"decided)|that's (?:fair|fine|good|settled|clear|agreed)|"
    r"it is (?:agreed|settled|decided)|it's (?:agreed|settled|decided)|I agree|we agree|we all agree|"
    r"everyone agrees|sounds good|makes sense|"
    r"(?:let's|let us) (?:do|take|go (?:with|for)) (?:that|this|it)|"
    r"no objections|einverstanden|gut|also gut|d'accord|très bien|de acuerdo|muy bien|está bien)[,.! ]*)+$"
)
"""A sentence that does nothing but approve; what the same person says next is often the decision."""
DISAGREEMENT: Final = _cue(
    r"\bI (?:do not|don't) (?:agree|think so|like (?:it|that)|want that)\b|\bI disagree\b|^no[,.]|\bnot (?:worth|"
    r"enough|possible|an option)\b|\bbad idea\b",
    r"\bI (?:am|'m) (?:against|not convinced)\b|\btoo (?:expensive|early|late|risky)\b",
)
CONCLUDING: Final = re.compile(
    r"^(?:(?:then|so|ok|okay|good|great|fine|alright|all right|right|agreed|very well|perfect|well|yes|yeah|and|but|"
    r"therefore|thus|now|"
    r"in that case|in conclusion|to conclude|in the end|for now|also|dann|alors|donc|entonces|então)[,.]?\s+)+",
    re.IGNORECASE,
)
STRONG_CONCLUDING: Final = _cue(
    r"^(?:then|so|good|great|fine|agreed|ok|okay|all right|alright|very well|therefore|thus|in that case|perfect|"
    r"also gut|dann|alors|donc|"
    r"entonces|então)\b"
)
DECIDED: Final = _cue(
    r"\b(?:it|that|this)(?:'s| is| was) (?:now |hereby |therefore )?(?:decided|agreed|settled)\b",
    r"\bwe(?:'ve| have)?(?: all| both)?(?: now| finally| already| just)? (?:decided|agreed|settled|resolved|voted|"
    r"chose|chosen|concluded)\b",
    r"\b(?:our|the|my|final|a) decision (?:is|was|stands|has been)\b|\bdecisions?\s*:|\bwe (?:all )?agree (?:that|to|on)\b",
    r"\blet(?:'s| us) (?:go|stick|settle|stay|proceed|do) (?:ahead |it )?(?:with|for|on|that|by)\b|\bwe(?:'ll| will|"
    r" are|'re|'re going to| are going to|'re gonna)? (?:go|going|sticking|stick|settling) (?:ahead )?(?:with|for)\b",
    r"\b(?:motion|proposal|budget|plan|offer) (?:is |was |has been )?(?:carried|accepted|passed|approved|adopted|"
    r"rejected)\b|^\S+(?: \S+){0,4} it is[.!]$",
    r"\bwir haben (?:\w+ )*(?:beschlossen|entschieden)|\b(?:ist|wird) (?:beschlossen|entschieden)|\b(?:on a|"
    r"nous avons|c'est) décidé|\b(?:hemos decidido|decidimos|acordamos|queda decidido|decidido)\b",
)
PROPOSAL: Final = _cue(
    r"\bI (?:would |'d )?(?:suggest|propose|recommend|vote)\b|\b(?:how|what) about\b|\bwhy (?:don't|do not) we\b|"
    r"\bwe (?:could|should)\b|\bshall we\b|\bmy (?:proposal|suggestion) is\b",
    r"\bI (?:would|'d) (?:like|prefer|want) (?:us )?to\b",
)
CONDITIONAL: Final = re.compile(
    r"\b(?:would|could|might|(?-i:may)|maybe|perhaps|if I|if it|wouldn't|couldn't|probably|hopefully)\b", re.IGNORECASE
)
NOT_DOING: Final = word_set(
    "are were was have had has need know think can can't cannot could would should might may must see want wanted do "
    "did got get feel hope guess believe agree mean understand remember find found said made took went look looked "
    "talk talked discuss discussed say call used use still always usually often never also already just currently saw "
    "heard asked tried met spent lost sent came ran began spoke thought knew wonder love like don't didn't haven't "
    "hadn't aren't weren't 're 've as all both to"
)
"""After `we`, these words tell how things are or were; they decide nothing."""
PROCEDURE: Final = re.compile(
    r"^(?:see|look|talk|speak|discuss|repeat|recap|summari[sz]e|hear|wait|say|think|be|continue|hope|assume|imagine|"
    r"check|face|find|wrap|review|"
    r"recall|consider|hurry|meet|not|(?:begin|start)(?:[.!]?$| with| by| now| from| at)|(?:move|go|come|turn|get|"
    r"skip) (?:on|to the next|back|"
    r"ahead|through|over|started|there|into|around|round)|(?:take|have) an?|(?:keep|leave) (?:that|this|it)|(?:stop|"
    r"finish|pause) (?:here|there))\b",
    re.IGNORECASE,
)
"""After `let us` or `we will`, these words steer the meeting; the meeting decides nothing by them."""
RESTATING: Final = _cue(
    r"\blet me (?:quickly |just )?(?:repeat|summari[sz]e|recap|sum up|go over)\b|\b(?:to|in) (?:summari[sz]e|"
    r"summary|recap|sum up)\b|\bso to repeat\b|\bto wrap up\b",
    r"\bzusammengefasst\b|\bpour résumer\b|\ben resumen\b|\bresumindo\b",
)
UNKNOWN: Final = _cue(
    r"\b(?:I|we|nobody|no one|they) (?:really |still |also |just |honestly |actually |frankly )*(?:do not|don't|"
    r"did not|didn't|doesn't|"
    r"does not)(?: really| actually| yet)? (?:know|have (?:an|any|the)? ?(?:idea|answer|clue|data|information))",
    r"^(?:no, |no\. )?not yet\b|\bnobody (?:really )?knows\b|\bno one knows\b|\bI(?:'m| am) (?:still |"
    r"really )?not (?:so |quite |really |"
    r"entirely )?(?:sure|certain)\b|^not sure\b|\bno idea\b|\bnot (?:yet )?(?:clear|decided|known)\b",
    r"\b(?:it|that|this)(?:'s| is| remains)(?: still)? (?:unclear|open|undecided|an open question|unknown)\b|"
    r"\bgood question\b|\bhard to say\b|\bcan(?:not|'t| not) (?:say|tell|answer)\b",
    r"\bweiß (?:ich|es) (?:auch |noch )?nicht\b|\bkeine ahnung\b|\bich weiß (?:es |das )?nicht\b|\bje ne sais pas\b|"
    r"\baucune idée\b|\bno (?:lo )?sé\b|\bni idea\b|\bnão sei\b|\bnicht sicher\b",
)
DEFERRED: Final = _cue(
    r"\b(?:keep|leave|park) (?:that|this|it|the)(?: question| issue| point| topic)?(?: open| for (?:now|later|"
    r"next))?\b|\bcome back to (?:that|this|it)\b|\btake (?:that|this|it) offline\b|\bopen (?:question|issue|"
    r"point)\b",
    r"\b(?:have|need|needs|'ll have|will have|got) to (?:ask|check|find out|figure out|clarify|look into|talk to|"
    r"speak to|clear)\b|\b(?:I|we)(?:'ll| will) (?:ask|check|find out|look into|clarify|have to ask)\b|"
    r"\bto be (?:decided|determined|confirmed|discussed)\b",
    r"\b(?:decide|discuss|answer|settle|see about) (?:that|this|it) (?:later|next|another|in the next|"
    r"at the next)\b|\bnext time\b|\bwe(?:'ll| will) (?:have to )?see\b|\bmüssen wir (?:noch )?(?:klären|fragen|"
    r"prüfen)\b|\bbleibt offen\b|\bà vérifier\b|\bil faut (?:demander|vérifier)\b|\bhay que (?:preguntar|"
    r"averiguar)\b",
)
INDIRECT_QUESTION: Final = _cue(
    r"\b(?:the|one|another|my) (?:open |big |remaining |other )?question is(?: still)? (?:who|whether|if|how|what|"
    r"when|which|where|why)\b|\bopen questions?(?: is| are)?\b\s*:?",
    r"\bwe (?:still )?(?:do not|don't) (?:yet )?know (?:yet )?(?:who|whether|if|how|what|when|which|where)\b|"
    r"\b(?:unclear|not clear|undecided|open) (?:who|whether|if|how|what|when|which|where)\b",
    r"\bwe (?:still )?(?:have|need) to (?:find out|figure out|clarify|check) (?:who|whether|if|how|what|when|which|where)\b",
)
POINTS_BACK: Final = re.compile(r"\b(?:it|that|this|them|they|those|these|one|there|he|she|him|her)\b", re.IGNORECASE)
