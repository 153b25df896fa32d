"""The production file on every change: its graph as Ray Serve gets it, and a job from upload to search over scripted engines."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters.model_store.reference import HubReference, parse_reference
from domain.api_key import Scope
from domain.call import CallKind, Usage
from domain.errors import InvalidRequest
from serve_app.composition.composition import Composition
from serve_app.composition.ingress import build_ingress
from serve_app.composition.model_calls import price_table
from serve_app.composition.worker import build_worker
from serve_app.graph.application import bind
from serve_app.settings.model_ports import DEPLOYMENTS, PORTS
from serve_app.settings.serve_file import ServeFile, load_config
from serve_app.settings.service import Settings
from tests.in_process_service import MODELS, Handle, handles

ROOT = Path(__file__).parents[4]
EMBEDDED, PRODUCTION = ROOT / "serve_config.yaml", ROOT / "serve_config.gpu.yaml"
RECORDING = ROOT / "serve_app" / "demo" / "launch-review.ogg"
CORE_HOUR_USD, GPU_HOUR_USD = 0.04, 1.00
"""What the production file says its prices are made of."""


def graph(file: ServeFile, folder: Path) -> dict[str, Any]:
    """Return the deployments that Ray Serve would get, by name: no cluster is needed to build them."""
    from ray.serve._private.build_app import build_app

    database = file.settings.database.model_copy(update={"url_env": None})
    settings = file.settings.model_copy(update={"data_dir": folder, "database": database})
    built = build_app(
        bind(settings, MODELS, file.deployments),
        name="wordloop",
        make_deployment_handle=lambda deployment, _app: deployment.name,
    )
    assert built.ingress_deployment_name == "Ingress"
    return {deployment.name: deployment for deployment in built.deployments}


@pytest.mark.parametrize("path", [EMBEDDED, PRODUCTION], ids=lambda path: path.name)
def test_the_ingress_and_every_model_are_deployments_of_their_own_that_scale_within_bounds(path: Path, tmp_path: Path) -> None:
    file = load_config(path)
    deployments = graph(file, tmp_path)

    assert set(deployments) == set(file.deployments) == {"Ingress", "JobWorker", *DEPLOYMENTS.values()}
    for name in ("Ingress", *DEPLOYMENTS.values()):
        scaling = deployments[name]._deployment_config.autoscaling_config
        assert scaling is not None, name
        assert 1 <= scaling.min_replicas <= scaling.max_replicas
        assert deployments[name].max_ongoing_requests > scaling.target_ongoing_requests, "it could never ask for more"
    assert len({deployment.func_or_class for deployment in deployments.values()}) == 4


def test_a_model_on_a_gpu_asks_for_its_share_and_together_they_fit_on_one() -> None:
    file = load_config(PRODUCTION)
    shares = {
        port: file.deployments[deployment]["ray_actor_options"].get("num_gpus", 0) for port, deployment in DEPLOYMENTS.items()
    }
    for port, share in shares.items():
        assert (getattr(getattr(file.settings, port), "device", "cpu") == "cuda") == (share > 0), port
    assert sum(shares.values()) <= 1.0
    assert file.settings.language_model.gpu_memory_utilization <= shares["language_model"]


def test_every_model_on_a_gpu_is_named_and_pinned_to_a_commit() -> None:
    settings = load_config(PRODUCTION).settings
    for port in ("transcriber", "language_model", "embedder"):
        assert isinstance(parse_reference(getattr(settings, port).model), HubReference), port
    with pytest.raises(InvalidRequest, match="40 hex digits"):
        parse_reference("hub:Qwen/Qwen3-4B-Instruct-2507@main")


def test_a_replica_costs_its_share_of_the_machine() -> None:
    file = load_config(PRODUCTION)
    prices, usage = price_table(file.settings), Usage(30.0, 100, 10)
    for kind, port in PORTS.items():
        holds = file.deployments[DEPLOYMENTS[port]]["ray_actor_options"]
        hour = holds["num_cpus"] * CORE_HOUR_USD + holds.get("num_gpus", 0) * GPU_HOUR_USD
        assert prices.cost_usd(kind, MODELS.transcriber, usage, 3600.0) == pytest.approx(hour), port


def test_an_embedded_replica_costs_its_two_cores() -> None:
    assert price_table(Settings()).cost_usd(CallKind.EMBED, MODELS.embedder, Usage(), 3600.0) == pytest.approx(0.08)


@dataclass
class Running:
    client: httpx.AsyncClient
    models: dict[str, Handle]


@pytest.fixture
async def service(tmp_path: Path, postgresql_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Running]:
    """The production file as it stands: PostgreSQL, keys, all bounds; but for its data folder, and for the walls around decoders,
    which not every machine that tests has.
    """
    monkeypatch.setenv("WORDLOOP_DATABASE_URL", postgresql_url)
    file = load_config(PRODUCTION).settings
    security = file.security.model_copy(update={"require_confinement": False})
    settings = file.model_copy(update={"data_dir": tmp_path, "security": security})
    models = handles(settings.embedder.dimensions)
    ingress, behind = Composition(settings, MODELS, models, "ingress"), Composition(settings, MODELS, models, "worker")
    _, secret = await ingress.store.keys.create("acme", frozenset(Scope), "", None)
    worker = build_worker(behind)
    loop = asyncio.create_task(worker())
    headers = {"authorization": f"Bearer {secret}", "prefer": "wait=60"}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(build_ingress(ingress)), base_url="http://service", headers=headers, timeout=90
    ) as client:
        yield Running(client, models)
    await worker.stop()
    loop.cancel()
    ingress.store.close()
    behind.store.close()


async def test_a_conversation_goes_from_upload_to_search_through_every_model_of_the_file(service: Running) -> None:
    with RECORDING.open("rb") as file:
        done = await service.client.post("/v1/conversations", files={"file": ("meeting.ogg", file)})
    job = done.json()
    assert (done.status_code, job["status"]) == (200, "completed"), job

    recap = (await service.client.get(f"/v1/recaps/{job['result']['recap_id']}")).json()
    assert recap["summary"]
    assert not recap["degraded"]
    hits = (await service.client.post("/v1/search", json={"query": "Who tests it?"})).json()["hits"]
    assert {hit["transcript_id"] for hit in hits} == {job["result"]["transcript_id"]}
    assert [name for name, model in service.models.items() if not model.asked] == []
