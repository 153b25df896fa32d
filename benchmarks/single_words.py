"""Single words between silences: how many are heard, and what is written for moments of sounds without speech.

The words are cut out of recordings of sentences where the recogniser places them, laid into two or four seconds of faint noise,
half of them at a third of their level, and go through the whole path; so do moments of the sounds. Recordings are drawn by
a hash of their name into two parts. The thresholds of today were chosen on words of both. Example:

    python -m benchmarks.single_words --data shared/data --part confirm
"""

import argparse
import hashlib
import json
import sys
import tempfile
import wave
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from evals.hearing import Listener, files
from evals.speech import Clip, ErrorCounter, read_corpus
from evals.suite import silent

SAMPLE_RATE: Final = 16_000
LONGEST_SENTENCE_S: Final = 12.0
WORD_S: Final = (0.2, 1.2)
MARGIN_S: Final = 0.03
SURE: Final = 0.8
"""Probability of a word that is cut out: its place is known."""
FLOOR: Final = 8.0
"""Standard deviation of the noise around a word, in steps of 16 bits (-72 dB full scale)."""
SEED: Final = 5

Sound = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Piece:
    """What is heard: the word, or None where nobody speaks."""

    name: str
    word: str | None
    sound: Sound


def part_of(name: str) -> str:
    """Return the part that a recording belongs to."""
    return "tune" if hashlib.sha256(name.encode()).digest()[0] % 2 == 0 else "confirm"


def words_of(clips: Sequence[Clip], random: np.random.Generator) -> Iterator[Piece]:
    """Yield the longest sure word of each recording, between silences."""
    heard = Listener()([(clip.path, clip.language) for clip in clips], silent)
    for clip, transcript in zip(clips, heard, strict=True):
        words = [word for segment in transcript.segments for word in segment.words]
        sure = [word for word in words if word.probability > SURE and WORD_S[0] < word.end - word.start < WORD_S[1]]
        for word in sorted(sure, key=lambda word: word.start - word.end)[:1]:
            sound = _samples(clip.path)[_at(word.start - MARGIN_S) : _at(word.end + MARGIN_S)]
            yield Piece(f"{clip.path.stem} {word.text}", word.text, _between_silences(sound, random))


def moments_of(sounds: Sequence[Path], random: np.random.Generator) -> Iterator[Piece]:
    """Yield two and four seconds of each sound, from anywhere in it."""
    for path in sounds:
        sound = _samples(path)
        for seconds in (2, 4):
            first = int(random.uniform(0, max(1, len(sound) - seconds * SAMPLE_RATE)))
            yield Piece(f"{path.stem} {seconds} s", None, sound[first : first + seconds * SAMPLE_RATE])


def measure(pieces: Sequence[Piece]) -> dict[str, Any]:
    """Return what the whole path makes of the pieces."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [_written(piece, Path(folder) / f"{index:03d}.wav") for index, piece in enumerate(pieces)]
        heard = Listener()([(path, None) for path in paths], silent)
    count = ErrorCounter()
    told = [(piece, count.normalised("en", transcript.text)) for piece, transcript in zip(pieces, heard, strict=True)]
    words = [(count.normalised("en", piece.word), text) for piece, text in told if piece.word is not None]
    return {
        "words": len(words),
        "words heard": sum(bool(text) for _, text in words),
        "words right": sum(word == text for word, text in words),
        "moments without speech": len(pieces) - len(words),
        "words invented": {piece.name: text for piece, text in told if piece.word is None and text},
        "not heard": [word for word, text in words if not text],
        "wrong": {word: text for word, text in words if text and word != text},
    }


def _between_silences(sound: Sound, random: np.random.Generator) -> Sound:
    seconds = float(random.choice([2.0, 4.0]))
    around = random.normal(0.0, FLOOR, _at(seconds)).astype(np.float32)
    ramp = np.minimum(1.0, np.arange(len(sound)) / _at(0.01))
    first = _at(float(random.uniform(0.2, seconds - 0.2 - len(sound) / SAMPLE_RATE)))
    around[first : first + len(sound)] += (sound * ramp * ramp[::-1] * random.choice([1.0, 0.3])).astype(np.float32)
    return around


def _at(seconds: float) -> int:
    return max(0, int(seconds * SAMPLE_RATE))


def _samples(path: Path) -> Sound:
    from faster_whisper.audio import decode_audio

    return np.asarray(decode_audio(str(path)) * 32767, np.float32)


def _written(piece: Piece, path: Path) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(np.clip(piece.sound, -32768, 32767).astype("<i2").tobytes())
    return path


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures as JSON; 1 when a sound without speech got words."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the evaluation data")
    parser.add_argument("--part", choices=["tune", "confirm"], default="confirm")
    parser.add_argument("--limit", type=int, default=24, help="words at most")
    options = parser.parse_args(arguments)
    random = np.random.default_rng(SEED)
    chosen = [clip for clip in read_corpus(options.data / "speech") if part_of(clip.path.name) == options.part]
    short = [clip for clip in chosen if clip.language == "en" and clip.seconds < LONGEST_SENTENCE_S][: options.limit]
    bundled = Path(__file__).parents[1] / "evals" / "data" / "no_speech"
    sounds = [path for path in files(bundled) if part_of(path.name) == options.part]
    figures = measure([*words_of(short, random), *moments_of(sounds, random)])
    print(json.dumps(figures, indent=1, ensure_ascii=False))
    return int(bool(figures["words invented"]))


if __name__ == "__main__":
    sys.exit(main())
