"""Where voices are kept that a tenant asked to remember."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Protocol

from domain.speakers import SpokenVoice
from domain.voice_profiles import VoiceModel, VoiceProfile


class VoiceProfiles(Protocol):
    """Keeps voices by tenant and name. Every method raises StorageFailed when the store can not answer.

    What is deleted is gone: it can be read from no file of the store afterwards.
    """

    @abstractmethod
    async def remember(self, tenant: str, name: str, voice: SpokenVoice, model: VoiceModel) -> VoiceProfile:
        """Keep a voice under a name; one that is kept under it already is replaced, and keeps its id.

        Raises InvalidRequest when the tenant keeps `MOST_VOICES` already.
        """

    @abstractmethod
    async def list(self, tenant: str) -> Sequence[VoiceProfile]:
        """Return all voices of a tenant, by name."""

    @abstractmethod
    async def forget(self, tenant: str, voice_id: str) -> None:
        """Delete a voice. Raises NotFound."""

    @abstractmethod
    async def forget_all(self, tenant: str) -> int:
        """Delete every voice of a tenant; return how many there were."""

    @abstractmethod
    async def forget_remembered_before(self, default: float | None, tenants: Mapping[str, float | None]) -> int:
        """Delete voices that were remembered before a time (Unix seconds), and return how many.

        `tenants` have their own time, all others `default`; None keeps them.
        """
