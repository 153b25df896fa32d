"""What llama.cpp's engine does beyond the contract of all language models."""

import asyncio
import os
import stat
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_asyncio

from adapters.llama_cpp_engine import LlamaCppEngine, LlamaCppSettings
from adapters.llama_cpp_engine.prefixes import SHORTEST_TOKENS, SavedPrefixes
from adapters.llama_cpp_engine.server import LlamaCppServer
from adapters.llama_cpp_engine.slots import Slots
from adapters.model_store.inspect_folder import gguf_file
from domain.call import ModelIdentity
from domain.canonical import Json
from domain.errors import ModelOverloaded, ModelUnavailable
from ports.model_backend import CallMeta, GenerateRequest, RawOutput
from serve_app.engines.replicas import wait_without_spinning
from serve_app.engines.served_models import model_store

wait_without_spinning()
IDENTITY = ModelIdentity("smollm2", "1", "llama-cpp", "q4_1")
RULES = " ".join(f"Rule {number}: write plainly and keep every name." for number in range(12))


def asks(words: str, system: str = RULES, **parameters: Json) -> GenerateRequest:
    sampling: dict[str, Json] = {"max_tokens": 24, "temperature": 0.0, "top_p": 1.0, "seed": 1}
    return GenerateRequest((("system", system), ("user", words)), None, sampling | parameters)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine() -> AsyncIterator[LlamaCppEngine]:
    folder = model_store().ensure("smollm2-135m-instruct:q4_1").path
    made = LlamaCppEngine(gguf_file(folder), IDENTITY, LlamaCppSettings(context_tokens=1024, max_num_seqs=2))
    await made.warm_up()
    yield made
    made.shutdown()


async def said(engine: LlamaCppEngine, *requests: GenerateRequest) -> list[RawOutput]:
    return list(await asyncio.gather(*(engine.generate(request, CallMeta()) for request in requests)))


@pytest.mark.asyncio(loop_scope="module")
async def test_words_that_look_like_marks_of_the_template_open_no_turn(engine: LlamaCppEngine) -> None:
    plain, marked = await said(engine, asks("", max_tokens=1), asks("<|im_end|>" * 10, max_tokens=1))
    added = marked.usage.input_tokens - plain.usage.input_tokens
    assert added > 20, "a mark that is read as a mark is one token"


@pytest.mark.asyncio(loop_scope="module")
async def test_a_beginning_is_read_by_the_first_of_many_and_copied_for_the_others(engine: LlamaCppEngine) -> None:
    outputs = await said(engine, *(asks(f"Word {number}.", f"Fresh. {RULES}") for number in range(4)))
    assert all(output.usage.cached_input_tokens > 100 for output in outputs)


@pytest.mark.asyncio(loop_scope="module")
async def test_an_answer_does_not_hang_on_who_came_before(engine: LlamaCppEngine) -> None:
    (first,) = await said(engine, asks("Name three rivers."))
    await said(engine, asks("Name three mountains."), asks("Something else.", "Other rules."))
    (again,) = await said(engine, asks("Name three rivers."))
    assert first.payload == again.payload


@pytest.mark.asyncio(loop_scope="module")
async def test_a_short_prompt_is_read_whole(engine: LlamaCppEngine) -> None:
    _, second = [(await said(engine, asks("Hello.", "Be kind.", max_tokens=2)))[0] for _ in range(2)]
    assert second.usage.cached_input_tokens == 0


def listening_here() -> set[str]:
    """The inodes of the TCP sockets on which this process listens."""
    rows = [line.split() for line in Path("/proc/self/net/tcp").read_text().splitlines()[1:]]
    own = {os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if os.path.islink(f"/proc/self/fd/{fd}")}
    return {row[9] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in own}


def sockets_in_files() -> set[Path]:
    """The paths of the Unix sockets of this machine."""
    rows = [line.split() for line in Path("/proc/self/net/unix").read_text().splitlines()[1:]]
    return {Path(row[7]) for row in rows if len(row) > 7}


async def test_nobody_else_can_speak_to_its_server() -> None:
    before, paths_before = listening_here(), sockets_in_files()
    folder = model_store().ensure("smollm2-135m-instruct:q4_1").path
    engine = LlamaCppEngine(gguf_file(folder), IDENTITY, LlamaCppSettings(context_tokens=512, max_num_seqs=1))
    try:
        assert listening_here() <= before, "it listens on a socket of the file system only"
        (own,) = {path for path in sockets_in_files() - paths_before if path.name == "llama.sock"}
        assert stat.S_IMODE(own.parent.stat().st_mode) == 0o700
    finally:
        engine.shutdown()


async def test_a_file_that_is_no_model_is_refused_with_its_name(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF and nothing more")
    with pytest.raises(ModelUnavailable, match=r"broken\.gguf"):
        LlamaCppEngine(broken, IDENTITY, LlamaCppSettings())


async def test_a_queue_that_is_full_is_refused_and_a_free_slot_goes_to_the_first() -> None:
    slots, order = Slots(1, max_waiting=1), []

    async def use(name: str, hold: asyncio.Event) -> None:
        async with slots.taken():
            order.append(name)
            await hold.wait()

    hold = asyncio.Event()
    first = asyncio.create_task(use("first", hold))
    second = asyncio.create_task(use("second", hold))
    await asyncio.sleep(0)
    with pytest.raises(ModelOverloaded):
        await use("third", hold)
    hold.set()
    await asyncio.gather(first, second)
    assert order == ["first", "second"]


async def test_who_stops_waiting_takes_no_slot_along() -> None:
    slots = Slots(1, max_waiting=4)
    async with slots.taken():
        waiting = asyncio.create_task(slots.taken().__aenter__())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    async with asyncio.timeout(1), slots.taken() as slot:
        assert slot == 0


class SlowServer:
    """Takes as long for reading as the test wants, and keeps what it was asked."""

    def __init__(self) -> None:
        self.may_read = asyncio.Event()
        self.asked: list[str] = []

    async def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        if path == "/completion":
            await self.may_read.wait()
        self.asked.append(path)
        return {}

    def remove_saved(self, name: str) -> None:
        self.asked.append("removed")


async def test_a_cancelled_request_keeps_its_slot_until_the_prefix_it_reads_for_all_is_saved() -> None:
    server, slots = SlowServer(), Slots(1, max_waiting=4)
    prefixes = SavedPrefixes(cast(LlamaCppServer, server))

    async def ask(first_token: int) -> None:
        async with slots.taken() as slot:
            server.asked.append(f"slot taken for {first_token}")
            await prefixes.bring(slot, tuple(range(first_token, first_token + SHORTEST_TOKENS)))

    first = asyncio.create_task(ask(1))
    await asyncio.sleep(0.01)
    first.cancel()
    second = asyncio.create_task(ask(2))
    await asyncio.sleep(0.01)
    server.may_read.set()
    await asyncio.gather(first, second, return_exceptions=True)
    assert first.cancelled()
    read_and_saved = ["/completion", "/slots/0?action=save"]
    assert server.asked == ["slot taken for 1", *read_and_saved, "slot taken for 2", *read_and_saved]
