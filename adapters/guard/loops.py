"""Text that a decoder fell into a loop over."""

import zlib

COMPRESSION_RATIO_LIMIT = 2.4
"""Text that zlib shrinks more than this repeats itself (Whisper paper, section 4.5)."""
SHORTEST_COMPRESSED = 120
"""Characters below which the ratio says little: "no, no, no, no, no" is something people say."""
LOOP_REPEATS = 8
"""The same phrase this many times in a row. The engine's own gate asks for a second try at 5; this one refuses for good."""
LOOP_LONGEST_PHRASE = 8
"""Words in the longest phrase that is looked for in a row."""
LONGEST_WORD = 40
"""Mean characters between spaces above which a script is taken to be written without them."""


def is_looped(text: str) -> bool:
    """Whether `text` repeats a phrase `LOOP_REPEATS` times in a row, or as a whole compresses like a repetition."""
    return _compresses(text) or _has_run(_units(text))


def _compresses(text: str) -> bool:
    """The ratio is taken over code points of equal width: UTF-8 alone makes scripts of three bytes a letter look repetitive."""
    if len(text) < SHORTEST_COMPRESSED:
        return False
    alphabet = {character: index % 256 for index, character in enumerate(sorted(set(text)))}
    encoded = bytes(alphabet[character] for character in text)
    return len(encoded) / len(zlib.compress(encoded)) > COMPRESSION_RATIO_LIMIT


def _units(text: str) -> list[str]:
    words = [word.strip(".,!?;:…-–\"'").casefold() for word in text.split()]
    if words and len(text) / len(words) > LONGEST_WORD:
        return [character for character in text if not character.isspace()]
    return words


def _has_run(units: list[str]) -> bool:
    for size in range(1, LOOP_LONGEST_PHRASE + 1):
        run = 0
        for here in range(size, len(units)):
            run = run + 1 if units[here] == units[here - size] else 0
            if run >= size * (LOOP_REPEATS - 1):
                return True
    return False
