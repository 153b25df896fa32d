"""The embedder on CTranslate2 gives what sentence-transformers gives, and refuses what it does not do."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from adapters.ctranslate2_embedder import CTranslate2Embedder, CTranslate2EmbedderSettings, is_readable
from adapters.sentence_transformers_engine import SentenceTransformersEngine, SentenceTransformersSettings
from domain.call import ModelIdentity
from domain.errors import ModelRejected
from ports.model_backend import EmbedRequest, RawOutput
from serve_app.engines.served_models import model_store

IDENTITY = ModelIdentity("all-minilm", "1", "x", "float32")
TEXTS = ("We move the launch to the 19th of May.", "", "a", "Ünïcödé ß 日本語", "word " * 180, "Who repairs the crash?")


@pytest.fixture(scope="module")
def folder() -> Path:
    return model_store().ensure("all-minilm-l6-v2").path


@pytest.fixture(scope="module")
def engine(folder: Path) -> CTranslate2Embedder:
    return CTranslate2Embedder(folder, IDENTITY, CTranslate2EmbedderSettings(batch_size=3))


def request(*texts: str, dimensions: int | None = None, input_type: str = "document") -> EmbedRequest:
    return EmbedRequest(texts, {"input_type": input_type, "dimensions": dimensions})


def vectors(output: object) -> list[list[float]]:
    assert isinstance(output, RawOutput), output
    return list(output.payload["vectors"])


def test_its_vectors_are_those_of_sentence_transformers(engine: CTranslate2Embedder, folder: Path) -> None:
    reference = SentenceTransformersEngine(str(folder), IDENTITY, SentenceTransformersSettings())
    (ours,), (theirs,) = engine.run([request(*TEXTS)]), reference.run([request(*TEXTS)])
    for one, other in zip(vectors(ours), vectors(theirs), strict=True):
        assert sum(a * b for a, b in zip(one, other, strict=True)) > 0.99999
    assert isinstance(ours, RawOutput)
    assert isinstance(theirs, RawOutput)
    assert ours.usage == theirs.usage


def test_a_vector_does_not_hang_on_what_it_is_embedded_with(engine: CTranslate2Embedder) -> None:
    (alone,) = vectors(engine.run([request(TEXTS[0])])[0])
    among = vectors(engine.run([request("other"), request(*TEXTS)])[1])[0]
    assert max(abs(a - b) for a, b in zip(alone, among, strict=True)) < 1e-6


def test_fewer_dimensions_are_made_unit_length_again(engine: CTranslate2Embedder) -> None:
    (vector,) = vectors(engine.run([request("short", dimensions=16)])[0])
    assert len(vector) == 16
    assert math.hypot(*vector) == pytest.approx(1.0)


def test_a_request_that_can_not_be_served_does_not_spoil_the_others(engine: CTranslate2Embedder) -> None:
    long, wrong, good = engine.run([request("word " * 600), request("x", dimensions=4096), request("fine")])
    assert isinstance(long, ModelRejected)
    assert "602 tokens" in long.detail
    assert isinstance(wrong, ModelRejected)
    assert len(vectors(good)) == 1
    assert isinstance(engine.run([request("x", input_type="poem")])[0], ModelRejected)


def test_no_torch_is_loaded_for_it(folder: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from adapters.ctranslate2_embedder import *; "
        "from domain.call import ModelIdentity; "
        "CTranslate2Embedder(Path(sys.argv[1]), ModelIdentity('a','b','c','d'), CTranslate2EmbedderSettings()).warm_up(); "
        "sys.exit(any(name in sys.modules for name in ('torch', 'transformers', 'sentence_transformers')))"
    )
    subprocess.run([sys.executable, "-c", program, str(folder)], check=True, cwd=Path(__file__).parents[4])


def test_models_of_another_kind_are_left_to_sentence_transformers(folder: Path, tmp_path: Path) -> None:
    assert is_readable(folder)
    for name in ("config.json", "modules.json", "tokenizer.json", "sentence_bert_config.json"):
        (tmp_path / name).write_text((folder / name).read_text())
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "model.safetensors").write_bytes(b"")
    pooling = json.loads((folder / "1_Pooling" / "config.json").read_text())
    cls = pooling | {"pooling_mode_mean_tokens": False, "pooling_mode_cls_token": True}
    (tmp_path / "1_Pooling" / "config.json").write_text(json.dumps(cls))
    assert not is_readable(tmp_path)
    assert not is_readable(tmp_path / "nowhere")


STORY = " ".join(f"On day {day} the crew of the Ünïcödé repairs the launch, and nobody moves the crash." for day in range(60))


def pooling(*texts: str) -> EmbedRequest:
    return EmbedRequest(texts, {"input_type": "document", "dimensions": None, "long_texts": "pool"})


def test_a_long_text_is_the_mean_of_its_pieces_and_every_word_of_it_is_read(engine: CTranslate2Embedder) -> None:
    """Both halves of a text count alike: the pooled vector lies between theirs, and moves when the last words change."""
    half = STORY[: STORY.index("On day 30")].strip()
    other = STORY[STORY.index("On day 30") :]
    (output,) = engine.run([pooling(STORY, STORY + " The bird sings of summer." * 20, "short")])
    whole, longer, short = vectors(output)
    (halves,) = engine.run([pooling(half, other)])

    assert isinstance(output, RawOutput)
    assert math.hypot(*whole) == pytest.approx(1.0)
    assert output.usage.input_tokens > 2 * engine.max_tokens
    for part in vectors(halves):
        assert sum(a * b for a, b in zip(whole, part, strict=True)) > 0.95
    assert sum(a * b for a, b in zip(whole, longer, strict=True)) < 0.99
    assert short == pytest.approx(vectors(engine.run([request("short")])[0])[0], abs=1e-6)


def test_a_long_text_without_spaces_is_read_too(engine: CTranslate2Embedder) -> None:
    for text in ("日本語の長い文章です。" * 100, "z" * 4000):
        (vector,) = vectors(engine.run([pooling(text)])[0])
        assert math.hypot(*vector) == pytest.approx(1.0)


def test_long_texts_are_pooled_as_sentence_transformers_pools_them(engine: CTranslate2Embedder, folder: Path) -> None:
    reference = SentenceTransformersEngine(str(folder), IDENTITY, SentenceTransformersSettings())
    (ours,), (theirs,) = engine.run([pooling(STORY, "short")]), reference.run([pooling(STORY, "short")])
    for one, other in zip(vectors(ours), vectors(theirs), strict=True):
        assert sum(a * b for a, b in zip(one, other, strict=True)) > 0.99999
    assert isinstance(ours, RawOutput)
    assert isinstance(theirs, RawOutput)
    assert ours.usage == theirs.usage
    (refused,) = reference.run([request(STORY)])
    assert isinstance(refused, ModelRejected)
    assert f"the model reads {reference.max_tokens}" in refused.detail
