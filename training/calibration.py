"""How a probability has to be bent so that it says how often it is right."""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from scipy.optimize import minimize

RIDGE: Final = 1e-3


def fitted(seen: Sequence[tuple[float, bool]]) -> tuple[float, float]:
    """Return slope and offset of the log-odds that fit best (Platt 1999); what is there for no data.

    `seen`: pairs of a probability and whether it came true.
    """
    if not any(hit for _, hit in seen) or all(hit for _, hit in seen):
        return 1.0, 0.0
    odds = np.array([math.log(p / (1 - p)) for p in (min(max(p, 1e-6), 1 - 1e-6) for p, _ in seen)])
    hits = np.array([float(hit) for _, hit in seen])

    def loss(at: Sequence[float]) -> float:
        told = at[0] * odds + at[1]
        return float((np.logaddexp(0, told) - hits * told).sum() + RIDGE * ((at[0] - 1) ** 2 + at[1] ** 2))

    best = minimize(loss, (1.0, 0.0), method="BFGS").x
    return float(best[0]), float(best[1])
