"""A batch engine in this process answers every caller, whatever the engine does."""

import asyncio
from collections.abc import Sequence

import pytest

from adapters.in_process import ConcurrentInProcessBackend, InProcessBackend
from domain.call import ModelIdentity
from domain.errors import ModelRejected, ModelTimeout, ModelUnavailable, WordloopError
from ports.model_backend import CallMeta, EmbedRequest, GenerateRequest, RawOutput

IDENTITY = ModelIdentity("double", "1", "double-1", "float32")
REQUEST = EmbedRequest(("one",), {})


class Scripted:
    """Gives the next of its answers; an error is raised."""

    def __init__(self, *script: RawOutput | Exception) -> None:
        self.script = list(script)

    def run(self, batch: Sequence[EmbedRequest]) -> list[RawOutput | WordloopError]:
        answer = self.script.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return [answer] * len(batch)


@pytest.mark.parametrize(
    ("raised", "heard"),
    [(ZeroDivisionError("secret"), ModelUnavailable), (ModelRejected("too long"), ModelRejected)],
    ids=["a foreign error", "one of ours"],
)
async def test_every_caller_of_a_batch_hears_of_a_failure_and_the_next_is_served(
    raised: Exception, heard: type[Exception]
) -> None:
    backend = InProcessBackend(Scripted(raised, RawOutput({"vectors": []})), IDENTITY, 1)
    with pytest.raises(heard) as error:
        await backend.call(REQUEST, CallMeta(), 5)
    assert "secret" not in str(error.value)
    assert (await backend.call(REQUEST, CallMeta(), 5)).payload == {"vectors": []}


async def test_an_engine_that_takes_too_long_is_a_timeout() -> None:
    import time

    class Slow:
        def run(self, batch: Sequence[EmbedRequest]) -> list[RawOutput | WordloopError]:
            time.sleep(0.3)
            return [RawOutput({})] * len(batch)

    with pytest.raises(ModelTimeout):
        await InProcessBackend(Slow(), IDENTITY, 1).call(REQUEST, CallMeta(), 0.05)


class Writing:
    """A language model's engine that does the one thing it is told to."""

    def __init__(self, outcome: RawOutput | Exception | float) -> None:
        self.outcome = outcome

    async def generate(self, request: GenerateRequest, meta: CallMeta) -> RawOutput:
        if isinstance(self.outcome, Exception):
            raise self.outcome
        if isinstance(self.outcome, float):
            await asyncio.sleep(self.outcome)
            return RawOutput({})
        return self.outcome


@pytest.mark.parametrize(
    ("outcome", "heard"),
    [(ZeroDivisionError("secret"), ModelUnavailable), (ModelRejected("too long"), ModelRejected), (30.0, ModelTimeout)],
    ids=["a foreign error", "one of ours", "too slow"],
)
async def test_an_engine_that_batches_by_itself_fails_in_our_words(outcome: Exception | float, heard: type[Exception]) -> None:
    request = GenerateRequest((("user", "hello"),), None, {})
    with pytest.raises(heard) as error:
        await ConcurrentInProcessBackend(Writing(outcome), IDENTITY).call(request, CallMeta(), 0.05)
    assert "secret" not in str(error.value)


async def test_an_engine_that_batches_by_itself_answers_and_takes_only_generate_requests() -> None:
    backend = ConcurrentInProcessBackend(Writing(RawOutput({"text": "hi"})), IDENTITY)
    assert (await backend.call(GenerateRequest((("user", "hello"),), None, {}), CallMeta(), 5)).payload == {"text": "hi"}
    with pytest.raises(TypeError):
        await backend.call(REQUEST, CallMeta(), 5)
