"""Know speakers again by the voices that their tenant keeps, and keep those that somebody asks to remember."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from application.speakers.asked import SpeakersAsked
from domain.call import CallContext
from domain.errors import InvalidRequest, StorageFailed
from domain.named_speakers import KnownVoices, NotRemembered, Recognised, Speakers
from domain.speakers import SpokenVoice
from domain.voice_clusters import ClusterRules
from domain.voice_profiles import LEAST_REMEMBERED_S, VoiceModel, known_again
from ports.voice_profiles import VoiceProfiles

UNMEASURED: Final = "unmeasured_model"
"""Why nobody is recognised by a speaker model of which nobody has measured how much alike one person's voices are."""
STORAGE: Final = "storage_failed"
NOTHING_STORED: Final = "nothing_stored"
"""Why nothing is remembered of a request that lets nothing be kept."""
NOT_HEARD: Final = "not_heard"
TOO_LITTLE: Final = "too_little_heard"
TOO_MANY: Final = "too_many_voices"

Voices = Sequence[SpokenVoice | None]
"""By the place of the speaker; None for whom nothing was heard alone."""


@dataclass(frozen=True, slots=True)
class KnowVoices:
    """Holds the speakers of a recording against the tenant's voices, and keeps theirs. Neither without being asked.

    `rules`: which voices of `model` are one person, as its descriptor says.
    """

    kept: VoiceProfiles
    model: VoiceModel
    rules: ClusterRules

    async def __call__(self, speakers: Speakers, voices: Voices, asked: SpeakersAsked, context: CallContext) -> Speakers:
        """Return the speakers with the names of those who are known again, and what was compared and kept.

        Whatever goes wrong is said there and costs nothing else. Names that the caller gave stay.
        """
        recognised = await self._recognised(speakers, voices, asked, context) if asked.recognise else speakers
        told = recognised.voices or KnownVoices()
        for name in asked.remember:
            reason = await self._remember(name, recognised, voices, context)
            if reason is None:
                told = replace(told, remembered=(*told.remembered, name))
            else:
                told = replace(told, not_remembered=(*told.not_remembered, NotRemembered(name, reason)))
        return replace(recognised, voices=told)

    async def _recognised(self, speakers: Speakers, voices: Voices, asked: SpeakersAsked, context: CallContext) -> Speakers:
        if self.rules.same_voice is None:
            return replace(speakers, voices=KnownVoices(failure=UNMEASURED))
        try:
            kept = await self.kept.list(context.tenant)
        except StorageFailed:
            return replace(speakers, voices=KnownVoices(failure=STORAGE))
        usable = [profile for profile in kept if profile.model == self.model]
        free = [profile for profile in usable if profile.name not in asked.names]
        unnamed = [None if index < len(asked.names) else voice for index, voice in enumerate(voices)]
        found = await asyncio.to_thread(known_again, unnamed, free, self.rules)
        names = tuple(found[index][0].name if index in found else name for index, name in enumerate(speakers.names))
        recognised = tuple(
            Recognised(index, profile.name, profile.id, round(min(alike, 1.0), 3))
            for index, (profile, alike) in sorted(found.items())
        )
        told = KnownVoices(len(usable), len(kept) - len(usable), recognised)
        return replace(speakers, names=names, voices=told)

    async def _remember(self, name: str, speakers: Speakers, voices: Voices, context: CallContext) -> str | None:
        """Keep the voice of a speaker; return why it was not, None where it was."""
        if not context.store:
            return NOTHING_STORED
        if name not in speakers.labels:
            return NOT_HEARD
        voice = voices[speakers.labels.index(name)]
        if voice is None or voice.seconds < LEAST_REMEMBERED_S:
            return TOO_LITTLE
        try:
            await self.kept.remember(context.tenant, name, voice, self.model)
        except InvalidRequest:
            return TOO_MANY
        except StorageFailed:
            return STORAGE
        return None
