"""Typical decisions, promises and open questions: nearness to them is extra evidence, in any language the embedder knows."""

from collections.abc import Mapping, Sequence
from typing import Final

from application.recap.vectors import Vector, dot

PROTOTYPES: Final[Mapping[str, tuple[str, ...]]] = {
    "decision": (
        "We have decided to do it this way.",
        "Then we agree: we will go with this option.",
        "It is settled, we postpone it until later.",
        "All right, from now on we will no longer do that.",
        "Let us go ahead with the second proposal.",
    ),
    "action": (
        "I will send it to you by Friday.",
        "I will take care of that next week.",
        "Could you prepare the document before the next meeting?",
        "She is going to call them tomorrow.",
        "My task is to write the report until Monday.",
    ),
    "question": (
        "We do not know yet who is responsible for this.",
        "Are we allowed to do that? Nobody is sure.",
        "That question stays open for now.",
        "How much will it cost? I have no idea.",
    ),
    "neutral": (
        "That is a good point.",
        "It was like this last year.",
        "I think it looks nice.",
        "Good morning, thank you for coming.",
        "There are many of them.",
        "Can you show us the numbers?",
    ),
}
NEAREST: Final = 0.40
"""Cosine to a prototype below which nearness means nothing (MiniLM, dev meetings)."""
MARGIN: Final = 0.08
WEIGHT: Final = 2.0
MOST: Final = 0.5
"""Prototypes alone decide nothing; they lift what the words have nearly shown."""


def prototype_texts() -> tuple[str, ...]:
    """Return all prototypes in a fixed order, for one embedding call that is the same for every recap."""
    return tuple(text for texts in PROTOTYPES.values() for text in texts)


def hints_of(vectors: Mapping[int, Vector], prototypes: Sequence[Vector]) -> dict[str, dict[int, float]]:
    """Return by kind and sentence how much nearer a sentence is to that kind than to all others."""
    groups: dict[str, Sequence[Vector]] = {}
    start = 0
    for kind, texts in PROTOTYPES.items():
        groups[kind] = prototypes[start : start + len(texts)]
        start += len(texts)
    hints: dict[str, dict[int, float]] = {kind: {} for kind in PROTOTYPES}
    for index, vector in vectors.items():
        near = {kind: max(dot(vector, prototype) for prototype in group) for kind, group in groups.items()}
        best = max(near, key=lambda kind: near[kind])
        second = max(value for kind, value in near.items() if kind != best)
        if near[best] >= NEAREST and near[best] - second >= MARGIN:
            hints[best][index] = min(MOST, WEIGHT * (near[best] - second))
    return hints
