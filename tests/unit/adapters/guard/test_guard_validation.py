"""Nothing unchecked crosses a model port: every malformed output becomes InvalidModelOutput with its reason."""

import json
import math
import socket
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from adapters.guard.checks import checked_usage
from adapters.guard.json_rules import JsonRules
from adapters.guard.loops import is_looped
from adapters.guard.reading_rules import ReadingRules
from adapters.guard.transcript_rules import TranscriptRules
from adapters.guard.vector_rules import VectorRules
from domain.call import Usage
from domain.errors import InvalidModelOutput
from ports.model_backend import RawOutput
from tests.guarded import SCHEMA, heard, read, reading, segment, vectors, written

TRANSCRIPT, JSON, VECTORS = TranscriptRules(10.0), JsonRules(SCHEMA, 64), VectorRules(2, 3)
READINGS = ReadingRules((8, 0))


def reason(rules: Any, raw: RawOutput) -> str:
    with pytest.raises(InvalidModelOutput) as caught:
        rules.check(raw)
    return caught.value.detail


# --- Transcripts


def word(start: object = 0.1, end: object = 0.5, text: object = " Good", probability: object = 0.9) -> dict[str, Any]:
    return {"start": start, "end": end, "word": text, "probability": probability}


def withholding(*withheld: object) -> RawOutput:
    raw = heard()
    return RawOutput({**raw.payload, "withheld": list(withheld)}, raw.usage)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (heard(segment(9.0, 12.0)), "segment lies outside its window"),
        (heard(segment(-2.0, 1.0)), "segment lies outside its window"),
        (heard(segment(11.0, 11.0)), "segment lies outside its window"),
        (heard(segment(3.0, 2.0)), "segment ends before it starts"),
        (heard(segment(math.nan, 2.0)), "segment.start is not finite"),
        (heard(segment(0.0, math.inf)), "segment.end is not finite"),
        (heard(segment("0", 2.0)), "segment.start is not a number"),
        (heard(segment(True, 2.0)), "segment.start is not a number"),
        (heard(segment(5.0, 6.0), segment(1.0, 2.0)), "segments are out of order"),
        (heard(segment(text="a\x00b")), "segment.text holds control characters"),
        (heard(segment(text="a\x1b[31mb")), "segment.text holds control characters"),
        (heard(segment(text="a\u202eb")), "segment.text holds control characters"),
        (heard(segment(text="a\ud800b")), "segment.text holds control characters"),
        (heard(segment(text=None)), "segment.text is not text"),
        (heard(segment(text="word " * 2000)), "segment.text is longer than 8192 characters"),
        (heard(segment(text="thank you for watching " * 12)), "the text repeats itself in a loop"),
        (heard(segment(text="no " * 30)), "the text repeats itself in a loop"),
        (heard(segment(words=[word(5.0, 6.0)])), "word lies outside its segment"),
        (heard(segment(words=[word(0.5, 0.1)])), "word ends before it starts"),
        (heard(segment(words=[word(probability=2)])), "word.probability is not between 0 and 1.0001"),
        (heard(segment(words=["Good"])), "a word is not an object"),
        (heard(segment(words=7)), "segment.words is not a list"),
        (heard(segment(avg_logprob=math.nan)), "segment.avg_logprob is not finite"),
        (heard(segment(no_speech_prob=None)), "segment.no_speech_prob is not a number"),
        (heard("text"), "a segment is not an object"),
        (heard(*[segment()] * 300), "more than 256 segments"),
        (withholding({"start": 9.0, "end": 12.0, "reason": "no_speech"}), "withheld lies outside its window"),
        (withholding({"start": 3.0, "end": 2.0, "reason": "no_speech"}), "withheld ends before it starts"),
        (withholding({"start": 1.0, "end": 2.0, "reason": "No speech!"}), "withheld.reason is not a code"),
        (withholding({"start": 1.0, "end": 2.0}), "withheld.reason is not text"),
        (withholding("no_speech"), "what was withheld is not an object"),
        (withholding(*[{"start": 1.0, "end": 2.0, "reason": "no_speech"}] * 300), "more than 256 stretches withheld"),
        (RawOutput({"language": "English!", "language_probability": 1, "segments": []}), "language is longer than 3 characters"),
        (RawOutput({"language": "EN", "language_probability": 1, "segments": []}), "language is not an ISO 639 code"),
        (RawOutput({}), "language is not text"),
        (RawOutput([]), "the output is not an object"),
    ],
)
def test_a_malformed_transcript_is_refused_with_the_rule_it_breaks(raw: RawOutput, said: str) -> None:
    assert reason(TRANSCRIPT, raw) == said


