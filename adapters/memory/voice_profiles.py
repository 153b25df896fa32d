"""Voices kept in the memory of one process."""

import secrets
from collections.abc import Mapping, Sequence

from domain.errors import InvalidRequest, NotFound
from domain.speakers import SpokenVoice
from domain.voice_profiles import MOST_VOICES, VoiceModel, VoiceProfile
from ports.clock import Clock
from ports.voice_profiles import VoiceProfiles


class MemoryVoiceProfiles(VoiceProfiles):
    """By tenant and name; ends with the process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: dict[tuple[str, str], VoiceProfile] = {}

    async def remember(self, tenant: str, name: str, voice: SpokenVoice, model: VoiceModel) -> VoiceProfile:
        known = self._kept.get((tenant, name))
        if known is None and len(await self.list(tenant)) >= MOST_VOICES:
            raise InvalidRequest(f"There are {MOST_VOICES} voices already; delete one first.")
        voice_id = known.id if known is not None else f"voice_{secrets.token_hex(16)}"
        profile = VoiceProfile(voice_id, name, voice, model, self._clock.now())
        self._kept[tenant, name] = profile
        return profile

    async def list(self, tenant: str) -> Sequence[VoiceProfile]:
        return [profile for (owner, _), profile in sorted(self._kept.items()) if owner == tenant]

    async def forget(self, tenant: str, voice_id: str) -> None:
        for key, profile in self._kept.items():
            if key[0] == tenant and profile.id == voice_id:
                del self._kept[key]
                return
        raise NotFound(f"There is no voice {voice_id}.")

    async def forget_all(self, tenant: str) -> int:
        return self._drop([key for key in self._kept if key[0] == tenant])

    async def forget_remembered_before(self, default: float | None, tenants: Mapping[str, float | None]) -> int:
        def is_old(tenant: str, profile: VoiceProfile) -> bool:
            before = tenants.get(tenant, default)
            return before is not None and profile.remembered_at < before

        return self._drop([key for key, profile in self._kept.items() if is_old(key[0], profile)])

    def _drop(self, keys: Sequence[tuple[str, str]]) -> int:
        for key in keys:
            del self._kept[key]
        return len(keys)
