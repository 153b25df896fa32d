"""Scripted answers are the same for the same request, keep every rule of the guard, and call themselves what they are."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import prompts
from adapters.guard.json_rules import JsonRules
from adapters.guard.probability_rules import ProbabilityRules
from adapters.guard.reading_rules import ReadingRules
from adapters.guard.stretch_rules import StretchRules
from adapters.guard.transcript_rules import TranscriptRules
from adapters.guard.vector_rules import VectorRules
from adapters.scripted.meeting import SCENES, answer, identity
from adapters.scripted.schema_examples import example_of
from domain.audio import SAMPLE_RATE
from domain.call import CallKind
from domain.transcript_gates import ScoreScale, reason_to_withhold
from ports.model_backend import (
    DiarizeRequest,
    EmbedRequest,
    EntailRequest,
    FindRequest,
    GenerateRequest,
    ModelRequest,
    RawOutput,
    TranscribeRequest,
)
from ports.transcriber import TranscriptionOptions

SCORES = ScoreScale(trusted=-0.5, improbable=-1.0, silent=0.6, faint=-1.2, sure=-0.6, faint_silent=0.5)
LINES = tuple(("Ana", sentence) for scene in SCENES for sentence in scene)


def said(request: ModelRequest) -> RawOutput:
    return answer(request, dimensions=16)


def sound(seconds: float, sample: int = 1) -> bytes:
    return bytes([sample, 0]) * round(seconds * SAMPLE_RATE)


def generated(name: str, **holes: str) -> dict[str, Any]:
    """What the script says to a prompt of ours, held to the schema of that prompt."""
    prompt = prompts.load(name).render(language="English", focus="", **holes)
    raw = said(GenerateRequest(prompt.messages, prompt.schema, {}))
    return dict(JsonRules(prompt.schema, prompt.sampling.max_tokens).check(raw))


@pytest.mark.parametrize("seconds", [0.2, 1.0, 7.5, 30.0])
def test_a_window_of_any_length_is_heard_at_the_pace_of_speech(seconds: float) -> None:
    request = TranscribeRequest(sound(seconds), TranscriptionOptions(language="de").parameters())

    window = TranscriptRules(seconds).check(said(request))

    assert window.language == "de"
    assert window.segments[-1].end == pytest.approx(seconds)
    if seconds > 5:  # a sentence has no room in less
        assert all(reason_to_withhold(segment, (), SCORES) is None for segment in window.segments)


def test_the_same_sound_is_heard_the_same_and_another_one_otherwise() -> None:
    heard = {str(said(TranscribeRequest(sound(20, sample), {})).payload) for sample in range(1, 20)}

    assert said(TranscribeRequest(sound(20), {})) == said(TranscribeRequest(sound(20), {}))
    assert len(heard) == len(SCENES)


def test_each_scene_of_the_meeting_has_a_decision_a_task_with_owner_and_day_and_most_have_a_question() -> None:
    raw = said(FindRequest(LINES, {}))
    readings = ReadingRules(tuple(len(text) for _, text in LINES)).check(raw)

    assert sum(reading.decision > 0.5 for reading in readings) == len(SCENES)
    assert sum(reading.question > 0.5 for reading in readings) >= 3
    tasks = [(text, reading) for (_, text), reading in zip(LINES, readings, strict=True) if reading.task > 0.5]
    assert len(tasks) == len(SCENES)
    for text, reading in tasks:
        assert reading.owner is not None
        assert reading.due is not None
        assert text[reading.owner.start : reading.owner.end] in ("Ann", "Ben", "Carla")
        assert text[reading.due.start : reading.due.end].startswith("by ")


def test_a_chapter_and_a_summary_cite_lines_that_they_were_given() -> None:
    numbered = "\n".join(f"{number} {who}: {text}" for number, (who, text) in enumerate(LINES, 1))
    chapter = generated("write_chapter", lines=numbered)
    summary = generated("write_summary", notes=numbered)

    assert chapter["sentences"][0] == {"text": LINES[0][1], "lines": [1]}
    assert [sentence["notes"] for sentence in summary["sentences"]] == [[1], [2], [3]]


def test_words_of_items_come_from_their_starred_lines() -> None:
    items = "1 (decision)\nAna: The export fails.\n* Ben: We decided to keep the old export.\n2 (task)\n* Ana: Ben will ask."

    assert [item["text"] for item in generated("write_items", items=items)["items"]] == [
        "We decided to keep the old export.",
        "Ben will ask.",
    ]


def test_a_chat_is_told_that_nobody_answers_and_a_schema_gets_an_example() -> None:
    schema: dict[str, Any] = {"type": "object", "required": ["urgent"], "properties": {"urgent": {"type": "boolean"}}}

    assert "scripted" in said(GenerateRequest((("user", "Hello."),), None, {})).payload["text"]
    assert json.loads(said(GenerateRequest((("user", "Hello."),), schema, {})).payload["text"]) == {"urgent": False}


@pytest.mark.parametrize(
    "schema",
    [
        {
            "type": "object",
            "properties": {"a": {"type": "integer", "minimum": 3}, "b": {"type": "array", "items": {}, "minItems": 2}},
        },
        {"type": ["null", "string"]},
        {"enum": ["x", "y"]},
        {"const": 4},
        {"anyOf": [{"type": "string", "minLength": 12, "maxLength": 20}, {"type": "null"}]},
        {"type": "number"},
    ],
)
def test_an_example_follows_its_schema(schema: dict[str, Any]) -> None:
    Draft202012Validator(schema).validate(example_of(schema))


def test_texts_with_words_in_common_lie_nearer_than_others() -> None:
    texts = ("the invoice export fails", "the export of an invoice", "a new desk in June")
    first, near, far = VectorRules(3, 16).check(said(EmbedRequest(texts, {})))

    def likeness(vector: Any) -> float:
        return float(sum(a * b for a, b in zip(first, vector, strict=True)))

    assert likeness(near) > likeness(far)


def test_one_voice_is_heard_and_every_claim_is_believed() -> None:
    (stretch,) = StretchRules(2.0).check(said(DiarizeRequest(sound(2.0), {})))

    assert (stretch.start, stretch.end, stretch.speaker) == (0.0, 2.0, 0)
    assert ProbabilityRules(1).check(said(EntailRequest((((("Ana", "It fails."),), "It fails."),), {}))) == (1.0,)


@pytest.mark.parametrize("kind", CallKind)
def test_nobody_takes_a_scripted_model_for_a_real_one(kind: CallKind) -> None:
    assert identity(kind).id == f"scripted/{kind.value}"
    assert identity(kind).engine == "scripted"
