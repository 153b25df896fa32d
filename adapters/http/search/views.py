"""What a search finds, as it is answered."""

from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from adapters.http.common.provenance_views import ProvenanceView
from adapters.http.common.view import View
from domain.search import PassageKind, SearchHit, SearchMode


class HitView(View):
    """A passage that answers; times in seconds from the beginning of the recording.

    `score`: from 0 (nothing to do with the query) to 1 (its words, or a restatement of it); the route says how it is made.
    `kind`: a `line` that was said, or a `chapter` as the recap tells it. `title` and `recap_id` are those of the conversation's
    recap, null while there is none. `transcript_id` is null for segments that came with a request for a recap. `recorded_at`:
    when the conversation was held (ISO, UTC).
    """

    conversation_id: str
    transcript_id: str | None
    recap_id: str | None
    kind: PassageKind
    title: str | None
    recorded_at: str | None
    segment_ids: list[int]
    start: float
    end: float
    speaker: str | None
    text: str
    score: float

    @classmethod
    def otherwise(cls, value: SearchHit) -> dict[str, Any]:
        held = None if value.recorded_at is None else datetime.fromtimestamp(value.recorded_at, UTC)
        return {"recorded_at": held.isoformat().replace("+00:00", "Z") if held is not None else None}


class SearchView(BaseModel):
    """Hits, best first; `mode` is the one used, `degraded` says why it is not the one asked for."""

    object: Literal["list"] = "list"
    hits: list[HitView]
    mode: SearchMode
    degraded: str | None = None
    provenance: ProvenanceView | None = Field(None, description="The call that embedded the query; null when none did")
