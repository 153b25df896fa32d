"""What is put into the search index and what comes out of it."""

from dataclasses import dataclass
from enum import StrEnum

from domain.call import ModelIdentity


class SearchMode(StrEnum):
    HYBRID = "hybrid"
    SEMANTIC = "semantic"
    LEXICAL = "lexical"


@dataclass(frozen=True, slots=True)
class Passage:
    """A citable stretch of a transcript with its unit-length vector. Times in seconds."""

    transcript_id: str
    segment_ids: tuple[int, ...]
    start: float
    end: float
    text: str
    vector: tuple[float, ...]
    model: ModelIdentity
    speaker: str | None = None


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A passage that answers a query. `score` orders hits of one answer and compares to nothing else."""

    transcript_id: str
    segment_ids: tuple[int, ...]
    start: float
    end: float
    text: str
    score: float
    speaker: str | None = None
