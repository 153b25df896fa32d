"""What a search is asked for."""

from typing import Annotated

from pydantic import Field, StringConstraints

from adapters.http.common.body import Body
from adapters.http.common.fields import Identifier, RecordedAt
from domain.search import PassageKind, SearchFilters, SearchMode, moment_of

QUERY_CHARACTERS = 1_024
MOST_FILTERS = 100
"""Names in one filter of a search."""
DAY_S = 86_400.0
MOMENT_S = 1e-6
"""The finest step of a date-time that is taken."""


Day = Annotated[
    RecordedAt, Field(description="ISO date or date-time; a date stands for the whole day, UTC where no zone is named")
]
Speaker = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=128)]


class SearchBody(Body):
    """What to look for, and where. `limit` hits at most, of a score of at least `min_score` (0 to 1).

    The rest leaves only passages of these conversations, by these speakers (as they are spelt in the transcript), of these kinds,
    of conversations held from `recorded_from` to `recorded_to`, both included. A conversation was held at its `recorded_at`, or
    when its job came in.
    """

    query: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=QUERY_CHARACTERS)]
    limit: Annotated[int, Field(strict=True, ge=1, le=50)] = 10
    mode: SearchMode = SearchMode.HYBRID
    min_score: Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)] = 0.0
    conversation_ids: Annotated[tuple[Identifier, ...], Field(min_length=1, max_length=MOST_FILTERS)] | None = None
    speakers: Annotated[tuple[Speaker, ...], Field(min_length=1, max_length=MOST_FILTERS)] | None = None
    kinds: Annotated[tuple[PassageKind, ...], Field(min_length=1, max_length=len(PassageKind))] | None = None
    recorded_from: Day | None = None
    recorded_to: Day | None = None

    @property
    def filters(self) -> SearchFilters:
        """What is to be left, in Unix seconds."""
        return SearchFilters(
            conversation_ids=self.conversation_ids or (),
            speakers=self.speakers or (),
            kinds=self.kinds or (),
            recorded_from=None if self.recorded_from is None else moment_of(self.recorded_from),
            recorded_before=None if self.recorded_to is None else _just_after(self.recorded_to),
        )


def _just_after(recorded_to: str) -> float:
    """The end of a day, or the moment after a moment."""
    return moment_of(recorded_to) + (DAY_S if "T" not in recorded_to else MOMENT_S)
