"""What a replica measures about itself while it warms up."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

from domain.canonical import Json
from domain.rate import EngineRate
from ports.model_backend import CallMeta, GenerateRequest, RawOutput

READ_WORDS: Final = 96
WRITTEN_TOKENS: Final = 12
"""About two seconds of reading and one of writing on two cores with AVX2: long enough to be told from noise."""
TOGETHER: Final = 4
TOGETHER_TOKENS: Final = 6
"""Calls at once, and what each writes: as many as one step of the smallest kernel takes together."""

Generate = Callable[[GenerateRequest, CallMeta], Awaitable[RawOutput]]


async def measured_language_model(generate: Generate) -> EngineRate:
    """Return the rate of an idle language model: one call that reads, one that writes, then several at once."""
    read_s, read = await _timed(generate, 1, READ_WORDS, 1)
    alone_s, _ = await _timed(generate, 1, 0, WRITTEN_TOKENS)
    together_s, _ = await _timed(generate, TOGETHER, 0, TOGETHER_TOKENS)
    alone, together = WRITTEN_TOKENS / alone_s, TOGETHER * TOGETHER_TOKENS / together_s
    return EngineRate(read / max(1e-3, read_s - 1 / alone), alone, max(1.0, together / alone))


async def _timed(generate: Generate, calls: int, words: int, tokens: int) -> tuple[float, int]:
    """Return the seconds that `calls` calls take at once, and the tokens that they read."""
    begun = time.perf_counter()
    made = await asyncio.gather(*(generate(_request(number, words, tokens), CallMeta()) for number in range(calls)))
    seconds = time.perf_counter() - begun
    return seconds, sum(output.usage.input_tokens - output.usage.cached_input_tokens for output in made)


def _request(number: int, words: int, tokens: int) -> GenerateRequest:
    """Short words; a schema that keeps the answer going for `tokens` tokens."""
    parameters: dict[str, Json] = {"max_tokens": tokens, "temperature": 0.0, "top_p": 1.0, "seed": 0}
    schema: dict[str, Json] = {"type": "array", "items": {"enum": ["go"]}, "minItems": tokens}
    return GenerateRequest((("user", f"{number} {tokens} " + "go on " * (words // 2)),), schema, parameters)
