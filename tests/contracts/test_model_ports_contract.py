"""What every guarded model port promises, whoever answers behind it: one contract per port, inherited per backend."""

import asyncio
import math
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable
from dataclasses import replace
from typing import Any

import pytest

from adapters.guard import GuardedEmbedder, GuardedLanguageModel, GuardedTranscriber, GuardSettings
from adapters.openai_compatible import OpenAiBackend
from adapters.scripted import Delayed, MovableClock
from domain.call import CallContext, ModelIdentity
from domain.errors import (
    BudgetExceeded,
    DeadlineExceeded,
    InvalidModelOutput,
    InvalidRequest,
    ModelRejected,
    ModelUnavailable,
    RateLimited,
)
from ports.embedder import InputType
from ports.model_backend import ModelBackend
from ports.transcriber import TranscriptionOptions
from serve_app.clock import SystemClock
from tests.guarded import Bench, heard, prompt, segment, vectors, window, written
from tests.scripted_http import Reply, ScriptedServer, chat, embeddings, refused, scripted_server, spoken, verbose

HERE = CallContext(tenant="acme", job_id="job_1", conversation_id="conv_1")
SETTINGS = GuardSettings(
    retry={"base_s": 0.001, "cap_s": 0.01},
    rate={"max_wait_s": 0},
    budget={"per_job": {"tokens": 4000, "audio_seconds": 100}},
)


class World(ABC):
    """A guarded backend that a contract can tell what to do next. `down` and so on are lines of this backend's own script."""

    bench: Bench
    backend: ModelBackend
    down: Any
    rejects: Any
    hangs: Any
    limits: Any
    """Answers 429 with a Retry-After of 90 seconds."""

    @abstractmethod
    def says(self, *lines: Any) -> None:
        """Queue what the backend does on its next calls."""

    @abstractmethod
    def asked(self) -> int:
        """How many attempts have reached the backend."""

    @abstractmethod
    async def run(self, work: Awaitable[Any]) -> Any:
        """Await, moving the time where it has to be moved."""


class ScriptedWorld(World):
    down = ModelUnavailable("down", None)
    rejects = ModelRejected("too long")
    limits = RateLimited("quota", 90.0)

    def __init__(self) -> None:
        self.bench = Bench(MovableClock(), SETTINGS)
        self.script: list[Any] = []
        self.backend = self.scripted = self.bench.backend(otherwise=lambda request: self.script.pop(0))
        self.hangs = Delayed(10_000, vectors())

    def says(self, *lines: Any) -> None:
        self.script.extend(lines)

    def asked(self) -> int:
        return len(self.scripted.asked)

    async def run(self, work: Awaitable[Any]) -> Any:
        return await self.bench.clock.run(work)


class HttpWorld(World):
    down = refused(500)
    rejects = refused(400, "context_length_exceeded")
    hangs = Reply({}, delay_s=30)
    limits = refused(429, retry_after="90")

    def __init__(self, server: ScriptedServer) -> None:
        self.server = server
        self.bench = Bench(SystemClock(), SETTINGS)
        self.backend = OpenAiBackend(server.url, ModelIdentity("tiny", "1", "openai_compatible", "unknown"))

    def says(self, *lines: Any) -> None:
        self.server.then(*lines)

    def asked(self) -> int:
        return len(self.server.received)

    async def run(self, work: Awaitable[Any]) -> Any:
        async with asyncio.timeout(20):
            return await work


class OverScript:
    @pytest.fixture
    def world(self) -> World:
        return ScriptedWorld()


class OverHttp:
    @pytest.fixture
    async def world(self) -> AsyncIterator[World]:
        async with scripted_server() as server:
            world = HttpWorld(server)
            yield world
            await world.backend.close()


