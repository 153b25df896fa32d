"""Sound to who speaks when in it, one window at a time."""

from abc import abstractmethod
from typing import Final, Protocol

from domain.call import Answer, CallContext, ModelIdentity
from domain.speakers import Stretch
from domain.voice_clusters import ClusterRules

LONGEST_WINDOW_S: Final = 10.0
"""Seconds of sound that one call takes at most."""


class Diarizer(Protocol):
    """Tells the speakers of a window apart, and how each of them sounds."""

    @property
    @abstractmethod
    def identity(self) -> ModelIdentity: ...

    @property
    @abstractmethod
    def voices(self) -> ClusterRules:
        """From which cosine on its voices are one person's, as the model's descriptor has it."""

    @abstractmethod
    async def listen(self, pcm: bytes, context: CallContext) -> Answer[tuple[Stretch, ...]]:
        """Return the stretches of speech in a window, by start, in seconds from its start; those of two speakers may overlap.

        `pcm` is s16le mono 16 kHz, at most `LONGEST_WINDOW_S`; silence gives no stretches. All voices of one identity can be
        compared by their cosine. Raises InvalidRequest for no sound or too much, the ModelError kinds, BudgetExceeded,
        RateLimited or DeadlineExceeded.
        """
