"""The decoder on sound recordings, and on children that do not tell the truth."""

import io
import math
import os
import wave
from array import array
from pathlib import Path

import av
import numpy as np
import pytest

from adapters.pyav_decoder.decoder import DecoderBroken, PyAvDecoder
from adapters.pyav_decoder.decoding import Output, decode, open_container
from adapters.pyav_decoder.downmix import Samples
from adapters.pyav_decoder.limits import MIB, DecodeLimits
from adapters.pyav_decoder.refusals import Refused
from domain.errors import InvalidAudio, StorageFailed, TooLarge, WordloopError

ROOT = Path(__file__).parents[4]
KEPT = ROOT / "tests/data/audio/bad"
SPOKEN = KEPT / "-leading-dash.mp3"
SPEECH = Path(os.environ.get("WORDLOOP_EVAL_DATA", ROOT.parent / "shared/data")) / "speech"
ORDINARY = ["format-p001.aac", "format-p001.mp4", "format-p001.webm", "jfk.flac", "stereo-2ch.wav", "fleurs-de-000.ogg"]


@pytest.fixture
def decoder() -> PyAvDecoder:
    return PyAvDecoder(DecodeLimits(processes=2))


async def pcm_of(decoder: PyAvDecoder, source: Path, folder: Path) -> Samples:
    decoded = await decoder.decode(source, folder / "out.pcm", 600.0)
    return np.fromfile(decoded.pcm_path, dtype="<i2")


def write_wav(path: Path, channels: list[Samples], rate: int = 16_000) -> Path:
    with wave.open(str(path), "wb") as out:
        out.setnchannels(len(channels))
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(np.stack(channels, axis=1).astype("<i2").tobytes())
    return path


def write_float_wav(path: Path, samples: list[float]) -> Path:
    data = array("f", samples).tobytes()
    form = (3).to_bytes(2, "little") + (1).to_bytes(2, "little") + (16_000).to_bytes(4, "little")
    form += (64_000).to_bytes(4, "little") + (4).to_bytes(2, "little") + (32).to_bytes(2, "little")
    chunks = b"WAVEfmt " + len(form).to_bytes(4, "little") + form + b"data" + len(data).to_bytes(4, "little") + data
    path.write_bytes(b"RIFF" + len(chunks).to_bytes(4, "little") + chunks)
    return path


def mp3(rate: int, layout: str, seconds: float) -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp3", options={"write_xing": "0", "id3v2_version": "0"}) as out:
        stream = out.add_stream("libmp3lame", rate=rate, layout=layout)
        channels = 1 if layout == "mono" else 2
        tone = (9_000 * np.sin(np.arange(int(rate * seconds)) * 0.05)).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(np.tile(tone, (channels, 1)), format="s16p", layout=layout)
        frame.sample_rate = rate
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            out.mux(packet)
    return buffer.getvalue()


@pytest.mark.parametrize("name", ORDINARY)
async def test_ordinary_recordings_come_out_sample_for_sample_as_whisper_front_ends_decode_them(
    decoder: PyAvDecoder, tmp_path: Path, name: str
) -> None:
    if not (SPEECH / name).exists():
        pytest.skip("the evaluation recordings are not here; set WORDLOOP_DATA to their folder")
    from faster_whisper.audio import decode_audio

    expected = (decode_audio(str(SPEECH / name)) * 32_768).astype(np.int16)
    assert np.array_equal(await pcm_of(decoder, SPEECH / name, tmp_path), expected)


async def test_the_facts_of_the_source_are_reported(decoder: PyAvDecoder, tmp_path: Path) -> None:
    decoded = await decoder.decode(SPOKEN, tmp_path / "out.pcm", 600.0)
    assert (decoded.container, decoded.codec, decoded.channels, decoded.sample_rate) == ("mp3", "mp3float", 1, 16_000)
    assert decoded.seconds == pytest.approx(4.905, abs=0.001)
    assert not decoded.damaged
    assert Path(decoded.pcm_path).stat().st_size == decoded.seconds * 32_000


async def test_speech_with_one_channel_inverted_is_not_averaged_to_silence(decoder: PyAvDecoder, tmp_path: Path) -> None:
    voice = await pcm_of(decoder, SPOKEN, tmp_path)
    stereo = write_wav(tmp_path / "inverted.wav", [voice, -voice])
    assert np.array_equal(await pcm_of(decoder, stereo, tmp_path), voice)


