"""What every real language model promises behind `ModelBackend`: llama.cpp and vLLM in this process, and a remote server.

SmolLM2 is enough for it: the contract is about obeying, not about writing well.
"""

import asyncio
import json
import os
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import pytest_asyncio

from adapters.in_process import ConcurrentInProcessBackend
from adapters.llama_cpp_engine import LlamaCppEngine, LlamaCppSettings
from adapters.model_store.inspect_folder import gguf_file
from adapters.openai_compatible import OpenAiBackend
from adapters.vllm_engine import VllmEngine, VllmSettings
from domain.call import ModelIdentity
from domain.canonical import Json
from domain.errors import ModelRejected, ModelTimeout, ModelUnavailable
from ports.model_backend import CallMeta, GenerateRequest, ModelBackend, RawOutput
from serve_app.engines.replicas import wait_without_spinning
from serve_app.engines.served_models import model_store

pytestmark = pytest.mark.slow
CONTEXT = 2048
SEQUENCES = 2
wait_without_spinning()
PATIENT_S = 120.0
SOON_S = 20.0
"""Seconds in which a short answer comes, on a busy machine too, when nothing else is being decoded."""
LONG_TOKENS = 1900
RULES = " ".join(f"Rule {number}: write plainly and keep every name." for number in range(20))
ITEM: dict[str, Json] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["title", "urgent", "count"],
    "properties": {
        "title": {"type": "string", "minLength": 3, "maxLength": 40},
        "urgent": {"type": "boolean"},
        "count": {"type": "integer", "minimum": 1, "maximum": 9},
    },
}
ENDLESS: dict[str, Json] = {"type": "array", "items": {"enum": ["go"]}, "minItems": 1500}
NO_SCHEMA: dict[str, Json] = {"type": "object", "properties": {"a": {"$ref": "#/nowhere"}}, "required": ["a"]}


def only(name: str, value: int) -> dict[str, Json]:
    """A schema that one answer follows."""
    return {"type": "object", "additionalProperties": False, "properties": {name: {"const": value}}, "required": [name]}


def asks(words: str, schema: dict[str, Json] | None = None, **parameters: Json) -> GenerateRequest:
    sampling: dict[str, Json] = {"max_tokens": 80, "temperature": 0.0, "top_p": 1.0, "seed": 1}
    return GenerateRequest((("system", RULES), ("user", words)), schema, sampling | parameters)


@pytest.mark.asyncio(loop_scope="class")
class Contract(ABC):
    @pytest_asyncio.fixture(scope="class", loop_scope="class")
    @abstractmethod
    async def backend(self) -> AsyncIterator[ModelBackend]:
        """One model for all tests of the class; `end` ends it for good, so its test comes last."""
        yield

    async def check_health(self, backend: ModelBackend) -> None:
        """Raise when the model can not answer; a remote one is only known by its answers."""
        await self.said(backend, asks("Well?", max_tokens=2))

    @abstractmethod
    async def end(self, backend: ModelBackend) -> None:
        """Let the engine die."""

    async def said(self, backend: ModelBackend, request: GenerateRequest) -> RawOutput:
        return await backend.call(request, CallMeta(key="k"), PATIENT_S)

    async def test_an_answer_follows_its_schema_and_says_what_it_used(self, backend: ModelBackend) -> None:
        output = await self.said(backend, asks("Anna moves the launch to Friday.", ITEM))
        answer = json.loads(output.payload["text"])
        assert set(answer) == {"title", "urgent", "count"}
        assert isinstance(answer["urgent"], bool)
        assert 1 <= answer["count"] <= 9
        assert output.payload["finish_reason"] == "stop"
        assert output.usage.input_tokens > 200
        assert output.usage.output_tokens > 5

    async def test_an_answer_ends_at_its_most_tokens(self, backend: ModelBackend) -> None:
        output = await self.said(backend, asks("Tell me a long story.", max_tokens=12))
        assert (output.payload["finish_reason"], output.usage.output_tokens) == ("length", 12)

    async def test_an_answer_ends_before_a_stop_sequence(self, backend: ModelBackend) -> None:
        whole = (await self.said(backend, asks("Name the colours of the rainbow.", max_tokens=24))).payload["text"]
        word = whole.split()[3]
        output = await self.said(backend, asks("Name the colours of the rainbow.", max_tokens=24, stop=[word, "never said"]))
        assert (output.payload["text"], output.payload["finish_reason"]) == (whole.partition(word)[0], "stop")

    async def test_a_greedy_answer_comes_again(self, backend: ModelBackend) -> None:
        first, second = [await self.said(backend, asks("Name the colours of the rainbow.", max_tokens=24)) for _ in range(2)]
        assert first.payload == second.payload

    async def test_a_seed_decides_what_is_sampled(self, backend: ModelBackend) -> None:
        wild = {"temperature": 1.2, "max_tokens": 24}
        one, again, other = [await self.said(backend, asks("Invent a name.", seed=seed, **wild)) for seed in (7, 7, 8)]
        assert one.payload == again.payload
        assert one.payload != other.payload

    async def test_the_beginning_that_prompts_share_is_read_once(self, backend: ModelBackend) -> None:
        await self.said(backend, asks("One.", max_tokens=2))
        output = await self.said(backend, asks("Something else entirely.", max_tokens=2))
        assert output.usage.cached_input_tokens > 100
        assert output.usage.cached_input_tokens < output.usage.input_tokens

    async def test_several_are_answered_at_once_each_to_its_own_schema(self, backend: ModelBackend) -> None:
        schemas = [only("n", number) for number in range(6)]
        outputs = await asyncio.gather(*(self.said(backend, asks(f"Say {n}.", schema)) for n, schema in enumerate(schemas)))
        assert [json.loads(output.payload["text"])["n"] for output in outputs] == list(range(6))

    async def test_a_prompt_that_does_not_fit_is_rejected(self, backend: ModelBackend) -> None:
        with pytest.raises(ModelRejected):
            await self.said(backend, asks("word " * (CONTEXT + 100)))

    async def test_a_schema_without_meaning_is_rejected(self, backend: ModelBackend) -> None:
        with pytest.raises(ModelRejected):
            await self.said(backend, asks("Anything.", NO_SCHEMA))

    async def test_a_call_that_takes_too_long_times_out(self, backend: ModelBackend) -> None:
        with pytest.raises(ModelTimeout):
            await backend.call(asks("Go.", ENDLESS, max_tokens=LONG_TOKENS - 400), CallMeta(), 0.2)

    async def test_a_call_that_is_cancelled_is_no_longer_decoded(self, backend: ModelBackend) -> None:
        long = asks("Go.", ENDLESS, max_tokens=LONG_TOKENS - 400)
        calls = [asyncio.create_task(self.said(backend, long)) for _ in range(SEQUENCES)]
        await asyncio.wait(calls, timeout=1.0)
        assert not any(call.done() for call in calls), "they decode"
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        async with asyncio.timeout(SOON_S):
            await self.said(backend, asks("Short.", max_tokens=2))

    async def test_it_says_that_it_is_well(self, backend: ModelBackend) -> None:
        await self.check_health(backend)

    async def test_an_engine_that_has_died_is_unavailable(self, backend: ModelBackend) -> None:
        await self.end(backend)
        with pytest.raises(ModelUnavailable):
            await self.said(backend, asks("Anybody there?", max_tokens=2))
        with pytest.raises(ModelUnavailable):
            await self.check_health(backend)