def test_silence_gives_no_segments_and_empty_ones_are_dropped() -> None:
    assert TRANSCRIPT.check(heard()).segments == ()
    assert [part.text for part in TRANSCRIPT.check(heard(segment(text=" "), segment(1.0, 2.0, " Yes."))).segments] == ["Yes."]
    assert TRANSCRIPT.check(heard(segment(text=" "), segment(1.0, 2.0, " Yes."))).segments[0].id == 0


def test_an_end_in_the_padding_of_the_window_is_drawn_back() -> None:
    raw = heard(segment(9.0, 10.8, words=[word(9.5, 10.9)]))
    found = TRANSCRIPT.check(raw).segments[0]
    assert (found.end, found.words[0].end) == (10.0, 10.0)


@pytest.mark.parametrize(
    "text",
    [
        "No, no, no, no, no, I said Tuesday.",
        "Yeah. Yeah. Yeah. Okay.",
        "So the remote control should have a button, and the button should be yellow, and the yellow should be our yellow.",
        "The first one is the colour, the second one is the size, the third one is the shape, and the fourth one is the price.",
        "Ha ha ha ha ha.",
        "สวัสดีครับ วันนี้เราจะคุยกันเรื่องงบประมาณของโครงการใหม่ และแผนการตลาดสำหรับปีหน้า ซึ่งเราต้องส่งภายในวันศุกร์นี้ครับ",
    ],
)
def test_what_people_say_is_not_taken_for_a_loop(text: str) -> None:
    assert not is_looped(text)


@pytest.mark.parametrize(
    "text",
    [
        "謝謝大家收看" * 12,
        "и вот " * 15,
        "I think that the remote, " * 9,
        "la" * 100,
        "ok. " * 40,
        "1, 2, 3, 4, 5, 6, 7, 8, " * 9,
    ],
)
def test_a_decoder_in_a_loop_is_noticed_in_any_script(text: str) -> None:
    assert is_looped(text)


# --- JSON


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (written('{"title": "x"', "length"), "the answer was cut off at its token limit"),
        (written('{"title": "x"}', "content_filter"), "the answer did not finish of itself"),
        (RawOutput({"text": '{"title": "x"}'}), "the answer did not finish of itself"),
        (written('{"title": "x"'), "the answer is not JSON"),
        (written('```json\n{"title": "x"}\n```'), "the answer is not JSON"),
        (written('{"title": "x"} and more'), "the answer is not JSON"),
        (written('{"title": "x", "title": "y"}'), "the answer is not JSON"),
        (written('{"title": "x", "score": NaN}'), "the answer is not JSON"),
        (written('{"title": "x", "score": 1e999}'), "the answer is not JSON"),
        (written("[" * 1500), "the answer is not JSON"),
        (written('["x"]'), "the answer is not a JSON object"),
        (written('{"title": 7}'), "the answer breaks its schema at /properties/title/type"),
        (written("{}"), "the answer breaks its schema at /required"),
        (written('{"title": "x", "secret": 1}'), "the answer breaks its schema at /additionalProperties"),
        (written(json.dumps({"title": "x" * 41})), "the answer breaks its schema at /properties/title/maxLength"),
        (written('{"title": "x", "score": 0.3}'), "the answer breaks its schema at /properties/score/multipleOf"),
        (written('{"title": "a\\u0000b"}'), "a string of the answer holds control characters"),
        (written('{"title": "a\\ud800b"}'), "a string of the answer holds control characters"),
        (written('{"a\\u0007": 1}'), "a name in the answer holds control characters"),
        (written("x" * 3000), "text is longer than 2048 characters"),
        (RawOutput({"text": None, "finish_reason": "stop"}), "text is not text"),
        (RawOutput({"text": b"{}", "finish_reason": "stop"}), "text is not text"),
    ],
)
def test_a_malformed_answer_is_refused_with_the_rule_it_breaks(raw: RawOutput, said: str) -> None:
    assert reason(JSON, raw) == said


