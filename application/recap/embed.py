"""Vectors for the sentences of a recap: from the embedder in bounded groups, or from word counts when it fails."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from application.recap.settings import RecapSettings
from application.recap.vectors import Vector
from domain.call import Answer, CallContext, Provenance
from domain.errors import BudgetExceeded, DeadlineExceeded, InvalidModelOutput, ModelError, RateLimited
from ports.embedder import Embedder, InputType, Vectors

Result = TypeVar("Result")
CHARACTERS_PER_TOKEN: Final = 3.5
"""A cautious mean of subword tokenizers on English; unspaced scripts are counted by bytes."""
DEGRADABLE: Final = (ModelError, BudgetExceeded, DeadlineExceeded, RateLimited)
"""What a recap survives: the answer says that it did. Everything else, cancelling above all, ends the job."""


def reason(error: Exception, model: str) -> str:
    """Return the short code under which a failed call appears in `degraded`."""
    if isinstance(error, InvalidModelOutput):
        return "invalid_model_output"
    if isinstance(error, BudgetExceeded):
        return "budget_exceeded"
    if isinstance(error, DeadlineExceeded):
        return "deadline_exceeded"
    return "rate_limited" if isinstance(error, RateLimited) else f"{model}_unavailable"


def estimated_tokens(text: str) -> int:
    """Return about how many tokens a model reads for `text`; errs on the high side."""
    return 2 + int(max(len(text), len(text.encode()) * 0.9) / CHARACTERS_PER_TOKEN)


async def in_step(calls: Sequence[Callable[[], Awaitable[Result]]], width: int) -> list[Result]:
    """Run the calls at once, at most `width` in flight; the first error cancels the others and is raised as it is."""
    gate = asyncio.Semaphore(width)

    async def run(call: Callable[[], Awaitable[Result]]) -> Result:
        async with gate:
            return await call()

    tasks = [asyncio.ensure_future(run(call)) for call in calls]
    try:
        return list(await asyncio.gather(*tasks))
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


@dataclass(slots=True)
class SentenceVectors:
    """Embeds texts for one recap, remembers why it could not, and collects the provenance of its calls.

    After the first failure every text of the recap gets a word-count vector, so that all vectors stay comparable.
    """

    embedder: Embedder
    settings: RecapSettings
    context: CallContext
    failure: str | None = None
    provenance: list[Provenance] = field(default_factory=list)

    async def of(self, texts: Sequence[str]) -> tuple[Vector, ...] | None:
        """Return one unit-length vector per text, or None when the embedder is not to be had."""
        if self.failure or not texts:
            return None if self.failure else ()
        groups = list(self._groups(texts))
        try:
            answers = await in_step([self._call(group) for group in groups], self.settings.concurrent_calls)
        except DEGRADABLE as error:
            self.failure = f"{reason(error, 'embedder')}: similarity is lexical"
            return None
        self.provenance += [answer.provenance for answer in answers]
        return tuple(vector for answer in answers for vector in answer.value)

    def _call(self, group: Sequence[str]) -> Callable[[], Awaitable[Answer[Vectors]]]:
        async def call() -> Answer[Vectors]:
            return await self.embedder.embed(group, InputType.DOCUMENT, self.context)

        return call

    def _groups(self, texts: Sequence[str]) -> Iterator[tuple[str, ...]]:
        group: list[str] = []
        used = 0
        for text in texts:
            size = estimated_tokens(text)
            if group and (used + size > self.settings.embed_group_tokens or len(group) >= self.settings.embed_group_texts):
                yield tuple(group)
                group, used = [], 0
            group.append(text)
            used += size
        if group:
            yield tuple(group)
