"""How a language is named to a language model."""

import re
from collections.abc import Mapping
from typing import Final

from domain.errors import InvalidRequest

LANGUAGE_TAG: Final = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*")
NAMES: Final[Mapping[str, str]] = {
    "en": "English", "de": "German", "fr": "French", "es": "Spanish", "pt": "Portuguese", "it": "Italian", "nl": "Dutch",
    "pl": "Polish", "cs": "Czech", "sv": "Swedish", "da": "Danish", "no": "Norwegian", "fi": "Finnish", "el": "Greek",
    "tr": "Turkish", "ru": "Russian", "uk": "Ukrainian", "ro": "Romanian", "hu": "Hungarian", "ja": "Japanese", "zh": "Chinese",
    "ko": "Korean", "ar": "Arabic", "he": "Hebrew", "hi": "Hindi", "vi": "Vietnamese", "id": "Indonesian", "th": "Thai",
}  # fmt: skip


def check_language(tag: str) -> None:
    """Raise InvalidRequest for what is no language tag."""
    if not LANGUAGE_TAG.fullmatch(tag):
        raise InvalidRequest("language is not a language tag such as en or pt-BR")


def language_code(tag: str) -> str:
    """Return the language of a tag without region and script: `pt` of `pt-BR`."""
    return re.split("[-_]", tag.lower())[0]


def language_name(tag: str) -> str:
    """Return the English name of a language tag, the tag itself when unknown. Raises InvalidRequest for anything else."""
    check_language(tag)
    return NAMES.get(language_code(tag), tag)
