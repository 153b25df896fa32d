"""A configuration file as a whole service in one process: its graph, its worker and its ingress over engines that are scripted.

Nothing of Ray runs. What stands in place of a deployment's handle hands each call to an engine, as a replica would.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from domain.call import ModelIdentity, Usage
from domain.rate import EngineRate
from ports.model_backend import CallMeta, DiarizeRequest, EmbedRequest, EntailRequest, FindRequest, ModelRequest, RawOutput
from serve_app.engines.served_models import ServedModels
from tests.estimating import heard, read, written

RATE = EngineRate(100.0, 50.0, 4.0)
MODELS = ServedModels(*(ModelIdentity(f"owner/{name}", "1" * 40, "scripted-1", "float16") for name in ("w", "l", "e", "r", "d")))


def placed(dimensions: int) -> Callable[[EmbedRequest], RawOutput]:
    """Return an embedder of so many dimensions: texts of one length are near to each other."""

    def embed(request: EmbedRequest) -> RawOutput:
        angles = [0.1 + len(text) % 7 / 10 for text in request.texts]
        vectors = [[math.cos(angle), math.sin(angle), *[0.0] * (dimensions - 2)] for angle in angles]
        return RawOutput({"vectors": vectors}, Usage(input_tokens=10 * len(request.texts)))

    return embed


def read_or_judged(request: FindRequest | EntailRequest) -> RawOutput:
    """The reader's two answers: what a line holds, and whether a sentence follows."""
    if isinstance(request, FindRequest):
        return read(request)
    return RawOutput({"probabilities": [0.9] * len(request.claims)}, Usage(input_tokens=10))


def silent(request: DiarizeRequest) -> RawOutput:
    """Nobody speaks."""
    return RawOutput({"stretches": []}, Usage(audio_seconds=len(request.pcm) / 32_000))


@dataclass
class Handle:
    """In place of a deployment's handle. `asked` counts its calls."""

    engine: Callable[[Any], RawOutput]
    asked: int = 0
    call: "Method" = field(init=False)
    rate: "Method" = field(init=False)

    def __post_init__(self) -> None:
        self.call, self.rate = Method(self._call), Method(self._rate)

    async def _call(self, request: ModelRequest, _meta: CallMeta) -> RawOutput:
        self.asked += 1
        return self.engine(request)

    async def _rate(self) -> EngineRate:
        return RATE


@dataclass(frozen=True)
class Method:
    """A method of a handle: `remote` begins it, and what it returns can be awaited and cancelled."""

    run: Callable[..., Awaitable[Any]]

    def remote(self, *arguments: Any) -> "asyncio.Future[Any]":
        return asyncio.ensure_future(self.run(*arguments))


def handles(dimensions: int) -> dict[str, Handle]:
    """The five model deployments of the graph."""
    engines: Sequence[Callable[[Any], RawOutput]] = (heard, written, placed(dimensions), read_or_judged, silent)
    return dict(zip(("transcriber", "language_model", "embedder", "reader", "diarizer"), map(Handle, engines), strict=True))
