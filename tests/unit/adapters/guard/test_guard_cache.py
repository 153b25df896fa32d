"""What is known is read, and a call in flight anywhere is waited for."""

import unicodedata
from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.guard import GuardSettings
from adapters.memory import MemoryCallCache
from adapters.scripted import MovableClock
from domain.call import CallContext, CallKind, CallSpec, ModelIdentity, PromptReference
from domain.errors import CircuitOpen, ModelUnavailable, StorageFailed
from ports.call_cache import Hit, Lookup
from ports.embedder import InputType
from ports.telemetry import CallEvent
from ports.transcriber import TranscriptionOptions
from tests.guarded import Bench, heard, prompt, segment, vectors, window, written

QUERY, DOCUMENT = InputType.QUERY, InputType.DOCUMENT
HERE = CallContext(tenant="acme", job_id="job_1")

words = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=12)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
specs = st.builds(
    CallSpec,
    kind=st.sampled_from(CallKind),
    input_sha256=st.text("0123456789abcdef", min_size=64, max_size=64),
    model=st.builds(ModelIdentity, words, words, words, words),
    parameters=st.dictionaries(words, json_values, max_size=4),
    prompt=st.none() | st.builds(PromptReference, words, words, words),
)


def rewritten(value: object) -> object:
    """The same JSON value in another spelling: other order, other float form, other normal form."""
    if isinstance(value, dict):
        return {unicodedata.normalize("NFD", key): rewritten(item) for key, item in reversed(value.items())}
    if isinstance(value, list):
        return tuple(rewritten(item) for item in value)
    if isinstance(value, str):
        return unicodedata.normalize("NFD", value)
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value


@given(specs)
def test_equal_calls_written_differently_have_one_key(spec: CallSpec) -> None:
    normal = {unicodedata.normalize("NFC", key): value for key, value in spec.parameters.items()}
    assert replace(spec, parameters=rewritten(normal)).key == replace(spec, parameters=normal).key


@given(specs, st.data())
def test_any_single_change_gives_another_key(spec: CallSpec, data: st.DataObject) -> None:
    other = st.text("xyz0", min_size=1, max_size=3)
    suffix = data.draw(other)
    model = data.draw(st.sampled_from(["id", "revision", "engine", "precision"]))
    changes = [
        replace(spec, input_sha256=spec.input_sha256 + suffix),
        replace(spec, kind=next(kind for kind in CallKind if kind is not spec.kind)),
        replace(spec, model=replace(spec.model, **{model: asdict(spec.model)[model] + suffix})),
        replace(spec, parameters={**spec.parameters, "added": suffix}),
    ]
    if spec.prompt is not None:
        name = data.draw(st.sampled_from(["name", "version", "digest"]))
        changes.append(replace(spec, prompt=replace(spec.prompt, **{name: asdict(spec.prompt)[name] + suffix})))
    for changed in changes:
        assert changed.key != spec.key


async def test_a_known_answer_is_read_and_says_so() -> None:
    bench = Bench()
    backend = bench.backend(vectors([0.6, 0.8]))
    embedder = bench.embedder(backend)

    made = await bench.clock.run(embedder.embed(["hello"], QUERY, HERE))
    read = await bench.clock.run(embedder.embed(["hello"], QUERY, replace(HERE, job_id="job_2")))

    assert read.value == made.value
    assert len(backend.asked) == 1
    assert (made.provenance.cache_hit, made.provenance.attempts, made.provenance.usage.input_tokens) == (False, 1, 3)
    assert (read.provenance.cache_hit, read.provenance.attempts, read.provenance.usage.input_tokens) == (True, 0, 0)
    assert read.provenance.key == made.provenance.key == backend.asked[0].meta.key


async def test_every_kind_of_answer_reads_as_it_was_made() -> None:
    bench = Bench()
    word = {"start": 0.1, "end": 0.5, "word": " Good", "probability": 0.7}
    transcriber = bench.transcriber(bench.backend(heard(segment(words=[word]), segment(1.0, 2.0, "Bye."))))
    model = bench.language_model(bench.backend(written('{"title": "Ä", "score": 1.5}')))
    for ask in (
        lambda: transcriber.transcribe(window(), TranscriptionOptions(), HERE),
        lambda: model.generate(prompt(), HERE),
    ):
        made, read = await bench.clock.run(ask()), await bench.clock.run(ask())
        assert (made.value, read.provenance.cache_hit) == (read.value, True)


