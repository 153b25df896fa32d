"""Model calls side by side: so many at once, the first error ends the rest, and what a caller can live without."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final, TypeVar

from domain.errors import BudgetExceeded, DeadlineExceeded, InvalidModelOutput, ModelError, RateLimited

Result = TypeVar("Result")
Other = TypeVar("Other")
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
        await _stopped(tasks)
        raise


async def both(one: Awaitable[Result], other: Awaitable[Other]) -> tuple[Result, Other]:
    """Wait for two things at once; the first error cancels the other one and is raised as it is."""
    first, second = asyncio.ensure_future(one), asyncio.ensure_future(other)
    try:
        await asyncio.gather(first, second)
    except BaseException:
        await _stopped((first, second))
        raise
    return first.result(), second.result()


async def _stopped(tasks: Iterable[asyncio.Future[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
