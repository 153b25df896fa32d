"""What every guarded model port promises, whoever answers behind it: one contract per port, inherited per backend."""

import asyncio
import math
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable
from dataclasses import replace
from typing import Any

import pytest

from adapters.guard import GuardedEmbedder, GuardedItemFinder, GuardedLanguageModel, GuardedTranscriber, GuardSettings
from adapters.guard.models import MOST_CLAIMS, MOST_LINES
from adapters.openai_compatible import OpenAiBackend
from adapters.scripted import Delayed, MovableClock, ScriptedDiarizer, ScriptedItemFinder, found_by, listened, stretches
from domain.audio import SAMPLE_RATE
from domain.call import CallContext, CallKind, ModelIdentity
from domain.entailment import Claim
from domain.errors import (
    BudgetExceeded,
    DeadlineExceeded,
    InvalidModelOutput,
    InvalidRequest,
    ModelRejected,
    ModelUnavailable,
    RateLimited,
)
from domain.finding import NOTHING_FOUND, Line, LineReading, Span
from domain.speakers import Stretch
from ports.diarizer import LONGEST_WINDOW_S, Diarizer
from ports.embedder import InputType
from ports.item_finder import ItemFinder
from ports.model_backend import ModelBackend
from ports.transcriber import TranscriptionOptions
from serve_app.composition.clock import SystemClock
from tests.guarded import Bench, heard, judged, prompt, read, reading, segment, vectors, window, written
from tests.scripted_http import Reply, ScriptedServer, chat, embeddings, refused, scripted_server, spoken, verbose


def sound(seconds: float, sample: bytes = b"\x01\x00") -> bytes:
    return sample * round(seconds * SAMPLE_RATE)


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
    """What all model ports promise."""

    valid: Any
    malformed: tuple[Any, ...]
    takes_parameters = True

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
        assert bool(provenance.parameters) is self.takes_parameters

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
            await world.bench.cache.forget_scope(HERE.cache_scope)  # or the refusal would be remembered

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


class ReadsLines(ABC):
    """What every item finder promises, guarded or not. `line_by_line` finds a decision in what begins with "We"."""

    @abstractmethod
    def line_by_line(self) -> tuple[ItemFinder, MovableClock]: ...

    async def test_one_reading_per_line_in_order(self) -> None:
        finder, clock = self.line_by_line()
        lines = [Line("Ann", "We go."), Line(None, ""), Line("Bo", "Fine."), Line("Ann", "We stay.")]
        answer = await clock.run(finder.find(lines, HERE))
        assert [found.decision for found in answer.value] == [0.9, 0.0, 0.0, 0.9]
        assert answer.provenance.kind is CallKind.FIND

    async def test_who_speaks_is_part_of_the_input(self) -> None:
        finder, clock = self.line_by_line()
        spoken = [Line("Ann", "We go."), Line("Bo", "We go."), Line(None, "We go.")]
        made = [await clock.run(finder.find([line], HERE)) for line in spoken]
        assert len({answer.provenance.key for answer in made}) == 3

    def test_it_says_how_much_one_call_should_read(self) -> None:
        assert self.line_by_line()[0].stretch_tokens == 1536


def decided(line: Line) -> LineReading:
    return replace(NOTHING_FOUND, decision=0.9) if line.text.startswith("We") else NOTHING_FOUND


class TestScriptedItemFinder(ReadsLines):
    def line_by_line(self) -> tuple[ItemFinder, MovableClock]:
        return ScriptedItemFinder(decided), MovableClock()


class TestGuardedLines(ReadsLines):
    def line_by_line(self) -> tuple[ItemFinder, MovableClock]:
        bench = Bench(clock := MovableClock())
        return bench.item_finder(bench.backend(otherwise=found_by(decided))), clock


