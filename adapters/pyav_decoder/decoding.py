"""The decode itself: one file object in, PCM bytes out, facts back. Runs in the child."""

import io
import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import av
import av.subtitles.codeccontext  # PyAV imports these four when it meets such streams, and a confined process can not
import av.subtitles.stream
import av.video.codeccontext
import av.video.stream
import numpy as np

from adapters.pyav_decoder.downmix import Downmix, Samples, plain_mean
from adapters.pyav_decoder.levels import Levels
from adapters.pyav_decoder.limits import BYTES_PER_SECOND, SPEECH_BYTES_PER_SECOND, DecodeLimits, level_frames
from adapters.pyav_decoder.refusals import Refused
from adapters.pyav_decoder.signatures import HEAD_BYTES, is_cut_off, mp3_states_its_length, refusal_by_signature

SAMPLE_RATE = 16_000
CONTAINERS = "aac,ac3,aiff,amr,asf,au,avi,caf,eac3,flac,flv,matroska,webm,mov,mp3,mpeg,mpegts,ogg,w64,wav,wv"
"""FFmpeg demuxers that hold their own sound; none of them reads a list of other files. Raw and text formats are left out."""
STATED_LENGTH = frozenset(
    {"aiff", "asf", "au", "avi", "caf", "flac", "matroska,webm", "mov,mp4,m4a,3gp,3g2,mj2", "w64", "wav", "wv"}
)
"""Containers whose duration is written down, not estimated from a bit rate."""
READ_BYTES = 256 * 1024
GROUP_VALUES = 65_536
"""Values (samples times channels) handed to the resampler at once: large enough to be quick, a quarter of a MiB."""
LOUDEST_FLOAT = 32_768.0
"""Float samples beyond this are garbage; integers stored as floats reach it."""
SHORT_BY_SECONDS, SHORT_BY_SHARE = 0.25, 0.01
"""How much less than promised is still whole: codec padding and rounded headers stay far below."""
FAR_TOO_LONG = 2.0
"""Multiple of the limit from which a believable header refuses the file before it is decoded."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the child reports of a decode that gave sound."""

    container: str
    codec: str
    channels: int
    sample_rate: int
    damaged: bool
    levels: tuple[bytes, ...]


class Output:
    """Counts and bounds the bytes that leave, and tells how much sound there is so far."""

    def __init__(self, descriptor: int, max_seconds: float, limits: DecodeLimits, grant: Callable[[float], None]) -> None:
        self._descriptor = descriptor
        self._max_seconds = max_seconds
        self._left = limits.output_bytes(max_seconds)
        self._grant = grant
        self.written = 0

    def write(self, pcm: bytes) -> None:
        if len(pcm) > self._left:
            raise Refused("too_long", self._max_seconds)
        self._left -= len(pcm)
        write_whole(self._descriptor, pcm)
        self.written += len(pcm)
        self._grant(self.seconds)

    @property
    def seconds(self) -> float:
        return self.written / BYTES_PER_SECOND


def write_whole(descriptor: int, data: bytes) -> None:
    """Write all of it; raises Refused where there is no room."""
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(descriptor, view) :]
    except OSError as error:
        raise Refused("disk") from error


def decode(source: BinaryIO, output: Output, max_seconds: float, limits: DecodeLimits, channel: int | None = None) -> Facts:
    """Decode the first audio stream of `source`, or one channel of it; raises Refused. `source` must be seekable."""
    code = refusal_by_signature(source.read(HEAD_BYTES))
    if code:
        raise Refused(code)
    size = source.seek(0, os.SEEK_END)
    source.seek(0)
    av.logging.set_level(av.logging.PANIC)  # errors are still counted
    with open_container(source) as container:
        stream = _first_audio(container, limits)
        name, codec = container.format.name, stream.codec_context.name
        facts = (name, codec, stream.codec_context.channels, stream.codec_context.sample_rate)
        promised = _promised_seconds(container, stream)
        if promised and promised > FAR_TOO_LONG * max_seconds and _is_believable(promised, size, stream.codec_context.bit_rate):
            raise Refused("too_long", max_seconds)
        frames = Frames(container, stream, name)
        levels = Levels()
        decoded_seconds = _to_mono(frames, output, limits, levels, channel)
    if not output.written:
        raise Refused("no_sound")
    if name == "mp3" and not mp3_states_its_length(source):
        promised = None
    short = promised is not None and decoded_seconds < promised * (1 - SHORT_BY_SHARE) - SHORT_BY_SECONDS
    unexplained = frames.errors > 0 and promised is None
    damaged = short or unexplained or frames.cut_off or is_cut_off(source, name)
    return Facts(*facts, damaged=damaged, levels=levels.of_frames(level_frames(output.written)))


