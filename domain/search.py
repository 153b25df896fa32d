"""What is put into the search index and what comes out of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from domain.call import ModelIdentity


class SearchMode(StrEnum):
    HYBRID = "hybrid"
    SEMANTIC = "semantic"
    LEXICAL = "lexical"


class PassageKind(StrEnum):
    """What a passage is: words that were said, or what a recap tells of a chapter."""

    LINE = "line"
    CHAPTER = "chapter"


@dataclass(frozen=True, slots=True)
class CosineScale:
    """What cosines of one embedding model mean: at `unrelated` and below a text has nothing to do with the query, at `related`
    and above it could hardly be closer; from `same` on, two lines of one conversation are about one matter. Measured for each
    model; it comes with the model's descriptor.
    """

    unrelated: float = 0.0
    related: float = 1.0
    same: float = 0.999

    def closeness(self, cosine: float) -> float:
        """Return where the cosine lies between the two: 0 to 1."""
        return min(1.0, max(0.0, self.scaled(cosine)))

    def scaled(self, cosine: float) -> float:
        """Return where the cosine lies on the scale: 0 at `unrelated`, 1 at `related`, and beyond on either side."""
        return (cosine - self.unrelated) / self.span

    @property
    def span(self) -> float:
        """Return the cosine between `unrelated` and `related`."""
        return self.related - self.unrelated


UNMEASURED = CosineScale()
"""The scale of a model that nobody measured: its cosines as they are, and the same is only what is all but equal."""


@dataclass(frozen=True, slots=True)
class QueryVector:
    """A query in the space of one embedding model, and what that model's cosines mean."""

    model: ModelIdentity
    vector: tuple[float, ...]
    scale: CosineScale = UNMEASURED


@dataclass(frozen=True, slots=True)
class SpacesOfTenant:
    """The models in whose spaces passages of a tenant are compared, in order, and how many passages have a vector in none of
    them, but in that of another model.
    """

    models: tuple[ModelIdentity, ...]
    beyond: int


@dataclass(frozen=True, slots=True)
class SpaceStanding:
    """How many passages are indexed, and how many of them have no vector of a model yet."""

    passages: int
    unplaced: int


@dataclass(frozen=True, slots=True)
class UnplacedSource:
    """Passages of one source that have no vector of a model, by id."""

    tenant: str
    conversation_id: str
    source_id: str
    texts: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class SearchFilters:
    """Which passages count; what is empty or None leaves all. Times are Unix seconds, the first included, the second not."""

    conversation_ids: tuple[str, ...] = ()
    speakers: tuple[str, ...] = ()
    kinds: tuple[PassageKind, ...] = ()
    recorded_from: float | None = None
    recorded_before: float | None = None


EVERYTHING = SearchFilters()


@dataclass(frozen=True, slots=True)
class Passage:
    """A citable stretch of a conversation with its unit-length vector, () where it has none. Times in seconds.

    `transcript_id` None: of segments that a caller brought for the recap `recap_id`. `title` is the recap's; `recorded_at` (Unix
    seconds) says when the conversation was held, None leaves what is known.
    """

    transcript_id: str | None
    segment_ids: tuple[int, ...]
    start: float
    end: float
    text: str
    vector: tuple[float, ...]
    model: ModelIdentity
    speaker: str | None = None
    kind: PassageKind = PassageKind.LINE
    recap_id: str | None = None
    title: str | None = None
    recorded_at: float | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """What of an indexed passage changes with names of speakers (speaker, text, title), and what tells which passage it is."""

    kind: PassageKind
    segment_ids: tuple[int, ...]
    start: float
    recap_id: str | None
    speaker: str | None
    text: str
    title: str | None


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A passage that answers a query. `score` is from 0 (nothing to do with it) to 1; see `relevance`."""

    conversation_id: str
    transcript_id: str | None
    segment_ids: tuple[int, ...]
    start: float
    end: float
    text: str
    score: float
    speaker: str | None = None
    kind: PassageKind = PassageKind.LINE
    recap_id: str | None = None
    title: str | None = None
    recorded_at: float | None = None


def relevance(closeness: float, coverage: float) -> float:
    """Return one score of two independent signs that a passage answers, each from 0 to 1: either alone is enough (noisy or)."""
    return 1.0 - (1.0 - closeness) * (1.0 - coverage)


def coverage(found: float, asked: float) -> float:
    """Return how well the words of a query are covered, 0 to 1.

    It is the share of their weight that was found, squared, since half the words are much less than half an answer.
    """
    return (found / asked) ** 2 if asked > 0 else 0.0


def moment_of(recorded_at: str) -> float:
    """Return an ISO date or date-time in Unix seconds; one without a zone is taken for UTC."""
    moment = datetime.fromisoformat(recorded_at)
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()
