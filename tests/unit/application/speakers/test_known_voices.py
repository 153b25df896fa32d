"""Who is known again by voice: never without being asked, never below the bar, and what goes wrong costs nothing else."""

from dataclasses import replace
from math import cos, radians, sin
from pathlib import Path

import pytest

from adapters.memory import MemoryVoiceProfiles
from adapters.scripted.clock import MovableClock
from application.keep_retention import DAY_S, ForgetOldVoices, Retention
from application.speakers.asked import SpeakersAsked
from application.speakers.know_voices import KnowVoices
from application.speakers.tell_speakers import TellSpeakers
from domain.audio import DecodedAudio
from domain.call import CallContext
from domain.errors import StorageFailed
from domain.named_speakers import KnownVoices, NotRemembered, Speakers, SpeakerStatus, ToldBy
from domain.speakers import SpeakerCount, SpeakerTurn, SpokenTurns, SpokenVoice
from domain.transcript import Coverage, Segment, Transcript, Word
from domain.voice_clusters import ClusterRules
from domain.voice_profiles import LEAST_RECOGNISED_S, LEAST_REMEMBERED_S, VoiceModel, VoiceProfile, known_again, likeness

MODEL, OTHER = VoiceModel("networks", "r1"), VoiceModel("networks", "r2")
CONTEXT = CallContext(tenant="acme")
LONG = 1000.0
"""Seconds after which a likeness is the cosine."""
RULES = ClusterRules(0.75, 0.95, half_heard_seconds=2.0, told_apart=0.3, same_voice=0.7)
UNMEASURED = replace(RULES, same_voice=None)
FOUND = Speakers(SpeakerStatus.FOUND, None, ToldBy.VOICE, ("Speaker 1", "Speaker 2"), ("Speaker 1", "Speaker 2"), (0, 1))
RECOGNISE = SpeakersAsked(True, recognise=True)


def voice(degrees: float, seconds: float = LONG) -> SpokenVoice:
    return SpokenVoice((cos(radians(degrees)), sin(radians(degrees))), seconds)


def profile(name: str, degrees: float, model: VoiceModel = MODEL) -> VoiceProfile:
    return VoiceProfile(f"voice_{name}", name, voice(degrees), model, 0.0)


def who(voices: list[SpokenVoice | None], *profiles: VoiceProfile) -> dict[int, str]:
    return {number: known.name for number, (known, _) in known_again(voices, profiles, RULES).items()}


def test_a_voice_is_known_from_the_bar_on_and_a_stranger_stays_one() -> None:
    assert who([voice(44), voice(46)], profile("Ann", 0)) == {0: "Ann"}
    assert who([voice(46)], profile("Ann", 0)) == {}
    assert who([None], profile("Ann", 0)) == {}


def test_a_speaker_is_known_by_the_profile_that_is_most_like_and_a_profile_names_who_is_most_like_it() -> None:
    assert who([voice(20), voice(10)], profile("Ann", 0)) == {1: "Ann"}
    assert who([voice(20)], profile("Ann", 0), profile("Bo", 30)) == {0: "Bo"}
    assert who([voice(8), voice(31)], profile("Ann", 0), profile("Bo", 20)) == {0: "Ann", 1: "Bo"}


def test_who_is_most_like_somebody_else_is_not_the_next_best_one() -> None:
    assert who([voice(12), voice(31)], profile("Ann", 0), profile("Bo", 20)) == {0: "Bo"}


def test_between_two_that_are_as_much_alike_nobody_decides() -> None:
    assert who([voice(10)], profile("Ann", 0), profile("Bo", 20)) == {}


def test_of_a_voice_that_was_hardly_heard_nothing_is_said() -> None:
    assert who([voice(0, LEAST_RECOGNISED_S - 0.1)], profile("Ann", 0)) == {}
    assert who([voice(0, LEAST_RECOGNISED_S)], profile("Ann", 0)) == {0: "Ann"}


def test_a_likeness_is_corrected_for_what_was_heard() -> None:
    assert likeness(voice(0), voice(60), 2.0) == pytest.approx(0.5, abs=0.01)
    assert likeness(voice(0, 4.0), voice(60, 4.0), 2.0) == pytest.approx(0.75)


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def kept(clock: MovableClock) -> MemoryVoiceProfiles:
    return MemoryVoiceProfiles(clock)