def test_a_number_too_large_for_the_schema_to_divide_is_refused() -> None:
    assert "schema" in reason(JSON, written(json.dumps({"title": "x", "score": 10**400})))


def test_free_text_comes_back_as_text() -> None:
    assert JsonRules(None, 64).check(written("Good morning.\nAnd good night.")) == {"text": "Good morning.\nAnd good night."}
    assert reason(JsonRules(None, 64), written("")) == "the answer breaks its schema at /properties/text/minLength"


AS_WRITTEN = JsonRules(None, 64, verbatim=True)


@pytest.mark.parametrize(
    ("rules", "raw", "text", "ended"),
    [
        (AS_WRITTEN, written("Good morn", "length"), "Good morn", "length"),
        (AS_WRITTEN, written("Gr\ufffd", "length"), "Gr", "length"),
        (AS_WRITTEN, written("", "length"), "", "length"),
        (JsonRules(SCHEMA, 64, verbatim=True), written('{"title": "x', "length"), '{"title": "x', "length"),
        (JsonRules(SCHEMA, 64, verbatim=True), written('{ "title":"x" }'), '{ "title":"x" }', "stop"),
        (JsonRules(None, 64, ("END",), verbatim=True), written(""), "", "stop"),
    ],
)
def test_words_that_are_asked_for_as_written_come_as_far_as_they_got(
    rules: JsonRules, raw: RawOutput, text: str, ended: str
) -> None:
    value = rules.check(raw)

    assert value == {"text": text, "finish_reason": ended}
    assert rules.decode(rules.encode(value)) == value


@pytest.mark.parametrize(
    ("rules", "raw", "said"),
    [
        (AS_WRITTEN, written(""), "the answer is empty"),
        (AS_WRITTEN, written("a\x00b", "length"), "text holds control characters"),
        (AS_WRITTEN, written("a", "content_filter"), "the answer did not finish of itself"),
        (JsonRules(SCHEMA, 64, verbatim=True), written("{}"), "the answer breaks its schema at /required"),
        (JsonRules(None, 64, ("END",), verbatim=True), written("a END b"), "the answer goes on after a stop sequence"),
    ],
)
def test_words_as_written_follow_the_rules_all_the_same(rules: JsonRules, raw: RawOutput, said: str) -> None:
    assert reason(rules, raw) == said


def test_a_stored_answer_that_is_no_words_with_their_end_is_refused() -> None:
    for stored in ({"text": "x"}, {"text": "x", "finish_reason": "stop", "more": 1}, "x", {"text": "", "finish_reason": "stop"}):
        with pytest.raises(InvalidModelOutput):
            AS_WRITTEN.decode(stored)


def test_a_broken_schema_is_our_mistake_and_not_the_models() -> None:
    with pytest.raises(Exception, match="bogus"):
        JsonRules({"type": "bogus"}, 64)


# --- Vectors


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([[1, 0, 0]], "not one vector for each of 2 texts"),
        ([[1, 0, 0]] * 3, "not one vector for each of 2 texts"),
        ([[1, 0, 0], [1, 0]], "a vector does not have 3 dimensions"),
        ([[1, 0, 0], [math.nan, 0, 0]], "a vector is not finite"),
        ([[1, 0, 0], [math.inf, 0, 0]], "a vector is not finite"),
        ([[1, 0, 0], [10**400, 0, 0]], "a vector is not finite"),
        ([[1, 0, 0], [1e200, 0, 0]], "a vector is not of unit length"),
        ([[1, 0, 0], [0, 0, 0]], "a vector is not of unit length"),
        ([[1, 0, 0], [3, 4, 0]], "a vector is not of unit length"),
        ([[1, 0, 0], ["1", 0, 0]], "a vector is not a list of numbers"),
        ([[1, 0, 0], [True, 0, 0]], "a vector is not a list of numbers"),
        ([[1, 0, 0], None], "a vector is not a list of numbers"),
        ([[1, 0, 0], [[1], [0], [0]]], "a vector is not a list of numbers"),
        ("no", "vectors is not a list"),
        (None, "vectors is not a list"),
        (np.zeros((2, 3), dtype=complex), "a vector is not a list of numbers"),
        (np.zeros(2), "a vector is not a list of numbers"),
    ],
)
def test_malformed_vectors_are_refused_with_the_rule_they_break(rows: object, said: str) -> None:
    assert reason(VECTORS, RawOutput({"vectors": rows})) == said


