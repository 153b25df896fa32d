"""A call is recognised channel by channel: nobody's words are lost under the other's, or written twice; told in order of time."""

import asyncio
import wave
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from adapters.pyav_decoder.decoder import PyAvDecoder
from adapters.pyav_decoder.limits import DecodeLimits
from application.stage_steps import Transcribe
from application.transcribe_audio import OnWindow
from application.transcribe_channels import PAD_S, TranscribeChannels
from domain.audio import SAMPLE_RATE, DecodedAudio
from domain.call import CallContext
from domain.channels import ChannelTurns, channel_turns
from domain.errors import InvalidModelOutput, UnsupportedAudio
from domain.speakers import SpeakerTurn
from domain.transcript import Coverage, Segment, SuspectSpan, Transcript
from ports.transcriber import TranscriptionOptions

TONES = (300, 900)
"""Hz of the two voices: who is heard can be told from the sound."""
TURNS = ((0.0, 2.0), (1.5, 3.5)), ((3.5, 5.0), (5.5, 7.0))
"""Of the first voice and of the second, twice; between 1.5 and 2 s both speak."""
SECONDS = 8.0
FAINT = 2_500_000.0
"""What the other voice, 20 dB below, comes to in a second when it is not silenced; in a third of one it does not."""


def tone(hertz: int, *spans: tuple[float, float]) -> np.ndarray:
    """Beats like syllables while somebody speaks."""
    times = np.arange(int(SECONDS * SAMPLE_RATE)) / SAMPLE_RATE
    on = np.any([(times >= start) & (times < end) for start, end in spans], axis=0)
    return on * 8_000 * np.sin(2 * np.pi * hertz * times) * (0.55 + 0.45 * np.sin(2 * np.pi * 4 * times))


@pytest.fixture
def call(tmp_path: Path) -> Path:
    """The second voice in the first channel, so that who speaks first is not in channel 0; each hears the other 20 dB below."""
    first = tone(TONES[0], *(turn[0] for turn in TURNS))
    second = tone(TONES[1], *(turn[1] for turn in TURNS))
    sound = np.stack((second + 0.1 * first, first + 0.1 * second)).astype("<i2")
    with wave.open(str(tmp_path / "call.wav"), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(sound.T.tobytes())
    return tmp_path / "call.wav"


@dataclass
class Hears(Transcribe):
    """Writes down, second by second, which voices sound in it: the louder one, and another that is nearly as loud."""

    failure: Exception | None = None
    hold: dict[str, asyncio.Event] = field(default_factory=dict)

    async def __call__(
        self, transcript_id: str, audio: DecodedAudio, options: TranscriptionOptions, context: CallContext, on_window: OnWindow
    ) -> Transcript:
        sound = np.fromfile(audio.pcm_path, "<i2").astype(float)
        segments: list[Segment] = []
        for second in range(int(audio.seconds)):
            spectrum = np.abs(np.fft.rfft(sound[second * SAMPLE_RATE : (second + 1) * SAMPLE_RATE]))
            loud = {hertz: spectrum[hertz - 5 : hertz + 6].max() for hertz in TONES}
            voices = [str(hertz) for hertz in TONES if loud[hertz] > max(FAINT, 0.25 * max(loud.values()))]
            if voices:
                segments.append(Segment(len(segments), float(second), second + 1.0, " ".join(voices)))
                await on_window(len(segments), 8, segments[-1:])
        if self.failure is not None:
            raise self.failure
        coverage = Coverage(float(len(segments)), float(len(segments)), (SuspectSpan(7.0, 8.0, audio.codec),))
        return Transcript(transcript_id, "en", audio.seconds, tuple(segments), coverage)


@dataclass
class Told:
    """What was told while it went on."""

    counts: list[tuple[int, int]] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)

    async def __call__(self, done: int, total: int, new: Sequence[Segment]) -> None:
        self.counts.append((done, total))
        self.segments.extend(new)


async def heard(
    call: Path, transcribe: Hears, told: Told, turns: ChannelTurns | None = None
) -> tuple[Transcript, tuple[int | None, ...]]:
    decoder = PyAvDecoder(DecodeLimits())
    audio = await decoder.decode(call, call.parent / "job-1.pcm", 60)
    channels = TranscribeChannels(transcribe, decoder, call.parent, 60)
    found = turns or channel_turns(audio.levels)
    assert found.channels == (1, 0)
    transcript, given = await channels("t", call, audio, found, TranscriptionOptions(), CallContext(), told)
    assert given.segments == transcript.segments
    return transcript, given.said_by


async def test_each_channel_has_the_words_of_its_own_speaker_and_they_come_in_order_of_time(call: Path) -> None:
    told = Told()
    transcript, said_by = await heard(call, Hears(), told)

    assert {segment.text for segment, place in zip(transcript.segments, said_by, strict=True) if place == 0} == {"300"}
    assert {segment.text for segment, place in zip(transcript.segments, said_by, strict=True) if place == 1} == {"900"}
    starts = [segment.start for segment in transcript.segments]
    assert starts == sorted(starts)
    assert [segment.id for segment in transcript.segments] == list(range(len(starts)))
    assert transcript.coverage.speech_seconds == len(starts)
    assert len(transcript.coverage.suspects) == 2


async def test_segments_are_told_in_order_of_time_numbered_once_and_all_of_them(call: Path) -> None:
    told = Told()
    transcript, _ = await heard(call, Hears(), told)

    assert [(s.id, s.start, s.text) for s in told.segments] == [(s.id, s.start, s.text) for s in transcript.segments]
    assert told.counts[-1] == (len(told.segments), 16)


async def test_no_file_is_left_whatever_happens(call: Path) -> None:
    await heard(call, Hears(), Told())
    with pytest.raises(InvalidModelOutput):
        await heard(call, Hears(InvalidModelOutput("no")), Told())

    assert sorted(path.name for path in call.parent.iterdir()) == ["call.wav", "job-1.pcm"]


async def test_what_a_channel_hears_beyond_its_speakers_turns_is_silence(call: Path) -> None:
    turns = ChannelTurns((SpeakerTurn(0.0, 1.0, 0), SpeakerTurn(6.0 + PAD_S, 6.5, 1)), (1, 0), True)
    transcript, said_by = await heard(call, Hears(), Told(), turns)

    found = [(s.start, place) for s, place in zip(transcript.segments, said_by, strict=True)]
    assert found == [(0.0, 0), (1.0, 0), (6.0, 1)]


async def test_one_channel_is_decoded_at_its_own_strength(call: Path, tmp_path: Path) -> None:
    decoder = PyAvDecoder(DecodeLimits())
    for channel, hertz in enumerate(reversed(TONES)):
        audio = await decoder.decode(call, tmp_path / "one.pcm", 60, channel)
        sound = np.fromfile(audio.pcm_path, "<i2").astype(float)
        assert (audio.seconds, len(sound)) == (SECONDS, SECONDS * SAMPLE_RATE)
        spectrum = np.abs(np.fft.rfft(sound))
        assert np.argmax(spectrum) / SECONDS == pytest.approx(hertz, abs=5)
        assert np.abs(sound).max() == pytest.approx(8_000, rel=0.15)


async def test_a_channel_that_is_not_there_is_refused(call: Path, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedAudio):
        await PyAvDecoder(DecodeLimits()).decode(call, tmp_path / "one.pcm", 60, 2)