class ModelPortContract(ABC):
    """What all three ports promise."""

    valid: Any
    malformed: tuple[Any, ...]

    @abstractmethod
    def ask(self, world: World, context: CallContext = HERE) -> Awaitable[Any]:
        """The same call each time."""

    async def test_an_answer_carries_its_provenance(self, world: World) -> None:
        world.says(self.valid)
        provenance = (await world.run(self.ask(world))).provenance
        assert provenance.model == world.backend.identity
        assert (provenance.cache_hit, provenance.attempts, len(provenance.key), len(provenance.input_sha256)) == (
            False,
            1,
            64,
            64,
        )
        assert provenance.usage.audio_seconds or provenance.usage.input_tokens
        assert provenance.cost_usd >= 0
        assert provenance.parameters

    async def test_the_same_call_again_is_read(self, world: World) -> None:
        world.says(self.valid)
        made, read = await world.run(self.ask(world)), await world.run(self.ask(world))
        assert (read.value, read.provenance.cache_hit, world.asked()) == (made.value, True, 1)

    async def test_a_failure_that_passes_is_not_noticed(self, world: World) -> None:
        world.says(world.down, self.valid)
        assert (await world.run(self.ask(world))).provenance.attempts == 2

    async def test_a_backend_that_stays_down_is_unavailable(self, world: World) -> None:
        world.says(*[world.down] * 4)
        with pytest.raises(ModelUnavailable):
            await world.run(self.ask(world))
        assert world.asked() == 4

    async def test_an_input_that_is_refused_is_rejected_without_a_second_try(self, world: World) -> None:
        world.says(world.rejects)
        with pytest.raises(ModelRejected):
            await world.run(self.ask(world))
        assert world.asked() == 1

    async def test_a_rate_limit_is_passed_on_with_its_time(self, world: World) -> None:
        world.says(world.limits)
        with pytest.raises(RateLimited) as caught:
            await world.run(self.ask(world))
        assert caught.value.retry_after_s == 90
        with pytest.raises(RateLimited):
            await world.run(self.ask(world))
        assert world.asked() == 1

    async def test_an_answer_that_breaks_a_rule_does_not_come_through(self, world: World) -> None:
        for number, line in enumerate(self.malformed, 1):
            world.says(line)
            with pytest.raises(InvalidModelOutput):
                await world.run(self.ask(world))
            assert world.asked() == number, "a deterministic call is not made again"

    async def test_a_deadline_ends_a_call_that_hangs(self, world: World) -> None:
        world.says(world.hangs)
        with pytest.raises(DeadlineExceeded):
            await world.run(self.ask(world, replace(HERE, deadline=world.bench.clock.now() + 0.3)))

    async def test_nothing_is_asked_after_the_deadline(self, world: World) -> None:
        with pytest.raises(DeadlineExceeded):
            await world.run(self.ask(world, replace(HERE, deadline=world.bench.clock.now() - 1)))
        assert world.asked() == 0

    async def test_a_job_that_has_used_up_its_budget_is_told_what_is_left(self, world: World) -> None:
        world.bench = Bench(world.bench.clock, GuardSettings(budget={"per_job": {"tokens": 1, "audio_seconds": 1}}))
        with pytest.raises(BudgetExceeded) as caught:
            await world.run(self.ask(world))
        assert (caught.value.left, world.asked()) == (1, 0)


class TranscriberContract(ModelPortContract):
    silence: Any
    overhang: Any

    def ask(self, world: World, context: CallContext = HERE) -> Awaitable[Any]:
        return world.bench.transcriber(world.backend).transcribe(window(2.0), TranscriptionOptions(), context)

    async def test_segments_are_in_order_inside_the_window_with_words_inside_them(self, world: World) -> None:
        world.says(self.valid)
        recognised = (await world.run(self.ask(world))).value
        assert [part.text for part in recognised.segments] == ["Good morning.", "Good bye."]
        assert [part.id for part in recognised.segments] == [0, 1]
        for part in recognised.segments:
            assert 0 <= part.start <= part.end <= 2.0
            assert all(part.start <= word.start <= word.end <= part.end for word in part.words)
        assert len(recognised.segments[0].words) == 2

    async def test_silence_gives_no_segments(self, world: World) -> None:
        world.says(self.silence)
        assert (await world.run(self.ask(world))).value.segments == ()

    def test_it_names_its_model(self, world: World) -> None:
        assert GuardedTranscriber(world.backend, world.bench.guard).identity == world.backend.identity


