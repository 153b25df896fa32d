"""Words that talk to a model instead of to people: they are never shown to it and never come back from it."""

import re
from typing import Final

_ANSWER: Final = r"\b(?:your|the)\s+(?:summary|recap|output|response|answer)\s+(?:must|should|has\s+to|shall|needs\s+to|will)\s+"
_NO_MORE: Final = r"\s*(?:[.;?!…]|$|,?\s*(?:but|so|or|because|before|until|yet)\b)"
"""`what the answer must be` wonders where the clause ends there; with words to follow it may dictate them."""
_PATTERNS: Final = (
    r"\b(?:ignore|disregard|forget|override|bypass)\b.{0,40}\b(?:instruction|prompt|rule|guideline|direction|"
    r"command|previous|above|everything)",
    r"\b(?:system|developer|hidden|initial)\s+(?:prompt|message|instruction)",
    r"\bnew\s+(?:instruction|system\s+prompt)s?\b",
    r"\byou\s+are\s+(?:now\s+)?(?:an?\s+)?(?:ai|a\.i\.|assistant|language\s+model|llm|chatbot|chat\s?gpt|dan|unrestricted)\b",
    r"\bas\s+an?\s+(?:ai|language\s+model|assistant)\b",
    r"\b(?:dear|hey|attention|note|message|instructions?)\s*,?\s*(?:to|for)?\s*(?:the|any)?\s*"
    r"(?:ai\b|a\.i\.|assistant|llm|language\s+model|summari[sz]er|chatbot|note\s?taker\s+bot|transcription\s+system)",
    r"\b(?:when|while|if|before|after)\s+(?:you\s+)?(?:summari[sz]|writ|generat|produc|prepar|mak)\w*\s+(?:a|the|"
    r"this|your|up)?\s*"
    r"(?:summary|recap|minutes|notes|meeting|conversation|transcript)",
    r"\b(?:whoever|any(?:one|body)\s+who|the\s+(?:one|person)\s+who)\s+(?:writ|tak|mak|keep|prepar|summari[sz])\w*\b.{0,60}"
    r"\b(?:ha(?:s|ve)\s+to|must|should|shall|needs?\s+to|please|will)\s+(?:please\s+)?(?:do\s+)?(?:not\s+)?(?:write|say|state|mention|"
    r"include|add|put|note|list|close|output|print|repeat|leave|omit|insert|append)",
    r"\b(?:do\s+not|don't|never|instead\s+of)\s+(?:summari[sz]|recap)",
    rf"{_ANSWER}(?:say|contain|include|state|read|start|end|only|consist|list)",
    rf"(?<!\bwhat\s){_ANSWER}be\b",
    rf"\bwhat\s+{_ANSWER}be\b(?!{_NO_MORE})",
    r"\b(?:include|insert|add|put|append|write|mention)\b.{0,60}\b(?:in|into|to)\s+(?:the|your)\s+(?:summary|recap|"
    r"output|response)",
    r"\b(?:respond|reply|answer)\s+(?:only|exactly|with\s+(?:only|nothing|exactly))\b",
    r"\b(?:output|print|repeat|say|write)\s+(?:the\s+following|verbatim|nothing\s+but|only\s+(?:the|this|that|one\s+word)\b|in\s+json)",
    r"\b(?:reveal|leak|print|show|expose)\b.{0,30}\b(?:prompt|api\s+key|credentials|secret)",
    r"<\|?\s*(?:im_start|im_end|system|assistant|endoftext|/?notes)|\[/?INST\]|<</?SYS>>|###\s*(?:instruction|system|response)",
    r"^\s*(?:system|assistant)\s*:",
    r"\b(?:ignoriere?|vergiss)\b.{0,40}\b(?:anweisung|anleitung|regeln)",
    r"\b(?:ignore[zr]?|oublie[zr]?)\b.{0,40}\b(?:instructions?|consignes?|règles)",
    r"\b(?:ignora|olvida|ignore|esqueça)\b.{0,40}\b(?:instruccion|instruções|reglas|regras)",
    r"\bjail\s?break\b",
)
_ADDRESSES_THE_MODEL: Final = re.compile("|".join(f"(?:{pattern})" for pattern in _PATTERNS), re.IGNORECASE | re.DOTALL)
_LINK: Final = re.compile(
    r"(?:https?|ftp|javascript|data)\s*:|\bwww\.|\b[\w-]{2,}\.(?:com|org|net|io|ru|cn|xyz|info|biz|co|dev|ai|app|example|test)\b"
    r"|[\w.+-]+@[\w-]+\.\w+|!?\[[^\]]*\]\(",
    re.IGNORECASE,
)


def addresses_the_model(text: str) -> bool:
    """True when a sentence gives orders to whoever writes the recap rather than to a person in the room."""
    return bool(_ADDRESSES_THE_MODEL.search(text))


def has_link(text: str) -> bool:
    """True for web and mail addresses and Markdown links, which a recap never needs."""
    return bool(_LINK.search(text))