class OwnEngine(Contract):
    """An engine in this process; kept on the class, since a test is to end it."""

    engine: Any

    async def check_health(self, backend: ModelBackend) -> None:
        await self.engine.check_health()


@pytest.mark.asyncio(loop_scope="class")
class TestLlamaCpp(OwnEngine):
    @pytest_asyncio.fixture(scope="class", loop_scope="class")
    async def backend(self) -> AsyncIterator[ModelBackend]:
        folder = model_store().ensure("smollm2-135m-instruct:q4_1").path
        identity = ModelIdentity("smollm2", "1", "llama-cpp", "q4_1")
        settings = LlamaCppSettings(context_tokens=CONTEXT, max_num_seqs=SEQUENCES)
        type(self).engine = engine = LlamaCppEngine(gguf_file(folder), identity, settings)
        await engine.warm_up()
        yield ConcurrentInProcessBackend(engine, identity)
        engine.shutdown()

    async def end(self, backend: ModelBackend) -> None:
        self.engine.shutdown()


@pytest.mark.asyncio(loop_scope="class")
class TestRemote(Contract):
    """A server of somebody else's, spoken to over HTTP."""

    @pytest_asyncio.fixture(scope="class", loop_scope="class")
    async def backend(self) -> AsyncIterator[ModelBackend]:
        model = gguf_file(model_store().ensure("smollm2-135m-instruct:q4_1").path)
        command = [sys.executable, str(Path(__file__).parents[1] / "llama_server.py"), str(model), "secret"]
        with subprocess.Popen(
            command, env=os.environ | {"OMP_WAIT_POLICY": "passive"}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            type(self).process = process
            assert process.stdout is not None
            url = json.loads(await asyncio.to_thread(process.stdout.readline))["url"]
            remote = OpenAiBackend(url, ModelIdentity("smollm2", "1", "openai_compatible", "unknown"), api_key="secret")
            yield remote
            await remote.close()
            process.kill()

    async def end(self, backend: ModelBackend) -> None:
        self.process.kill()
        await asyncio.to_thread(self.process.wait)


@pytest.mark.asyncio(loop_scope="class")
class TestVllm(OwnEngine):
    @pytest_asyncio.fixture(scope="class", loop_scope="class")
    async def backend(self) -> AsyncIterator[ModelBackend]:
        folder = model_store().ensure("smollm2-135m-instruct:bf16").path
        identity = ModelIdentity("smollm2", "1", "vllm", "bf16/float32")
        settings = VllmSettings(max_model_len=CONTEXT, max_num_seqs=SEQUENCES, dtype="float32")
        type(self).engine = engine = VllmEngine(str(folder), identity, settings)
        await engine.warm_up()
        yield ConcurrentInProcessBackend(engine, identity)
        engine.shutdown()

    async def end(self, backend: ModelBackend) -> None:
        """The engine's core is a process below this one."""
        below: list[Any] = psutil.Process().children(recursive=True)
        for process in below:
            if "EngineCore" in " ".join(process.cmdline()) or "EngineCore" in process.name():
                process.kill()
        psutil.wait_procs(below, timeout=10)
