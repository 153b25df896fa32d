"""Transcribes a recording whose channels have a speaker each: every channel by itself, silent where its own speaker is.

On the mix of both, two who speak at once are heard as one who mumbles; alone, each is heard as if nobody else spoke. What a
channel hears of the others is silenced, or it would be written twice.
"""

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from pathlib import Path
from typing import Final

from application.sound_of import sound_of
from application.speakers.give_words import GivenWords
from application.stage_steps import Transcribe
from application.transcribe_audio import OnWindow
from domain.audio import BYTES_PER_SAMPLE, SAMPLE_RATE, DecodedAudio, Span
from domain.call import CallContext
from domain.channels import ChannelTurns
from domain.transcript import Coverage, Segment, Transcript
from ports.audio_decoder import AudioDecoder
from ports.transcriber import TranscriptionOptions

PAD_S: Final = 0.3
"""Seconds kept around what a speaker says, into the other's turns too: levels find a voice later than it begins, and words that
are cut cost more than a faint moment of the other, which nobody writes down (docs/speakers.md)."""
COPIED_S: Final = 60.0
"""Seconds of sound that are copied at once."""


@dataclass(frozen=True, slots=True)
class TranscribeChannels:
    """`work_dir` takes the sound of single channels while it is needed; `max_audio_s` bounds a recording, in seconds."""

    transcribe: Transcribe
    decoder: AudioDecoder
    work_dir: Path
    max_audio_s: float

    async def __call__(
        self,
        transcript_id: str,
        source: Path,
        audio: DecodedAudio,
        told: ChannelTurns,
        options: TranscriptionOptions,
        context: CallContext,
        on_window: OnWindow,
    ) -> tuple[Transcript, GivenWords]:
        """Return the transcript of `source`, which was decoded as `audio`, in order of time, and who said each segment of it.

        Raises what the decoder and the transcription raise; then the other channels are given up too.
        """
        merging = _Merging(on_window, len(told.channels))

        async def one(speaker: int) -> Transcript:
            with _scratch(self.work_dir, f"{Path(audio.pcm_path).stem}-{speaker}") as (whole, own):
                decoded = await self.decoder.decode(source, whole, self.max_audio_s, told.channels[speaker])
                await asyncio.to_thread(_silence_others, whole, own, _spans(told, speaker, audio.seconds))
                alone = replace(decoded, pcm_path=str(own), seconds=audio.seconds, levels=())
                transcript = await self.transcribe(transcript_id, alone, options, context, merging.of(speaker))
            await merging.ended(speaker)
            return transcript

        tasks = [asyncio.create_task(one(speaker)) for speaker in range(len(told.channels))]
        try:
            heard = await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return _together(heard, audio)


@contextlib.contextmanager
def _scratch(folder: Path, stem: str) -> Iterator[tuple[Path, Path]]:
    files = folder / f"{stem}-whole.pcm", folder / f"{stem}-own.pcm"
    try:
        yield files
    finally:
        for file in files:
            file.unlink(missing_ok=True)


def _spans(told: ChannelTurns, speaker: int, seconds: float) -> list[Span]:
    """What is kept of a speaker's channel."""
    mine = [turn for turn in told.turns if turn.speaker == speaker]
    return [Span(max(0.0, turn.start - PAD_S), min(seconds, turn.end + PAD_S)) for turn in mine]


def _silence_others(whole: Path, own: Path, spans: Sequence[Span]) -> None:
    """Copy the spans of a file to their places in another one of that length; the rest is a hole, which reads as silence."""
    with own.open("wb") as file:
        file.truncate(whole.stat().st_size)
        for span in spans:
            start = span.start
            while start < span.end:
                end = min(span.end, start + COPIED_S)
                file.seek(round(start * SAMPLE_RATE) * BYTES_PER_SAMPLE)
                file.write(sound_of(whole, Span(start, end)))
                start = end


def _in_order(said: tuple[Segment, int]) -> tuple[float, float, int]:
    """By time; of what two channels say at one moment, the first channel's comes first."""
    segment, channel = said
    return segment.start, segment.end, channel


def _together(heard: Sequence[Transcript], audio: DecodedAudio) -> tuple[Transcript, GivenWords]:
    said = sorted(
        ((segment, speaker) for speaker, transcript in enumerate(heard) for segment in transcript.segments),
        key=_in_order,
    )
    segments = tuple(replace(segment, id=index) for index, (segment, _) in enumerate(said))
    order = tuple(dict.fromkeys(speaker for _, speaker in said))
    most = max(heard, key=lambda transcript: transcript.coverage.speech_seconds)
    coverage = Coverage(
        sum(transcript.coverage.speech_seconds for transcript in heard),
        sum(transcript.coverage.transcribed_seconds for transcript in heard),
        tuple(sorted((s for t in heard for s in t.coverage.suspects), key=lambda suspect: (suspect.start, suspect.end))),
    )
    calls = tuple(call for transcript in heard for call in transcript.provenance)
    transcript = replace(most, segments=segments, coverage=coverage, provenance=calls, damaged=audio.damaged)
    return transcript, GivenWords(segments, order, tuple(order.index(speaker) for _, speaker in said))


@dataclass(slots=True)
class _Merging:
    """Tells of all channels as of one recording: segments in order of time, as soon as no channel can bring an earlier one."""

    on_window: OnWindow
    channels: int
    _counts: dict[int, tuple[int, int]] = field(default_factory=dict)
    _until: dict[int, float] = field(default_factory=dict)
    _waiting: list[tuple[Segment, int]] = field(default_factory=list)
    _told: int = 0
    _telling: asyncio.Lock = field(default_factory=asyncio.Lock)

    def of(self, channel: int) -> OnWindow:
        async def on_window(done: int, total: int, new: Sequence[Segment]) -> None:
            self._counts[channel] = done, total
            self._waiting.extend((segment, channel) for segment in new)
            if new:
                self._until[channel] = new[-1].start
            await self._tell()

        return on_window

    async def ended(self, channel: int) -> None:
        self._until[channel] = inf
        if self._waiting:
            await self._tell()

    async def _tell(self) -> None:
        async with self._telling:
            until = min((self._until.get(channel, -inf) for channel in range(self.channels)), default=-inf)
            self._waiting.sort(key=_in_order)
            ready = [segment for segment, _ in self._waiting if segment.start <= until]
            self._waiting = self._waiting[len(ready) :]
            fresh = [replace(segment, id=self._told + index) for index, segment in enumerate(ready)]
            self._told += len(fresh)
            counts = self._counts.values()
            await self.on_window(sum(done for done, _ in counts), sum(total for _, total in counts), fresh)
