"""Embeddings: closeness as people judge it, the right stretch of a meeting for a question, and one vector for one text."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Any, Final

import numpy as np

from adapters.in_process import Engine
from domain.call import CallContext
from evals.fingerprint import Depends
from evals.hearing import evaluation_data
from evals.meetings import Meeting, Passage, Question, passages_of, read_questions
from evals.scoring import mean_of, scores
from evals.suite import Case, Report, Result, StatisticSpec, Tier, silent
from ports.embedder import InputType
from serve_app.composition.in_process import in_process_embedder
from serve_app.engines.replicas import build_embedder
from serve_app.engines.served_models import embedder_identity, model_store
from serve_app.settings.models import EmbedderSettings

DEPENDS: Final = Depends(
    models=("embedder",),
    prompts=False,
    code=("adapters.sentence_transformers_engine", "evals.meetings"),
)
BUNDLED: Final = Path(__file__).with_name("data") / "embedding"
PUBLISHED: Final = {"sts_en": 0.8203}
"""all-MiniLM-L6-v2 on the test part of STSBenchmark (its MTEB results, `cosine_spearman`). Our pairs are the captions of the
development part, which are easier, so the measured value is expected above it."""
TOP: Final = 10
CALL_TEXTS: Final = 64
SEED: Final = 7
LONG_TEXT: Final = " ".join(["The committee then went through every item of the list, one after the other."] * 12)
"""About 180 tokens: beside it a short text is mostly padding."""

Array = Any
"""numpy: float32, shape (texts, dimensions), rows of unit length."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two sentences and how alike people found them (0 to 5)."""

    id: str
    first: str
    second: str
    score: float


@dataclass(frozen=True, slots=True)
class Material:
    """What a tier embeds. `pairs` by name of the set; `steady_texts` of the texts are embedded in every arrangement."""

    pairs: Mapping[str, Sequence[Pair]]
    meetings: Sequence[Meeting]
    questions: Sequence[Question]
    steady_texts: int = 120


class Vectoriser:
    """The embedder behind the guard, engine in process. Each use has a guard of its own, so no vector comes from a cache."""

    def __init__(self, engine: Engine | None = None, settings: EmbedderSettings | None = None) -> None:
        """`engine`: what answers; built from `settings` where none is given."""
        self._settings = settings or EmbedderSettings()
        self._identity = embedder_identity(self._settings, model_store())
        self._engine: Engine = engine or build_embedder(self._settings, self._identity)

    def __call__(self, texts: Sequence[str], input_type: InputType = InputType.DOCUMENT, group: int = CALL_TEXTS) -> Array:
        """Return the vectors of `texts`, `group` of them in each call and all calls at once."""
        return asyncio.run(self._all(texts, input_type, group))

    async def _all(self, texts: Sequence[str], input_type: InputType, group: int) -> Array:
        settings = self._settings
        embedder = in_process_embedder(self._engine, self._identity, settings.max_batch_size, settings.dimensions)
        groups = [texts[start : start + group] for start in range(0, len(texts), group)]
        answers = await asyncio.gather(*(embedder.embed(each, input_type, CallContext()) for each in groups))
        return np.array([vector for answer in answers for vector in answer.value], dtype=np.float32)


def run(tier: Tier = "fast", progress: Report = silent, engine: Engine | None = None, material: Material | None = None) -> Result:
    """Score the embedder: similarity of sentences, retrieval from meetings, and that a text has one vector."""
    material = material or (read_material(BUNDLED) if tier == "fast" else complete())
    embed = Vectoriser(engine)
    steps = len(material.pairs) + len(material.meetings) + 1
    cases: list[Case] = []
    for done, (name, pairs) in enumerate(material.pairs.items(), 1):
        cases += _similarity(name, pairs, embed)
        progress(name, done, steps)
    for done, meeting in enumerate(material.meetings, len(material.pairs) + 1):
        cases += _retrieval(meeting, [each for each in material.questions if each.meeting == meeting.id], embed)
        progress(meeting.id, done, steps)
    cases += _consistency(material, embed, restart=tier == "full" and engine is None)
    progress("consistency", steps, steps)
    statistics = _statistics(list(material.pairs))
    return {
        "scores": scores(statistics, cases),
        "findings": [],
        "cases": cases,
        "statistics": statistics,
        "baselines": {"published (STSBenchmark test)": {f"spearman/{name}": value for name, value in PUBLISHED.items()}},
        "outputs": ["found"],
    }


def complete() -> Material:
    """All pairs, meetings and questions of the evaluation data."""
    data = evaluation_data()
    return read_material(data / "similarity", data)


def read_material(folder: Path, meetings: Path | None = None) -> Material:
    """Read `sts_*.jsonl` and `qmsum_span_queries.jsonl` of a folder, and the meetings asked about beside or below it."""
    pairs = {path.stem: _pairs(path) for path in sorted(folder.glob("sts_*.jsonl"))}
    found, questions = read_questions(folder / "qmsum_span_queries.jsonl", meetings or folder)
    return Material(pairs, found, questions)