class LanguageModelContract(ModelPortContract):
    def ask(self, world: World, context: CallContext = HERE) -> Awaitable[Any]:
        return world.bench.language_model(world.backend).generate(prompt(), context)

    async def test_the_answer_follows_the_schema(self, world: World) -> None:
        world.says(self.valid)
        assert (await world.run(self.ask(world))).value == {"title": "x"}

    async def test_free_text_comes_as_text(self, world: World) -> None:
        world.says(self.free)
        answer = await world.run(world.bench.language_model(world.backend).generate(prompt(schema=None), HERE))
        assert answer.value == {"text": "Hello."}

    def test_it_says_how_much_fits(self, world: World) -> None:
        assert GuardedLanguageModel(world.backend, world.bench.guard, 2048).context_tokens == 2048


class EmbedderContract(ModelPortContract):
    def ask(self, world: World, context: CallContext = HERE) -> Awaitable[Any]:
        return world.bench.embedder(world.backend).embed(["one", "two"], InputType.DOCUMENT, context)

    async def test_one_unit_vector_per_text_in_order(self, world: World) -> None:
        world.says(self.valid)
        value = (await world.run(self.ask(world))).value
        assert value[0] == (1.0, 0.0)
        assert [math.hypot(*row) for row in value] == pytest.approx([1.0, 1.0])

    @pytest.mark.parametrize("count", [0, 9])
    async def test_no_texts_or_too_many_for_one_call_are_refused(self, world: World, count: int) -> None:
        embedder = GuardedEmbedder(world.backend, world.bench.guard, 2, 8)
        assert embedder.dimensions == 2
        with pytest.raises(InvalidRequest):
            await world.run(embedder.embed(["a"] * count, InputType.QUERY, HERE))


WORDS = [{"word": " Good", "start": 0.1, "end": 0.4}, {"word": " morning.", "start": 0.4, "end": 0.9}]


class TestGuardedScriptedTranscriber(OverScript, TranscriberContract):
    valid = heard(segment(words=[{**word, "probability": 0.9} for word in WORDS]), segment(1.0, 2.3, " Good bye."), seconds=2.0)
    silence = heard()
    malformed = (
        heard(segment(0.0, 9.0)),
        heard(segment(text="no " * 99)),
        heard(segment(1.0, 0.5)),
    )


class TestGuardedHttpTranscriber(OverHttp, TranscriberContract):
    valid = verbose(spoken(), spoken(1.0, 2.3, " Good bye."), words=WORDS)
    silence = verbose()
    malformed = (
        verbose(spoken(0.0, 9.0)),
        verbose(spoken(text="no " * 99)),
        verbose(spoken(1.0, 0.5)),
        verbose(spoken(), language="\x00"),
    )


class TestGuardedScriptedLanguageModel(OverScript, LanguageModelContract):
    valid = written('{"title": "x"}')
    free = written("Hello.")
    malformed = (
        written('{"title": "x"', "length"),
        written("{}"),
        written("x"),
        written('{"title": "\\u0000"}'),
    )


class TestGuardedHttpLanguageModel(OverHttp, LanguageModelContract):
    valid = chat('{"title": "x"}')
    free = chat("Hello.")
    malformed = (
        chat('{"title": "x"', "length"),
        chat("{}"),
        chat("x"),
        chat(None),
        chat({"title": "x"}),
        Reply({"choices": 1}),
    )


class TestGuardedScriptedEmbedder(OverScript, EmbedderContract):
    valid = vectors([1.0, 0.0], [0.6, 0.8])
    malformed = (
        vectors([1.0, 0.0]),
        vectors([1.0, 0.0], [1.0]),
        vectors([1.0, 0.0], [math.nan, 1.0]),
    )


class TestGuardedHttpEmbedder(OverHttp, EmbedderContract):
    valid = embeddings([1.0, 0.0], [0.6, 0.8])
    malformed = (
        embeddings([1.0, 0.0]),
        embeddings([1.0, 0.0], [1.0]),
        embeddings([1.0, 0.0], [3.0, 4.0]),
        Reply({"data": 1}),
    )