class ItemFinderContract(ModelPortContract):
    takes_parameters = False

    def ask(self, world: World, context: CallContext = HERE) -> Awaitable[Any]:
        lines = [Line("Ann", "Bo sends it on Friday."), Line(None, "Good.")]
        return world.bench.item_finder(world.backend).find(lines, context)

    async def test_probabilities_and_spans_come_through(self, world: World) -> None:
        world.says(self.valid)
        first, second = (await world.run(self.ask(world))).value
        assert first == LineReading(0.9, 0.1, 0.0, 1.0, 0.0, 0.5, Span(0, 2, 0.8), Span(12, 21, 1.0))
        assert (second.owner, second.due) == (None, None)

    async def test_spans_are_in_characters_of_the_text_that_was_given(self, world: World) -> None:
        """The same words in another spelling are the same call, whose answer then lies elsewhere in the text."""
        composed, apart = "Zoë fährt am Montag.", unicodedata.normalize("NFD", "Zoë fährt am Montag.")
        world.says(read(reading(owner=[0, 3, 0.9], due=[13, 19, 0.9])))
        finder = world.bench.item_finder(world.backend)
        for text in (composed, apart):
            found = (await world.run(finder.find([Line(None, text)], HERE))).value[0]
            words = [text[span.start : span.end] for span in (found.owner, found.due)]
            assert [unicodedata.normalize("NFC", word) for word in words] == ["Zoë", "Montag"]
        assert world.asked() == 1

    @pytest.mark.parametrize("count", [0, MOST_LINES + 1])
    async def test_no_lines_or_too_many_for_one_call_are_refused(self, world: World, count: int) -> None:
        with pytest.raises(InvalidRequest):
            await world.run(world.bench.item_finder(world.backend).find([Line(None, "a")] * count, HERE))

    def test_it_names_its_model(self, world: World) -> None:
        finder = GuardedItemFinder(world.backend, world.bench.guard, 512)
        assert (finder.identity, finder.stretch_tokens) == (world.backend.identity, 512)


class EntailmentJudgeContract(ModelPortContract):
    takes_parameters = False

    def ask(self, world: World, context: CallContext = HERE) -> Awaitable[Any]:
        said = (Line("Ann", "Bo sends it on Friday."), Line(None, "Good."))
        return world.bench.entailment(world.backend).judge([Claim(said, "Bo sends it."), Claim(said, "Ann sends it.")], context)

    async def test_each_claim_has_its_probability_in_order(self, world: World) -> None:
        world.says(self.valid)
        answer = await world.run(self.ask(world))
        assert (answer.value, answer.provenance.kind) == ((0.9, 0.2), CallKind.ENTAIL)

    async def test_premise_speaker_and_text_are_the_input(self, world: World) -> None:
        judge = world.bench.entailment(world.backend)
        claims = [
            Claim((Line("Ann", "We go."),), "They go."),
            Claim((Line("Bo", "We go."),), "They go."),
            Claim((Line("Ann", "We stay."),), "They go."),
            Claim((Line("Ann", "We go."), Line(None, "They go.")), "They go."),
            Claim((Line("Ann", "We go."),), "They stay."),
        ]
        keys = {judge.call([claim], HERE).spec.key for claim in claims}
        assert len(keys) == len(claims)

    @pytest.mark.parametrize("count", [0, MOST_CLAIMS + 1])
    async def test_no_claims_or_too_many_for_one_call_are_refused(self, world: World, count: int) -> None:
        with pytest.raises(InvalidRequest):
            await world.run(world.bench.entailment(world.backend).judge([Claim((), "a")] * count, HERE))


class HearsSpeakers(ABC):
    """What every diarizer promises, doubles included, where this one hears one speaker in all that is not silent."""

    @abstractmethod
    def listener(self) -> tuple[Diarizer, MovableClock]: ...

    async def test_each_window_is_heard_by_itself_and_is_its_own_call(self) -> None:
        diarizer, clock = self.listener()
        quiet, loud = [await clock.run(diarizer.listen(sound(2.0, sample), HERE)) for sample in (b"\0\0", b"\x01\x00")]
        assert (quiet.value, loud.value) == ((), (Stretch(0.0, 1.0, 0, (1.0, 0.0), 1.0),))
        assert quiet.provenance.key != loud.provenance.key
        assert loud.provenance.kind is CallKind.DIARIZE


def one_in_sound(pcm: bytes) -> tuple[Stretch, ...]:
    return (Stretch(0.0, 1.0, 0, (1.0, 0.0), 1.0),) if any(pcm) else ()


class TestScriptedDiarizer(HearsSpeakers):
    def listener(self) -> tuple[Diarizer, MovableClock]:
        return ScriptedDiarizer(one_in_sound), MovableClock()


class TestGuardedListening(HearsSpeakers):
    def listener(self) -> tuple[Diarizer, MovableClock]:
        bench = Bench(clock := MovableClock())
        return bench.diarizer(bench.backend(otherwise=listened(one_in_sound))), clock


