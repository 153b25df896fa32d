"""What a replica takes for a sound answer is what the guard takes, and what only its input is to blame for tells nothing."""

import pytest

from adapters.guard.soundness import is_sound
from domain.call import Usage
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
from tests.estimating import heard, read
from tests.in_process_service import placed, silent

SECOND = bytes(32_000)
SCHEMA = {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"], "additionalProperties": False}
WRITING = GenerateRequest((("user", "1 Ann: we ship it"),), SCHEMA, {"max_tokens": 50})
EMBEDDING = EmbedRequest(("a", "b"), {"dimensions": 8})
FINDING = FindRequest((("Ann", "we ship it"),), {})
ENTAILING = EntailRequest((((("Ann", "we ship it"),), "They ship it."),), {})
HEARING = TranscribeRequest(SECOND, {"language": "en"})
LISTENING = DiarizeRequest(SECOND, {})


def said(text: str, reason: str = "stop") -> RawOutput:
    return RawOutput({"text": text, "finish_reason": reason})


@pytest.mark.parametrize(
    ("request_", "output"),
    [
        (HEARING, heard(HEARING)),
        (EMBEDDING, placed(8)(EMBEDDING)),
        (FINDING, read(FINDING)),
        (ENTAILING, RawOutput({"probabilities": [0.5]})),
        (LISTENING, silent(LISTENING)),
        (WRITING, said('{"title": "Shipping"}')),
        (GenerateRequest((("user", "hello"),), None, {"max_tokens": 5, "stop": ["\n"]}), said("Good morning.")),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_good_answer_of_every_kind_is_sound(request_: ModelRequest, output: RawOutput) -> None:
    assert is_sound(request_, output) is True


@pytest.mark.parametrize(
    ("request_", "output"),
    [
        (HEARING, RawOutput({"segments": None})),
        (EMBEDDING, RawOutput({"vectors": [[float("nan")] * 8] * 2})),
        (EMBEDDING, placed(8)(EmbedRequest(("a",), {}))),
        (FINDING, RawOutput({"lines": []})),
        (ENTAILING, RawOutput({"probabilities": [1.5]})),
        (LISTENING, RawOutput({})),
        (WRITING, said("!!!!!!!!")),
        (WRITING, RawOutput(said('{"title": "Shipping"}').payload, Usage(input_tokens=-1))),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_the_guard_would_refuse_is_not(request_: ModelRequest, output: RawOutput) -> None:
    assert is_sound(request_, output) is False


def test_a_text_that_was_cut_off_tells_nothing_of_the_engine() -> None:
    assert is_sound(WRITING, said('{"tit', "length")) is None
