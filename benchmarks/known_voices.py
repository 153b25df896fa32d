"""Voices known again: how often a person is missed, and how often taken for another, by how much alike two voices have to be.

Each speaker of the sessions of the evaluation data is cut into recordings of `--enrol` and `--test` seconds that share no
utterance, which go through the production path as recordings of one speaker. Every other speaker, in order of their names, is of
`tune`, on which the bar is chosen, the rest of `confirm`. Noise, telephone and babble versions of one recording stand for another
microphone. Example:

    python -m benchmarks.known_voices --data ../shared/data
"""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from adapters.pyav_decoder.decoder import PyAvDecoder
from adapters.pyav_decoder.limits import DecodeLimits
from application.diarise.find_speakers import FindSpeakers
from domain.audio import SAMPLE_RATE, DecodedAudio
from domain.call import CallContext
from domain.speakers import SpeakerCount, SpokenVoice
from domain.voice_profiles import likeness
from evals.hearing import LONGEST_S
from evals.speakers import Diarist

BARS: Final = tuple(round(0.4 + 0.025 * step, 3) for step in range(21))
VERSIONS: Final = ("noisy20dB-", "noisy15dB-", "noisy8dB-", "babble8dB-", "phone-")

Sound = npt.NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Heard:
    """How a person sounds in a recording; `enrolled` where a profile is made of it."""

    person: str
    enrolled: bool
    voice: SpokenVoice


async def measure(data: Path, enrol_s: float, test_s: float) -> dict[str, Any]:
    """Return rates of both kinds of errors by part and bar, and the likenesses behind them."""
    find = Diarist().port()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        heard = [
            Heard(person, seconds == enrol_s, voice)
            for person, parts in (await _utterances(data, folder)).items()
            for sound, seconds in _recordings(parts, enrol_s, test_s)
            if (voice := await _voice(find, sound, folder)) is not None
        ]
        versions = await _versions(find, data, folder)
    found: dict[str, Any] = {"enrolled, s": enrol_s, "tested, s": test_s}
    persons = sorted({each.person for each in heard})
    for index, part in enumerate(("tune", "confirm")):
        found[part] = _errors(
            [each for each in heard if each.person in persons[index::2]], find.diarizer.voices.half_heard_seconds
        )
    found["other versions of one recording"] = versions
    return found


def _errors(heard: Sequence[Heard], half_heard_s: float) -> dict[str, Any]:
    profiles, tests = ([each for each in heard if each.enrolled is kind] for kind in (True, False))
    pairs = [(a.person == b.person, likeness(a.voice, b.voice, half_heard_s)) for a, b in product(profiles, tests)]
    same, other = (np.array([alike for is_same, alike in pairs if is_same is kind]) for kind in (True, False))
    return {
        "persons": len({each.person for each in heard}),
        "pairs of one person": len(same),
        "pairs of two": len(other),
        "likeness of one person (least, 5 %, median)": [round(float(np.percentile(same, share)), 3) for share in (0, 5, 50)],
        "likeness of two (median, 99 %, most)": [round(float(np.percentile(other, share)), 3) for share in (50, 99, 100)],
        "missed by bar": {bar: round(float((same < bar).mean()), 4) for bar in BARS},
        "taken for another by bar": {bar: round(float((other >= bar).mean()), 4) for bar in BARS},
    }


async def _utterances(data: Path, folder: Path) -> dict[str, list[Sound]]:
    rows = [json.loads(line) for line in (data / "speech" / "manifest.jsonl").read_text(encoding="utf-8").splitlines()]
    found: dict[str, list[Sound]] = {}
    for row in (row for row in rows if row["file"].startswith("session-")):
        sound = await _samples(data / "speech" / row["file"], folder)
        for said in row["segments"]:
            piece = sound[int(said["start"] * SAMPLE_RATE) : int(said["end"] * SAMPLE_RATE)]
            found.setdefault(said["speaker"], []).append(piece)
    return found


def _recordings(parts: Sequence[Sound], enrol_s: float, test_s: float) -> list[tuple[Sound, float]]:
    """One recording to enrol from, then as many as there are utterances for to test with."""
    found: list[tuple[Sound, float]] = []
    taken: list[Sound] = []
    for part in parts:
        taken.append(part)
        wanted = enrol_s if not found else test_s
        if sum(map(len, taken)) >= wanted * SAMPLE_RATE:
            found.append((np.concatenate(taken), wanted if not found else test_s))
            taken = []
    return found


async def _versions(find: FindSpeakers, data: Path, folder: Path) -> dict[str, float]:
    """How much alike a recording and its noisy, babbled or telephoned version are: the same words, another channel."""
    found = {}
    for path in sorted((data / "speech").iterdir()):
        prefix = next((each for each in VERSIONS if path.name.startswith(each)), None)
        clean = list((data / "speech").glob(f"{path.stem.removeprefix(prefix)}.*")) if prefix else []
        if clean:
            both = [await _voice(find, await _samples(each, folder), folder) for each in (path, clean[0])]
            if both[0] and both[1]:
                found[path.stem] = round(likeness(both[0], both[1], find.diarizer.voices.half_heard_seconds), 3)
    return found


async def _voice(find: FindSpeakers, sound: Sound, folder: Path) -> SpokenVoice | None:
    path = folder / "one.pcm"
    await asyncio.to_thread(path.write_bytes, sound.astype("<i2").tobytes())
    audio = DecodedAudio(str(path), len(sound) / SAMPLE_RATE, "wav", "pcm_s16le", 1, SAMPLE_RATE)
    spoken = await find(audio, SpeakerCount(1, 1), CallContext(), _nobody)
    return spoken.voices[0] if spoken.voices else None


async def _samples(path: Path, folder: Path) -> Sound:
    audio = await PyAvDecoder(DecodeLimits()).decode(path, folder / "file.pcm", LONGEST_S)
    return np.frombuffer(await asyncio.to_thread(Path(audio.pcm_path).read_bytes), "<i2")


async def _nobody(*_progress: int) -> None:
    """Nobody watches."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the evaluation data")
    parser.add_argument("--enrol", type=float, default=12.0, help="seconds of a recording that a profile is made from")
    parser.add_argument("--test", type=float, default=6.0, help="seconds of a recording in which somebody is known again")
    options = parser.parse_args(arguments)
    print(json.dumps(asyncio.run(measure(options.data, options.enrol, options.test)), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
