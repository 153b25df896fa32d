"""The words of a text as search compares them."""

import re
import unicodedata


def folded(spoken: str) -> list[str]:
    """Return the words of a text in order, without case and accents."""
    bare = "".join(sign for sign in unicodedata.normalize("NFKD", spoken) if not unicodedata.combining(sign))
    return re.findall(r"[^\W_]+", bare.casefold())
