"""Calls with a speaker a channel: recognised on the mix, and each channel by itself, silent where its own speaker is.

The recordings are the stereo file of the evaluation data, and calls made of two English recordings each, in turns of a third of
either, which begin `--overlap` seconds before the other one has ended, with the other one heard 20 dB below in each channel.
Example:

    python -m benchmarks.two_channels --data ../shared/data --calls 6
"""

import argparse
import asyncio
import json
import sys
import tempfile
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from adapters.pyav_decoder.decoder import PyAvDecoder
from adapters.pyav_decoder.limits import DecodeLimits
from application.speakers.give_words import labelled, with_speakers
from application.transcribe_channels import TranscribeChannels
from domain.audio import DecodedAudio
from domain.call import CallContext
from domain.channels import ChannelTurns, channel_turns
from domain.named_speakers import ToldBy
from domain.transcript import Transcript
from evals.hearing import LONGEST_S, Listener
from evals.speaker_words import speaker_word_errors, words_by_speaker
from evals.speech import Clip, ErrorCounter, Errors, read_corpus, word_edits
from evals.suite import silent
from ports.transcriber import TranscriptionOptions

SAMPLE_RATE: Final = 16_000
LEAK: Final = 0.1
"""20 dB."""
PIECES: Final = 3
SECONDS: Final = (4.0, 20.0)
"""How long the recordings are that a call is made of."""
HARD: Final = ("noisy", "babble", "phone", "ami", "so762", "format", "stereo")
"""Versions of others, several speakers, and learners of English, of whom every other word is wrong already."""
SPARE_S: Final = 0.4
"""Silence between two turns that do not overlap."""

Sound = npt.NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Call:
    """A recording of two channels, and what is said in each."""

    name: str
    channels: tuple[Sound, Sound]
    said: tuple[str, str]


def measure(calls: Sequence[Call]) -> dict[str, Any]:
    """Return word error rate of all words in order of time where they are in turns, and cpWER, on the mix and by channel."""
    count, found = ErrorCounter(), {}
    with tempfile.TemporaryDirectory() as folder:
        for call in calls:
            found[call.name] = _measured(call, count, Path(folder))
    totals = {
        side: Errors(sum(row[side][0] for row in found.values()), sum(row["words"] for row in found.values()))
        for side in ("mix", "channels")
    }
    return {
        "calls": len(calls),
        "words": totals["mix"].units,
        "cp word error rate, mix": round(totals["mix"].rate, 4),
        "cp word error rate, channels": round(totals["channels"].rate, 4),
        "word error rate, mix": round(sum(row["mix"][1] for row in found.values()) / totals["mix"].units, 4),
        "word error rate, channels": round(sum(row["channels"][1] for row in found.values()) / totals["mix"].units, 4),
        "edits by call (cp, in order)": found,
    }


def _measured(call: Call, count: ErrorCounter, folder: Path) -> dict[str, Any]:
    stereo = _written(np.stack(call.channels), folder / f"{call.name}.wav")
    audio = asyncio.run(PyAvDecoder(DecodeLimits()).decode(stereo, folder / "mix.pcm", LONGEST_S))
    told = channel_turns(audio.levels)
    (mixed,) = Listener()([(stereo, "en")], silent)
    by_channel = with_speakers(mixed, told.turns, (), ToldBy.CHANNEL)
    alone = words_by_speaker(asyncio.run(_by_channel(stereo, audio, told, folder)))
    reference = {str(index): count.normalised("en", text) for index, text in enumerate(call.said)}
    row: dict[str, Any] = {"apart": told.apart, "words": sum(len(text.split()) for text in reference.values())}
    plain = count.normalised("en", " ".join(call.said)).split()
    for side, texts in (("mix", words_by_speaker(by_channel)), ("channels", alone)):
        heard = {speaker: count.normalised("en", text) for speaker, text in texts.items()}
        in_order = count.normalised("en", " ".join(texts[key] for key in sorted(texts))).split()
        row[side] = (speaker_word_errors(reference, heard).edits, word_edits(plain, in_order))
        row[f"{side}, text"] = texts
    return row


