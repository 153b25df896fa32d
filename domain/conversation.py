"""What belongs together because it came from one recording, or one set of segments."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Held:
    """Ids of what is kept of a conversation, in order of the ids."""

    transcript_ids: Sequence[str] = ()
    recap_ids: Sequence[str] = ()
    embedding_ids: Sequence[str] = ()

    @property
    def anything(self) -> bool:
        return bool(self.transcript_ids or self.recap_ids or self.embedding_ids)
