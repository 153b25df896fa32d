"""Two processes' worth of the service over each store: what the worker finds out, the ingress shows and heeds."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters.guard import GuardSettings
from adapters.memory import MemoryCallCache
from adapters.redis_calls import RedisCallBoard
from adapters.scripted import SCRIPTED_MODEL, ScriptedBackend
from adapters.sql import SqlStore
from domain.audio import SpeechWindow
from domain.call import CallContext
from domain.errors import CircuitOpen, ModelUnavailable
from ports.call_board import CallBoard
from ports.embedder import InputType
from ports.telemetry import BreakerState
from ports.transcriber import TranscriptionOptions
from serve_app.composition.clock import SystemClock
from serve_app.composition.composition import Composition
from serve_app.composition.ingress import build_ingress
from serve_app.settings.service import Settings
from tests.guarded import Bench, vectors
from tests.in_process_service import MODELS, handles

DOWN = ModelUnavailable("down", None)


@pytest.fixture(params=["sqlite", "postgresql", "redis"])
async def boards(request: pytest.FixtureRequest) -> Any:
    """The boards of two processes over one store."""
    clock = SystemClock()
    url = request.getfixturevalue(f"{request.param}_url")
    if request.param == "redis":
        both = [RedisCallBoard(url, clock) for _ in range(2)]
        yield both
        for board in both:
            await board.end()
    else:
        stores = [SqlStore.open(url, clock) for _ in range(2)]
        yield [store.board for store in stores]
        for store in stores:
            store.close()


async def test_a_breaker_that_opens_in_one_process_is_open_in_the_other(boards: list[CallBoard]) -> None:
    clock = SystemClock()
    settings = GuardSettings(retry={"max_tries": 1}, breaker={"open_first_s": 600, "open_most_s": 600})
    worker, ingress = (
        Bench(clock, settings, cache=MemoryCallCache(clock), board=board, owner=str(number))
        for number, board in enumerate(boards)
    )
    dead, alive = ScriptedBackend(otherwise=DOWN, clock=clock), ScriptedBackend(otherwise=vectors(), clock=clock)
    for number in range(5):
        with pytest.raises(ModelUnavailable):
            await worker.embedder(dead).embed([str(number)], InputType.QUERY, CallContext())

    target = (dead.name, SCRIPTED_MODEL.id, SCRIPTED_MODEL.revision)
    assert await ingress.guard.states_of_all() == {target: BreakerState.OPEN}
    with pytest.raises(CircuitOpen):
        await ingress.embedder(alive).embed(["a"], InputType.QUERY, CallContext())
    assert alive.asked == []


async def test_the_list_of_models_tells_what_the_workers_found_out(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, guard=GuardSettings(retry={"max_tries": 1}))
    tmp_path.mkdir(exist_ok=True)
    SqlStore.migrate(f"sqlite:///{tmp_path / 'wordloop.db'}")
    models = handles(settings.embedder.dimensions)
    ingress, worker = (Composition(settings, MODELS, models, role) for role in ("ingress", "worker"))

    def dead(_request: object) -> Any:
        raise ModelUnavailable("no replica is there", None)

    models["transcriber"].engine = dead
    for number in range(5):
        window = SpeechWindow(0, 0.0, 1.0, bytes([number, 0]) * 16_000)
        with pytest.raises(ModelUnavailable):
            await worker.transcriber.transcribe(window, TranscriptionOptions(), CallContext())

    async with httpx.AsyncClient(transport=httpx.ASGITransport(build_ingress(ingress)), base_url="http://localhost") as client:
        listed = (await client.get("/v1/models")).json()["data"]
    breakers = {model["id"]: model["breaker"] for model in listed}
    assert breakers[MODELS.transcriber.id] == "open"
    assert breakers[MODELS.embedder.id] == "closed"
    ingress.store.close()
    worker.store.close()
