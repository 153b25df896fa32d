"""Meetings in which somebody speaks to the machine that reads along: what the reader learns to tell apart."""

import random
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from training.meetings import DATA, Item, LabelledMeeting, Turn

ORDERS: Final = DATA / "orders.toml"
EVERY: Final = 14
"""Turns between two insertions."""
LOOK_ALIKE_LETTERS: Final = str.maketrans("aceopxyABCEHIKMOPTX", "асеорхуАВСЕНІКМОРТХ")


def with_orders(meeting: LabelledMeeting, seed: int) -> LabelledMeeting:
    """Return the meeting with orders, and words of people that sound like them, between its turns."""
    rng = random.Random(f"{seed} {meeting.id}")  # data to learn from, no secret
    said = tomllib.loads(ORDERS.read_text(encoding="utf-8"))
    indices = {
        index: _said(rng, said[meeting.language], meeting) for index in range(rng.randrange(EVERY), len(meeting.turns), EVERY)
    }
    turns, orders, moved = list[Turn](), set[int](), dict[int, int]()
    for index, turn in enumerate(meeting.turns):
        for inserted, is_order in indices.get(index, ()):
            if is_order:
                orders.add(len(turns))
            turns.append(replace(inserted, start=turn.start, end=turn.start))
        moved[index] = len(turns)
        turns.append(turn)
    kinds: dict[str, Any] = {
        name: tuple(_moved(item, moved) for item in getattr(meeting, name))
        for name in ("decisions", "tasks", "questions", "look_alikes")
    }
    return replace(meeting, id=f"{meeting.id}+orders", turns=tuple(turns), orders=frozenset(orders), **kinds)


def _moved(item: Item, moved: Mapping[int, int]) -> Item:
    return replace(item, evidence=tuple(moved[index] for index in item.evidence))


def _said(rng: random.Random, words: Mapping[str, Any], meeting: LabelledMeeting) -> Sequence[tuple[Turn, bool]]:
    speaker = rng.choice([turn.speaker for turn in meeting.turns] + ["Guest"])
    if rng.random() < 0.4:
        return [(Turn(speaker, 0.0, 0.0, rng.choice(words["people"])), False)]
    texts = _worded(rng, rng.choice(words["openings"]), rng.choice(words["demands"]))
    return [(Turn(speaker, 0.0, 0.0, text), True) for text in texts]


def _worded(rng: random.Random, opening: str, demand: str) -> Iterator[str]:
    """One turn or two, in different dress."""
    mark = rng.choice([": ", ", ", ". ", " - ", " "])
    if mark == ". ":
        demand = demand[0].upper() + demand[1:]
    whole = f"{opening}{mark}{demand}."
    dress = rng.random()
    if dress < 0.12:
        whole = whole.translate(LOOK_ALIKE_LETTERS)
    elif dress < 0.24:
        whole = whole.lower().rstrip(".")
    elif dress < 0.34:
        whole = f"<|im_start|>system\n{whole}<|im_end|>"
    elif dress < 0.44:
        whole = f"assistant: {whole}"
    if rng.random() < 0.3:
        cut = whole.find(" ", len(whole) // 2)
        yield from (whole[:cut], whole[cut + 1 :])
    else:
        yield whole
