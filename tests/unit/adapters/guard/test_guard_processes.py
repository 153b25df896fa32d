"""Single flight between real processes that share a store, one of which is killed."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from pathlib import Path

import pytest

from adapters.sql import SqlStore
from tests.guard_process import url_of

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    SqlStore.migrate(url_of(tmp_path))
    return tmp_path


async def start(folder: Path, name: str, seconds: float, calls: int) -> Process:
    arguments = ("-m", "tests.guard_process", str(folder), name, str(seconds), str(calls))
    return await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=PIPE)


def made(folder: Path) -> list[tuple[str, str]]:
    log = folder / "made"
    return [tuple(line.split()) for line in log.read_text().splitlines()] if log.exists() else []


async def test_each_call_is_made_once_by_one_of_three_processes(folder: Path) -> None:
    processes = [await start(folder, name, 0.3, 8) for name in ("a", "b", "c")]
    read = [int((await process.communicate())[0]) for process in processes]

    assert Counter(number for _, number in made(folder)) == {str(number): 1 for number in range(8)}
    assert sum(read) == 2 * 8


async def test_the_calls_of_a_killed_process_are_taken_over(folder: Path) -> None:
    doomed = await start(folder, "doomed", 600, 3)
    async with asyncio.timeout(60):
        while len(made(folder)) < 3:
            await asyncio.sleep(0.05)  # Another process's progress shows in the file only.
    heir = await start(folder, "heir", 0, 3)
    doomed.kill()
    async with asyncio.timeout(60):
        read = int((await heir.communicate())[0])
        await doomed.wait()

    assert (read, sorted(made(folder))) == (0, sorted((name, str(n)) for name in ("doomed", "heir") for n in range(3)))