@pytest.mark.parametrize(
    "change",
    [
        {"digest": "e" * 64},
        {"version": "2"},
        {"text": "Write a headline."},
        {"temperature": 0.1},
        {"schema": None},
    ],
)
async def test_changing_words_version_sampling_or_schema_misses(change: dict) -> None:
    bench = Bench()
    backend = bench.backend(otherwise=written('{"title": "x"}'))
    model = bench.language_model(backend)

    await bench.clock.run(model.generate(prompt(), HERE))
    await bench.clock.run(model.generate(prompt(**change), HERE))

    assert len(backend.asked) == 2


@pytest.mark.parametrize("field", ["id", "revision", "engine", "precision"])
async def test_other_weights_or_another_way_of_running_them_misses(field: str) -> None:
    bench = Bench()
    old = bench.backend(otherwise=vectors())
    new = bench.backend(otherwise=vectors(), identity=replace(old.identity, **{field: "other"}))
    for backend in (old, new):
        await bench.clock.run(bench.embedder(backend).embed(["a"], QUERY, HERE))
    assert (len(old.asked), len(new.asked)) == (1, 1)


async def test_texts_of_another_normal_form_are_the_same_texts() -> None:
    bench = Bench()
    backend = bench.backend(otherwise=vectors())
    for text in ("Zo\u00eb", "Zoe\u0308"):
        await bench.clock.run(bench.embedder(backend).embed([text], QUERY, HERE))
    assert [asked.request.texts for asked in backend.asked] == [("Zo\u00eb",)]


async def test_tenants_never_share_answers() -> None:
    bench = Bench()
    backend = bench.backend(otherwise=vectors())
    for tenant in ("acme", "globex"):
        await bench.clock.run(bench.embedder(backend).embed(["a"], QUERY, replace(HERE, tenant=tenant)))
    assert len(backend.asked) == 2


async def test_a_no_store_job_shares_with_nobody_but_itself() -> None:
    bench = Bench()
    backend = bench.backend(otherwise=vectors())
    secret = replace(HERE, store=False)
    for context in (secret, secret, replace(secret, job_id="job_2"), HERE):
        await bench.clock.run(bench.embedder(backend).embed(["a"], QUERY, context))
    assert len(backend.asked) == 3


async def test_no_store_outside_a_job_keeps_nothing_at_all() -> None:
    bench = Bench()
    backend = bench.backend(otherwise=vectors())
    embedder = bench.embedder(backend)
    context = CallContext(store=False)
    for _ in range(2):
        key = (await bench.clock.run(embedder.embed(["a"], QUERY, context))).provenance.key
    assert len(backend.asked) == 2
    assert await bench.cache.peek(context.cache_scope, [key]) == set()


async def test_an_answer_older_than_the_limit_is_made_again() -> None:
    bench = Bench(settings=GuardSettings(cache={"max_age_s": 60}))
    backend = bench.backend(otherwise=vectors())
    for pause in (0, 59, 2, 1):
        await bench.clock.advance(pause)
        await bench.clock.run(bench.embedder(backend).embed(["a"], QUERY, HERE))
    assert len(backend.asked) == 2


async def test_trimming_holds_the_cache_to_its_size_and_drops_what_was_used_longest_ago() -> None:
    bench = Bench(settings=GuardSettings(cache={"max_bytes": 1600}))
    backend = bench.backend(otherwise=vectors())
    keys = []
    for number in range(5):
        await bench.clock.advance(1)
        keys.append((await bench.clock.run(bench.embedder(backend).embed([str(number)], QUERY, HERE))).provenance.key)
    assert await bench.guard.trim_cache() == 3
    assert await bench.cache.peek(HERE.cache_scope, keys) == set(keys[3:])


async def test_an_answer_over_the_size_limit_is_handed_out_but_not_kept() -> None:
    bench = Bench(settings=GuardSettings(cache={"max_answer_bytes": 10}))
    backend = bench.backend(otherwise=vectors())
    for _ in range(2):
        answer = await bench.clock.run(bench.embedder(backend).embed(["a"], QUERY, HERE))
        assert answer.value == ((1.0, 0.0),)
    assert len(backend.asked) == 2


