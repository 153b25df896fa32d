"""The promises of ApiKeys, on every database."""

from collections.abc import Iterator

import pytest

from adapters.scripted.clock import MovableClock
from adapters.sql import SqlStore
from adapters.sql.engine import connect
from adapters.sql.tables import api_keys
from domain.api_key import KeyLimits, Scope, id_of
from domain.errors import NotFound
from ports.api_keys import ApiKeys

BOTH = frozenset({Scope.READ, Scope.WRITE})


class TestSqlApiKeys:
    @pytest.fixture
    def clock(self) -> MovableClock:
        return MovableClock()

    @pytest.fixture
    def keys(self, clock: MovableClock, database_url: str) -> Iterator[ApiKeys]:
        store = SqlStore.open(database_url, clock)
        yield store.keys
        store.close()

    async def test_a_key_is_verified_by_its_text(self, keys: ApiKeys) -> None:
        key, text = await keys.create("acme", BOTH, "ci", None)
        assert id_of(text) == key.id
        assert await keys.verify(text) == key
        assert (key.tenant, key.scopes, key.name) == ("acme", BOTH, "ci")

    async def test_no_other_text_is_verified(self, keys: ApiKeys) -> None:
        key, text = await keys.create("acme", BOTH, "", None)
        _, other = await keys.create("other", BOTH, "", None)
        swapped = text[: -len(text.split("_", 2)[2])] + other.split("_", 2)[2]
        for wrong in (
            "",
            "wl_",
            text[:-1],
            text + "x",
            text.upper(),
            swapped,
            key.id,
            f" {text}",
            "wl_" + "0" * 12 + "_" + "a" * 43,
        ):
            assert await keys.verify(wrong) is None, wrong

    async def test_a_key_ends_at_its_time(self, keys: ApiKeys, clock: MovableClock) -> None:
        _, text = await keys.create("acme", BOTH, "", clock.now() + 60)
        await clock.advance(59)
        assert await keys.verify(text) is not None
        await clock.advance(1)
        assert await keys.verify(text) is None

    async def test_a_revoked_key_ends_at_once_and_stays_ended(self, keys: ApiKeys, clock: MovableClock) -> None:
        key, text = await keys.create("acme", BOTH, "", None)
        first = await keys.revoke(key.id)
        await clock.advance(5)
        assert (await keys.revoke(key.id)).revoked_at == first.revoked_at == clock.now() - 5
        assert await keys.verify(text) is None
        with pytest.raises(NotFound):
            await keys.revoke("0" * 12)

    async def test_both_keys_open_during_a_rotation(self, keys: ApiKeys, clock: MovableClock) -> None:
        old, old_text = await keys.create("acme", frozenset({Scope.READ}), "ci", None)
        new, new_text = await keys.rotate(old.id, 100.0)
        assert (new.tenant, new.scopes, new.name) == (old.tenant, old.scopes, old.name)
        assert await keys.verify(old_text) is not None
        assert await keys.verify(new_text) == new
        await clock.advance(100)
        assert await keys.verify(old_text) is None
        assert await keys.verify(new_text) == new

    async def test_a_key_keeps_its_limits_through_a_rotation(self, keys: ApiKeys) -> None:
        limits = KeyLimits(requests_per_minute=2.5, upload_bytes=5 * 1024**3, max_priority=-1)
        old, text = await keys.create("acme", BOTH, "ci", None, limits)
        assert old.limits == limits
        assert await keys.verify(text) == old
        new, new_text = await keys.rotate(old.id, 100.0)
        assert new.limits == limits
        assert await keys.verify(new_text) == new
        assert [key.limits for key in await keys.list("acme")] == [limits, limits]

    async def test_a_rotation_does_not_lengthen_a_life(self, keys: ApiKeys, clock: MovableClock) -> None:
        old, text = await keys.create("acme", BOTH, "", clock.now() + 10)
        new, _ = await keys.rotate(old.id, 1000.0)
        assert new.expires_at == clock.now() + 10
        await clock.advance(10)
        assert await keys.verify(text) is None
        with pytest.raises(NotFound):
            await keys.rotate(old.id, 1.0)

    async def test_keys_are_listed_by_tenant_oldest_first(self, keys: ApiKeys, clock: MovableClock) -> None:
        first, _ = await keys.create("acme", BOTH, "a", None)
        await clock.advance(1)
        second, _ = await keys.create("other", BOTH, "b", None)
        await clock.advance(1)
        third, _ = await keys.create("acme", BOTH, "c", None)
        assert [key.id for key in await keys.list()] == [first.id, second.id, third.id]
        assert [key.id for key in await keys.list("acme")] == [first.id, third.id]

    async def test_no_part_of_the_secret_is_stored(self, keys: ApiKeys, database_url: str) -> None:
        _, text = await keys.create("acme", BOTH, "", None)
        with connect(database_url).connect() as connection:
            row = connection.execute(api_keys.select()).one()
        secret = text.split("_", 2)[2]
        assert not any(secret[start : start + 8] in str(value) for value in row for start in range(len(secret) - 8))
