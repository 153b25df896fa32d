"""What a replica measures about itself while it warms up."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from adapters.ray_serve.stopwatch import QuietStopwatch
from domain.canonical import Json
from domain.rate import EngineRate
from ports.model_backend import CallMeta, GenerateRequest, RawOutput

READ_WORDS: Final = 64
WRITTEN_TOKENS: Final = 8
"""About a second of reading and half a second of writing on two cores with AVX2: long enough to be told from noise."""
TOGETHER: Final = 4
TOGETHER_TOKENS: Final = 3
"""Calls at once, and what each writes: as many as one step of the smallest kernel takes together."""

Generate = Callable[[GenerateRequest, CallMeta], Awaitable[RawOutput]]


async def measured_language_model(generate: Generate) -> EngineRate:
    """Return the rate of an idle language model: one call that reads, one that writes, then several at once.

    What a call reads beside what it is to show is taken off at the rate of reading.
    """
    read_s, read = await _timed(generate, 1, READ_WORDS, 1)
    read_per_s = read / read_s
    alone_s, own = await _timed(generate, 1, 0, WRITTEN_TOKENS)
    alone = WRITTEN_TOKENS / max(alone_s / 10, alone_s - own / read_per_s)
    together_s, theirs = await _timed(generate, TOGETHER, 0, TOGETHER_TOKENS)
    together = TOGETHER * TOGETHER_TOKENS / max(together_s / 10, together_s - theirs / read_per_s)
    # More than the calls at once can be worth is the machine's other work, which was there for one measurement and not the other.
    return EngineRate(read_per_s, alone, min(float(TOGETHER), max(1.0, together / alone)))


async def _timed(generate: Generate, calls: int, words: int, tokens: int) -> tuple[float, int]:
    """Return the seconds that `calls` calls take at once, and the tokens that they read."""
    stopwatch = QuietStopwatch()
    made = await asyncio.gather(*(generate(_request(number, words, tokens), CallMeta()) for number in range(calls)))
    seconds = stopwatch.seconds()
    return seconds, sum(output.usage.input_tokens - output.usage.cached_input_tokens for output in made)


def _request(number: int, words: int, tokens: int) -> GenerateRequest:
    """Short words; a schema that keeps the answer going for `tokens` tokens. A first message keeps a template's default out."""
    parameters: dict[str, Json] = {"max_tokens": tokens, "temperature": 0.0, "top_p": 1.0, "seed": 0}
    schema: dict[str, Json] = {"type": "array", "items": {"enum": ["go"]}, "minItems": tokens}
    return GenerateRequest((("system", "Go."), ("user", f"{number}{tokens}" + " go" * words)), schema, parameters)
