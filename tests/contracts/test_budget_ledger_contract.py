"""The promises of BudgetLedger, one per test, for every ledger."""

import asyncio
import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.memory import MemoryBudgetLedger
from adapters.scripted.clock import MovableClock
from adapters.sql import SqlStore, StoreSettings
from domain.errors import BudgetExceeded
from ports.call_metering import Amounts, BudgetLedger

LIMITS = Amounts(audio_seconds=100.0, tokens=1000.0, money_usd=1.0)
NO_LIMIT = Amounts(math.inf, math.inf, math.inf)
RESERVATION_S = 60.0


class BudgetLedgerContract:
    """Override `ledger`."""

    @pytest.fixture
    def ledger(self, tmp_path: Path) -> Iterator[BudgetLedger]:
        raise NotImplementedError

    async def test_a_new_account_has_all_of_its_limits(self, ledger: BudgetLedger) -> None:
        assert await ledger.left("t", LIMITS) == LIMITS

    async def test_what_is_set_aside_can_not_be_spent_twice(self, ledger: BudgetLedger) -> None:
        await ledger.reserve({"t": LIMITS}, Amounts(60.0, 10.0, 0.1))
        assert await ledger.left("t", LIMITS) == Amounts(40.0, 990.0, 0.9)
        with pytest.raises(BudgetExceeded) as refused:
            await ledger.reserve({"t": LIMITS}, Amounts(41.0, 1.0, 0.0))
        assert (refused.value.what, refused.value.left) == ("audio_seconds", 40.0)

    async def test_a_budget_can_be_used_to_its_last_unit(self, ledger: BudgetLedger) -> None:
        await ledger.reserve({"t": LIMITS}, LIMITS)
        assert await ledger.left("t", LIMITS) == Amounts()

    @pytest.mark.parametrize(
        ("amounts", "what"),
        [(Amounts(100.5), "audio_seconds"), (Amounts(tokens=1001), "tokens"), (Amounts(money_usd=1.000001), "money")],
    )
    async def test_the_refusal_names_the_budget_that_is_short(self, ledger: BudgetLedger, amounts: Amounts, what: str) -> None:
        with pytest.raises(BudgetExceeded) as refused:
            await ledger.reserve({"t": LIMITS}, amounts)
        assert refused.value.what == what

    async def test_all_accounts_are_charged_or_none(self, ledger: BudgetLedger) -> None:
        tight = Amounts(audio_seconds=1.0)
        with pytest.raises(BudgetExceeded):
            await ledger.reserve({"a": LIMITS, "b": tight, "c": LIMITS}, Amounts(audio_seconds=2.0))
        for account in ("a", "c"):
            assert await ledger.left(account, LIMITS) == LIMITS

    async def test_settling_charges_what_was_used_instead(self, ledger: BudgetLedger) -> None:
        reservation = await ledger.reserve({"a": LIMITS, "b": LIMITS}, Amounts(60.0, 500.0, 0.5))
        await ledger.settle(reservation, Amounts(30.0, 100.0, 0.25))
        for account in ("a", "b"):
            assert await ledger.left(account, LIMITS) == Amounts(70.0, 900.0, 0.75)

    async def test_settling_twice_charges_once(self, ledger: BudgetLedger) -> None:
        reservation = await ledger.reserve({"t": LIMITS}, Amounts(tokens=10))
        for _ in range(2):
            await ledger.settle(reservation, Amounts(tokens=10))
        assert (await ledger.left("t", LIMITS)).tokens == 990

    async def test_releasing_gives_everything_back(self, ledger: BudgetLedger) -> None:
        reservation = await ledger.reserve({"t": LIMITS}, LIMITS)
        for _ in range(2):
            await ledger.release(reservation)
        assert await ledger.left("t", LIMITS) == LIMITS

    async def test_an_overdrawn_account_has_nothing_left(self, ledger: BudgetLedger) -> None:
        reservation = await ledger.reserve({"t": LIMITS}, Amounts(tokens=10))
        await ledger.settle(reservation, Amounts(tokens=5000))
        assert (await ledger.left("t", LIMITS)).tokens == 0
        with pytest.raises(BudgetExceeded):
            await ledger.reserve({"t": LIMITS}, Amounts(tokens=1))

    async def test_no_limit_is_infinite(self, ledger: BudgetLedger) -> None:
        await ledger.reserve({"t": NO_LIMIT}, Amounts(1e6, 1e9, 1e5))
        assert await ledger.left("t", NO_LIMIT) == NO_LIMIT

    @pytest.mark.parametrize("amounts", [Amounts(tokens=math.nan), Amounts(tokens=math.inf), Amounts(money_usd=-1.0)])
    async def test_what_is_no_amount_is_refused(self, ledger: BudgetLedger, amounts: Amounts) -> None:
        with pytest.raises(BudgetExceeded):
            await ledger.reserve({"t": NO_LIMIT}, amounts)

    async def test_a_hundred_at_once_get_exactly_what_is_there(self, ledger: BudgetLedger) -> None:
        limits = Amounts(math.inf, math.inf, money_usd=0.3)
        asked = (ledger.reserve({"t": limits, f"job-{n}": NO_LIMIT}, Amounts(money_usd=0.01)) for n in range(100))
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert sum(isinstance(answer, BudgetExceeded) for answer in answers) == 70
        assert (await ledger.left("t", limits)).money_usd == pytest.approx(0.0, abs=1e-12)


class TestMemoryBudgetLedger(BudgetLedgerContract):
    @pytest.fixture
    def ledger(self, tmp_path: Path) -> BudgetLedger:
        return MemoryBudgetLedger()


class TestSqlBudgetLedger(BudgetLedgerContract):
    @pytest.fixture
    def clock(self) -> MovableClock:
        return MovableClock()

    @pytest.fixture
    def ledger(self, clock: MovableClock, database_url: str) -> Iterator[BudgetLedger]:
        store = SqlStore.open(database_url, clock, StoreSettings(reservation_s=RESERVATION_S))
        yield store.ledger
        store.close()

    async def test_a_dead_holder_does_not_keep_the_budget(self, ledger: BudgetLedger, clock: MovableClock) -> None:
        await ledger.reserve({"t": LIMITS}, LIMITS)
        await clock.advance(RESERVATION_S)
        await ledger.reserve({"t": LIMITS}, LIMITS)

    async def test_a_slow_holder_is_charged_all_the_same(self, ledger: BudgetLedger, clock: MovableClock) -> None:
        reservation = await ledger.reserve({"t": LIMITS}, Amounts(tokens=10))
        await clock.advance(10 * RESERVATION_S)
        await ledger.settle(reservation, Amounts(tokens=10))
        assert (await ledger.left("t", LIMITS)).tokens == 990

    async def test_tiny_amounts_add_up_exactly(self, ledger: BudgetLedger) -> None:
        for _ in range(30):
            await ledger.settle(await ledger.reserve({"t": LIMITS}, Amounts(money_usd=1e-7)), Amounts(0.1, 1.0, 1e-7))
        assert await ledger.left("t", LIMITS) == Amounts(97.0, 970.0, 1.0 - 30e-7)
