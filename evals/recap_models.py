"""The models of a recap behind the production guard, engines in this process, loaded once for all suites."""

import asyncio
import atexit
import os
import threading
import time
from collections.abc import Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, TypeVar

import prompts
from adapters.in_process import ConcurrentInProcessBackend
from application.recap.lines import lines_of
from application.recap.make_recap import MakeRecap
from application.recap.reading import read_without_orders
from application.recap.settings import RecapSettings
from domain.call import Answer, CallContext, ModelIdentity, Provenance, Usage
from domain.canonical import Json
from domain.entailment import Claim
from domain.errors import ModelUnavailable
from domain.prompt import RenderedPrompt
from domain.recap import Recap
from domain.transcript import Segment
from evals.evaluated import evaluated_settings
from evals.fingerprint import engines_digest
from evals.item_matching import RecapItems
from ports.embedder import Embedder, InputType, Vectors
from ports.entailment_judge import EntailmentJudge
from ports.item_finder import ItemFinder
from ports.language_model import LanguageModel
from serve_app.composition.in_process import (
    PATIENT,
    in_process_embedder,
    in_process_entailment_judge,
    in_process_item_finder,
    kept_language_model,
)
from serve_app.engines.descriptors import embedder_cosines
from serve_app.engines.replicas import build_embedder, build_language_model, build_reader
from serve_app.engines.served_models import embedder_identity, fit_to_machine, model_store, reader_identity, resolve_models

Result = TypeVar("Result")
CALL_TEXTS = 64
"""Texts of one embedding call."""


@dataclass(slots=True)
class CountedLanguageModel(LanguageModel):
    """A language model that counts what was asked of it, what it answered, and what that used."""

    model: LanguageModel
    asked: int = 0
    answers: list[Provenance] = field(default_factory=list)

    @property
    def identity(self) -> ModelIdentity:
        return self.model.identity

    @property
    def context_tokens(self) -> int:
        return self.model.context_tokens

    @property
    def cost(self) -> dict[str, float]:
        """Calls, the tokens that the answered ones used, their seconds and their price (US dollars)."""
        used = sum((made.usage for made in self.answers), Usage())
        return {
            "calls": float(self.asked),
            "input_tokens": float(used.input_tokens),
            "output_tokens": float(used.output_tokens),
            "seconds": sum(made.latency_s for made in self.answers),
            "usd": sum(made.cost_usd for made in self.answers),
        }

    async def generate(self, prompt: RenderedPrompt, context: CallContext) -> Answer[Mapping[str, Json]]:
        self.asked += 1
        answer = await self.model.generate(prompt, context)
        self.answers.append(answer.provenance)
        return answer


class NoLanguageModel(LanguageModel):
    """Stands where items are found without one: it is there for nobody."""

    @property
    def identity(self) -> ModelIdentity:
        return ModelIdentity("none", "", "none", "none")

    @property
    def context_tokens(self) -> int:
        return 4096

    async def generate(self, prompt: RenderedPrompt, context: CallContext) -> Answer[Mapping[str, Json]]:
        raise ModelUnavailable("items are found without a language model", None)


@dataclass(frozen=True, slots=True)
class PinnedPrompts:
    """The prompt files, some at a version that is not their newest."""

    versions: Mapping[str, str] = field(default_factory=dict)

    def load(self, name: str, version: str | None = None, language: str | None = None) -> prompts.Prompt:
        """Return a prompt as `prompts.load` does."""
        return prompts.load(name, version or self.versions.get(name), language)


