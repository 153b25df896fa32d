"""The two models of a recap behind the production guard, engines in this process, loaded once for all suites."""

import asyncio
import atexit
import os
import threading
from collections.abc import Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeVar

import prompts
from adapters.in_process import ConcurrentInProcessBackend
from application.recap.make_recap import MakeRecap
from domain.call import Answer, CallContext, ModelIdentity, Provenance, Usage
from domain.canonical import Json
from domain.prompt import RenderedPrompt
from domain.recap import Recap
from domain.transcript import Segment
from evals.evaluated import evaluated_settings
from evals.fingerprint import engines_digest
from ports.embedder import Embedder, InputType, Vectors
from ports.language_model import LanguageModel
from serve_app.engines import build_embedder, build_language_model, fit_to_machine, resolve_models
from serve_app.in_process import PATIENT, in_process_embedder, kept_language_model

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


@dataclass(frozen=True, slots=True)
class PinnedPrompts:
    """The prompt files, some at a version that is not their newest."""

    versions: Mapping[str, str] = field(default_factory=dict)

    def load(self, name: str, version: str | None = None) -> prompts.Prompt:
        """Return a prompt as `prompts.load` does."""
        return prompts.load(name, version or self.versions.get(name))


@dataclass(frozen=True, slots=True)
class Made:
    """A recap and the calls that it took."""

    recap: Recap
    calls: CountedLanguageModel


@dataclass(frozen=True, slots=True)
class Models:
    """A language model and an embedder. `run` waits for a coroutine on the event loop that both belong to."""

    language_model: LanguageModel
    embedder: Embedder
    loop: asyncio.AbstractEventLoop | None = None

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

    def vectors(self, texts: Sequence[str]) -> list[tuple[float, ...]]:
        """Return one vector of unit length per text."""
        return self.run(self._vectors(texts))

    async def _recap(self, segments: Sequence[Segment], language: str, words: PinnedPrompts, context: CallContext) -> Made:
        calls = CountedLanguageModel(self.language_model)
        made = await MakeRecap(calls, self.embedder, words)("recap", None, segments, language, "general", context, _nobody)
        return Made(made.recap, calls)

    async def _vectors(self, texts: Sequence[str]) -> list[tuple[float, ...]]:
        groups = [texts[start : start + CALL_TEXTS] for start in range(0, len(texts), CALL_TEXTS)]
        answers: list[Answer[Vectors]] = [await self.embedder.embed(g, InputType.DOCUMENT, CallContext()) for g in groups]
        return [tuple(vector) for answer in answers for vector in answer.value]


@lru_cache(maxsize=1)
def served_models() -> Models:
    """Load what is evaluated; the engines live until the process ends.

    What the language model answered is kept in the data folder, apart by the versions of its engine: the same prompt to the same
    model is asked once, however many runs want it.

    An engine belongs to the event loop that built it, so one loop runs on a thread of its own, for all suites.
    """
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="models", daemon=True).start()
    return asyncio.run_coroutine_threadsafe(_load(loop), loop).result()


async def _load(loop: asyncio.AbstractEventLoop) -> Models:
    # Its warnings are about how it is built here, and would stand between the scores.
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
    settings, _ = fit_to_machine(evaluated_settings())
    models, written, embedded = resolve_models(settings), settings.language_model, settings.embedder
    writer, encoder = models.language_model, models.embedder
    engine = build_language_model(written, writer)
    atexit.register(engine.shutdown)
    await engine.warm_up()
    kept = ExitStack()
    atexit.register(kept.close)
    backend, place = ConcurrentInProcessBackend(engine, writer), f"evals/{engines_digest('language_model')}"
    return Models(
        kept.enter_context(kept_language_model(backend, engine.context_tokens, place, PATIENT)),
        in_process_embedder(build_embedder(embedded, encoder), encoder, embedded.max_batch_size, embedded.dimensions),
        loop,
    )


async def _nobody(_fraction: float) -> None:
    """Nobody watches."""