async def test_who_is_known_gets_the_name_and_keeps_the_label(kept: MemoryVoiceProfiles) -> None:
    ann = await kept.remember("acme", "Ann", voice(0), MODEL)
    await kept.remember("other", "Eve", voice(90), MODEL)
    told = await KnowVoices(kept, MODEL, RULES)(FOUND, [voice(90), voice(5)], RECOGNISE, CONTEXT)

    assert (told.labels, told.names) == (("Speaker 1", "Speaker 2"), ("Speaker 1", "Ann"))
    assert told.voices is not None
    assert [(each.index, each.name, each.voice_id) for each in told.voices.recognised] == [(1, "Ann", ann.id)]
    assert told.as_found().names == FOUND.labels


async def test_a_profile_of_another_model_is_not_used_and_that_is_said(kept: MemoryVoiceProfiles) -> None:
    await kept.remember("acme", "Ann", voice(0), OTHER)
    await kept.remember("acme", "Bo", voice(90), MODEL)
    told = await KnowVoices(kept, MODEL, RULES)(FOUND, [voice(0), voice(1)], RECOGNISE, CONTEXT)

    assert told.names == FOUND.names
    assert told.voices == KnownVoices(compared=1, of_another_model=1)


async def test_names_that_the_caller_gave_stay_and_are_given_once(kept: MemoryVoiceProfiles) -> None:
    await kept.remember("acme", "Ann", voice(0), MODEL)
    know, named = KnowVoices(kept, MODEL, RULES), replace(FOUND, labels=("Bo", "Speaker 2"), names=("Bo", "Speaker 2"))

    told = await know(named, [voice(0), voice(90)], replace(RECOGNISE, names=("Bo",)), CONTEXT)
    assert told.names == ("Bo", "Speaker 2")
    called = replace(named, labels=("Ann", "Speaker 2"), names=("Ann", "Speaker 2"))
    told = await know(called, [voice(90), voice(0)], replace(RECOGNISE, names=("Ann",)), CONTEXT)
    assert told.names == ("Ann", "Speaker 2")


async def test_a_model_that_nobody_measured_recognises_nobody(kept: MemoryVoiceProfiles) -> None:
    await kept.remember("acme", "Ann", voice(0), MODEL)
    told = await KnowVoices(kept, MODEL, UNMEASURED)(FOUND, [voice(0), voice(90)], RECOGNISE, CONTEXT)

    assert (told.names, told.voices) == (FOUND.names, KnownVoices(failure="unmeasured_model"))


def remembering(*names: str) -> SpeakersAsked:
    return SpeakersAsked(True, names=names, remember=names)


NAMED = replace(FOUND, labels=("Ann", "Bo"), names=("Ann", "Bo"))


async def test_only_those_voices_are_kept_that_somebody_asked_for(kept: MemoryVoiceProfiles) -> None:
    know = KnowVoices(kept, MODEL, RULES)
    told = await know(NAMED, [voice(0, 9.0), voice(90, 9.0)], SpeakersAsked(True, names=("Ann", "Bo"), remember=("Bo",)), CONTEXT)

    (bo,) = await kept.list("acme")
    assert (bo.name, bo.voice, bo.model) == ("Bo", voice(90, 9.0), MODEL)
    assert told.voices == KnownVoices(remembered=("Bo",))


async def test_what_is_not_kept_is_named_with_its_reason(kept: MemoryVoiceProfiles, monkeypatch: pytest.MonkeyPatch) -> None:
    know, heard = KnowVoices(kept, MODEL, RULES), [voice(0, LEAST_REMEMBERED_S - 0.1), None]

    async def reasons(context: CallContext = CONTEXT) -> tuple[str, ...]:
        told = await know(NAMED, heard, remembering("Ann", "Bo", "Cem"), context)
        assert told.voices is not None
        assert [each.name for each in told.voices.not_remembered] == ["Ann", "Bo", "Cem"]
        return tuple(each.reason for each in told.voices.not_remembered)

    assert await reasons() == ("too_little_heard", "too_little_heard", "not_heard")
    assert await reasons(replace(CONTEXT, store=False)) == ("nothing_stored",) * 3
    assert await kept.list("acme") == []
    monkeypatch.setattr("adapters.memory.voice_profiles.MOST_VOICES", 0)
    told = await know(NAMED, [voice(0), None], remembering("Ann"), CONTEXT)
    assert told.voices == KnownVoices(not_remembered=(NotRemembered("Ann", "too_many_voices"),))


