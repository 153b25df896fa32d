"""Transcription: the words of known recordings, when they were said, and none for sounds that hold no speech."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from domain.transcript import Transcript
from evals.fingerprint import Depends
from evals.hearing import Listener, evaluation_data, files
from evals.scoring import mean_of, scores
from evals.speech import WITHOUT_SPACES, Clip, ErrorCounter, read_corpus, read_meeting, start_errors
from evals.suite import Case, Report, Result, StatisticSpec, Tier, silent
from serve_app.demo import RECORDING

DEPENDS: Final = Depends(
    models=("transcriber",),
    prompts=False,
    code=(
        "adapters.faster_whisper_engine",
        "adapters.pyav_decoder",
        "adapters.silero_vad",
        "application.heard_windows",
        "application.sound_of",
        "application.transcribe_audio",
        "domain.second_hearing",
        "domain.sentences",
        "domain.spans",
        "domain.speech",
        "domain.transcript_gates",
        "evals.hearing",
        "evals.speech",
    ),
)
BUNDLED: Final = Path(__file__).with_name("data")
KINDS: Final = {
    "silence": "silence",
    "room": "silence",
    "noise": "noise",
    "hum": "noise",
    "clicks": "noise",
    "dishes": "noise",
    "sweep": "noise",
    "whale": "noise",
    "music": "music",
}
"""What a sound without speech is, by a word of its file's name."""
ON_TIME_S: Final = 0.5
"""A turn that starts this close to its reference is on time. Turns of the references themselves are marked to about 0.1 s."""
TURNS_WORTH_SPLITTING: Final = 20
"""From this many turns a recording is scored turn by turn: one case would hide where it went wrong."""
SPOKEN: Final = "spoken meeting, synthetic voices"
OVERLAPPING: Final = "real meeting"
"""Conditions that begin so have several people talking at once: the order of the reference's words is arbitrary, so these
recordings stand in no pooled rate."""
STITCHED: Final = "long session stitched"
"""Conditions that begin so were joined from clips, and their turns begin where a clip does, with its silence (median 0.55 s
before the first sound of any strength): they say nothing about the time of the first word."""


@dataclass(frozen=True, slots=True)
class Material:
    """What a tier listens to."""

    clips: Sequence[Clip]
    no_speech: Sequence[Path]


def run(
    tier: Tier = "fast", progress: Report = silent, listener: Listener | None = None, material: Material | None = None
) -> Result:
    """Score transcription: fast on the bundled recordings (about a minute on two cores), full on the evaluation data."""
    material = material or (bundled() if tier == "fast" else complete())
    recordings = [(clip.path, clip.language) for clip in material.clips] + [(sound, None) for sound in material.no_speech]
    heard = (listener or Listener()).once(recordings, progress)
    count = ErrorCounter()
    cases: list[Case] = []
    for clip, transcript in zip(material.clips, heard, strict=False):
        cases += _cases(clip, transcript, count)
    for sound, transcript in zip(material.no_speech, heard[len(material.clips) :], strict=True):
        cases.append(_silent_case(sound, transcript))
    statistics = _statistics(cases)
    return {"scores": scores(statistics, cases), "findings": [], "cases": cases, "statistics": statistics}


def bundled() -> Material:
    """The recording of the demonstration, and the sentences and sounds without speech beside this file."""
    return Material([*read_corpus(BUNDLED / "speech"), read_meeting(RECORDING, SPOKEN)], files(BUNDLED / "no_speech"))


def complete() -> Material:
    """All recordings of the evaluation data."""
    data = evaluation_data()
    meetings = [read_meeting(path, SPOKEN) for path in files(data / "spoken_meetings")]
    rows = [json.loads(line) for line in (data / "bad_audio" / "manifest.jsonl").read_text(encoding="utf-8").splitlines()]
    quiet = [data / "bad_audio" / row["file"] for row in rows if row["expect"] == "no_speech"]
    return Material([*read_corpus(data / "speech"), *meetings], quiet)


