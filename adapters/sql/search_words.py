"""The words of a text as search compares them."""

import re
import unicodedata
from typing import Final

MOST_QUERY_WORDS: Final = 64
"""Words of a query that are looked up; more cost time and tell no more."""


def folded(spoken: str) -> list[str]:
    """Return the words of a text in order, without case and accents."""
    if not spoken.isascii():
        spoken = "".join(sign for sign in unicodedata.normalize("NFKD", spoken) if not unicodedata.combining(sign))
    return re.findall(r"[^\W_]+", spoken.casefold())


def words_of(query: str) -> list[str]:
    """Return the words of a query, folded, each once."""
    return list(dict.fromkeys(folded(query)))[:MOST_QUERY_WORDS]