def rehearse(limits: DecodeLimits) -> None:
    """Decode a tenth of a second of silence, so that whatever the libraries load late is loaded while they still can."""
    rate, channels, width = 8_000, 2, 4
    data = bytes(rate // 10 * channels * width)
    wave = struct.pack("<4sI4s4sIHHIIHH", b"RIFF", 36 + len(data), b"WAVE", b"fmt ", 16, 3, channels, rate, 64_000, 8, 32)
    with open(os.devnull, "wb", buffering=0) as nowhere:
        output = Output(nowhere.fileno(), 1.0, limits, lambda _: None)
        decode(io.BytesIO(wave + struct.pack("<4sI", b"data", len(data)) + data), output, 1.0, limits)


def open_container(source: BinaryIO) -> Any:
    """Open one of `CONTAINERS`, and nothing that the file may point to; raises Refused."""
    options = {"format_whitelist": CONTAINERS, "protocol_whitelist": "none"}
    try:
        return av.open(source, mode="r", options=options, metadata_errors="ignore", buffer_size=READ_BYTES)
    except MemoryError:
        raise
    except av.error.FFmpegError as error:
        raise Refused("container" if "whitelist" in str(error) else "not_audio") from error


def _first_audio(container: Any, limits: DecodeLimits) -> Any:
    if not container.streams.audio:
        raise Refused("no_audio_stream")
    stream = container.streams.audio[0]
    if stream.codec_context is None:
        raise Refused("unknown_codec")
    _check_shape(stream.codec_context.sample_rate, stream.codec_context.channels, limits)
    stream.codec_context.thread_count = 1
    return stream


def _check_shape(sample_rate: int, channels: int, limits: DecodeLimits) -> None:
    if not limits.min_sample_rate <= sample_rate <= limits.max_sample_rate:
        raise Refused("sample_rate", sample_rate)
    if not 1 <= channels <= limits.max_channels:
        raise Refused("channels", limits.max_channels)


def _promised_seconds(container: Any, stream: Any) -> float | None:
    if container.format.name not in STATED_LENGTH | {"mp3", "ogg"}:
        return None
    if stream.duration is not None:
        return float(stream.duration * stream.time_base)
    if container.duration is not None and len(container.streams) == 1:
        return float(container.duration / av.time_base)
    return None


def _is_believable(promised: float, size: int, bit_rate: int | None) -> bool:
    if promised * SPEECH_BYTES_PER_SECOND > size:
        return False
    return not bit_rate or promised * bit_rate / 8 <= size * 1.25  # 1.25: the headers and other streams of the container


class Frames:
    """The decoded frames of one stream; skips what does not decode and remembers that it did."""

    def __init__(self, container: Any, stream: Any, container_name: str) -> None:
        self._container = container
        self._stream = stream
        self._marks_cut_packets = container_name != "wav"  # there a streamed header makes every last packet look cut
        self.errors = 0
        self.cut_off = False

    def __iter__(self) -> Iterator[Any]:
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except MemoryError:
                raise
            except av.error.FFmpegError:
                self.cut_off = True
                return
            self.cut_off |= self._marks_cut_packets and packet.is_corrupt
            try:
                frames = packet.decode()
            except MemoryError:
                raise
            except av.error.FFmpegError:
                self.errors += 1
                continue
            yield from frames


def _to_mono(frames: Frames, output: Output, limits: DecodeLimits, levels: Levels, channel: int | None) -> float:
    """Resample all frames and mix them, or one channel of them, into `output`; returns its seconds.

    A stream may change its rate or layout on the way.
    """
    seconds = 0.0
    mixer: _Mixer | None = None
    shape: tuple[Any, ...] = ()
    for frame in frames:
        if not frame.samples:
            continue
        now = (frame.format.name, frame.layout.name, frame.sample_rate)
        if mixer is None or now != shape:
            if mixer is not None:
                mixer.finish()
            _check_shape(frame.sample_rate, frame.layout.nb_channels, limits)
            levels.begin(frame.layout.nb_channels)
            if channel is not None and not 0 <= channel < frame.layout.nb_channels:
                raise Refused("no_channel")
            mixer, shape = _Mixer(frame.layout.nb_channels, output, levels, channel), now
        seconds += frame.samples / frame.sample_rate
        mixer.push(frame)
    if mixer is not None:
        mixer.finish()
    return seconds


class _Mixer:
    """Groups frames of one shape and turns them to mono through FFmpeg's resampler, or through `Downmix` for several channels."""

    def __init__(self, channels: int, output: Output, levels: Levels, only: int | None = None) -> None:
        self._channels = channels
        self._only = only if channels > 1 else None
        self._levels = levels
        self._group = max(1024, GROUP_VALUES // channels)
        self._fifo = av.AudioFifo()
        self._mono: Any = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
        self._separate: Any = av.AudioResampler(format="s16", rate=SAMPLE_RATE) if channels > 1 else None
        self._downmix = Downmix(channels, output.write)
        self._write = output.write

    def push(self, frame: Any) -> None:
        frame.pts = None  # times may jump or run back in damaged files; the samples follow one another
        if frame.format.name.startswith(("flt", "dbl")):
            _replace_impossible(frame)
        self._fifo.write(frame)
        if self._fifo.samples >= self._group:
            self._pass_on(self._fifo.read())

    def finish(self) -> None:
        if self._fifo.samples:
            self._pass_on(self._fifo.read())
        self._pass_on(None)
        self._downmix.finish()

    def _pass_on(self, frame: Any) -> None:
        if self._separate is None:
            for part in self._mono.resample(frame):
                if part is not None:
                    self._write(bytes(part.planes[0])[: part.samples * 2])
            return
        channels = _joined(self._separate.resample(frame), self._channels)
        if self._only is not None:
            if channels is not None:
                self._write(np.ascontiguousarray(channels[self._only]).tobytes())
            return
        mix = self._mixed(frame, channels)
        if channels is not None:
            self._levels.feed(channels)
        if channels is not None and mix is not None:
            self._downmix.feed(mix, channels)

    def _mixed(self, frame: Any, channels: Samples | None) -> Samples | None:
        if self._mono is not None:
            try:
                mix = _joined(self._mono.resample(frame), 1)
            except av.error.ArgumentError:
                self._mono = None  # FFmpeg knows no mix for this layout, and says so at the first frame
            else:
                return None if mix is None else mix[0]
        return None if channels is None else plain_mean(channels)


def _joined(frames: list[Any], channels: int) -> Samples | None:
    """The samples of interleaved frames as (channels, k); PyAV reads past the planes of a planar frame of more than eight."""
    arrays = [frame.to_ndarray().reshape(-1, channels) for frame in frames if frame is not None and frame.samples]
    return np.concatenate(arrays).T if arrays else None


def _replace_impossible(frame: Any) -> None:
    """Turn NaN and infinity into silence and bound the rest, in place: one such sample would spread through the resampler."""
    kind = np.float32 if frame.format.name.startswith("flt") else np.float64
    for plane in frame.planes[: frame.layout.nb_channels if frame.format.is_planar else 1]:
        samples = np.frombuffer(plane, dtype=kind)
        if not samples.size or np.abs(samples).max() <= LOUDEST_FLOAT:  # false for NaN
            continue
        fixed = np.where(np.isfinite(samples), np.clip(samples, -LOUDEST_FLOAT, LOUDEST_FLOAT), 0.0).astype(kind)
        plane.update(fixed.tobytes())