async def test_speech_on_one_side_keeps_its_level(decoder: PyAvDecoder, tmp_path: Path) -> None:
    voice = await pcm_of(decoder, SPOKEN, tmp_path)
    stereo = write_wav(tmp_path / "right.wav", [np.zeros_like(voice), voice])
    assert np.array_equal(await pcm_of(decoder, stereo, tmp_path), voice)


@pytest.mark.parametrize("count", [3, 6, 9, 12, 32])
async def test_any_number_of_channels_up_to_the_limit_is_mixed(decoder: PyAvDecoder, tmp_path: Path, count: int) -> None:
    voice = await pcm_of(decoder, SPOKEN, tmp_path)
    mixed = await pcm_of(decoder, write_wav(tmp_path / "many.wav", [voice] * count), tmp_path)
    assert mixed.size == voice.size
    assert np.corrcoef(mixed, voice)[0, 1] > 0.99


@pytest.mark.parametrize("poison", [math.nan, math.inf, -math.inf])
async def test_impossible_float_samples_become_silence_and_spoil_nothing_else(
    decoder: PyAvDecoder, tmp_path: Path, poison: float
) -> None:
    tone = [0.5 * math.sin(index * 0.03) for index in range(16_000)]
    poisoned, zeroed = tone.copy(), tone.copy()
    poisoned[500:600], zeroed[500:600] = [poison] * 100, [0.0] * 100
    expected = await pcm_of(decoder, write_float_wav(tmp_path / "zeroed.wav", zeroed), tmp_path)
    assert np.array_equal(await pcm_of(decoder, write_float_wav(tmp_path / "poisoned.wav", poisoned), tmp_path), expected)


async def test_a_stream_that_changes_rate_and_channels_is_decoded_to_its_end(decoder: PyAvDecoder, tmp_path: Path) -> None:
    (tmp_path / "joined.mp3").write_bytes(mp3(16_000, "mono", 2.0) + mp3(44_100, "stereo", 3.0))
    pcm = await pcm_of(decoder, tmp_path / "joined.mp3", tmp_path)
    assert pcm.size / 16_000 == pytest.approx(5.0, abs=0.3)
    assert np.abs(pcm[-16_000:-8_000]).max() > 5_000


async def test_the_limit_on_seconds_admits_exactly_that_much(decoder: PyAvDecoder, tmp_path: Path) -> None:
    second = np.full(16_000, 1000, dtype=np.int16)
    decoded = await decoder.decode(write_wav(tmp_path / "whole.wav", [second]), tmp_path / "out.pcm", 1.0)
    assert decoded.seconds == 1.0
    over = write_wav(tmp_path / "over.wav", [np.append(second, np.int16(0))])
    with pytest.raises(TooLarge, match="longer than the limit of 1 seconds"):
        await decoder.decode(over, tmp_path / "out.pcm", 1.0)


def refusal_and_output(source: Path, folder: Path, max_seconds: float) -> tuple[str | None, float]:
    """Decode in this process, to see how much sound had come out when it ended."""
    with source.open("rb") as file, (folder / "out.pcm").open("wb", buffering=0) as target:
        output = Output(target.fileno(), max_seconds, DecodeLimits(), lambda _: None)
        try:
            decode(file, output, max_seconds, DecodeLimits())
        except Refused as refusal:
            return refusal.code, output.seconds
        return None, output.seconds


def test_a_believable_header_far_over_the_limit_refuses_before_decoding(tmp_path: Path) -> None:
    minute = write_wav(tmp_path / "long.wav", [np.full(60 * 16_000, 1000, dtype=np.int16)])
    assert refusal_and_output(minute, tmp_path, 20.0) == ("too_long", 0.0)


def test_a_header_that_claims_far_more_than_the_file_can_hold_is_not_believed(tmp_path: Path) -> None:
    assert refusal_and_output(KEPT / "flac_claims_2e36_samples.flac", tmp_path, 20.0) == (None, 4.905)


class Named(io.BytesIO):
    """FFmpeg takes some lists for what they are only under their usual name."""

    name = "list.m3u8"


@pytest.mark.parametrize(
    "reference",
    [
        b"ffconcat version 1.0\nfile 'neighbour.wav'\n",
        b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nneighbour.wav\n#EXT-X-ENDLIST\n",
        b"v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 5004 RTP/AVP 0\r\n",
    ],
)
def test_ffmpeg_itself_is_told_to_open_no_list_of_other_files(reference: bytes) -> None:
    with pytest.raises(Refused) as caught:
        open_container(Named(reference))
    assert caught.value.code == "container"


