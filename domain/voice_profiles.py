"""Voices that a tenant asked to remember, and who of a recording they are: pure rules, no sound."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, sqrt
from operator import mul
from typing import Final

from domain.call import ModelIdentity
from domain.speakers import SpokenVoice
from domain.voice_clusters import ClusterRules

MOST_VOICES: Final = 1000
"""That one tenant may keep."""
LEAST_REMEMBERED_S: Final = 8.0
"""Of talk alone that a profile is made from, at least: of less a vector shows as much of the moment as of the voice."""
LEAST_RECOGNISED_S: Final = 4.0
"""Of talk alone in which somebody is known again, at least."""


@dataclass(frozen=True, slots=True)
class VoiceModel:
    """The networks that a vector is made with: those of two are never compared. How they are run makes no difference."""

    id: str
    revision: str

    @classmethod
    def of(cls, identity: ModelIdentity) -> "VoiceModel":
        return cls(identity.id, identity.revision)


@dataclass(frozen=True, slots=True)
class VoiceProfile:
    """How a person sounds, kept because somebody asked for it. `remembered_at` in Unix seconds; one name is one person."""

    id: str
    name: str
    voice: SpokenVoice
    model: VoiceModel
    remembered_at: float


def likeness(one: SpokenVoice, other: SpokenVoice, half_heard_seconds: float) -> float:
    """Return the cosine as it would be with endless talk, as `voice_clusters` compares groups of one recording."""
    reliabilities = (voice.seconds / (voice.seconds + half_heard_seconds) for voice in (one, other))
    cosine: float = sum(map(mul, one.vector, other.vector))
    return cosine / sqrt(max(next(reliabilities) * next(reliabilities), 1e-12))


def known_again(
    voices: Sequence[SpokenVoice | None], profiles: Sequence[VoiceProfile], rules: ClusterRules
) -> Mapping[int, tuple[VoiceProfile, float]]:
    """Return who the speakers of a recording are, by their number: the profile, and how much alike the voices are.

    Only voices that are at least `same_voice` of the rules alike, and where speaker and profile are each like no other one as
    much; nobody by rules that have none. Of voices that were heard for less than `LEAST_RECOGNISED_S` nothing is said: no name
    is better than a wrong one.
    """
    bar = inf if rules.same_voice is None else rules.same_voice
    heard = [number for number, voice in enumerate(voices) if voice and voice.seconds >= LEAST_RECOGNISED_S]
    rows = {number: [_likeness(voices[number], profile.voice, rules) for profile in profiles] for number in heard}
    found: dict[int, tuple[VoiceProfile, float]] = {}
    for number, row in rows.items():
        best = max(row, default=-inf)
        index = row.index(best) if row else 0
        rivals = [*row[:index], *row[index + 1 :], *(other[index] for key, other in rows.items() if key != number)]
        if best >= bar and best > max(rivals, default=-inf):
            found[number] = (profiles[index], best)
    return found


def _likeness(voice: SpokenVoice | None, other: SpokenVoice, rules: ClusterRules) -> float:
    return -inf if voice is None else likeness(voice, other, rules.half_heard_seconds)