class DiarizerContract(ModelPortContract):
    takes_parameters = False

    def ask(self, world: World, context: CallContext = HERE) -> Awaitable[Any]:
        return world.bench.diarizer(world.backend).listen(sound(2.0), context)

    async def test_stretches_come_in_order_and_the_same_from_the_cache(self, world: World) -> None:
        world.says(self.valid)
        made, read_again = [await world.run(self.ask(world)) for _ in range(2)]
        assert [(each.start, each.end, each.speaker, each.voice_seconds) for each in made.value] == [
            (0.0, 0.9, 1, 0.9),
            (0.5, 2.0, 0, 1.1),
            (1.5, 1.75, 1, 0.0),
        ]
        assert made.value == read_again.value
        assert (made.provenance.kind, read_again.provenance.cache_hit) == (CallKind.DIARIZE, True)

    async def test_silence_has_no_stretches(self, world: World) -> None:
        world.says(stretches())
        assert (await world.run(self.ask(world))).value == ()

    async def test_the_sound_is_the_input(self, world: World) -> None:
        diarizer = world.bench.diarizer(world.backend)
        keys = {diarizer.call(pcm, HERE).spec.key for pcm in (sound(2.0), sound(2.0, b"\x02\x00"), sound(1.0))}
        assert len(keys) == 3

    @pytest.mark.parametrize("seconds", [0.0, LONGEST_WINDOW_S + 1 / SAMPLE_RATE])
    async def test_no_sound_or_too_much_for_one_call_is_refused(self, world: World, seconds: float) -> None:
        with pytest.raises(InvalidRequest):
            await world.run(world.bench.diarizer(world.backend).listen(sound(seconds), HERE))


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


class TestGuardedScriptedItemFinder(OverScript, ItemFinderContract):
    valid = read(reading(owner=[0, 2, 0.8], due=(12, 21, 1)), reading(0.0))
    malformed = (
        read(reading()),
        read(reading(), reading(1.5)),
        read(reading(), reading(math.nan)),
        read(reading(owner=[0, 23, 0.9]), reading()),
        read(reading(), reading(due=[3, 3, 0.9])),
    )


class TestGuardedScriptedEntailmentJudge(OverScript, EntailmentJudgeContract):
    valid = judged(0.9, 0.2)
    malformed = (judged(0.9), judged(0.9, 1.5), judged(0.9, math.nan), judged(0.9, None), judged())


LOW, HIGH = (1.0, 0.0), (0.6, 0.8)
AT_ONCE = (Stretch(0.5, 2.0, 0, LOW, 1.1), Stretch(0.0, 0.9, 1, HIGH, 0.9), Stretch(1.5, 1.75, 1))


class TestGuardedScriptedDiarizer(OverScript, DiarizerContract):
    valid = stretches(*AT_ONCE)
    malformed = (
        stretches(Stretch(0.5, 2.1, 0)),
        stretches(Stretch(1.0, 0.5, 0)),
        stretches(Stretch(-0.1, 0.5, 0)),
        stretches(Stretch(0.0, 1.0, -1)),
        stretches(Stretch(0.0, 1.0, 99)),
        stretches(Stretch(0.0, math.nan, 0)),
        stretches(Stretch(0.0, 1.0, 0), Stretch(0.9, 1.5, 0)),
        stretches(Stretch(0.0, 1.0, 0, (1.0, 1.0), 1.0)),
        stretches(Stretch(0.0, 1.0, 0, (math.nan, 1.0), 1.0)),
        stretches(Stretch(0.0, 1.0, 0, LOW, 0.0)),
        stretches(Stretch(0.0, 1.0, 0, (), 0.5)),
        stretches(Stretch(0.0, 1.0, 0, LOW, 9.0)),
        stretches(Stretch(0.0, 1.0, 0, LOW, 1.0), Stretch(1.0, 2.0, 0, (1.0,), 1.0)),
        stretches(*[Stretch(0.0, 0.0, 0)] * 1001),
    )


class TestGuardedHttpEmbedder(OverHttp, EmbedderContract):
    valid = embeddings([1.0, 0.0], [0.6, 0.8])
    malformed = (
        embeddings([1.0, 0.0]),
        embeddings([1.0, 0.0], [1.0]),
        embeddings([1.0, 0.0], [3.0, 4.0]),
        Reply({"data": 1}),
    )