def test_a_length_off_by_rounding_is_set_right_and_the_value_survives_the_cache() -> None:
    value = VECTORS.check(RawOutput({"vectors": [[0.99, 0.1, 0.0], np.array([0.6, 0.8, 0.0], dtype=np.float16)]}))
    assert all(abs(math.hypot(*row) - 1) < 1e-6 for row in value)
    assert VECTORS.decode(VECTORS.encode(value)) == value


# --- Readings


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (read(reading()), "not one reading for each of 2 lines"),
        (read(*[reading()] * 3), "not one reading for each of 2 lines"),
        (read(reading(), "no"), "a reading is not an object"),
        (read(reading(), reading(None)), "decision is not a number"),
        (read(reading(), reading(True)), "decision is not a number"),
        (read(reading(), reading("0.5")), "decision is not a number"),
        (read(reading(), reading(-0.1)), "decision is not between 0 and 1"),
        (read(reading(), reading(task=1.1)), "task is not between 0 and 1"),
        (read(reading(), reading(question=math.nan)), "question is not finite"),
        (read(reading(), reading(look_alike=math.inf)), "look_alike is not finite"),
        (read(reading(), reading(speaker_owns=10**400)), "speaker_owns is not finite"),
        (read(reading(owner=[0, 9, 0.5]), reading()), "owner does not lie inside its line"),
        (read(reading(owner=[-1, 3, 0.5]), reading()), "owner does not lie inside its line"),
        (read(reading(due=[3, 3, 0.5]), reading()), "due does not lie inside its line"),
        (read(reading(), reading(due=[0, 1, 0.5])), "due does not lie inside its line"),
        (read(reading(due=[0, 3]), reading()), "due is not a start, an end and a probability"),
        (read(reading(due=[0.0, 3, 0.5]), reading()), "due is not a start, an end and a probability"),
        (read(reading(due=[False, 3, 0.5]), reading()), "due is not a start, an end and a probability"),
        (read(reading(due=[0, 3, 2]), reading()), "due is not between 0 and 1"),
        (read(reading(due="Mon"), reading()), "due is not a list"),
        (RawOutput({"lines": {}}), "lines is not a list"),
        (RawOutput({}), "lines is not a list"),
    ],
)
def test_malformed_readings_are_refused_with_the_rule_they_break(raw: RawOutput, said: str) -> None:
    assert reason(READINGS, raw) == said


# --- Usage


@pytest.mark.parametrize("usage", [None, Usage(-1.0), Usage(math.nan), Usage(0.0, 10**12), Usage(0.0, "5")])
def test_a_usage_that_can_not_be_counted_is_refused(usage: object) -> None:
    with pytest.raises(InvalidModelOutput):
        checked_usage(RawOutput({}, usage))


# --- Anything at all

leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(10**300, 10**400)
    | st.floats()
    | st.text(st.characters(codec=None), max_size=8)
    | st.binary(max_size=4)
    | st.just(object())
    | st.builds(np.array, st.lists(st.floats(), max_size=3))
)
anything = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(leaves.filter(lambda value: not isinstance(value, np.ndarray)), inner, max_size=3)
    ),
    max_leaves=8,
)


def with_one_thing_wrong(good: dict[str, Any], paths: list[tuple]) -> st.SearchStrategy[dict[str, Any]]:
    """Payloads that are right but for one place that holds anything."""

    def damaged(path: tuple, value: Any) -> dict[str, Any]:
        copy = json.loads(json.dumps(good))
        place = copy
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value
        return copy

    return st.builds(damaged, st.sampled_from(paths), anything)


