"""Each thing that can go wrong with a model turns the gate red: the real suites on a few cases, spoiled in one way at a time.

The spoiled run is held against an honest one by the allowed falls that are committed.
"""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from adapters.in_process import Engine
from domain.call import ModelIdentity
from domain.errors import WordloopError
from evals import baseline as baselines
from evals import embedding, transcription
from evals.hearing import Listener
from evals.runner import Outcome, Where, judged, measure
from evals.suite import Result, silent
from evals.thresholds import limits
from ports.model_backend import EmbedRequest, RawOutput, TranscribeRequest
from ports.transcriber import TranscriptionOptions
from serve_app.engines.replicas import build_embedder, build_transcriber
from serve_app.engines.served_models import embedder_identity, model_store
from serve_app.settings.models import EmbedderSettings, TranscriberSettings

pytestmark = pytest.mark.slow
CLIPS = ("phone-fleurs-en-004.wav", "fleurs-en-004.ogg", "so762-069120121.opus", "so762-022440062.opus", "fleurs-pt-002.ogg")
"""The recordings on which a narrow beam is heard, and one on which it is not."""
WORDS = ("word_error_rate", "character_error_rate", "coverage")
"""The scores that these recordings can have: they hold no turns, and no sounds without speech."""
PAIRS = 100
STEADY_TEXTS = 30
MEETING = "meetings/product-IS1006a.json"


@pytest.fixture(scope="module")
def where(tmp_path_factory: pytest.TempPathFactory) -> Where:
    """The committed allowed falls; bounds only where no fall is bounded, since they are for all cases of a suite."""
    folder = tmp_path_factory.mktemp("gate")
    lines = []
    for suite in ("transcription", "embedding"):
        given = limits(suite, "fast")
        known = {name: given[name] for name in (WORDS if suite == "transcription" else given)}
        lines.append(f"[{suite}]")
        for name, limit in known.items():
            side, bound = ("min", limit.minimum) if limit.higher_is_better else ("max", limit.maximum)
            loose = "-inf" if limit.higher_is_better else "inf"
            lines.append(f'"{side}_{name}" = {bound if limit.worse_by is None else loose}')
        lines.append(f"[{suite}.worse_by]")
        lines += [f'"{name}" = {limit.worse_by}' for name, limit in known.items() if limit.worse_by is not None]
    (folder / "thresholds.toml").write_text("\n".join(lines))
    return Where(folder / "thresholds.toml", folder / "baselines")


def gate(suite: str, result: Result, where: Where) -> Outcome:
    return judged(suite, "fast", result, {}, where)


def moved(outcome: Outcome, score: str) -> set[str]:
    (verdict,) = [each for each in outcome.verdicts if each.name == score]
    return {each.id for each in verdict.moved if each.worse}


# --- transcription ---


@pytest.fixture(scope="module")
def clips() -> transcription.Material:
    known = transcription.bundled()
    return transcription.Material([clip for clip in known.clips if clip.path.name in CLIPS], [])


def hear(clips: transcription.Material, listener: Listener | None = None) -> Result:
    """The suite on these recordings, and of its scores those that they can have."""
    result = transcription.run(material=clips, listener=listener)
    return {**result, "scores": {name: result["scores"][name] for name in WORDS}}


@pytest.fixture(scope="module")
def heard(clips: transcription.Material, where: Where) -> Result:
    """The honest run, accepted as the baseline."""
    result = hear(clips)
    baselines.write("transcription", "fast", result, {}, where.baselines)
    return result


class DroppedWindows:
    """Forgets what was said in every second window, and whatever is listened to again."""

    def __init__(self, settings: TranscriberSettings, identity: ModelIdentity) -> None:
        self._engine = build_transcriber(settings, identity)
        self._count = 0

    def run(self, batch: Sequence[TranscribeRequest]) -> list[RawOutput | WordloopError]:
        return [self._every_second(request, answer) for request, answer in zip(batch, self._engine.run(batch), strict=True)]

    def _every_second(self, request: TranscribeRequest, answer: RawOutput | WordloopError) -> RawOutput | WordloopError:
        self._count += not request.parameters["assume_speech"]
        if (self._count % 2 or request.parameters["assume_speech"]) and isinstance(answer, RawOutput):
            return dataclasses.replace(answer, payload={**answer.payload, "segments": []})
        return answer


def test_a_worse_beam_turns_the_gate_red(heard: Result, clips: transcription.Material, where: Where) -> None:
    narrow = hear(clips, Listener(options=TranscriptionOptions(beam_size=1)))
    outcome = gate("transcription", narrow, where)
    assert any(failure.startswith("word_error_rate changed by +") for failure in outcome.failures)
    assert "phone-fleurs-en-004.wav" in moved(outcome, "word_error_rate")
    assert not outcome.unacceptable


def test_dropped_windows_turn_the_gate_red(heard: Result, clips: transcription.Material, where: Where) -> None:
    outcome = gate("transcription", hear(clips, Listener(build=DroppedWindows)), where)
    assert any(failure.startswith("coverage changed by -") for failure in outcome.failures)
    assert any(failure.startswith("word_error_rate changed by +") for failure in outcome.failures)


