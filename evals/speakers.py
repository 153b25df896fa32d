"""Speakers: who speaks when and who said which words, by the production path, against recordings whose turns are known."""

import asyncio
import json
import tempfile
import wave
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from adapters.in_process import Engine
from adapters.pyav_decoder.decoder import PyAvDecoder
from adapters.pyav_decoder.limits import DecodeLimits
from application.diarise.find_speakers import DiarizationSettings, FindSpeakers
from application.speakers.give_words import with_speakers
from domain.audio import BYTES_PER_SAMPLE, SAMPLE_RATE, DecodedAudio
from domain.call import CallContext, ModelIdentity
from domain.named_speakers import ToldBy
from domain.speakers import SpeakerCount
from domain.transcript import Transcript
from evals.diarization_error import DiarizationErrors, Talk, diarization_errors
from evals.fingerprint import Depends
from evals.hearing import LONGEST_S, Listener, evaluation_data, files
from evals.scoring import mean_of, scores
from evals.speaker_words import counted_words
from evals.speech import ErrorCounter
from evals.suite import Case, Report, Result, StatisticSpec, Tier, silent
from serve_app.composition.in_process import in_process_diarizer
from serve_app.demo import RECORDING
from serve_app.engines.descriptors import diarizer_voices
from serve_app.engines.replicas import build_diarizer
from serve_app.engines.served_models import diarizer_identity, model_store
from serve_app.settings.models import DiarizerSettings

DEPENDS: Final = Depends(
    models=("diarizer", "transcriber"),
    prompts=False,
    code=(
        "adapters.pyav_decoder",
        "adapters.speaker_networks",
        "application.diarise.find_speakers",
        "application.sound_of",
        "application.speakers.give_words",
        "application.speakers.who_speaks",
        "domain.speaker_turns",
        "domain.voice_clusters",
        "evals.diarization_error",
        "evals.speaker_words",
    ),
)
BUNDLED: Final = Path(__file__).with_name("data") / "speech"
MADE_UP, MEETING, SPOKEN, SESSION = "made-up", "meeting", "spoken", "session"
"""Sorts of recordings: sentences of the bundled ones joined here, real meetings, spoken by machine voices, joined sentences."""
SCORED_TALK_S: Final = 5.0
"""Of a real recording, at least so many seconds are annotated, or it says nothing."""
BYTES_PER_SECOND: Final = SAMPLE_RATE * BYTES_PER_SAMPLE
GAP_S: Final = 0.6
"""Between two sentences of the meeting that is made up."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """A recording and who speaks in it; in which language, where it is known what they say."""

    path: Path
    sort: str
    talks: tuple[Talk, ...]
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Diarist:
    """How recordings are heard; what differs from the service's defaults is said here."""

    settings: DiarizerSettings = field(default_factory=DiarizerSettings)
    path: DiarizationSettings = field(default_factory=DiarizationSettings)
    build: Callable[[DiarizerSettings, ModelIdentity], Engine] = build_diarizer

    def port(self) -> FindSpeakers:
        """The use case over the engine in this process, behind the production guard."""
        identity = diarizer_identity(self.settings, model_store())
        engine = self.build(self.settings, identity)
        voices = diarizer_voices(self.settings, model_store())
        return FindSpeakers(in_process_diarizer(engine, identity, self.settings.max_batch_size, voices), self.path)


def run(
    tier: Tier = "fast",
    progress: Report = silent,
    diarist: Diarist | None = None,
    material: Sequence[Conversation] | None = None,
    listener: Listener | None = None,
) -> Result:
    """Score who speaks when, and who said which words: fast on the bundled recordings, full on the evaluation data too."""
    with tempfile.TemporaryDirectory() as folder:
        chosen = material if material is not None else [*bundled(Path(folder)), *(complete() if tier == "full" else ())]
        told = [(conversation.path, conversation.language) for conversation in chosen if conversation.language is not None]
        texts = dict(zip((path for path, _ in told), (listener or Listener()).once(told, progress), strict=True))
        cases = asyncio.run(_cases(chosen, diarist or Diarist(), texts, Path(folder), progress))
    statistics = _statistics(chosen)
    return {"scores": scores(statistics, cases), "findings": [], "cases": cases, "statistics": statistics}


def bundled(folder: Path) -> list[Conversation]:
    """The recording of the demonstration, and a meeting that is made up in `folder` from the bundled sentences."""
    return [spoken(RECORDING), asyncio.run(made_up(folder))]


def complete() -> list[Conversation]:
    """The recordings of the evaluation data whose turns are known, but for the demonstration's."""
    data = evaluation_data()
    rows = [json.loads(line) for line in (data / "speech" / "manifest.jsonl").read_text(encoding="utf-8").splitlines()]
    found = [_labelled(data / "speech" / row["file"], row) for row in rows if row.get("segments")]
    talked = [each for each in found if sum(talk.end - talk.start for talk in each.talks) >= SCORED_TALK_S]
    meetings = [path for path in files(data / "spoken_meetings") if path.stem != RECORDING.stem]
    return [*talked, *(spoken(path) for path in meetings)]


def spoken(recording: Path) -> Conversation:
    """A recording whose turns stand in the JSON file beside it."""
    said = json.loads(recording.with_suffix(".json").read_text(encoding="utf-8"))
    talks = tuple(Talk(turn["speaker"], turn["start_s"], turn["end_s"], turn["text"]) for turn in said["turns"])
    return Conversation(recording, SPOKEN, talks, said["language"])