@pytest.mark.parametrize(
    "damage",
    [
        lambda row: None,
        lambda row: "text",
        lambda row: {**row, "format": 99},
        lambda row: {**row, "provenance": {"key": 1}},
        lambda row: {**row, "provenance": {**row["provenance"], "key": "0" * 64}},
        lambda row: {**row, "value": {"float32": "!!", "dimensions": 2}},
        lambda row: {**row, "value": {"float32": "AAAA", "dimensions": 2}},
        lambda row: {**row, "value": {"float32": "AAAAAAAAAAA=", "dimensions": 2}},
        lambda row: {**row, "stored_at": "yesterday"},
    ],
)
async def test_a_damaged_row_counts_as_a_miss_and_is_replaced(damage) -> None:
    bench = Bench()
    backend = bench.backend(otherwise=vectors())
    embedder = bench.embedder(backend)
    key = (await bench.clock.run(embedder.embed(["a"], QUERY, HERE))).provenance.key
    stored = await bench.cache.begin(HERE.cache_scope, key, "test", 1, None)
    await bench.cache.discard(HERE.cache_scope, key)
    claim = await bench.cache.begin(HERE.cache_scope, key, "test", 1, None)
    await bench.cache.put(HERE.cache_scope, key, "test", claim.fence, damage(stored.answer), None)

    again = await bench.clock.run(embedder.embed(["a"], QUERY, HERE))
    third = await bench.clock.run(embedder.embed(["a"], QUERY, HERE))

    assert (again.value, again.provenance.cache_hit, third.provenance.cache_hit) == (((1.0, 0.0),), False, True)
    assert len(backend.asked) == 2
    assert CallEvent.CACHE_UNREADABLE in bench.telemetry.spans[1].events


class FailingStore(MemoryCallCache):
    """Fails in one verb."""

    def __init__(self, clock: MovableClock, verb: str) -> None:
        super().__init__(clock)
        self.verb = verb

    async def begin(self, *arguments) -> Lookup:
        if self.verb == "begin":
            raise StorageFailed("down")
        return await super().begin(*arguments)

    async def put(self, *arguments) -> bool:
        if self.verb == "put":
            raise StorageFailed("down")
        return await super().put(*arguments)

    async def discard(self, *arguments) -> None:
        if self.verb != "discard":
            await super().discard(*arguments)


async def test_a_store_that_can_not_be_read_fails_the_call_before_it_costs() -> None:
    clock = MovableClock()
    bench = Bench(clock, cache=FailingStore(clock, "begin"))
    backend = bench.backend(vectors())
    with pytest.raises(StorageFailed):
        await clock.run(bench.embedder(backend).embed(["a"], QUERY, HERE))
    assert backend.asked == []


async def test_a_store_that_can_not_be_written_does_not_lose_a_paid_answer() -> None:
    clock = MovableClock()
    bench = Bench(clock, cache=FailingStore(clock, "put"))
    answer = await clock.run(bench.embedder(bench.backend(vectors())).embed(["a"], QUERY, HERE))
    assert answer.value == ((1.0, 0.0),)
    assert bench.telemetry.spans[0].events == [CallEvent.CACHE_WRITE_FAILED]


async def test_a_damaged_row_that_stays_is_an_error_and_not_an_endless_loop() -> None:
    clock = MovableClock()
    cache = FailingStore(clock, "discard")
    bench = Bench(clock, cache=cache)
    embedder = bench.embedder(bench.backend(otherwise=vectors()))
    key = (await clock.run(embedder.embed(["a"], QUERY, HERE))).provenance.key
    assert isinstance(await cache.begin(HERE.cache_scope, key, "x", 1, None), Hit)
    await clock.advance(bench.settings.cache.max_age_s + 1)
    with pytest.raises(StorageFailed):
        await clock.run(embedder.embed(["a"], QUERY, HERE))


async def test_the_open_circuit_of_one_caller_is_not_kept_as_an_answer() -> None:
    bench = Bench(settings=GuardSettings(breaker={"min_failures": 1}, retry={"max_tries": 1}))
    backend = bench.backend(ModelUnavailable("down", None), vectors())
    embedder = bench.embedder(backend)
    for expected in (ModelUnavailable, CircuitOpen):
        with pytest.raises(expected):
            await bench.clock.run(embedder.embed(["a"], DOCUMENT, HERE))
    await bench.clock.advance(10)
    assert (await bench.clock.run(embedder.embed(["a"], DOCUMENT, HERE))).provenance.attempts == 1