def _pairs(path: Path) -> list[Pair]:
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [Pair(row["id"], row["sentence1"], row["sentence2"], float(row["score"])) for row in rows]


def _similarity(name: str, pairs: Sequence[Pair], embed: Vectoriser) -> list[Case]:
    first, second = embed([pair.first for pair in pairs]), embed([pair.second for pair in pairs])
    cosines = (first * second).sum(axis=1)
    return [
        {
            "id": f"{name}/{pair.id}",
            "scores": {"cosine": float(cosine), "judged": pair.score},
            "texts": {"first": pair.first, "second": pair.second},
            "tags": {"set": name},
        }
        for pair, cosine in zip(pairs, cosines, strict=True)
    ]


def _retrieval(meeting: Meeting, questions: Sequence[Question], embed: Vectoriser) -> list[Case]:
    """Return a case per question: the passages of its meeting in order of closeness against those that answer it."""
    passages = passages_of(meeting)
    documents = embed([passage.text for passage in passages])
    asked = embed([question.text for question in questions], InputType.QUERY)
    cases: list[Case] = []
    for question, vector in zip(questions, asked, strict=True):
        order = np.argsort(-(documents @ vector), kind="stable")[:TOP]
        relevant = [question.asks_for(passage) for passage in passages]
        hits = [relevant[index] for index in order]
        cases.append(
            {
                "id": question.id,
                "scores": {"ndcg": _ndcg(hits, sum(relevant)), "recall": sum(hits) / sum(relevant)},
                "texts": {"question": question.text, "found": _shown([passages[index] for index in order], hits)},
            }
        )
    return cases


def _ndcg(hits: Sequence[bool], relevant: int) -> float:
    """Normalised discounted cumulative gain of a ranking cut at ten, relevance 0 or 1 (Jarvelin and Kekalainen 2002)."""
    gain = sum(hit / np.log2(index + 2) for index, hit in enumerate(hits))
    best = sum(1 / np.log2(index + 2) for index in range(min(TOP, relevant)))
    return float(gain / best)


def _shown(passages: Sequence[Passage], hits: Sequence[bool]) -> str:
    return " ".join(f"{passage.first}-{passage.last}{'*' if hit else ''}" for passage, hit in zip(passages, hits, strict=True))


def _consistency(material: Material, embed: Vectoriser, *, restart: bool) -> list[Case]:
    """Return a case per arrangement: how far each text's vector is from its vector when embedded alone."""
    texts = _texts(material)
    alone = embed(texts, group=1)
    neighbours = _neighbours(alone)
    shuffled = Random(SEED).sample(range(len(texts)), len(texts))
    back = np.argsort(shuffled)
    padded = [part for text in texts for part in (text, LONG_TEXT)]
    arrangements = {
        "again alone": embed(texts, group=1),
        "in calls of 5": embed(texts, group=5),
        "in calls of 64": embed(texts, group=CALL_TEXTS),
        "backwards": embed(texts[::-1])[::-1],
        "shuffled": embed([texts[index] for index in shuffled])[back],
        "beside long texts": embed(padded)[::2],
    }
    if restart:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
            arrangements["in another process"] = process.submit(_elsewhere, texts).result()
    return [
        {
            "id": f"consistency/{name}",
            "scores": {
                "distance": float((1.0 - (alone.astype(float) * vectors.astype(float)).sum(axis=1)).max()),
                "overlap": _overlap(neighbours, _neighbours(vectors)),
            },
        }
        for name, vectors in arrangements.items()
    ]


def _elsewhere(texts: Sequence[str]) -> Array:
    """Embed in a process of its own, as a replica that was just started does."""
    return Vectoriser()(texts)


def _texts(material: Material) -> list[str]:
    """Return different texts of all lengths: sentences of the pairs, and passages of the meetings."""
    sentences = [pair.first for pairs in material.pairs.values() for pair in pairs]
    passages = [passage.text for meeting in material.meetings for passage in passages_of(meeting)]
    half = material.steady_texts // 2
    return list(dict.fromkeys([*sentences[:half], *passages[:half]]))


def _neighbours(vectors: Array) -> list[set[int]]:
    closeness = vectors @ vectors.T
    np.fill_diagonal(closeness, -2.0)
    return [set(row) for row in np.argsort(-closeness, axis=1, kind="stable")[:, :TOP].tolist()]


def _overlap(first: Sequence[set[int]], second: Sequence[set[int]]) -> float:
    """Return the mean share of the ten nearest neighbours that both have."""
    return sum(len(one & other) for one, other in zip(first, second, strict=True)) / (TOP * len(first))


def _statistics(sets: Sequence[str]) -> dict[str, StatisticSpec]:
    found: dict[str, StatisticSpec] = {
        f"spearman/{name}": {"kind": "spearman", "of": ("cosine", "judged"), "where": {"set": name}} for name in sets
    }
    return found | {
        "ndcg_at_10": mean_of("ndcg"),
        "recall_at_10": mean_of("recall"),
        "cosine_distance": {"kind": "max", "of": ("distance",)},
        "top_10_overlap": mean_of("overlap"),
    }
