"""What may name a request: short, and safe in a header and in a line of a log."""

import re

LONGEST = 128
"""Characters: four UUIDs. A name is for telling requests apart, and is written into every line about its request."""
_PATTERN = re.compile(rf"[A-Za-z0-9._:-]{{1,{LONGEST}}}")


def is_request_id(text: str) -> bool:
    """Return whether `text` can name a request."""
    return _PATTERN.fullmatch(text) is not None