def test_the_honest_transcription_stays_green(heard: Result, where: Where) -> None:
    assert gate("transcription", heard, where).failures == []


# --- embedding ---


@pytest.fixture(scope="module")
def engine() -> Engine:
    return built(EmbedderSettings())


def built(settings: EmbedderSettings) -> Engine:
    identity = embedder_identity(settings, model_store())
    made: Engine = build_embedder(settings, identity)
    return made


@pytest.fixture(scope="module")
def texts() -> embedding.Material:
    known = embedding.read_material(embedding.BUNDLED)
    (name,) = known.pairs
    meetings = [each for each in known.meetings if each.id == MEETING]
    return embedding.Material({name: known.pairs[name][:PAIRS]}, meetings, known.questions, STEADY_TEXTS)


@pytest.fixture(scope="module")
def embedded(engine: Engine, texts: embedding.Material, where: Where) -> Result:
    """The honest run, accepted as the baseline."""
    result = embedding.run(engine=engine, material=texts)
    baselines.write("embedding", "fast", result, {}, where.baselines)
    return result


class Spoiled:
    """The real engine, its vectors changed: `spoil` is given the vectors of a whole batch."""

    def __init__(self, engine: Engine, spoil: Callable[[list[list[float]]], list[list[float]]]) -> None:
        self._engine = engine
        self._spoil = spoil

    def run(self, batch: Sequence[EmbedRequest]) -> list[RawOutput | WordloopError]:
        answers = [answer for answer in self._engine.run(batch) if isinstance(answer, RawOutput)]
        spoiled = iter(self._spoil([vector for answer in answers for vector in answer.payload["vectors"]]))
        return [
            dataclasses.replace(answer, payload={"vectors": [next(spoiled) for _ in answer.payload["vectors"]]})
            for answer in answers
        ]


def shuffled(vectors: list[list[float]]) -> list[list[float]]:
    return vectors[1:] + vectors[:1]


def batch_dependent(vectors: list[list[float]]) -> list[list[float]]:
    """Lean each vector a little towards the first of its batch."""
    return [unit([a + 0.05 * b for a, b in zip(vector, vectors[0], strict=True)]) for vector in vectors]


def not_a_number(vectors: list[list[float]]) -> list[list[float]]:
    return [[float("nan"), *vector[1:]] for vector in vectors]


def unit(vector: list[float]) -> list[float]:
    length = sum(value * value for value in vector) ** 0.5
    return [value / length for value in vector]


def test_the_honest_embedding_stays_green(embedded: Result, where: Where) -> None:
    assert gate("embedding", embedded, where).failures == []


def test_shuffled_vectors_turn_the_gate_red(embedded: Result, engine: Engine, texts: embedding.Material, where: Where) -> None:
    outcome = gate("embedding", embedding.run(engine=Spoiled(engine, shuffled), material=texts), where)
    fallen = {failure.split()[0] for failure in outcome.failures}
    assert {"spearman/sts_en", "ndcg_at_10", "cosine_distance", "top_10_overlap"} <= fallen
    assert moved(outcome, "ndcg_at_10")


def test_vectors_that_depend_on_their_batch_turn_the_gate_red(
    embedded: Result, engine: Engine, texts: embedding.Material, where: Where
) -> None:
    outcome = gate("embedding", embedding.run(engine=Spoiled(engine, batch_dependent), material=texts), where)
    assert any(failure.startswith("cosine_distance is") for failure in outcome.failures)


def test_a_vector_that_is_not_a_number_turns_the_gate_red(
    embedded: Result, engine: Engine, texts: embedding.Material, where: Where
) -> None:
    def suite() -> Result:
        return embedding.run(engine=Spoiled(engine, not_a_number), material=texts)

    outcome = measure("embedding", suite, "fast", "evals.embedding", where, silent)
    assert outcome.failures[0].startswith("the suite ended with InvalidModelOutput")
    assert "spearman/sts_en is missing" in outcome.failures


def test_a_swapped_model_turns_the_gate_red(embedded: Result, texts: embedding.Material, where: Where, tmp_path: Path) -> None:
    outcome = gate("embedding", embedding.run(engine=built(swapped_layers(tmp_path)), material=texts), where)
    assert any(failure.startswith("spearman/sts_en changed by -") for failure in outcome.failures)


def swapped_layers(folder: Path) -> EmbedderSettings:
    """The bundled model with two of its layers in each other's place: it loads, and answers, and is another model."""
    from safetensors.numpy import load_file, save_file

    original = model_store().ensure("all-minilm-l6-v2").path
    for file in original.rglob("*"):
        if file.is_file() and file.suffix != ".safetensors":
            target = folder / file.relative_to(original)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())
    weights: dict[str, Any] = load_file(original / "model.safetensors")
    exchange = {"layer.1.": "layer.4.", "layer.4.": "layer.1."}
    moved_weights = {}
    for name, weight in weights.items():
        layer = next((each for each in exchange if each in name), None)
        moved_weights[name.replace(layer, exchange[layer]) if layer else name] = weight
    save_file(moved_weights, folder / "model.safetensors", metadata={"format": "pt"})
    return EmbedderSettings(model=str(folder))
