"""Whether the lines that a sentence cites carry it: its words, its figures, its names, and who is said to have said it.

Support is the share of the sentence's content words that its lines hold: what was measured, in any language. It sees what was put
in and not what was turned round: two dates that swap places, or a "not" that was dropped, pass.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from application.recap.lines import SpokenLine
from application.recap.naming import Calling, callings
from application.recap.text import LINK, STEM, UNSPOKEN, content, numbers, tokens, whole

MOST_CITED: Final = 4
FEWEST_CLAIMS: Final = 2
"""Content words of a sentence that says something: `All right.` is carried by any line with these words."""
OWN_WORDS: Final = 0.5
"""Of what a sentence takes from its lines, the share that whom it names has to have said; several divide it among them."""
NAME: Final = re.compile(r"""(?<=[^\s.!?…:] )["'(„“«‘]*([^\W\d_a-z][\w'’-]+)""")
"""A word inside a sentence that may begin with a capital."""
JOINT: Final = re.compile(r'"\s*[,:]\s*"')
"""Where two strings of a JSON text meet."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A sentence, the lines it rests on, how far they carry it (0 to 1), and what speaks against it."""

    text: str
    lines: tuple[SpokenLine, ...]
    support: float
    fault: str | None = None


def checked(
    text: str,
    named: Sequence[SpokenLine],
    around: Sequence[SpokenLine],
    speakers: frozenset[str],
    foreign: frozenset[str] = frozenset(),
) -> Checked:
    """Check a sentence against the lines that it names; when they do not carry it, against the best of those `around`.

    `foreign`: content words of the prompt's own example, which weak models repeat; none of them may stand in for what was said.
    """
    if not whole(text) or text[:1].islower() or any(sign.search(text) for sign in (LINK, UNSPOKEN, JOINT)):
        return Checked(text, tuple(named), 0.0, "no whole sentence, or a link, or markup")
    claims = content(text) - frozenset(word for name in speakers for word in content(name))
    choices = [_judged(text, claims, tuple(sorted(set(named), key=lambda line: line.index)), speakers)] if named else []
    choices.append(_judged(text, claims, _nearest(claims, around), speakers))
    best = max(choices, key=lambda choice: choice.support)
    if (claims & foreign) - _said(best.lines):
        return Checked(text, best.lines, 0.0, "words of the prompt's example")
    return best


def held(title: str, lines: Sequence[SpokenLine]) -> float:
    """Return the share of a title's content words that the lines hold; 0 for one without any, or with a link."""
    claims = content(title)
    if not claims or any(sign.search(title) for sign in (LINK, UNSPOKEN, JOINT)):
        return 0.0
    return len(claims & _said(lines)) / len(claims)


def _judged(text: str, claims: frozenset[str], lines: tuple[SpokenLine, ...], speakers: frozenset[str]) -> Checked:
    if not lines or len(claims) < FEWEST_CLAIMS:
        return Checked(text, lines, 0.0, "nothing of it was said, or it says nothing")
    fault = _fault(text, claims, lines, speakers)
    support = 0.0 if fault else len(claims & _said(lines)) / len(claims)
    return Checked(text, lines, support, fault)


def _nearest(claims: frozenset[str], around: Sequence[SpokenLine]) -> tuple[SpokenLine, ...]:
    """The fewest lines that hold most of the claims, greedily (Nemhauser et al. 1978 on set cover)."""
    left, chosen = set(claims), list[SpokenLine]()
    while left and len(chosen) < MOST_CITED:
        best = max(around, key=lambda line: (len(left & content(line.text)), -line.index), default=None)
        if best is None or not left & content(best.text):
            break
        chosen.append(best)
        left -= content(best.text)
    return tuple(sorted(chosen, key=lambda line: line.index))


def _fault(text: str, claims: frozenset[str], lines: Sequence[SpokenLine], speakers: frozenset[str]) -> str | None:
    if numbers(text) - frozenset(number for line in lines for number in numbers(f"{line.speaker or ''} {line.text}")):
        return "a number that was not said"
    heard = {word[:STEM] for line in lines for word in tokens(f"{line.speaker or ''} {line.text}")}
    for name in NAME.findall(text):
        if name[:1].isupper() and not {word[:STEM] for word in tokens(name)} <= heard:
            return "a name that was not said"
    named = [calling for calling in callings(speakers) if calling.names(text)]
    share = OWN_WORDS / max(1, len({calling.speaker for calling in named}))
    if not all(_theirs(claims, lines, calling, share) for calling in named):
        return "somebody who did not say it"
    return None


def _theirs(claims: frozenset[str], lines: Sequence[SpokenLine], calling: Calling, share: float) -> bool:
    """Whether a named person said enough of it, or is named in it."""
    if any(calling.said_in(line.text) for line in lines):
        return True
    own = [line for line in lines if line.speaker == calling.speaker]
    return bool(own) and len(claims & _said(own)) >= share * len(claims & _said(lines))


def _said(lines: Sequence[SpokenLine]) -> frozenset[str]:
    return frozenset(word for line in lines for word in content(f"{line.speaker or ''} {line.text}"))
