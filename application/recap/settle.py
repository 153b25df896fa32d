"""Candidates about one matter: what is said twice is reported once."""

from collections.abc import Mapping, Sequence

from application.recap.candidates import Candidate
from application.recap.settings import RecapSettings
from application.recap.vectors import Vector, centroid, dot
from domain.search import CosineScale


def settled(
    candidates: Sequence[Candidate], vectors: Mapping[int, Vector], scale: CosineScale, settings: RecapSettings
) -> list[Candidate]:
    """Return the candidates without those that a later one of their kind repeats: the last state stands.

    Two are about one matter when the mean directions of their lines are nearer than the `same` of the `scale` of the vectors
    and no more than `same_matter_lines` lines lie between them.
    """
    kept: list[Candidate] = []
    for candidate in candidates:
        own = centroid(vectors[index] for index in candidate.lines if index in vectors)
        repeated = [
            other
            for other in kept
            if other.kind is candidate.kind
            and candidate.lines[0] - other.lines[-1] <= settings.same_matter_lines
            and own
            and dot(own, centroid(vectors[index] for index in other.lines if index in vectors)) >= scale.same
        ]
        kept = [other for other in kept if other not in repeated]
        kept.append(candidate)
    return kept