TRANSCRIPT_PATHS = [
    ("segments",), ("language",), ("language_probability",), ("segments", 0),
    *[("segments", 0, name) for name in segment()],
    *[("segments", 0, "words", 0, name) for name in word()],
]  # fmt: skip
transcripts = with_one_thing_wrong(dict(heard(segment(words=[word()])).payload), TRANSCRIPT_PATHS)
answers = with_one_thing_wrong({"text": "{}", "finish_reason": "stop"}, [("text",), ("finish_reason",)]) | st.builds(
    lambda value: {"text": value, "finish_reason": "stop"},
    st.text(st.characters(codec=None)) | st.recursive(leaves, lambda v: st.lists(v) | st.dictionaries(st.text(), v)).map(repr),
)
embeddings = with_one_thing_wrong(
    {"vectors": [[1, 0, 0], [0, 1, 0]]}, [("vectors",), ("vectors", 0), ("vectors", 1), ("vectors", 0, 0), ("vectors", 1, 2)]
)
numbers = st.floats() | st.integers() | st.floats(-2, 12)
texts = st.text(st.characters(codec=None), max_size=30) | st.text("ab ", max_size=3).map(lambda text: text * 40)
plausible_segments = st.builds(
    segment,
    numbers,
    numbers,
    texts,
    avg_logprob=numbers,
    no_speech_prob=numbers | st.floats(0, 1),
    words=st.lists(st.builds(word, numbers, numbers, texts, numbers | st.floats(0, 1)), max_size=2),
)
transcripts |= st.lists(plausible_segments, min_size=1, max_size=3).map(lambda rows: dict(heard(*rows).payload))
answers |= st.builds(
    lambda value, cut: {"text": json.dumps(value)[:cut], "finish_reason": "stop"},
    st.dictionaries(st.sampled_from(["title", "score", "more"]), texts | numbers | st.none(), max_size=3),
    st.none() | st.integers(0, 40),
)
embeddings |= st.lists(st.lists(numbers, min_size=3, max_size=3), min_size=2, max_size=2).map(lambda rows: {"vectors": rows})
spans = st.none() | st.tuples(st.integers(-1, 9), st.integers(-1, 9), numbers | st.floats(0, 1)).map(list)
readings = with_one_thing_wrong(
    {"lines": [reading(owner=[0, 2, 0.5], due=[3, 8, 1]), reading()]},
    [("lines",), ("lines", 0), ("lines", 0, "owner"), ("lines", 0, "due", 1), *[("lines", 1, name) for name in reading()]],
)
readings |= st.lists(st.builds(reading, numbers | st.floats(0, 1), owner=spans, due=spans), min_size=2, max_size=2).map(
    lambda rows: {"lines": rows}
)
cases = (
    st.tuples(st.just(TRANSCRIPT), transcripts | anything)
    | st.tuples(st.just(JSON), answers | anything)
    | st.tuples(st.just(VECTORS), embeddings | anything)
    | st.tuples(st.just(READINGS), readings | anything)
)


@given(cases)
@settings(max_examples=1200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example((TRANSCRIPT, {"language": "en", "language_probability": 1, "segments": [segment(10**400, 10**400)]}))
def test_of_a_thousand_malformed_outputs_each_is_a_value_or_invalid_model_output(case: tuple) -> None:
    """About one in a hundred that is drawn happens to follow the rules; it then has to survive the cache unchanged."""
    rules, payload = case
    with suppress(InvalidModelOutput):
        value = rules.check(RawOutput(payload))
        assert rules.decode(json.loads(json.dumps(rules.encode(value)))) == value


@given(st.sampled_from([TRANSCRIPT, JSON, VECTORS, READINGS]), anything)
@settings(max_examples=500, deadline=None)
def test_anything_in_a_stored_row_is_a_value_or_invalid_model_output(rules: Any, stored: object) -> None:
    with suppress(InvalidModelOutput):
        rules.decode(stored)


def test_vectors_of_the_samples_pass() -> None:
    assert VectorRules(1, 2).check(vectors()) == ((1.0, 0.0),)


def test_holding_an_answer_against_its_schema_fetches_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        elsewhere = f"http://127.0.0.1:{server.getsockname()[1]}/schema"
        rules = JsonRules({"type": "object", "properties": {"a": {"$ref": elsewhere}}}, 64)

        with pytest.raises(InvalidModelOutput, match="held against"):
            rules.check(written('{"a": 1}'))
        with pytest.raises(BlockingIOError):
            server.accept()
