"""When something is due: the words for it, as they were said."""

import re
from typing import Final

from application.recap.lexicon import MONTHS, ORDINALS, WEEKDAYS

_DAY: Final = "|".join(WEEKDAYS)
_MONTH: Final = "|".join(dict.fromkeys(MONTHS))
_NTH: Final = (
    r"(?:\d{1,2}(?:st|nd|rd|th)?|twenty[- ](?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth)|thirty[- ]first|"
    + "|".join(ORDINALS)
    + ")"
)
_UNIT: Final = r"(?:minutes?|hours?|days?|weeks?|months?|years?|quarters?|sprints?)"
_COUNT: Final = r"(?:\d+|an?|one|two|three|four|five|six|seven|eight|nine|ten|twelve|fourteen|a\s+few|a\s+couple\s+of)"
_EDGE: Final = r"(?:end|beginning|start|middle|close)"

_PLAIN: Final = (
    rf"(?:the\s+)?{_NTH}\s+(?:of\s+)?(?:{_MONTH})(?:\s+\d{{4}})?",
    rf"(?:{_MONTH})\s+(?:the\s+)?{_NTH}\b(?:,?\s+\d{{4}})?",
    r"\d{4}-\d{2}-\d{2}",
    r"the\s+day\s+after\s+tomorrow|tomorrow(?:\s+(?:morning|afternoon|evening|night|at\s+noon))?|tonight|today",
    rf"(?:next|this|the\s+coming|the\s+following)\s+(?:week|month|quarter|year|sprint|weekend|spring|summer|autumn|"
    rf"fall|winter|{_DAY})",
    r"this\s+(?:morning|afternoon|evening)",
    rf"(?:in|within)\s+(?:the\s+next\s+)?{_COUNT}\s+{_UNIT}",
    r"übermorgen|morgen(?:\s+früh)?|heute|nächste[nrs]?\s+(?:woche|monat)|demain|la\s+semaine\s+prochaine|ce\s+soir|mañana|"
    r"la\s+(?:próxima\s+semana|semana\s+que\s+viene)|amanhã|na\s+próxima\s+semana",
)
"""Dates that are dates wherever they stand."""
_AFTER_PREPOSITION: Final = (
    rf"(?:the\s+|this\s+|next\s+)?(?:{_DAY})(?:\s+(?:morning|afternoon|evening|night))?(?:\s+(?:next\s+week|"
    rf"the\s+{_NTH}(?:\s+of\s+(?:{_MONTH}))?))?",
    rf"(?:the\s+)?{_EDGE}\s+of\s+(?:(?:the|this|next)\s+)?(?:day|business|week|month|quarter|year|sprint|{_MONTH}|{_DAY})",
    rf"the\s+{_NTH}\b(?!\s+(?!of\b|at\b|so\b|and\b|in\b|when\b|if\b|then\b|to\b)[a-z])",
    rf"(?:{_MONTH})\b",
    r"(?:the|our|my)\s+(?:next|following)\s+(?:meeting|session|call|visit|appointment|release|review|lesson|class)",
    r"(?:noon|midnight|lunch(?:time)?|christmas|easter|new\s+year)",
    rf"{_COUNT}\s*(?:o'clock|a\.?m\.?|p\.?m\.?)|\d{{1,2}}[:.]\d{{2}}",
    r"(?:ende\s+(?:der|des|dieser|nächster)\s+\w+)|(?:la\s+)?fin\s+(?:du|de\s+la|de)\s+\w+|(?:el\s+)?(?:fin(?:al)?|"
    r"final)\s+(?:de|del)\s+\w+",
)
"""Dates only behind a word such as `by`: `by Friday`, but not `Friday was bad`."""
_FIRM: Final = (
    r"(?:no\s+later\s+than|not\s+later\s+than|by|before|until|till|due(?:\s+on|\s+by)?|bis(?:\s+zum)?|vor|d'ici(?:\s+à|"
    r"\s+au)?|avant(?:\s+le)?|jusqu'à|para(?:\s+el)?|antes\s+del?|hasta(?:\s+el)?|até)"
)
_LOOSE: Final = r"(?:on|at|in|for|from|over|during|am|im|le|el|em|no|na)"
_ANY: Final = "|".join((*_PLAIN, *_AFTER_PREPOSITION))
FIRM_DATE: Final = re.compile(rf"\b{_FIRM}\s+(?:an?\s+)?((?:{_ANY}))", re.IGNORECASE)
LOOSE_DATE: Final = re.compile(rf"\b{_LOOSE}\s+((?:{'|'.join((*_PLAIN[:3], *_AFTER_PREPOSITION))}))", re.IGNORECASE)
PLAIN_DATE: Final = re.compile(rf"\b((?:{'|'.join(_PLAIN)}|next\s+(?:{_DAY})))\b", re.IGNORECASE)


def due_in(text: str) -> str | None:
    """Return the words that say when, without their preposition; a `by` weighs more than an `on`, None when nothing does."""
    for pattern in (FIRM_DATE, LOOSE_DATE, PLAIN_DATE):
        if match := pattern.search(text):
            return match.group(1).strip()
    return None