async def _by_channel(stereo: Path, audio: DecodedAudio, told: ChannelTurns, folder: Path) -> Transcript:
    """The production path, also where the recording itself does not say that its channels are apart."""
    channels = TranscribeChannels(Listener().transcribing(), PyAvDecoder(DecodeLimits()), folder, LONGEST_S)
    options = TranscriptionOptions(language="en")
    heard, given = await channels("t", stereo, audio, told, options, CallContext(), _nobody)
    return labelled(heard, given, (), ToldBy.CHANNEL)


async def _nobody(*_progress: Any) -> None:
    """Nobody watches."""


def made_calls(clips: Sequence[Clip], number: int, overlap: float) -> list[Call]:
    """Make calls of neighbouring recordings, which are about as long."""
    chosen = [clip for clip in clips if clip.language == "en" and SECONDS[0] <= clip.seconds <= SECONDS[1]]
    chosen = [clip for clip in chosen if not clip.path.name.startswith(HARD)][: 2 * number]
    return [_made(chosen[at], chosen[at + 1], overlap) for at in range(0, len(chosen) - 1, 2)]


def _made(one: Clip, other: Clip, overlap: float) -> Call:
    sounds = [_samples(clip.path) for clip in (one, other)]
    pieces = [np.array_split(sound, _quiet_moments(sound)) for sound in sounds]
    lanes: list[list[tuple[int, Sound]]] = [[], []]
    at = 0
    for turn in range(max(map(len, pieces))):
        for lane in (0, 1):
            if turn < len(pieces[lane]):
                start = max(0, at - int(overlap * SAMPLE_RATE)) if overlap else at + int(SPARE_S * SAMPLE_RATE)
                start = max(start, lanes[lane][-1][0] + len(lanes[lane][-1][1]) if lanes[lane] else 0)
                lanes[lane].append((start, pieces[lane][turn]))
                at = start + len(pieces[lane][turn])
    dry = []
    for placed in lanes:
        sound = np.zeros(at, np.float64)
        for start, piece in placed:
            sound[start : start + len(piece)] += piece
        dry.append(sound)
    wet = (dry[0] + LEAK * dry[1], dry[1] + LEAK * dry[0])
    left, right = (np.clip(sound, -32768, 32767).astype(np.int16) for sound in wet)
    return Call(f"{one.path.stem}+{other.path.stem}", (left, right), (one.reference, other.reference))


def _quiet_moments(sound: Sound) -> list[int]:
    """Where to cut: the quietest tenth of a second around each third."""
    step = SAMPLE_RATE // 10
    energy = np.add.reduceat(sound.astype(np.float64) ** 2, np.arange(0, len(sound), step))
    cuts = []
    for third in range(1, PIECES):
        middle, reach = len(energy) * third // PIECES, max(1, len(energy) // 8)
        around = energy[middle - reach : middle + reach]
        cuts.append((middle - reach + int(np.argmin(around))) * step + step // 2)
    return cuts


def _samples(path: Path) -> Sound:
    from faster_whisper.audio import decode_audio

    return np.asarray(decode_audio(str(path)) * 32767, np.int16)


def _written(channels: npt.NDArray[np.int16], path: Path) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(len(channels))
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(channels.T.astype("<i2").tobytes())
    return path


def stereo_file(data: Path) -> Call:
    """The stereo recording of the evaluation data."""
    rows = [json.loads(line) for line in (data / "speech" / "manifest.jsonl").read_text(encoding="utf-8").splitlines()]
    (row,) = [row for row in rows if row.get("channels")]
    from faster_whisper.audio import decode_audio

    left, right = (
        np.asarray(each * 32767, np.int16) for each in decode_audio(str(data / "speech" / row["file"]), split_stereo=True)
    )
    return Call("stereo-2ch", (left, right), (row["channels"][0]["text"], row["channels"][1]["text"]))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the evaluation data")
    parser.add_argument("--calls", type=int, default=6, help="calls that are made up")
    parser.add_argument("--overlap", type=float, action="append", help="seconds; may be given again; default: 0 and 1")
    options = parser.parse_args(arguments)
    clips = read_corpus(options.data / "speech")
    figures = {"stereo-2ch": measure([stereo_file(options.data)])}
    for overlap in options.overlap or (0.0, 1.0):
        figures[f"made up, {overlap:g} s of overlap"] = measure(made_calls(clips, options.calls, overlap))
    print(json.dumps(figures, indent=1, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
