"""Estimates: the estimated calls are the calls that a job then makes, and looking costs nothing."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

import prompts
from adapters.guard import DEFAULT_PRICES, GuardSettings
from adapters.guard.prices import Price, Prices
from adapters.sql import SqlStore
from application.diarise.find_speakers import DiarizationSettings, FindSpeakers, planned
from application.dry_run import fixed_tokens
from application.estimate_inputs import Conversation, Length, Recording, Texts, default_stages
from application.estimate_request import JOB_S, KINDS, EstimateRequest, Slots
from application.estimated_recap import TOKENS_PER_SPOKEN_WORD
from application.known_transcripts import KnownTranscripts
from application.pricing import Judged, Pricing
from application.recap.settings import RecapSettings
from application.speakers.asked import SpeakersAsked
from application.transcribe_audio import TranscribeAudio
from domain.call import CallContext, CallKind, Usage
from domain.errors import InvalidRequest, RateLimited, WordloopError
from domain.estimate import Estimate, Stage
from domain.named_speakers import ToldBy
from domain.rate import EngineRate
from domain.speakers import SpeakerCount
from domain.transcript import Segment, Transcript
from ports.embedder import InputType
from ports.results import Ownership
from ports.transcriber import TranscriptionOptions
from tests.estimating import RATES, WHISPER, PlainDecoder, ScriptedModels, sound
from tests.guarded import Bench

CONTEXT = CallContext(tenant="t", conversation_id="conversation_1")
LOOKING = CallContext(tenant="t")
ALL = frozenset(Stage)
FIVE_WINDOWS = tuple((probability, seconds) for _ in range(5) for probability, seconds in ((0.9, 20.0), (0.0, 10.0)))


class World:
    """A service with scripted models, a recording, and the estimate over both."""

    def __init__(self, folder: Path, parts: Sequence[tuple[float, float]] = FIVE_WINDOWS, doubtful: Sequence[int] = ()) -> None:
        self.bench = Bench(settings=GuardSettings(budget={"per_tenant": {"tokens": 1e6}}))
        self.store = SqlStore.open("sqlite://", self.bench.clock)
        self.known = KnownTranscripts(self.bench.cache, self.store.results, {}, "w")
        self.models = ScriptedModels(self.bench.guard, self.bench.clock, self.known)
        self.source = folder / "recording.raw"
        self.detector = sound(self.source, *parts, doubtful=doubtful)
        self.work = folder / "work"
        self.work.mkdir()
        self.estimate: EstimateRequest = self.models.estimate(PlainDecoder(), self.detector, self.work)

    async def look(self, language: str | None = "en", stages: frozenset[Stage] = ALL) -> Estimate:
        return await self.estimate(Recording(self.source, language), stages, LOOKING)

    async def transcribe(self, language: str | None = "en") -> Transcript:
        audio = await PlainDecoder().decode(self.source, self.work / "job.pcm", 3600)
        options = TranscriptionOptions(language=language)
        transcribe = TranscribeAudio(self.models.transcriber, self.detector)
        transcript = await transcribe("transcript_1", audio, options, CONTEXT, quiet)
        (self.work / "job.pcm").unlink()
        return transcript

    async def recap(self, segments: Sequence[Segment]) -> None:
        await self.models.make_recap()("recap_1", "transcript_1", segments, "en", prompts.template("general"), CONTEXT, still)

    async def run_job(self, language: str | None = "en") -> None:
        await self.recap((await self.transcribe(language)).segments)


async def quiet(_done: int, _total: int, _fresh: Sequence[Segment]) -> None: ...


async def still(_fraction: float) -> None: ...


def calls(estimate: Estimate) -> dict[str, tuple[int, int]]:
    return {stage.value: (found.calls, found.cached_calls) for stage, found in estimate.stages.items()}


async def test_a_new_recording_is_known_by_its_windows_and_no_model_runs(tmp_path: Path) -> None:
    world = World(tmp_path)

    found = await world.look(stages=frozenset({Stage.TRANSCRIPTION}))

    assert calls(found) == {"transcription": (5, 0)}
    assert found.exact
    assert (found.audio_seconds, found.speech_seconds) == (pytest.approx(150, abs=1), pytest.approx(100, abs=1))
    assert found.total.seconds == pytest.approx(JOB_S + 0.1 * found.total.audio_seconds)
    assert set(world.models.asked.values()) == {0}
    assert list(world.work.iterdir()) == []


async def test_speakers_are_known_by_their_windows_and_read_after_they_were_found(tmp_path: Path) -> None:
    world, settings = World(tmp_path), DiarizationSettings()
    looking = world.models.estimate(PlainDecoder(), world.detector, world.work, settings)
    audio = await PlainDecoder().decode(world.source, tmp_path / "job.pcm", 3600)
    windows = planned(audio.seconds, settings)
    hearing = {Stage.TRANSCRIPTION, Stage.SPEAKERS}

    before = await looking(Recording(world.source, "en"), frozenset(hearing), LOOKING)
    asked = len(world.models.listener.asked)
    await FindSpeakers(world.models.diarizer, settings)(audio, SpeakerCount(), CONTEXT, uncounted)
    after = await looking(Recording(world.source, "en"), frozenset({Stage.TRANSCRIPTION}), LOOKING)

    # Windows of the same silence are the same call.
    made = len(world.models.listener.asked)
    assert (asked, before.stages[Stage.SPEAKERS].calls, before.exact) == (0, made, True)
    assert 1 < made <= len(windows)
    assert before.stages[Stage.SPEAKERS].seconds == pytest.approx(before.stages[Stage.SPEAKERS].audio_seconds / 20)
    assert calls(after)["speakers"] == (made, made)
    assert set(before.stages) == set(after.stages) == hearing


@pytest.mark.parametrize(
    "said",
    [SpeakersAsked(False), SpeakersAsked(True, SpeakerCount(1, 1)), SpeakersAsked(True, told_by=ToldBy.CHANNEL)],
    ids=["none wanted", "one", "by channel"],
)
async def test_nobody_pays_for_listening_to_voices_that_the_job_would_not_listen_to(tmp_path: Path, said: SpeakersAsked) -> None:
    world = World(tmp_path)
    looking = world.models.estimate(PlainDecoder(), world.detector, world.work, DiarizationSettings())

    found = await looking(Recording(world.source, "en", speakers=said), frozenset({Stage.TRANSCRIPTION}), LOOKING)

    assert set(found.stages) == {Stage.TRANSCRIPTION}


async def test_speakers_of_a_length_are_its_windows(tmp_path: Path) -> None:
    world = World(tmp_path)
    looking = world.models.estimate(PlainDecoder(), world.detector, world.work, DiarizationSettings())

    found = await looking(Length(60.0), frozenset({Stage.TRANSCRIPTION}), LOOKING)

    assert calls(found)["speakers"] == (11, 0)
    assert found.stages[Stage.SPEAKERS].audio_seconds == pytest.approx(110.0)
    assert "speakers" not in calls(await world.estimate(Length(60.0), frozenset({Stage.TRANSCRIPTION}), LOOKING))


@pytest.mark.parametrize("asked", [{"recognise": True}, {"names": ("Ana",), "remember": ("Ana",)}], ids=["recognise", "remember"])
async def test_voices_that_are_kept_or_compared_are_listened_to_and_paid_for_also_for_one_speaker(
    tmp_path: Path, asked: dict[str, object]
) -> None:
    world = World(tmp_path)
    looking = world.models.estimate(PlainDecoder(), world.detector, world.work, DiarizationSettings())
    recording = Recording(world.source, "en", speakers=SpeakersAsked(True, SpeakerCount(1, 1), **asked))  # type: ignore[arg-type]
    estimate = await looking(recording, frozenset({Stage.TRANSCRIPTION, Stage.SPEAKERS}), CONTEXT)

    assert estimate.stages[Stage.SPEAKERS].calls > 0


async def uncounted(_done: int, _total: int) -> None: ...


@pytest.mark.parametrize("language", ["en", None])
async def test_after_the_job_every_call_is_known_and_costs_nothing(tmp_path: Path, language: str | None) -> None:
    world = World(tmp_path)
    await world.run_job(language)
    made = world.models.asked

    found = await world.look(language)

    assert found.exact
    assert calls(found) == {
        "transcription": (made[CallKind.TRANSCRIBE],) * 2,
        "recap": (made[CallKind.GENERATE],) * 2,
        "embedding": (made[CallKind.EMBED],) * 2,
        "finding": (made[CallKind.FIND],) * 2,
        "checking": (made[CallKind.ENTAIL],) * 2,
    }
    assert made[CallKind.GENERATE] > 1
    assert (found.total.cost_usd, found.total.seconds, found.total.input_tokens, found.total.output_tokens) == (0, JOB_S, 0, 0)
    assert world.models.asked == made


async def test_a_transcript_that_the_job_will_find_by_its_bytes_is_not_looked_for_window_by_window(tmp_path: Path) -> None:
    world = World(tmp_path)
    transcript = await world.transcribe()
    await world.store.results.put_transcript(Ownership("t", "conversation_1"), transcript)
    blob_id = hashlib.sha256(world.source.read_bytes()).hexdigest()
    await world.known.note(blob_id, TranscriptionOptions(language="en"), CONTEXT, transcript)
    await world.bench.cache.discard(LOOKING.cache_scope, transcript.provenance[0].key)  # one window's answer was evicted

    found = await world.look()

    assert found.stages[Stage.TRANSCRIPTION].seconds == 0
    assert calls(found)["transcription"] == (5, 5)
    assert found.stages[Stage.RECAP].output_tokens > 0
    assert found.audio_seconds == transcript.duration


async def test_only_the_first_call_of_a_prompt_reads_what_all_have_in_common(tmp_path: Path) -> None:
    world = World(tmp_path)
    segments = (await world.transcribe()).segments
    world.models.rates.told[CallKind.GENERATE] = EngineRate(1.0, 1e9)

    found = (await world.estimate(Conversation(segments, "en"), default_stages(Conversation), LOOKING)).stages[Stage.RECAP]

    await world.recap(segments)
    chapters = sum(asked.request.messages[-1][1].startswith("<lines>") for asked in world.models.writer.asked)
    shared = fixed_tokens(prompts.load("write_chapter").messages[:-1])
    assert chapters > 1
    assert found.seconds == pytest.approx(found.input_tokens - (chapters - 1) * shared)


async def test_a_model_whose_rate_nobody_measured_leaves_the_time_unknown(tmp_path: Path) -> None:
    world = World(tmp_path)
    del world.models.rates.told[CallKind.GENERATE]

    found = await world.look()

    assert (found.stages[Stage.RECAP].seconds, found.total.seconds) == (None, None)
    assert found.stages[Stage.TRANSCRIPTION].seconds is not None


async def test_a_model_that_sleeps_takes_its_time_to_wake_unless_nothing_is_asked_of_it(tmp_path: Path) -> None:
    world = World(tmp_path)
    awake = await world.look()
    rates = world.models.rates
    rates.told[CallKind.TRANSCRIBE] = replace(rates.told[CallKind.TRANSCRIBE], loads_s=40.0)
    rates.asleep.add(CallKind.TRANSCRIBE)

    asleep = await world.look()
    assert awake.stages[Stage.TRANSCRIPTION].seconds is not None
    assert asleep.stages[Stage.TRANSCRIPTION].seconds == pytest.approx(awake.stages[Stage.TRANSCRIPTION].seconds + 40.0)
    assert asleep.stages[Stage.RECAP].seconds == awake.stages[Stage.RECAP].seconds
    await world.transcribe()
    assert (await world.look()).stages[Stage.TRANSCRIPTION].seconds == 0, "the cache answers"


async def test_windows_that_are_heard_twice_are_foreseen_when_their_languages_are_known(tmp_path: Path) -> None:
    world = World(tmp_path, doubtful=(8,))
    await world.transcribe(None)
    assert world.models.asked[CallKind.TRANSCRIBE] == 6

    found = await world.look(None, frozenset({Stage.TRANSCRIPTION}))

    assert (calls(found), found.exact) == ({"transcription": (6, 6)}, True)


async def test_a_recording_of_unknown_language_is_counted_once_per_window_and_is_not_exact(tmp_path: Path) -> None:
    world = World(tmp_path, doubtful=(0, 8))

    found = await world.look(None, frozenset({Stage.TRANSCRIPTION}))

    assert (calls(found), found.exact) == ({"transcription": (5, 0)}, False)
    assert any("second time" in words for words in found.basis)


async def test_what_an_earlier_recording_shared_is_counted_as_cached(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.transcribe()
    longer = sound(world.source, *FIVE_WINDOWS, (0.9, 20.0), (0.0, 10.0))
    estimate = world.models.estimate(PlainDecoder(), longer, world.work)

    found = await estimate(Recording(world.source, "en"), ALL, LOOKING)

    transcription = found.stages[Stage.TRANSCRIPTION]
    assert transcription.calls == 6
    assert transcription.cached_calls in (4, 5)  # the last window of the shorter recording ends in other silence
    assert transcription.audio_seconds < 60
    assert not found.exact


async def test_the_recap_of_words_nobody_has_heard_is_judged_close_to_what_it_then_takes(tmp_path: Path) -> None:
    world = World(tmp_path)
    guessed = await world.look()
    await world.run_job()

    kinds = {stage: kind for stage, kind in KINDS.items() if stage not in (Stage.TRANSCRIPTION, Stage.SPEAKERS)}
    for stage, kind in kinds.items():
        assert abs(guessed.stages[stage].calls - world.models.asked[kind]) <= 2
        assert guessed.stages[stage].cached_calls == 0
    assert not guessed.exact


async def test_a_transcript_that_was_never_recapped_is_planned_with_stand_ins(tmp_path: Path) -> None:
    world = World(tmp_path)
    segments = (await world.transcribe()).segments
    asked = Conversation(segments, "en")
    guessed = await world.estimate(asked, default_stages(Conversation), LOOKING)
    await world.recap(segments)
    known = await world.estimate(asked, default_stages(Conversation), LOOKING)

    assert (guessed.exact, known.exact) == (False, True)
    assert abs(guessed.total.calls - known.total.calls) <= 1
    assert guessed.stages[Stage.RECAP].output_tokens > 0
    assert (known.total.calls, known.total.cached_calls) == (known.total.calls,) * 2


async def test_looking_leaves_no_use_and_no_reservation_behind(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.run_job()
    left = await world.bench.guard.budget_left("t")

    await world.look()

    assert await world.bench.guard.budget_left("t") == left
    assert await world.bench.cache.forget_conversation("tenant:t", "conversation_1") == sum(world.models.asked.values())


async def test_another_tenant_and_a_request_without_storage_see_nothing_cached(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.run_job()

    for context in (CallContext(tenant="other"), CallContext(tenant="t", store=False)):
        found = await world.estimate(Recording(world.source, "en"), ALL, context)
        assert found.total.cached_calls == 0


async def test_answers_too_old_to_be_served_count_as_not_cached(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.transcribe()
    await world.bench.clock.advance(31 * 86_400)

    assert calls(await world.look(stages=frozenset({Stage.TRANSCRIPTION}))) == {"transcription": (5, 0)}


async def test_texts_are_counted_by_groups_and_a_group_asked_twice_once(tmp_path: Path) -> None:
    world = World(tmp_path)
    texts = [f"text {n}" for n in range(70)]
    await world.models.embedder.embed(texts[:64], InputType.DOCUMENT, CONTEXT)

    found = await world.estimate(Texts(texts), default_stages(Texts), LOOKING)
    twice = await world.estimate(Texts(texts[:64] * 2), default_stages(Texts), LOOKING)

    assert (calls(found), found.exact) == ({"embedding": (2, 1)}, True)
    assert found.total.input_tokens < 70
    assert calls(twice) == {"embedding": (1, 1)}


async def test_a_length_alone_is_judged_as_talk_in_full_windows(tmp_path: Path) -> None:
    found = await World(tmp_path).estimate(Length(600.0), ALL, LOOKING)

    assert found.stages[Stage.TRANSCRIPTION].calls == 20
    assert found.stages[Stage.RECAP].calls == 5  # four chapters and the summary; items are quoted
    finding, tokens = found.stages[Stage.FINDING], 1500 * TOKENS_PER_SPOKEN_WORD
    assert finding.calls == 2  # stretches of 1,536 tokens
    assert finding.input_tokens == tokens + 2 * RecapSettings().margin_tokens
    assert finding.seconds == pytest.approx(finding.input_tokens / RATES[CallKind.FIND].input_per_s)
    assert (found.exact, found.audio_seconds) == (False, 600)


async def test_silence_takes_nothing(tmp_path: Path) -> None:
    world = World(tmp_path, parts=((0.0, 60.0),))

    found = await world.look()

    assert (found.total.calls, found.speech_seconds, found.exact) == (0, 0, True)


async def test_a_recording_that_can_not_be_decoded_leaves_nothing(tmp_path: Path) -> None:
    world = World(tmp_path)
    with pytest.raises(FileNotFoundError):
        await world.estimate(Recording(tmp_path / "nothing"), ALL, LOOKING)
    assert list(world.work.iterdir()) == []


IMPOSSIBLE = [
    (Length(1.0), {Stage.RECAP}),
    (Length(1.0), {Stage.TRANSCRIPTION, Stage.EMBEDDING}),
    (Length(1.0), {Stage.TRANSCRIPTION, Stage.FINDING}),
    (Conversation((), "en"), {Stage.TRANSCRIPTION, Stage.RECAP}),
    (Conversation((), "en"), {Stage.EMBEDDING}),
    (Texts(("a",)), {Stage.RECAP}),
]


@pytest.mark.parametrize(("asked", "stages"), IMPOSSIBLE)
async def test_stages_that_no_request_has_are_refused(tmp_path: Path, asked: object, stages: set[Stage]) -> None:
    with pytest.raises(InvalidRequest):
        await World(tmp_path).estimate(asked, frozenset(stages), LOOKING)


def test_a_third_estimate_at_once_is_refused_and_a_place_comes_back_after_a_failure() -> None:
    places = Slots(2, 5.0)
    with places.taken(), places.taken(), pytest.raises(RateLimited) as refused, places.taken():
        pass
    assert refused.value.retry_after_s == 5
    for _ in range(3):
        with pytest.raises(WordloopError), places.taken():
            raise InvalidRequest("no")


def test_a_provider_is_billed_by_use_a_replica_by_time_and_the_unknown_not_at_all() -> None:
    judged = Judged(16, Usage(input_tokens=1_000_000, output_tokens=8_000))
    prices = Prices(otherwise=Price(input_million_tokens=3.0, replica_second=0.01))

    rate = RATES[CallKind.GENERATE]

    provider = Pricing(prices, {}, frozenset({CallKind.GENERATE})).of(CallKind.GENERATE, WHISPER, [], judged, None)
    replica = Pricing(prices).of(CallKind.GENERATE, WHISPER, [], judged, rate)
    unknown = Pricing(DEFAULT_PRICES).of(CallKind.GENERATE, WHISPER, [], judged, None)

    assert (provider.cost_usd, provider.seconds) == (3.0, None)
    assert (replica.cost_usd, replica.seconds) == (pytest.approx(3.0 + 8_000 * 0.25 * 0.01), pytest.approx(2_000, abs=0.01))
    assert (unknown.cost_usd, unknown.seconds) == (None, None)
