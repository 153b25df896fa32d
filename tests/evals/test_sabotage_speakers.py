"""What can go wrong with telling speakers apart turns the gate red: the real networks, spoiled in one way at a time."""

import wave
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any, ClassVar

import pytest

from adapters.pyav_decoder.decoder import PyAvDecoder
from adapters.pyav_decoder.limits import DecodeLimits
from domain.audio import SAMPLE_RATE
from domain.call import ModelIdentity
from evals import hearing, speakers
from evals.gate import judge
from evals.hearing import Listener
from evals.speakers import Conversation, Diarist
from evals.suite import Result
from evals.thresholds import limits
from ports.model_backend import DiarizeRequest, RawOutput
from serve_app.demo import RECORDING
from serve_app.engines.descriptors import diarizer_voices
from serve_app.engines.replicas import build_diarizer
from serve_app.engines.served_models import model_store
from serve_app.settings.descriptors import VoiceSettings
from serve_app.settings.models import DiarizerSettings

SECONDS = 56.5
"""Of the demonstration: eight turns of three persons, the last of them whole."""
SCORES = ("error_rate", "error_rate/spoken", "count_error/spoken")
"""What this recording can have."""
WORDS = ("cp_word_error_rate/spoken", "cost_of_speakers/spoken")
"""What it can have where its words are looked at too."""
Spoil = Callable[[dict[str, Any]], dict[str, Any]]


class Networks:
    """The real engine, each window heard once for all tests, with every answer spoiled by `spoil`."""

    known: ClassVar[dict[bytes, RawOutput]] = {}

    def __init__(self, settings: DiarizerSettings, identity: ModelIdentity, spoil: Spoil) -> None:
        self._engine = build_diarizer(settings, identity)
        self._spoil = spoil

    def run(self, batch: Sequence[DiarizeRequest]) -> list[RawOutput]:
        for request in batch:
            if request.pcm not in self.known:
                self.known[request.pcm] = self._engine.run([request])[0]
        outputs = [self.known[request.pcm] for request in batch]
        return [RawOutput({"stretches": [self._spoil(dict(row)) for row in output.payload["stretches"]]}) for output in outputs]


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> list[Conversation]:
    import asyncio

    folder = tmp_path_factory.mktemp("demo")
    asyncio.run(PyAvDecoder(DecodeLimits()).decode(RECORDING, folder / "demo.pcm", 600))
    with wave.open(str(folder / "demo.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes((folder / "demo.pcm").read_bytes()[: round(SECONDS * SAMPLE_RATE) * 2])
    whole = speakers.spoken(RECORDING)
    talks = tuple(replace(talk, end=min(talk.end, SECONDS)) for talk in whole.talks if talk.start < SECONDS)
    return [Conversation(folder / "demo.wav", speakers.SPOKEN, talks)]


@pytest.fixture(scope="module")
def spoken_material(material: list[Conversation]) -> list[Conversation]:
    """The same with its words."""
    return [replace(material[0], language="en")]


def scored(material: list[Conversation], spoil: Spoil = lambda row: row, voices: VoiceSettings | None = None) -> Result:
    settings = DiarizerSettings(voices=voices)
    diarist = Diarist(settings, build=lambda settings, identity: Networks(settings, identity, spoil))
    return speakers.run(diarist=diarist, material=material)


def failures(result: Result, scores: Sequence[str] = SCORES) -> list[str]:
    """What the gate says by the committed bounds, of the scores that this recording can have."""
    known = {name: limit for name, limit in limits("speakers", "fast").items() if name in scores}
    assert set(known) == set(scores)
    only: Result = {**result, "scores": {name: result["scores"][name] for name in scores}}
    return [failure for verdict in judge(only, known, None) for failure in verdict.failures]


def one_voice(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "voice": [1.0] + [0.0] * (len(row["voice"]) - 1) if row["voice"] else []}


def late(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "start": min(row["start"] + 0.9, row["end"])}


def short(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "end": row["start"] + (row["end"] - row["start"]) / 2}


def test_the_honest_networks_stand(material: list[Conversation]) -> None:
    assert failures(scored(material)) == []


@pytest.mark.parametrize("spoil", [one_voice, late, short])
def test_spoiled_networks_turn_the_gate_red(material: list[Conversation], spoil: Spoil) -> None:
    assert failures(scored(material, spoil))


@pytest.mark.parametrize("least", [0.2, 3.0], ids=["all are one", "nobody is himself"])
def test_a_wrong_likeness_turns_the_gate_red(material: list[Conversation], least: float) -> None:
    measured = asdict(diarizer_voices(DiarizerSettings(), model_store()))
    del measured["least_seconds"]
    assert failures(scored(material, voices=VoiceSettings(**measured | {"least_likeness": least})))


def test_the_honest_networks_give_the_words_to_those_who_said_them(spoken_material: list[Conversation]) -> None:
    assert failures(scored(spoken_material), WORDS) == []


def test_words_of_the_wrong_speaker_turn_the_gate_red(spoken_material: list[Conversation]) -> None:
    failed = failures(scored(spoken_material, one_voice), WORDS)

    assert [name for name in WORDS if any(name in failure for failure in failed)] == list(WORDS)


def test_a_recording_is_heard_once(spoken_material: list[Conversation]) -> None:
    path = spoken_material[0].path
    told: list[str] = []

    first = Listener().once([(path, "en")], lambda name, *_count: told.append(name))
    again = Listener().once([(path, "en"), (path, "en")], lambda name, *_count: told.append(name))

    assert again == first * 2
    assert len(told) <= 1
    assert any(key[0] == str(path) for key in hearing.HEARD)
