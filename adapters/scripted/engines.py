"""Engines that answer by a script and take as long as real ones of a given rate: what scales, drains and dies is the rest."""

import asyncio
import time
from collections.abc import Callable, Sequence

from domain.call import Usage
from domain.rate import EngineRate
from ports.model_backend import CallMeta, GenerateRequest, ModelRequest, RawOutput

Reply = Callable[[ModelRequest], RawOutput]


class TimedBatches:
    """An engine for a `BatchedModelReplica`: loads for `load_s` seconds, then holds its thread as long as `rate` says.

    `usual` is the pass by which its replica measures it.
    """

    def __init__(self, reply: Reply, rate: EngineRate, usual: ModelRequest, load_s: float = 0.0) -> None:
        self._reply = reply
        self._rate = rate
        self._usual = usual
        self._load_s = load_s

    def warm_up(self) -> None:
        time.sleep(self._load_s)

    def sample(self) -> Sequence[ModelRequest]:
        return [self._usual]

    def run(self, batch: Sequence[ModelRequest]) -> list[RawOutput]:
        outputs = [self._reply(request) for request in batch]
        time.sleep(_seconds(self._rate, outputs))
        return outputs


class TimedWriter:
    """An engine for a `ConcurrentModelReplica`: calls side by side take no longer than one alone."""

    def __init__(self, reply: Reply, rate: EngineRate, load_s: float = 0.0) -> None:
        self._reply = reply
        self._rate = rate
        self._load_s = load_s

    async def warm_up(self) -> None:
        await asyncio.sleep(self._load_s)

    async def generate(self, request: GenerateRequest, meta: CallMeta) -> RawOutput:
        output = self._reply(request)
        await asyncio.sleep(_seconds(self._rate, [output]))
        return output

    async def check_health(self) -> None: ...

    def shutdown(self) -> None: ...


def _seconds(rate: EngineRate, outputs: Sequence[RawOutput]) -> float:
    used = sum((output.usage for output in outputs), Usage())
    return rate.seconds(used.audio_seconds or used.input_tokens, used.output_tokens, len(outputs))
