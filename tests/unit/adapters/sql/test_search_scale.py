"""The bundled embedder's own scale: an unrelated question scores low on a real meeting, a related one does not."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from pydantic import ValidationError

from adapters.scripted.clock import MovableClock
from adapters.sql import SqlStore
from domain.call import ModelIdentity
from domain.search import UNMEASURED, CosineScale, Passage, SearchHit, SearchMode
from domain.transcript_gates import UNMEASURED_SCORES
from domain.voice_clusters import ClusterRules
from evals.embedding import BUNDLED, Vectoriser, read_material
from ports.embedder import InputType
from ports.results import Ownership
from serve_app.engines.descriptors import diarizer_voices, embedder_cosines, transcriber_scores
from serve_app.engines.served_models import model_store
from serve_app.errors import ConfigurationInvalid
from serve_app.settings.descriptors import CosineSettings, VoiceSettings
from serve_app.settings.models import DiarizerSettings, EmbedderSettings, RemoteSettings, TranscriberSettings

MODEL = ModelIdentity("all-minilm-l6-v2", "r", "e", "float32")
UNRELATED = ("What is the capital of France?", "How do I bake sourdough bread?", "photosynthesis in plants")
RELATED = ("the remote control should be easy to find", "what does the company slogan say", "which kind of plastic can we use")
A_GUESS = 0.25


async def test_unrelated_questions_score_low_and_related_ones_do_not(tmp_path: Path) -> None:
    embed, lines = Vectoriser(), [" ".join(turn.split()[:60]) for turn in read_material(BUNDLED).meetings[0].turns][:120]
    vectors = await _off_loop(embed, lines, InputType.DOCUMENT)
    store = SqlStore.open("sqlite://", MovableClock())
    said = [
        Passage("t", (n,), n, n + 1, text, vector, MODEL) for n, (text, vector) in enumerate(zip(lines, vectors, strict=True))
    ]
    await store.search.index(Ownership("default", "c"), "t", said)
    scale = embedder_cosines(EmbedderSettings(), model_store())

    async def best(question: str) -> Sequence[SearchHit]:
        (vector,) = await _off_loop(embed, [question], InputType.QUERY)
        return await store.search.search("default", question, vector, MODEL, SearchMode.HYBRID, 1, scale=scale)

    low = {question: [hit.score for hit in await best(question)] for question in UNRELATED}
    high = {question: [hit.score for hit in await best(question)] for question in RELATED}
    store.close()
    assert all(score < A_GUESS for scores in low.values() for score in scores), low
    assert all(scores[0] > A_GUESS for scores in high.values()), high


async def _off_loop(embed: Vectoriser, texts: Sequence[str], kind: InputType) -> list[tuple[float, ...]]:
    vectors = await embed._all(texts, kind, 64)
    return [tuple(float(value) for value in vector) for vector in vectors]


def test_the_scale_comes_with_the_model() -> None:
    store = model_store()
    assert embedder_cosines(EmbedderSettings(), store) == store.manifest.model("all-minilm-l6-v2").cosines != UNMEASURED
    own = EmbedderSettings(cosines=CosineSettings(unrelated=0.7, related=0.95, same=0.97))
    assert embedder_cosines(own, store) == CosineScale(0.7, 0.95, 0.97)
    elsewhere = EmbedderSettings(remote=RemoteSettings(base_url="https://models.example.com/v1", model="m"))
    assert embedder_cosines(elsewhere, store) == UNMEASURED
    assert embedder_cosines(EmbedderSettings(model="/some/folder"), store) == UNMEASURED


def test_a_scale_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(ValidationError):
        CosineSettings(unrelated=0.8, related=0.2)


def test_so_do_the_voices_of_a_diarizer_and_the_scores_of_a_transcriber() -> None:
    store = model_store()
    assert diarizer_voices(DiarizerSettings(), store) == store.manifest.model("speaker-networks").voices
    assert transcriber_scores(TranscriberSettings(), store) == store.manifest.model("whisper-base").scores
    voices = VoiceSettings(least_likeness=0.6, one_voice=0.9, half_heard_seconds=1.0, told_apart=0.2)
    assert diarizer_voices(DiarizerSettings(model="/a/folder", voices=voices), store) == ClusterRules(0.6, 0.9, 1.0, 0.2)
    assert transcriber_scores(TranscriberSettings(model="/a/folder"), store) == UNMEASURED_SCORES


def test_voices_that_nobody_measured_stop_the_start_with_what_to_say() -> None:
    with pytest.raises(ConfigurationInvalid, match=r"diarizer\.voices"):
        diarizer_voices(DiarizerSettings(model="/a/folder"), model_store())
