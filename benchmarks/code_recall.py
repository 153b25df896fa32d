"""How far down among the nearest codes the nearest lines of real meetings are: `python -m benchmarks.code_recall 24000`.

Lines of the evaluation meetings of five words and more, embedded by the bundled model; of 200 of them the ten nearest others.
"""

import json
import random
import sys
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from adapters.sql.search_blocks import codes_of
from benchmarks.material import data_folder
from evals.embedding import Vectoriser

DEPTHS: Final = (100, 200, 400, 800)
ASKED, TOP, LEAST_WORDS, MOST_WORDS, SEED = 200, 10, 5, 60, 0


def lines(count: int) -> list[str]:
    """Return different lines of the meetings, in random order."""
    found = dict.fromkeys(text for name in ("training_meetings", "meetings") for text in _texts(name))
    long = [" ".join(text.split()[:MOST_WORDS]) for text in found if len(text.split()) >= LEAST_WORDS]
    random.Random(SEED).shuffle(long)
    return sorted(long[:count], key=len)  # a pass of the model is as long as its longest text


def _texts(name: str) -> Iterator[str]:
    for path in sorted((data_folder() / name).rglob("*.json*")):
        raw = path.read_text(encoding="utf-8")
        documents = (
            [json.loads(line) for line in raw.splitlines() if line.strip()] if path.suffix == ".jsonl" else [json.loads(raw)]
        )
        yield from _within(documents)


def _within(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for each in node:
            yield from _within(each)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key == "text" and isinstance(value, str):
                yield value
            else:
                yield from _within(value)


def recall(vectors: NDArray[np.float32]) -> dict[int, float]:
    """Return by depth the share of the ten nearest that are among so many nearest codes."""
    numbers = np.random.default_rng(SEED)
    codes, shares = codes_of(vectors), dict.fromkeys(DEPTHS, 0.0)
    for index in numbers.permutation(len(vectors))[:ASKED]:
        cosines = vectors @ vectors[index]
        apart = np.bitwise_count(codes ^ codes[index]).sum(axis=1).astype(int)
        cosines[index], apart[index] = -2.0, vectors.shape[1] + 1
        exact, order = set(np.argsort(-cosines)[:TOP].tolist()), np.argsort(apart, kind="stable")
        for depth in DEPTHS:
            shares[depth] += len(exact & set(order[:depth].tolist())) / TOP / ASKED
    return shares


if __name__ == "__main__":
    for depth, share in recall(Vectoriser()(lines(int(sys.argv[1])))).items():
        sys.stdout.write(f"among the nearest {depth:4} codes: {share:.3f}\n")
