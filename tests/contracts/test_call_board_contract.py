"""The promises of CallBoard, one per test, for every board."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from adapters.memory import MemoryCallBoard
from adapters.redis_calls import RedisCallBoard
from adapters.scripted.clock import MovableClock
from adapters.sql import SqlStore
from domain.errors import StorageFailed
from ports.call_board import CallBoard, News, Notice
from tests.redis_server import running_redis

TARGET, ONE, TWO = "ray_serve\nmodel/ä\n1", "worker-1", "ingress-2"
DOUBT_S, HOLD_S = 120.0, 30.0


class CallBoardContract:
    """Override `board`; its time comes from `clock`."""

    @pytest.fixture
    def clock(self) -> MovableClock:
        return MovableClock()

    async def test_a_new_board_is_empty(self, board: CallBoard) -> None:
        assert await board.exchange(ONE, None, 6.0) == News()

    async def test_demand_is_read_by_all_until_its_time_is_up(self, board: CallBoard, clock: MovableClock) -> None:
        await board.exchange(ONE, {"a": 3.0, "ä\nb": 0.5}, 6.0)
        assert (await board.exchange(TWO, {}, 60.0)).demand == {ONE: {"a": 3.0, "ä\nb": 0.5}, TWO: {}}
        await board.exchange(ONE, {"a": 1.0}, 6.0)
        assert (await board.exchange(TWO, None, 6.0)).demand[ONE] == {"a": 1.0}
        await clock.advance(6.0)
        assert (await board.exchange(TWO, None, 6.0)).demand == {TWO: {}}

    async def test_what_one_opens_all_read(self, board: CallBoard, clock: MovableClock) -> None:
        opened = await board.open(TARGET, ONE, 5.0, DOUBT_S)
        assert opened == Notice(1, 5.0, 5.0)
        await clock.advance(2.0)
        assert (await board.exchange(TWO, None, 6.0)).breakers == {TARGET: Notice(1, 5.0, 3.0)}
        await clock.advance(60.0)
        assert (await board.exchange(TWO, None, 6.0)).breakers == {TARGET: Notice(1, 5.0, 0.0)}

    async def test_an_opening_stands_when_another_opens_too(self, board: CallBoard, clock: MovableClock) -> None:
        await board.open(TARGET, ONE, 5.0, DOUBT_S)
        await clock.advance(1.0)
        assert await board.open(TARGET, TWO, 5.0, DOUBT_S) == Notice(1, 5.0, 4.0)

    async def test_an_opening_whose_time_is_up_gives_way_unless_it_is_probed(self, board: CallBoard, clock: MovableClock) -> None:
        await board.open(TARGET, ONE, 5.0, DOUBT_S)
        await clock.advance(6.0)
        assert await board.open(TARGET, TWO, 7.0, DOUBT_S) == Notice(2, 7.0, 7.0)
        await clock.advance(7.0)
        await board.probe(TARGET, ONE, HOLD_S)
        assert await board.open(TARGET, TWO, 5.0, DOUBT_S) == Notice(2, 7.0, 0.0)

    async def test_nobody_probes_before_its_time_nor_what_is_closed(self, board: CallBoard, clock: MovableClock) -> None:
        assert not await board.probe(TARGET, ONE, HOLD_S)
        await board.open(TARGET, ONE, 5.0, DOUBT_S)
        await clock.advance(4.9)
        assert not await board.probe(TARGET, ONE, HOLD_S)
        await clock.advance(0.1)
        assert await board.probe(TARGET, ONE, HOLD_S)
        await board.close(TARGET, ONE)
        assert not await board.probe(TARGET, ONE, HOLD_S)

    async def test_one_of_many_probes(self, board: CallBoard, clock: MovableClock) -> None:
        await board.open(TARGET, ONE, 5.0, DOUBT_S)
        await clock.advance(5.0)
        asked = await asyncio.gather(*(board.probe(TARGET, f"process-{number}", HOLD_S) for number in range(8)))
        assert sum(asked) == 1

    async def test_a_probe_is_held_until_its_holder_says_nothing_more(self, board: CallBoard, clock: MovableClock) -> None:
        await board.open(TARGET, ONE, 5.0, DOUBT_S)
        await clock.advance(5.0)
        assert await board.probe(TARGET, ONE, HOLD_S)
        await clock.advance(HOLD_S - 1)
        assert await board.probe(TARGET, ONE, HOLD_S)
        await clock.advance(HOLD_S - 1)
        assert not await board.probe(TARGET, TWO, HOLD_S)
        await clock.advance(1)
        assert await board.probe(TARGET, TWO, HOLD_S)
        assert await board.close(TARGET, ONE) is None
        assert await board.reopen(TARGET, ONE, 10.0) is None

    async def test_a_probe_that_found_out_nothing_makes_room(self, board: CallBoard, clock: MovableClock) -> None:
        await board.open(TARGET, ONE, 5.0, DOUBT_S)
        await clock.advance(5.0)
        await board.probe(TARGET, ONE, HOLD_S)
        await board.drop_probe(TARGET, TWO)
        assert not await board.probe(TARGET, TWO, HOLD_S)
        await board.drop_probe(TARGET, ONE)
        assert await board.probe(TARGET, TWO, HOLD_S)

    async def test_a_probe_that_is_answered_closes_it_for_all(self, board: CallBoard, clock: MovableClock) -> None:
        await board.open(TARGET, ONE, 5.0, DOUBT_S)
        await clock.advance(5.0)
        await board.probe(TARGET, TWO, HOLD_S)
        assert await board.close(TARGET, TWO) == Notice(2)
        assert (await board.exchange(ONE, None, 6.0)).breakers == {TARGET: Notice(2)}

    async def test_a_probe_that_fails_opens_it_for_longer(self, board: CallBoard, clock: MovableClock) -> None:
        await board.open(TARGET, ONE, 5.0, DOUBT_S)
        await clock.advance(5.0)
        await board.probe(TARGET, TWO, HOLD_S)
        assert await board.reopen(TARGET, TWO, 10.0) == Notice(2, 10.0, 10.0)
        assert not await board.probe(TARGET, TWO, HOLD_S)

    async def test_a_process_that_another_refuted_is_not_believed_for_a_while(
        self, board: CallBoard, clock: MovableClock
    ) -> None:
        await board.open(TARGET, ONE, 5.0, DOUBT_S)
        await clock.advance(5.0)
        await board.probe(TARGET, TWO, HOLD_S)
        await board.close(TARGET, TWO)
        await clock.advance(DOUBT_S - 1)
        assert await board.open(TARGET, ONE, 5.0, DOUBT_S) is None
        assert (await board.exchange(ONE, None, 6.0)).breakers == {TARGET: Notice(2)}
        assert await board.open(TARGET, TWO, 5.0, DOUBT_S) == Notice(3, 5.0, 5.0)

    async def test_doubt_ends(self, board: CallBoard, clock: MovableClock) -> None:
        await board.open(TARGET, ONE, 5.0, DOUBT_S)
        await clock.advance(5.0)
        await board.probe(TARGET, TWO, HOLD_S)
        await board.close(TARGET, TWO)
        await clock.advance(DOUBT_S)
        assert await board.open(TARGET, ONE, 5.0, DOUBT_S) == Notice(3, 5.0, 5.0)

    async def test_who_refutes_himself_is_believed_again(self, board: CallBoard, clock: MovableClock) -> None:
        await board.open(TARGET, ONE, 5.0, DOUBT_S)
        await clock.advance(5.0)
        await board.probe(TARGET, ONE, HOLD_S)
        await board.close(TARGET, ONE)
        assert await board.open(TARGET, ONE, 5.0, DOUBT_S) == Notice(3, 5.0, 5.0)

    async def test_targets_do_not_touch_one_another(self, board: CallBoard) -> None:
        await board.open(TARGET, ONE, 5.0, DOUBT_S)
        await board.open("other", ONE, 7.0, DOUBT_S)
        assert (await board.exchange(ONE, None, 6.0)).breakers == {TARGET: Notice(1, 5.0, 5.0), "other": Notice(1, 7.0, 7.0)}


class TestMemoryCallBoard(CallBoardContract):
    @pytest.fixture
    def board(self, clock: MovableClock) -> MemoryCallBoard:
        return MemoryCallBoard(clock)


class TestSqlCallBoard(CallBoardContract):
    @pytest.fixture
    def board(self, clock: MovableClock, database_url: str) -> Any:
        store = SqlStore.open(database_url, clock)
        yield store.board
        store.close()


class TestRedisCallBoard(CallBoardContract):
    @pytest.fixture
    async def board(self, clock: MovableClock, redis_url: str) -> AsyncIterator[RedisCallBoard]:
        board = RedisCallBoard(redis_url, clock)
        yield board
        await board.end()

    async def test_a_server_that_is_away_says_so_and_heals(self, clock: MovableClock) -> None:
        with running_redis() as server:
            board = RedisCallBoard(server.database(), clock)
            await board.open(TARGET, ONE, 5.0, DOUBT_S)
            server.kill()
            with pytest.raises(StorageFailed):
                await board.exchange(ONE, {}, 6.0)
            server.start()
            assert (await board.exchange(ONE, {}, 6.0)).breakers == {TARGET: Notice(1, 5.0, 5.0)}
            await board.end()