def _labelled(path: Path, row: dict[str, Any]) -> Conversation:
    talks = tuple(Talk(each["speaker"], each["start"], each["end"], each["text"]) for each in row["segments"])
    joined = row["condition"].startswith("long session stitched")
    return Conversation(path, SESSION if joined else MEETING, talks, row["language"])


async def made_up(folder: Path) -> Conversation:
    """Both halves of each bundled sentence, first all first ones: as many speakers as sentences, who all speak twice."""
    sounds = [await _samples(path, folder) for path in files(BUNDLED) if not path.name.startswith(("noisy", "phone"))]
    pieces = [(str(person), sound[: len(sound) // 4 * 2]) for person, sound in enumerate(sounds)]
    pieces += [(str(person), sound[len(sound) // 4 * 2 :]) for person, sound in enumerate(sounds)]
    talks, pcm = [], b""
    for person, piece in pieces:
        start, pcm = len(pcm), pcm + piece
        talks.append(Talk(person, start / BYTES_PER_SECOND, len(pcm) / BYTES_PER_SECOND))
        pcm += bytes(round(GAP_S * BYTES_PER_SECOND))
    path = folder / "made-up.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(BYTES_PER_SAMPLE)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(pcm)
    return Conversation(path, MADE_UP, tuple(talks))


async def _samples(path: Path, folder: Path) -> bytes:
    audio = await _decoded(path, folder)
    return await asyncio.to_thread(Path(audio.pcm_path).read_bytes)


async def _decoded(path: Path, folder: Path) -> DecodedAudio:
    return await PyAvDecoder(DecodeLimits()).decode(path, folder / f"{path.name}.pcm", LONGEST_S)


async def _cases(
    material: Sequence[Conversation],
    diarist: Diarist,
    texts: Mapping[Path, Transcript],
    folder: Path,
    progress: Report,
) -> list[Case]:
    find, found, count = diarist.port(), [], ErrorCounter()
    for done, conversation in enumerate(material, 1):
        audio = await _decoded(conversation.path, folder)
        turns = (await find(audio, SpeakerCount(), CallContext(), _nobody)).turns
        case = _case(conversation, [Talk(str(turn.speaker), turn.start, turn.end) for turn in turns])
        if conversation.language is not None:
            named = with_speakers(texts[conversation.path], turns, (), ToldBy.VOICE)
            case["scores"] = {**case["scores"], **counted_words(conversation.language, conversation.talks, named, count)}
        found.append(case)
        progress(conversation.path.name, done, len(material))
    return found


def _case(conversation: Conversation, found: Sequence[Talk]) -> Case:
    counted = _counted(diarization_errors(conversation.talks, found), "")
    counted |= _counted(diarization_errors(conversation.talks, found, overlap=False), "alone_")
    persons = len({talk.person for talk in conversation.talks})
    counted["count_error"] = float(abs(len({talk.person for talk in found}) - persons))
    said = "\n".join(f"{talk.start:.1f} {talk.end:.1f} {talk.person}" for talk in found)
    return {"id": conversation.path.name, "scores": counted, "texts": {"turns": said}, "tags": {"sort": conversation.sort}}


def _counted(errors: DiarizationErrors, prefix: str) -> dict[str, float]:
    return {
        f"{prefix}errors_s": errors.seconds,
        f"{prefix}missed_s": errors.missed,
        f"{prefix}false_alarm_s": errors.false_alarm,
        f"{prefix}confused_s": errors.confused,
        f"{prefix}spoken_s": errors.spoken,
    }


def _statistics(material: Sequence[Conversation]) -> dict[str, StatisticSpec]:
    found: dict[str, StatisticSpec] = {
        **_rates(),
        "error_rate_alone": {"kind": "ratio", "of": ("alone_errors_s", "alone_spoken_s")},
        "missed": {"kind": "ratio", "of": ("missed_s", "spoken_s")},
        "false_alarm": {"kind": "ratio", "of": ("false_alarm_s", "spoken_s")},
        "confused": {"kind": "ratio", "of": ("confused_s", "spoken_s")},
        "count_error": mean_of("count_error"),
    }
    for sort in sorted({conversation.sort for conversation in material}):
        worded = any(each.sort == sort and each.language is not None for each in material)
        for name, statistic in _rates(worded).items():
            found[f"{name}/{sort}"] = {**statistic, "where": {"sort": sort}}
        found[f"count_error/{sort}"] = mean_of("count_error", sort=sort)
    return found


def _rates(worded: bool = True) -> dict[str, StatisticSpec]:
    """Shares of seconds, and of words: `cp` as `speaker_word_errors` counts, and by how much that is more than word errors."""
    found: dict[str, StatisticSpec] = {"error_rate": {"kind": "ratio", "of": ("errors_s", "spoken_s")}}
    if worded:
        found["word_error_rate"] = {"kind": "ratio", "of": ("word_edits", "words")}
        found["cp_word_error_rate"] = {"kind": "ratio", "of": ("cp_edits", "words")}
        found["cost_of_speakers"] = {"kind": "ratio", "of": ("cp_edits_more", "words")}
    return found


async def _nobody(*_progress: int) -> None:
    """Nobody watches."""
