"""What of a JSON body is text, in an encoding and in characters that everybody after us can keep."""

import json
import re
from typing import Any

from fastapi import Request

from adapters.http.common.problems import HttpProblem

LONGEST_PATH = 200
"""Characters told of where a text stands: its names are the caller's, and may be long."""
UTF_8 = ("utf-8", "utf-8-sig")
SUSPECT = re.compile(r"\\u(?:[dD][89a-fA-F]|0000)")
"""Escapes that may spell half of a surrogate pair, or a NUL. In UTF-8 itself neither can stand in JSON unescaped."""
BROKEN = re.compile("[\x00\ud800-\udfff]")


async def check_text(request: Request) -> None:
    """Raise HttpProblem for a JSON body that is not UTF-8 (400), or holds what is no text (422): half of a surrogate pair, which
    no encoding can write, or a NUL, which PostgreSQL does not keep. What is no JSON passes: it is refused where it is read.
    """
    body = await request.body()
    try:
        text = body.decode() if json.detect_encoding(body) in UTF_8 else None
    except UnicodeDecodeError:
        text = None
    if text is None:
        raise HttpProblem("malformed_request", "The body is not UTF-8.")
    if SUSPECT.search(text) and (path := _broken_path(_parsed(text))) is not None:
        raise HttpProblem("validation_failed", "A text holds half of a surrogate pair, or a NUL.", path[:LONGEST_PATH] or None)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _broken_path(value: Any) -> str | None:
    """Return where the first broken text stands (`messages.0.content`, "" for the value itself), None where there is none."""
    waiting: list[tuple[str, Any]] = [("", value)]
    while waiting:
        path, node = waiting.pop()
        if isinstance(node, str) and BROKEN.search(node):
            return path
        if isinstance(node, dict):
            if any(BROKEN.search(name) for name in node):
                return path
            waiting += [(f"{path}.{name}".lstrip("."), child) for name, child in node.items()]
        elif isinstance(node, list):
            waiting += [(f"{path}.{index}".lstrip("."), child) for index, child in enumerate(node)]
    return None
