"""A sentence about a conversation, and the lines that are to carry it."""

from dataclasses import dataclass

from domain.finding import Line


@dataclass(frozen=True, slots=True)
class Claim:
    """`text` says something of a conversation; `premise` are the lines that it rests on, in their order."""

    premise: tuple[Line, ...]
    text: str
