"""With the real networks: who was remembered from one recording is known in the next one, and a stranger is not."""

from collections import Counter
from pathlib import Path

import pytest

from adapters.memory import MemoryVoiceProfiles
from adapters.pyav_decoder.decoder import PyAvDecoder
from adapters.pyav_decoder.limits import DecodeLimits
from adapters.scripted.clock import MovableClock
from application.diarise.find_speakers import FindSpeakers
from application.sound_of import sound_of
from application.speakers.asked import SpeakersAsked
from application.speakers.know_voices import KnowVoices
from domain.audio import DecodedAudio, Span
from domain.call import CallContext
from domain.named_speakers import Speakers, SpeakerStatus, ToldBy, label_of
from domain.speakers import SpeakerCount, SpokenTurns
from domain.voice_profiles import VoiceModel
from evals.speakers import Diarist, spoken
from serve_app.demo import RECORDING

HALVES = (Span(0.0, 64.0), Span(64.0, 128.0))
"""Of the demonstration, in seconds: all three speak in both."""
CONTEXT = CallContext(tenant="acme")


@pytest.fixture(scope="module")
def find() -> FindSpeakers:
    return Diarist().port()


async def heard(find: FindSpeakers, folder: Path, half: Span) -> tuple[SpokenTurns, list[str]]:
    """The turns of one half as a recording of its own, and who their speakers are by the reference."""
    whole = await PyAvDecoder(DecodeLimits()).decode(RECORDING, folder / "demo.pcm", 600)
    (folder / "half.pcm").write_bytes(sound_of(Path(whole.pcm_path), half))
    audio = DecodedAudio(str(folder / "half.pcm"), half.seconds, "wav", "pcm", 1, 16_000)
    found = await find(audio, SpeakerCount(), CONTEXT, nobody)
    shares: list[Counter[str]] = [Counter() for _ in found.voices]
    for turn in found.turns:
        for talk in spoken(RECORDING).talks:
            together = min(turn.end + half.start, talk.end) - max(turn.start + half.start, talk.start)
            shares[turn.speaker][talk.person] += max(0.0, together)  # type: ignore[assignment]
    return found, [share.most_common(1)[0][0] for share in shares]


async def nobody(*_progress: int) -> None:
    """Nobody watches."""


async def test_who_was_remembered_is_known_in_the_next_recording_and_a_stranger_stays_a_number(
    find: FindSpeakers, tmp_path: Path
) -> None:
    kept, model = MemoryVoiceProfiles(MovableClock()), VoiceModel.of(find.diarizer.identity)
    know = KnowVoices(kept, model, find.diarizer.voices)
    first, persons = await heard(find, tmp_path, HALVES[0])
    named = Speakers(SpeakerStatus.FOUND, None, ToldBy.VOICE, tuple(persons), tuple(persons), ())
    asked = SpeakersAsked(True, names=tuple(persons), remember=("Priya", "Tom"))
    told = await know(named, first.voices, asked, CONTEXT)
    assert told.voices is not None
    assert told.voices.remembered == ("Priya", "Tom")

    second, truth = await heard(find, tmp_path, HALVES[1])
    labels = tuple(label_of(place) for place in range(len(truth)))
    found = Speakers(SpeakerStatus.FOUND, None, ToldBy.VOICE, labels, labels, ())
    known = await know(found, second.voices, SpeakersAsked(True, recognise=True), CONTEXT)

    assert sorted(truth) == ["Ewan", "Priya", "Tom"]
    assert known.names == tuple(label if person == "Ewan" else person for person, label in zip(truth, labels, strict=True))
