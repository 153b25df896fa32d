"""The item reader: which tokens of which lines it reads in whose light, and what its engine makes of requests."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapters.item_reader import ItemReaderEngine, Trunk, revision_of
from adapters.item_reader.engine import MOST_TOKENS
from adapters.item_reader.trunk import LINE_TOKENS, Window, windows
from domain.call import CallContext, ModelIdentity
from domain.entailment import Claim
from domain.errors import ModelRejected
from domain.finding import Line
from ports.model_backend import EntailRequest, FindRequest, RawOutput
from serve_app.composition.in_process import in_process_entailment_judge, in_process_item_finder
from serve_app.engines.replicas import build_reader
from serve_app.engines.served_models import model_store, reader_identity
from serve_app.errors import ConfigurationInvalid
from serve_app.settings.models import ReaderSettings

IDENTITY = ModelIdentity("item-reader", "1", "x", "int8")
TALK = (("Ann", "Wir verschieben den Start auf den 19. Mai."), ("Bo", "Good, I'll tell Cleo by Thursday. 😀"), ("", "Oui."))
PIECES = (
    "Then we move the launch, don't we? It's 12:30 on the 19th; 3,50 $!",
    "Außerdem übernimmt Jörg die Prüfung bis Freitag, oder?",
    "C'est décidé : nous déménageons à Besançon le 1er août.",
    "¿Quién envía el presupuesto? Lo hará Íñigo mañana.",
    "A decisão ficou para amanhã; João não está cá.",
    "Perché no? È già martedì, però.",
    "Dat zou ik zo laten: coördinatie, één voor één.",
    "😀👩‍👩‍👧‍👦🇩🇪 ok",
    "Аnnа pаys",
    "ﬁne ①② \u200bzero\u00a0width \u2028 ﷺ",
    "日本語のテキスト。明日までに。",
    "  two  spaces\t\ttabs \n\n x",
    "e\u0301 apart",
)


class CountingHead:
    """Stands in for the trained head: each line is as much a decision as it has tokens, in hundredths."""

    def read(self, lines: Sequence[Any], states: Sequence[Any], offsets: Sequence[Any]) -> list[dict[str, Any]]:
        assert len(lines) == len(states) == len(offsets)
        for read, tokens in zip(states, offsets, strict=True):
            assert (read.shape, read.dtype) == ((len(tokens), 896), np.float32)
        return [{"decision": len(read) / 100, "mean": float(read.mean())} for read in states]


class CountingJudge:
    """Stands in for the trained judge: a claim is as probable as its sentence has tokens, in hundredths."""

    def all(self, pairs: Sequence[Any]) -> list[float]:
        assert all(part.dtype == np.float32 and part.shape[1] == 896 for pair in pairs for part in pair)
        return [len(sentence) / 100 for _, sentence in pairs]


@pytest.fixture(scope="module")
def folder() -> Path:
    return model_store().ensure("qwen2.5-coder-0.5b-instruct:trunk14-int8").path


@pytest.fixture(scope="module")
def trunk(folder: Path) -> Trunk:
    return Trunk(folder, threads=2)


@pytest.fixture(scope="module")
def engine(trunk: Trunk) -> ItemReaderEngine:
    return ItemReaderEngine(trunk, CountingHead(), CountingJudge(), IDENTITY)


def rows(output: object) -> list[dict[str, Any]]:
    assert isinstance(output, RawOutput), output
    return list(output.payload["lines"])


# --- What is read


@pytest.mark.parametrize(
    ("lengths", "found"),
    [
        ((), []),
        ((9,), [(0, 0, 1)]),
        ((4, 4, 4, 4), [(0, 0, 2), (1, 2, 3), (2, 3, 4)]),
        ((2, 2, 5, 2, 2, 2), [(0, 0, 3), (3, 3, 6)]),
        ((1, 12, 1), [(0, 0, 1), (0, 1, 2), (2, 2, 3)]),
    ],
)
def test_every_line_is_read_once_with_what_fits_of_the_lines_before(lengths: tuple[int, ...], found: list[Any]) -> None:
    assert list(windows(lengths, size=10, context=4)) == [Window(*bounds) for bounds in found]


def test_tokens_know_their_characters_and_those_of_the_speaker_none(trunk: Trunk) -> None:
    for (speaker, text), line in zip(TALK, trunk.tokenized(TALK), strict=True):
        assert len(line.tokens) == len(line.offsets)
        covered = {place for start, end in line.offsets for place in range(start, end)}
        assert covered == set(range(len(text)))
        if speaker:
            assert line.offsets[0] == (0, 0)


def test_words_with_a_break_in_them_are_one_line(trunk: Trunk) -> None:
    broken, plain = trunk.tokenized([("A\nB", "We go.\nBo: We stay.\r\n"), ("A B", "We go. Bo: We stay.  ")])
    assert broken == plain


def test_marks_of_a_prompt_are_read_as_the_characters_they_are(trunk: Trunk) -> None:
    (line,) = trunk.tokenized([("", "<|im_end|>")])
    assert len(line.tokens) > 5


def test_a_long_line_is_read_up_to_its_bound(trunk: Trunk) -> None:
    (line,) = trunk.tokenized([("Ann", "go on " * 1000)])
    assert (len(line.tokens), len(line.offsets)) == (LINE_TOKENS, LINE_TOKENS)


def test_a_line_is_read_in_the_light_of_those_before_and_not_of_those_after(trunk: Trunk) -> None:
    first = trunk.states(trunk.tokenized([("Ann", "Shall we move it?"), ("Bo", "Yes."), ("Cleo", "No.")]))
    other = trunk.states(trunk.tokenized([("Ann", "Is it raining there?"), ("Bo", "Yes."), ("Cleo", "Who knows.")]))
    again = trunk.states(trunk.tokenized([("Ann", "Shall we move it?"), ("Bo", "Yes."), ("Cleo", "Who knows.")]))
    assert np.abs(first[1] - other[1]).mean() > 0.1
    assert np.abs(first[1] - again[1]).mean() < 0.05


@pytest.mark.slow
def test_the_tokenizer_is_the_one_that_transformers_makes_of_the_same_file(trunk: Trunk) -> None:
    """Seven languages, emoji, letters of other scripts that look alike; the reference is given NFC, which it does not make."""
    import unicodedata

    from transformers import AutoTokenizer

    gguf = model_store().ensure("qwen2.5-coder-0.5b-instruct:q4_k_m").path
    (file,) = gguf.glob("*.gguf")
    reference = AutoTokenizer.from_pretrained(gguf, gguf_file=file.name, local_files_only=True)
    for text in PIECES:
        read = trunk._tokenizer.encode(text, add_special_tokens=False)
        assert read.ids == reference(unicodedata.normalize("NFC", text), add_special_tokens=False).input_ids, text


# --- What the engine makes of requests


def test_one_row_per_line_and_the_tokens_that_were_read(engine: ItemReaderEngine, trunk: Trunk) -> None:
    (output,) = engine.run([FindRequest(TALK, {})])
    lengths = [len(line.tokens) for line in trunk.tokenized(TALK)]
    assert [row["decision"] for row in rows(output)] == [length / 100 for length in lengths]
    assert isinstance(output, RawOutput)
    assert output.usage.input_tokens == sum(lengths)


def test_an_answer_does_not_hang_on_who_asks_beside(engine: ItemReaderEngine) -> None:
    request = FindRequest(TALK * 20, {})
    (alone,) = engine.run([request])
    beside = engine.run([FindRequest(TALK[:1], {}), request])[1]
    assert alone == beside


def test_a_request_that_is_too_long_is_refused_and_does_not_spoil_the_others(engine: ItemReaderEngine) -> None:
    long, good = engine.run(
        [FindRequest((("Ann", "word " * 400),) * (MOST_TOKENS // LINE_TOKENS + 1), {}), FindRequest(TALK, {})]
    )
    assert isinstance(long, ModelRejected)
    assert str(MOST_TOKENS) in long.detail
    assert len(rows(good)) == 3


# --- Sentences and their lines


CLAIMS = (
    (TALK, "They go by train."),
    (TALK[:1], "A much longer sentence about the train that goes on Friday, and about the one that does not."),
    ((), "Nobody said anything of this."),
)


def test_each_claim_has_a_probability_in_order_and_its_tokens_are_counted(engine: ItemReaderEngine, trunk: Trunk) -> None:
    (output,) = engine.run([EntailRequest(CLAIMS, {})])
    assert isinstance(output, RawOutput)
    sentences = trunk.tokenized([("", text) for _, text in CLAIMS])
    assert output.payload["probabilities"] == [len(sentence.tokens) / 100 for sentence in sentences]
    said = [line for premise, _ in CLAIMS for line in trunk.tokenized(premise)]
    assert output.usage.input_tokens == sum(len(line.tokens) for line in (*sentences, *said))


def test_a_sentence_is_read_in_the_light_of_its_lines_and_of_no_other_claim(trunk: Trunk) -> None:
    pairs = [(trunk.tokenized(premise), trunk.tokenized([("", text)])[0]) for premise, text in CLAIMS]
    read = trunk.pairs(pairs)
    assert [len(premise) for premise, _ in read] == [sum(len(line.tokens) for line in premise) for premise, _ in pairs]
    beside = trunk.pairs(list(reversed(pairs)))
    for (premise, sentence), (again, same) in zip(read, reversed(beside), strict=True):
        assert np.array_equal(premise, again)
        assert np.array_equal(sentence, same)
    (alone,) = trunk.pairs([((), pairs[0][1])])
    assert not np.allclose(alone[1], read[0][1], atol=0.5)


def test_claims_that_are_too_long_are_refused(engine: ItemReaderEngine) -> None:
    long = tuple(((("Ann", "word " * 400),) * 3, "Words.") for _ in range(8))
    (output,) = engine.run([EntailRequest(long, {})])
    assert isinstance(output, ModelRejected)


def test_what_it_is_measured_by_is_a_stretch_that_it_takes(engine: ItemReaderEngine) -> None:
    engine.warm_up()
    (output,) = engine.run(engine.sample())
    assert isinstance(output, RawOutput)
    assert 400 < output.usage.input_tokens < 1536


def test_no_torch_is_loaded_for_it(folder: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from adapters.item_reader import *; "
        "trunk = Trunk(Path(sys.argv[1]), 1); trunk.states(trunk.tokenized([('Ann', 'Go.')])); "
        "sys.exit(any(name in sys.modules for name in ('torch', 'transformers', 'gguf')))"
    )
    subprocess.run([sys.executable, "-c", program, str(folder)], check=True, cwd=Path(__file__).parents[4])


# --- As the service builds it


async def test_the_committed_weights_read_lines_behind_the_guard() -> None:
    identity = reader_identity(ReaderSettings(), model_store())
    finder = in_process_item_finder(build_reader(ReaderSettings(), identity), identity, 1536)
    lines = [Line(speaker or None, text) for speaker, text in TALK]
    made, again = await finder.find(lines, CallContext()), await finder.find(lines, CallContext())
    assert len(made.value) == len(lines)
    assert made.provenance.model == identity
    assert (again.value, again.provenance.cache_hit) == (made.value, True)


async def test_the_committed_weights_tell_what_was_said_from_what_was_turned_round() -> None:
    identity = reader_identity(ReaderSettings(), model_store())
    judge = in_process_entailment_judge(build_reader(ReaderSettings(), identity), identity)
    said = (
        Line("Ruth", "The boiler in the north wing is checked on the ninth of May."),
        Line("Paul", "And the one in the south wing on the twelfth, I will call the plumber for that."),
    )
    texts = (
        "The boiler in the north wing is checked on the ninth of May.",
        "Paul will call the plumber about the south wing.",
        "The boiler in the north wing is checked on the twelfth of May.",
        "Ruth will call the plumber about the south wing.",
    )
    answer = await judge.judge([Claim(said, text) for text in texts], CallContext())
    assert min(answer.value[:2]) > max(answer.value[2:])


def test_its_identity_is_that_of_the_trained_weights_and_the_trunk() -> None:
    identity = reader_identity(ReaderSettings(), model_store())
    trunk = model_store().manifest.model("qwen2.5-coder-0.5b-instruct").files[0].sha256
    assert (identity.id, identity.revision, identity.precision) == ("item-reader-qwen2.5-0.5b-l14", revision_of(trunk), "int8")
    assert len(identity.revision) == 12
    assert revision_of("another trunk") != identity.revision


def test_a_model_that_is_no_trunk_is_refused() -> None:
    with pytest.raises(ConfigurationInvalid, match="no trunk"):
        reader_identity(ReaderSettings(model="all-minilm-l6-v2"), model_store())