def _cases(clip: Clip, transcript: Transcript, count: ErrorCounter) -> list[Case]:
    """Return the recording as one case, and its turns as cases of their own where it has many."""
    name = clip.path.name
    tags = {
        "language": clip.language,
        "condition": clip.condition,
        "pooled": "no" if clip.condition.startswith(OVERLAPPING) else "yes",
    }
    spans = transcript.coverage
    whole: dict[str, float] = {"speech_s": spans.speech_seconds, "text_s": spans.ratio * spans.speech_seconds}
    if len(clip.turns) < TURNS_WORTH_SPLITTING:
        words, characters = count.words(clip, transcript.text), count.characters(clip, transcript.text)
        whole |= {"character_edits": characters.edits, "characters": characters.units}
        if clip.language not in WITHOUT_SPACES:
            whole |= {"word_edits": words.edits, "words": words.units}
        texts = {"reference": clip.reference, "heard": transcript.text}
        return [{"id": name, "scores": whole, "texts": texts, "tags": tags}]
    found: list[Case] = [{"id": name, "scores": whole, "tags": tags}]
    late = start_errors(clip.turns, (word for segment in transcript.segments for word in segment.words))
    for index, (turn, off) in enumerate(zip(count.by_turn(clip, transcript.text), late, strict=True)):
        counted: dict[str, float] = {
            "word_edits": turn.words.edits,
            "words": turn.words.units,
            "character_edits": turn.characters.edits,
            "characters": turn.characters.units,
        }
        if not clip.condition.startswith(STITCHED):
            counted["timed"] = float(off is not None)
        if off is not None and "timed" in counted:
            counted |= {"start_error_s": off, "on_time": float(off <= ON_TIME_S)}
        texts = {"reference": turn.reference, "heard": turn.heard}
        found.append({"id": f"{name}#{index:03d}", "scores": counted, "texts": texts, "tags": tags})
    return found


def _silent_case(sound: Path, transcript: Transcript) -> Case:
    kind = next((kind for word, kind in KINDS.items() if word in sound.stem), "other")
    words = float(len(transcript.text.split()))
    return {"id": sound.name, "scores": {"invented": words}, "texts": {"heard": transcript.text}, "tags": {"sound": kind}}


def _statistics(cases: Sequence[Case]) -> dict[str, StatisticSpec]:
    """Return how the scores follow: overall, and by language and condition as far as the cases differ in them."""
    words, characters = ("word_edits", "words"), ("character_edits", "characters")
    found: dict[str, StatisticSpec] = {
        "word_error_rate": {"kind": "ratio", "of": words, "where": {"pooled": "yes"}},
        "character_error_rate": {"kind": "ratio", "of": characters, "where": {"pooled": "yes"}},
        "coverage": {"kind": "ratio", "of": ("text_s", "speech_s")},
        "start_error_s": {"kind": "median", "of": ("start_error_s",)},
        "turns_on_time": mean_of("on_time"),
        "turns_timed": mean_of("timed"),
        "invented_words": {"kind": "sum", "of": ("invented",)},
    }
    for sound in _values(cases, "sound"):
        found[f"invented_words/{sound}"] = {"kind": "sum", "of": ("invented",), "where": {"sound": sound}}
    for tag in ("language", "condition"):
        values = _values(cases, tag)
        for value in values if len(values) > 1 else ():
            where = {tag: value, **({"pooled": "yes"} if tag == "language" else {})}
            label = re.sub(r"[^a-z0-9]+", "-", value.lower()).strip("-")
            if any("words" in case["scores"] for case in cases if case.get("tags", {}).get(tag) == value):
                found[f"word_error_rate/{label}"] = {"kind": "ratio", "of": words, "where": where}
            found[f"character_error_rate/{label}"] = {"kind": "ratio", "of": characters, "where": where}
    return found


def _values(cases: Sequence[Case], tag: str) -> list[str]:
    return sorted({case["tags"][tag] for case in cases if tag in case.get("tags", {})})
