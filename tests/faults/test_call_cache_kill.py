"""Single flight between processes, and what happens when the one that flies dies or freezes."""

import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from store_processes import Processes, wait_until
from store_programs import KEY, SCOPE, OpenCalls, WallClock

from ports.call_cache import Claimed, Hit, InFlight

CLAIM_S = 1.0


@pytest.fixture(params=["sqlite", "postgresql", "redis"])
def url(request: pytest.FixtureRequest) -> str:
    """A database of each kind in turn."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
def processes(tmp_path: Path, url: str) -> Iterator[Processes]:
    processes = Processes(tmp_path, url)
    yield processes
    processes.stop_all()


@pytest.fixture
async def store(url: str) -> AsyncIterator[OpenCalls]:
    store = OpenCalls(url)
    yield store
    await store.close()


async def taken_over(store: OpenCalls) -> Claimed:
    """Ask until the claim of the holder has run out."""
    while not isinstance(found := await store.calls.begin(SCOPE, KEY, "successor", 60.0, None), Claimed):
        assert isinstance(found, InFlight)
        await WallClock().sleep(0.05)
    return found


@pytest.mark.slow
async def test_of_a_hundred_callers_in_four_processes_one_makes_the_call(processes: Processes) -> None:
    callers = [processes.start("begin_many", "25") for _ in range(4)]
    assert wait_until(lambda: len(processes.log("ready")) == len(callers))
    processes.go()
    assert [caller.wait(60) for caller in callers] == [0] * len(callers)
    assert Counter(line["found"] for line in processes.log("begun")) == {"Claimed": 1, "InFlight": 99}


@pytest.mark.slow
async def test_the_flight_of_a_killed_holder_is_taken_over(processes: Processes, store: OpenCalls) -> None:
    holder = processes.start("hold", str(CLAIM_S))
    assert wait_until(lambda: processes.log("held"))
    processes.kill(holder)
    claim = await taken_over(store)
    assert await store.calls.put(SCOPE, KEY, "successor", claim.fence, {"made_by": "the successor"}, None)


@pytest.mark.slow
async def test_a_holder_that_froze_can_not_overwrite_its_successor(processes: Processes, store: OpenCalls) -> None:
    holder = processes.start("hold", str(CLAIM_S))
    assert wait_until(lambda: processes.log("held"))
    holder.send_signal(signal.SIGSTOP)
    claim = await taken_over(store)
    assert await store.calls.put(SCOPE, KEY, "successor", claim.fence, {"made_by": "the successor"}, None)
    holder.send_signal(signal.SIGCONT)
    processes.go()
    assert holder.wait(60) == 0
    assert [line["kept"] for line in processes.log("put", pid=holder.pid)] == [False]
    assert await store.calls.begin(SCOPE, KEY, "reader", 60.0, None) == Hit({"made_by": "the successor"})