async def test_a_missing_source_or_folder_is_the_store_failing(decoder: PyAvDecoder, tmp_path: Path) -> None:
    with pytest.raises(StorageFailed):
        await decoder.decode(tmp_path / "gone.wav", tmp_path / "out.pcm", 1.0)
    with pytest.raises(StorageFailed):
        await decoder.decode(SPOKEN, tmp_path / "gone" / "out.pcm", 1.0)


async def test_what_is_not_a_regular_file_is_refused_without_waiting_on_it(decoder: PyAvDecoder, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for source in (tmp_path, tmp_path / "fifo"):
        with pytest.raises(InvalidAudio):
            await decoder.decode(source, tmp_path / "out.pcm", 1.0)


async def test_a_recording_is_never_decoded_onto_itself(decoder: PyAvDecoder, tmp_path: Path) -> None:
    source = tmp_path / "kept.mp3"
    source.write_bytes(SPOKEN.read_bytes())
    with pytest.raises(ValueError, match="onto itself"):
        await decoder.decode(source, source, 60.0)
    assert source.read_bytes() == SPOKEN.read_bytes()


async def test_an_older_result_does_not_outlive_a_failed_decode(decoder: PyAvDecoder, tmp_path: Path) -> None:
    target = tmp_path / "out.pcm"
    target.write_bytes(b"old")
    empty = tmp_path / "empty.wav"
    empty.touch()
    with pytest.raises(InvalidAudio, match="empty"):
        await decoder.decode(empty, target, 60.0)
    assert not target.exists()


async def test_a_decoder_that_can_not_start_blames_the_installation_and_not_the_file(tmp_path: Path) -> None:
    decoder = PyAvDecoder(DecodeLimits(memory_bytes=64 * MIB))
    with pytest.raises(DecoderBroken):
        await decoder.decode(SPOKEN, tmp_path / "out.pcm", 60.0)


HONEST = '{"container": "wav", "codec": "pcm_s16le", "channels": 1, "sample_rate": 16000, "damaged": false, "bytes": 4}'
LIES = {
    "says nothing": "pass",
    "says no json": "print('hello')",
    "says a list": "print('[1, 2]')",
    "claims more bytes than it wrote": f"print('''{HONEST}''')",
    "writes half a sample": f"os.write(target, b'123'); print('''{HONEST.replace('4}', '3}')}''')",
    "writes more than the limit": f"os.write(target, bytes(64_000)); print('''{HONEST.replace('4}', '64000}')}''')",
    "names a codec with markup": f"os.write(target, b'1234'); print('''{HONEST.replace('pcm_s16le', '<script>')}''')",
    "gives a word for a number": f"os.write(target, b'1234'); print('''{HONEST.replace('16000', '[]')}''')",
    "invents a refusal": 'print(\'{"refused": "/etc/passwd"}\')',
    "sends a refusal with words": 'print(\'{"refused": "too_long", "number": "/etc/passwd"}\')',
    "never stops talking": "while True: os.write(1, bytes(65536))",
    "ends by a signal": "os.kill(os.getpid(), 11)",
}


@pytest.mark.parametrize("lie", LIES)
async def test_a_child_that_lies_is_a_decode_that_failed(tmp_path: Path, lie: str) -> None:
    child = tmp_path / "child.py"
    child.write_text(f"import json, os, sys\ntarget = json.loads(sys.argv[1])['target']\n{LIES[lie]}\n")
    decoder = PyAvDecoder(DecodeLimits(), child)
    with pytest.raises(WordloopError, match="broke down") as caught:
        await decoder.decode(SPOKEN, tmp_path / "out.pcm", 1.0)
    assert "/" not in caught.value.detail
    assert [path.name for path in tmp_path.iterdir()] == ["child.py"]


async def test_the_scripted_children_would_be_believed_if_they_told_the_truth(tmp_path: Path) -> None:
    child = tmp_path / "child.py"
    child.write_text(f"import json, os, sys\nos.write(json.loads(sys.argv[1])['target'], b'1234')\nprint('''{HONEST}''')\n")
    decoded = await PyAvDecoder(DecodeLimits(), child).decode(SPOKEN, tmp_path / "out.pcm", 1.0)
    assert decoded.seconds == 4 / 32_000
