"""The promises of VoiceProfiles, in memory and on every database."""

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

import adapters.memory.voice_profiles
import adapters.sql.voice_profiles
from adapters.memory import MemoryVoiceProfiles
from adapters.scripted.clock import MovableClock
from adapters.sql import SqlStore
from domain.errors import InvalidRequest, NotFound
from domain.speakers import SpokenVoice
from domain.voice_profiles import VoiceModel
from ports.voice_profiles import VoiceProfiles

MODEL, NEWER = VoiceModel("networks", "r1"), VoiceModel("networks", "r2")
ANN, BO = SpokenVoice((0.6, 0.8), 12.5), SpokenVoice((1.0, 0.0), 9.0)


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def voices(request: pytest.FixtureRequest, clock: MovableClock) -> Iterator[VoiceProfiles]:
    if request.param == "memory":
        yield MemoryVoiceProfiles(clock)
        return
    store = SqlStore.open(request.getfixturevalue(f"{request.param}_url"), clock)
    yield store.voices
    store.close()


async def test_a_voice_comes_back_as_it_was_remembered(voices: VoiceProfiles, clock: MovableClock) -> None:
    kept = await voices.remember("acme", "Ann", ANN, MODEL)

    assert await voices.list("acme") == [kept]
    assert (kept.name, kept.model, kept.voice.seconds, kept.remembered_at) == ("Ann", MODEL, 12.5, clock.now())
    assert kept.voice.vector == pytest.approx(ANN.vector, abs=1e-6)
    assert kept.id.startswith("voice_")


async def test_a_name_that_is_known_gets_the_newer_voice_and_keeps_its_id(voices: VoiceProfiles, clock: MovableClock) -> None:
    first = await voices.remember("acme", "Ann", ANN, MODEL)
    await clock.advance(60)
    again = await voices.remember("acme", "Ann", BO, NEWER)

    assert await voices.list("acme") == [again]
    assert (again.id, again.model, again.voice, again.remembered_at) == (first.id, NEWER, BO, clock.now())


async def test_voices_are_listed_by_name_and_belong_to_one_tenant(voices: VoiceProfiles) -> None:
    for name in ("Cem", "ann", "Ann"):
        await voices.remember("acme", name, ANN, MODEL)
    await voices.remember("other", "Bo", BO, MODEL)

    assert [kept.name for kept in await voices.list("acme")] == ["Ann", "Cem", "ann"]
    assert [kept.name for kept in await voices.list("other")] == ["Bo"]
    assert await voices.list("nobody") == []


async def test_a_forgotten_voice_is_gone_and_only_its_tenant_can_forget_it(voices: VoiceProfiles) -> None:
    kept = await voices.remember("acme", "Ann", ANN, MODEL)
    with pytest.raises(NotFound):
        await voices.forget("other", kept.id)

    await voices.forget("acme", kept.id)

    assert await voices.list("acme") == []
    with pytest.raises(NotFound):
        await voices.forget("acme", kept.id)


async def test_all_voices_of_a_tenant_go_together(voices: VoiceProfiles) -> None:
    for name in ("Ann", "Bo"):
        await voices.remember("acme", name, ANN, MODEL)
    await voices.remember("other", "Cem", BO, MODEL)

    assert (await voices.forget_all("acme"), await voices.forget_all("acme")) == (2, 0)
    assert (await voices.list("acme"), len(await voices.list("other"))) == ([], 1)


async def test_old_voices_go_by_their_tenants_own_time(voices: VoiceProfiles, clock: MovableClock) -> None:
    for tenant in ("acme", "longer", "forever"):
        await voices.remember(tenant, "Ann", ANN, MODEL)
    await clock.advance(100)
    await voices.remember("acme", "Bo", BO, MODEL)
    now = clock.now()

    assert await voices.forget_remembered_before(None, {}) == 0
    assert await voices.forget_remembered_before(now - 50, {"longer": now - 200, "forever": None}) == 1
    assert [kept.name for kept in await voices.list("acme")] == ["Bo"]
    assert await voices.forget_remembered_before(None, {"longer": now}) == 1
    assert len(await voices.list("forever")) == 1


async def test_remembering_again_makes_a_voice_young(voices: VoiceProfiles, clock: MovableClock) -> None:
    await voices.remember("acme", "Ann", ANN, MODEL)
    await clock.advance(100)
    await voices.remember("acme", "Ann", ANN, MODEL)

    assert await voices.forget_remembered_before(clock.now() - 50, {}) == 0


async def test_a_tenant_keeps_so_many_and_can_still_replace_one(voices: VoiceProfiles, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (adapters.memory.voice_profiles, adapters.sql.voice_profiles):
        monkeypatch.setattr(module, "MOST_VOICES", 2)
    for name in ("Ann", "Bo"):
        await voices.remember("acme", name, ANN, MODEL)

    with pytest.raises(InvalidRequest):
        await voices.remember("acme", "Cem", ANN, MODEL)
    await voices.remember("acme", "Bo", BO, MODEL)
    await voices.remember("other", "Cem", ANN, MODEL)
    assert len(await voices.list("acme")) == 2


async def test_a_deleted_or_replaced_vector_is_in_no_file(tmp_path: Path, clock: MovableClock) -> None:
    url = f"sqlite:///{tmp_path}/w.db"
    SqlStore.migrate(url)
    store = SqlStore.open(url, clock)
    planted, other = (SpokenVoice((number, -number), 9.0) for number in (0.123456789, 0.987654321))

    def there(voice: SpokenVoice) -> bool:
        return any(struct.pack("<2f", *voice.vector) in file.read_bytes() for file in tmp_path.iterdir())

    kept = await store.voices.remember("acme", "Ann", planted, MODEL)
    assert there(planted)
    await store.voices.remember("acme", "Ann", other, MODEL)
    assert (there(planted), there(other)) == (False, True)
    await store.voices.forget("acme", kept.id)
    assert not there(other)
    store.close()