@dataclass(frozen=True, slots=True)
class Made:
    """A recap, the calls of the language model that it took, and its seconds from beginning to end."""

    recap: Recap
    calls: CountedLanguageModel
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Models:
    """The models of a recap. `run` waits for a coroutine on the event loop that all belong to."""

    language_model: LanguageModel
    embedder: Embedder
    item_finder: ItemFinder
    loop: asyncio.AbstractEventLoop | None = None
    entailment: EntailmentJudge | None = None

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        if self.loop is None:
            # On a thread of its own: a metric of ragas may ask from inside its loop.
            with ThreadPoolExecutor(max_workers=1) as thread:
                return thread.submit(asyncio.run, work).result()
        return asyncio.run_coroutine_threadsafe(work, self.loop).result()

    def recap(
        self, segments: Sequence[Segment], language: str, versions: Mapping[str, str] | None = None, tenant: str = "eval"
    ) -> Made:
        """Make one recap on the production path; `versions` holds prompts at a version that is not their newest.

        Tenants share no cached answers.
        """
        return self.run(self._recap(segments, language, PinnedPrompts(versions or {}), CallContext(tenant=tenant)))

    def items(self, segments: Sequence[Segment], _language: str) -> RecapItems:
        """Find decisions, tasks and open questions on the production path, without the language model: an `ItemsOf`.

        Raises ModelUnavailable where the finder gave nothing: an evaluation does not score its absence.
        """
        return self.run(self._items(segments, CallContext(tenant="eval")))

    def withheld(self, segments: Sequence[Segment]) -> frozenset[int]:
        """Return the ids of segments that speak to a machine, as the recap's reading sees them."""
        lines = lines_of(segments)
        reading = self.run(read_without_orders(lines, self.item_finder, RecapSettings(), CallContext(tenant="eval")))
        if reading.failure:
            raise ModelUnavailable(reading.failure, None)
        return frozenset(lines[folder].segment_id for folder in reading.orders)

    def judgements(self, claims: Sequence[Claim]) -> list[float]:
        """Return how probable it is that each claim follows from its premise. Raises ModelUnavailable without a judge."""
        if self.entailment is None:
            raise ModelUnavailable("no judge of entailment is served", None)
        return list(self.run(self.entailment.judge(claims, CallContext(tenant="eval"))).value)

    def vectors(self, texts: Sequence[str]) -> list[tuple[float, ...]]:
        """Return one vector of unit length per text."""
        return self.run(self._vectors(texts))

    async def _recap(self, segments: Sequence[Segment], language: str, words: PinnedPrompts, context: CallContext) -> Made:
        calls, started = CountedLanguageModel(self.language_model), time.perf_counter()
        make = MakeRecap(calls, self.embedder, self.item_finder, words, entailment=self.entailment)
        made = await make("recap", None, segments, language, prompts.template("general"), context, _nobody)
        return Made(made.recap, calls, time.perf_counter() - started)

    async def _items(self, segments: Sequence[Segment], context: CallContext) -> RecapItems:
        make = MakeRecap(NoLanguageModel(), self.embedder, self.item_finder, PinnedPrompts())
        found, reading = await make.items(segments, context)
        if reading.failure:
            raise ModelUnavailable(reading.failure, None)
        return found

    async def _vectors(self, texts: Sequence[str]) -> list[tuple[float, ...]]:
        groups = [texts[start : start + CALL_TEXTS] for start in range(0, len(texts), CALL_TEXTS)]
        answers: list[Answer[Vectors]] = [await self.embedder.embed(g, InputType.DOCUMENT, CallContext()) for g in groups]
        return [tuple(vector) for answer in answers for vector in answer.value]


@lru_cache(maxsize=1)
def served_readers() -> Models:
    """Load all that is evaluated but the language model; the engines live until the process ends.

    An engine belongs to the event loop that built it, so one loop runs on a thread of its own, for all suites.
    """
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="models", daemon=True).start()
    return asyncio.run_coroutine_threadsafe(_readers(loop), loop).result()


@lru_cache(maxsize=1)
def served_models() -> Models:
    """Load what is evaluated, the language model included.

    What it answered is kept in the data folder, apart by the versions of its engine: the same prompt to the same model is asked
    once, however many runs want it.
    """
    readers = served_readers()
    return replace(readers, language_model=readers.run(_writer()))


def served_items(segments: Sequence[Segment], language: str) -> RecapItems:
    """Find the items of a meeting as the service does: one of the `ItemsOf` that `evals.compare_finders` takes."""
    return served_readers().items(segments, language)


async def _readers(loop: asyncio.AbstractEventLoop) -> Models:
    settings, _ = fit_to_machine(evaluated_settings())
    embedded, encoder = settings.embedder, embedder_identity(settings.embedder, model_store())
    cosines = embedder_cosines(embedded, model_store())
    embedder = in_process_embedder(
        build_embedder(embedded, encoder), encoder, embedded.max_batch_size, embedded.dimensions, cosines
    )
    reader = reader_identity(settings.reader, model_store())
    engine = build_reader(settings.reader, reader)
    finder = in_process_item_finder(engine, reader, settings.reader.stretch_tokens)
    return Models(NoLanguageModel(), embedder, finder, loop, in_process_entailment_judge(engine, reader))


async def _writer() -> LanguageModel:
    # Its warnings are about how it is built here, and would stand between the scores.
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
    settings, _ = fit_to_machine(evaluated_settings())
    writer = resolve_models(settings).language_model
    engine = build_language_model(settings.language_model, writer)
    atexit.register(engine.shutdown)
    await engine.warm_up()
    kept = ExitStack()
    atexit.register(kept.close)
    backend, folder = ConcurrentInProcessBackend(engine, writer), f"evals/{engines_digest('language_model')}"
    return kept.enter_context(kept_language_model(backend, engine.context_tokens, folder, PATIENT))


async def _nobody(_fraction: float) -> None:
    """Nobody watches."""