class Away(MemoryVoiceProfiles):
    async def list(self, tenant: str) -> list[VoiceProfile]:
        raise StorageFailed("away")

    async def remember(self, *about: object) -> VoiceProfile:
        raise StorageFailed("away")


async def test_a_store_that_is_away_costs_no_names_but_those_of_voices(clock: MovableClock) -> None:
    know = KnowVoices(Away(clock), MODEL, RULES)
    told = await know(NAMED, [voice(0), voice(90)], replace(remembering("Ann"), recognise=True), CONTEXT)

    assert told.names == NAMED.names
    assert told.voices == KnownVoices(not_remembered=(NotRemembered("Ann", "storage_failed"),), failure="storage_failed")


WORDS = tuple(Word(n * 0.5, n * 0.5 + 0.5, text, 0.9) for n, text in enumerate(["Good", "morning.", "Good", "evening."]))
TRANSCRIPT = Transcript("t", "en", 2.0, (Segment(0, 0.0, 2.0, "Good morning. Good evening.", words=WORDS),), Coverage(2.0, 2.0))
TURNS = SpokenTurns((SpeakerTurn(0.0, 1.0, 1), SpeakerTurn(1.0, 2.0, 0)), (), (voice(90, 9.0), voice(0, 9.0)))


class Finds:
    """Finds `TURNS`, in which the second of two voices has the first words."""

    def __init__(self) -> None:
        self.asked = 0

    async def __call__(self, *_about: object) -> SpokenTurns:
        self.asked += 1
        return TURNS


async def told(asked: SpeakersAsked, know: KnowVoices | None, levels: tuple[bytes, ...] = ()) -> tuple[Transcript, Finds]:
    find = Finds()
    audio = DecodedAudio(str(Path("unread")), 2.0, "wav", "pcm", 1, 16_000, levels=levels)
    tell = TellSpeakers(find, True, know)
    async with tell.beside(None, audio, asked, CONTEXT) as listening:  # type: ignore[arg-type]
        await listening.task
        return await listening.named(TRANSCRIPT), find


async def test_voices_belong_to_those_who_said_the_words(kept: MemoryVoiceProfiles) -> None:
    await kept.remember("acme", "Ann", voice(0), MODEL)
    made, _ = await told(RECOGNISE, KnowVoices(kept, MODEL, RULES))

    assert [(segment.speaker, segment.text) for segment in made.segments] == [
        ("Ann", "Good morning."),
        ("Speaker 2", "Good evening."),
    ]


async def test_without_being_asked_no_voice_is_looked_at_or_kept(clock: MovableClock) -> None:
    made, _ = await told(SpeakersAsked(True, names=("Ann", "Bo")), KnowVoices(Away(clock), MODEL, RULES))

    assert made.speakers.voices is None


async def test_one_speaker_or_two_channels_are_listened_to_where_voices_are_asked_for(kept: MemoryVoiceProfiles) -> None:
    know = KnowVoices(kept, MODEL, RULES)
    one = replace(remembering("Ann"), count=SpeakerCount(1, 1))
    made, find = await told(one, know)
    assert ([segment.speaker for segment in made.segments], find.asked) == (["Ann"], 1)
    assert [each.name for each in await kept.list("acme")] == ["Ann"]

    speaks, quiet = bytes([60, 70, 65, 45] * 5), bytes([20] * 20)
    made, find = await told(RECOGNISE, know, (speaks + quiet, quiet + speaks))
    assert (made.speakers.told_by, find.asked) == (ToldBy.VOICE, 1)


async def test_old_voices_go_as_old_conversations_do(kept: MemoryVoiceProfiles, clock: MovableClock) -> None:
    for tenant in ("acme", "other"):
        await kept.remember(tenant, "Ann", voice(0), MODEL)
    await clock.advance(2 * DAY_S)

    assert await ForgetOldVoices(kept, Retention(None), clock)() == 0
    assert await ForgetOldVoices(kept, Retention(1.0, {"other": 3.0}), clock)() == 1
    assert (await kept.list("acme"), len(await kept.list("other"))) == ([], 1)
