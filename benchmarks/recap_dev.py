"""Recap quality on meetings with references: ROUGE and similarity of the summary, items found, time taken.

    python benchmarks/recap_dev.py MEETING.json... --embedder DIR [--model DIR] [--segments FILE] [--no-speakers] [--show]

`MEETING.json` is a file of the meeting data sets (`turns`, `summary`, and decisions, action items and open questions
where the set has them). Without `--model` the recap is quoted, which shows what the phrasing adds.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import prompts
from adapters.sentence_transformers_engine import SentenceTransformersEngine, SentenceTransformersSettings
from adapters.vllm_engine import VllmEngine, VllmSettings
from application.recap.make_recap import MakeRecap
from domain.call import Answer, CallContext, CallKind, CallSpec, ModelIdentity, Provenance, Usage
from domain.canonical import Json, sha256_of
from domain.errors import InvalidModelOutput, ModelUnavailable
from domain.prompt import RenderedPrompt
from domain.recap import Recap
from domain.transcript import Segment
from ports.embedder import Embedder, InputType, Vectors
from ports.language_model import LanguageModel
from ports.model_backend import CallMeta, EmbedRequest, GenerateRequest, RawOutput

ROUGE = ("rouge1", "rouge2", "rougeL")
MATCH = 0.5
"""Cosine of MiniLM from which a found item counts as the reference item, for a first look; read the items too."""


class DirectEmbedder(Embedder):
    """The engine in this process, without guard or cache."""

    def __init__(self, engine: SentenceTransformersEngine) -> None:
        self.engine = engine

    @property
    def identity(self) -> ModelIdentity:
        return self.engine.identity

    @property
    def dimensions(self) -> int:
        return self.engine.dimensions

    async def embed(self, texts: Sequence[str], input_type: InputType, context: CallContext) -> Answer[Vectors]:
        result = self.engine.run([EmbedRequest(tuple(texts), {"input_type": input_type.value, "dimensions": None})])[0]
        if not isinstance(result, RawOutput):
            raise result
        spec = CallSpec(CallKind.EMBED, sha256_of(list(texts)), self.identity, {})
        return Answer(tuple(tuple(vector) for vector in result.payload["vectors"]), Provenance.of(spec))


class DirectLanguageModel(LanguageModel):
    """The engine in this process; without one, a model that is never there."""

    def __init__(self, engine: VllmEngine | None) -> None:
        self.engine = engine
        self.usage = Usage()

    @property
    def identity(self) -> ModelIdentity:
        return ModelIdentity("dev", "0", "vllm", "bfloat16")

    @property
    def context_tokens(self) -> int:
        return self.engine.context_tokens if self.engine else 4096

    async def generate(self, prompt: RenderedPrompt, context: CallContext) -> Answer[Mapping[str, Json]]:
        if self.engine is None:
            raise ModelUnavailable("no model was asked for")
        spec = CallSpec(CallKind.GENERATE, sha256_of([list(m) for m in prompt.messages]), self.identity, {}, prompt.reference)
        request = GenerateRequest(prompt.messages, prompt.schema, prompt.sampling.parameters())
        raw = await self.engine.generate(request, CallMeta(key=spec.key))
        self.usage += raw.usage
        try:
            value = json.loads(raw.payload["text"])
        except ValueError as error:
            print("  INVALID", raw.payload["text"][:300])
            raise InvalidModelOutput("not JSON") from error
        print("  MODEL", json.dumps(value, ensure_ascii=False))
        return Answer(value, Provenance.of(spec))


def segments_of(meeting: Mapping[str, Any], speakers: bool) -> list[Segment]:
    """Turns as segments; a turn without times starts where the last one ended."""
    found, last = list[Segment](), 0.0
    for turn in meeting["turns"]:
        start = last if turn.get("start_s") is None else float(turn["start_s"])
        end = max(start, float(turn.get("end_s") or start))
        last = end
        found.append(Segment(turn["index"], start, end, turn["text"], speaker=turn["speaker"] if speakers else None))
    return found


def cosine_table(engine: SentenceTransformersEngine, left: Sequence[str], right: Sequence[str]) -> list[list[float]]:
    """Return the cosine of every text on the left with every text on the right."""
    result = engine.run([EmbedRequest((*left, *right), {"input_type": "document", "dimensions": None})])[0]
    if not isinstance(result, RawOutput):
        raise result
    vectors = result.payload["vectors"]
    ours, theirs = vectors[: len(left)], vectors[len(left) :]
    return [[sum(a * b for a, b in zip(one, other, strict=True)) for other in theirs] for one in ours]


def item_score(engine: SentenceTransformersEngine, name: str, found: Sequence[str], wanted: Sequence[str]) -> str:
    """Say how many of the wanted items were found and how many of the found ones were wanted."""
    if not found or not wanted:
        return f"  {name}: found {len(found)}, wanted {len(wanted)}"
    table = cosine_table(engine, wanted, found)
    hits = sum(max(row) >= MATCH for row in table)
    right = sum(max(row[place] for row in table) >= MATCH for place in range(len(found)))
    return f"  {name}: recall {hits}/{len(wanted)}, precision {right}/{len(found)}"


def show(recap: Recap) -> None:
    """Print every part of a recap."""
    print(f"  TITLE {recap.title}\n  DEGRADED {recap.degraded}")
    for name in ("summary", "key_points", "decisions", "action_items", "open_questions"):
        print("  ==", name)
        for part in getattr(recap, name):
            extra = f" | {part.owner} | {part.due}" if name == "action_items" else ""
            print(f"    {part.support:.2f} {part.text}{extra} {list(part.segment_ids)}")
    for chapter in recap.chapters:
        print(f"  == {chapter.start:.0f}-{chapter.end:.0f} {chapter.title}: {len(chapter.summary)} statements")


@dataclass(frozen=True, slots=True)
class Bench:
    """The engines of one run, and the scorer of summaries."""

    encoder: SentenceTransformersEngine
    engine: VllmEngine | None
    scorer: Any

    async def score(self, meeting: Mapping[str, Any], segments: Sequence[Segment], shown: bool) -> tuple[float, ...]:
        """Make one recap, print what it scored, and return ROUGE-1/2/L, similarity and support."""

        async def progress(fraction: float) -> None:
            print(f"{fraction:.2f}", end=" ", file=sys.stderr)

        model = DirectLanguageModel(self.engine)
        make = MakeRecap(model, DirectEmbedder(self.encoder), prompts)
        started = time.perf_counter()
        recap = (await make("rc", "tr", segments, meeting["language"], "general", CallContext(), progress)).recap
        took = time.perf_counter() - started
        summary = " ".join(statement.text for statement in recap.summary)
        reference = meeting["summary"] if isinstance(meeting["summary"], str) else " ".join(meeting["summary"])
        scores = self.scorer.score(reference, summary)
        near = cosine_table(self.encoder, [reference[:900]], [summary[:900]])[0][0]
        row = (*(scores[kind].fmeasure for kind in ROUGE), near, recap.support)
        print(f"{meeting['id']}: rouge {row[0]:.3f}/{row[1]:.3f}/{row[2]:.3f} similarity {near:.3f} support {recap.support:.3f}")
        print(f"  words {len(summary.split())}, reference {len(reference.split())}; {took:.1f} s; {model.usage}")
        if "decisions" in meeting:
            self.score_items(meeting, recap)
        if shown:
            show(recap)
            print("  REFERENCE", reference)
        return row

    def score_items(self, meeting: Mapping[str, Any], recap: Recap) -> None:
        """Print which items of the reference were found."""
        tasks = [f"{a['owner']}: {a['task']} ({a['due']})" for a in meeting["action_items"]]
        found = [f"{a.owner}: {a.text} ({a.due})" for a in recap.action_items]
        print(item_score(self.encoder, "decisions", [d.text for d in recap.decisions], meeting["decisions"]))
        print(item_score(self.encoder, "action items", found, tasks))
        print(item_score(self.encoder, "open questions", [q.text for q in recap.open_questions], meeting["open_questions"]))


async def main(arguments: argparse.Namespace, meetings: Sequence[Mapping[str, Any]], heard: Sequence[Segment] | None) -> None:
    """Make and score the recaps one by one."""
    from rouge_score.rouge_scorer import RougeScorer

    minilm, dev = ModelIdentity("minilm", "0", "st", "fp32"), ModelIdentity("dev", "0", "vllm", "bf16")
    encoder = SentenceTransformersEngine(arguments.embedder, minilm, SentenceTransformersSettings())
    engine = VllmEngine(arguments.model, dev, VllmSettings()) if arguments.model else None
    bench = Bench(encoder, engine, RougeScorer(list(ROUGE), use_stemmer=True))
    try:
        rows = [await bench.score(m, heard or segments_of(m, not arguments.no_speakers), arguments.show) for m in meetings]
    finally:
        if engine:
            engine.shutdown()
    print("mean", " ".join(f"{sum(column) / len(rows):.3f}" for column in zip(*rows, strict=True)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("meetings", nargs="+")
    parser.add_argument("--embedder", required=True)
    parser.add_argument("--model")
    parser.add_argument("--segments", help="JSON list of {start, end, text}, as a recogniser wrote them")
    parser.add_argument("--no-speakers", action="store_true")
    parser.add_argument("--show", action="store_true")
    given = parser.parse_args()
    spoken = json.loads(Path(given.segments).read_text()) if given.segments else []
    asyncio.run(
        main(
            given,
            [json.loads(Path(path).read_text()) for path in given.meetings],
            [Segment(place, s["start"], s["end"], s["text"]) for place, s in enumerate(spoken)],
        )
    )
