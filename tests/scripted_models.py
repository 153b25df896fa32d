"""Model replicas on a private Ray cluster, without a door: `python -m tests.scripted_models DATA_DIR` puts them through it.

The engines are scripted and take the time of real ones. It prints what it saw, one JSON object.
"""

import asyncio
import json
import os
import sys
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

from adapters.ray_serve.cluster import PrivateCluster, prepare_environment
from tests.scripted_orders import ORDERS

ROUNDS = int(os.environ.get("WORDLOOP_CLUSTER_ROUNDS", "1"))
CALLS = 48
TIMEOUT_S, HUNG_AFTER_S = 90.0, 10.0
"""A caller waits longer than an engine may be silent here, so that a busy machine makes no call fail that nothing happened to."""
SCALING = {
    "min_replicas": 0,
    "max_replicas": 3,
    "metrics_interval_s": 0.5,
    "look_back_period_s": 2.0,
    "upscale_delay_s": 0.5,
    "downscale_delay_s": 3.0,
    "downscale_to_zero_delay_s": 3.0,
    "target_ongoing_requests": 4,
    "policy": {"policy_function": "adapters.ray_serve.scaling:WorkPolicy", "policy_kwargs": {"drain_s": 3}},
}
"""What the production file waits minutes for, in seconds."""
PATIENCE_S = 120.0


class Scene:
    """One deployment under a caller that makes a call again until it is answered, as the guard does."""

    def __init__(self, orders: Path) -> None:
        self.orders = orders
        self.number = 0
        self.answered: Counter[str] = Counter()
        self.again = 0
        self.deployed = 0

    def deploy(self) -> None:
        """Deploy the next version of the model."""
        from ray import serve

        from adapters.guard.soundness import is_sound
        from adapters.ray_serve.health_rules import HealthRules
        from adapters.ray_serve.recycling import RecycleLimits
        from adapters.ray_serve.replicas import BatchedModelReplica
        from adapters.ray_serve.watchdog import HealthLimits
        from adapters.telemetry import build_telemetry
        from domain.call import ModelIdentity
        from tests.scripted_graph import hearing

        self.deployed += 1
        build = partial(hearing, None, ModelIdentity("owner/transcriber", f"scripted-{self.deployed}", "scripted-1", "float16"))
        health = HealthRules(HealthLimits(HUNG_AFTER_S, 2.0, 3), RecycleLimits(), is_sound)
        options = {"autoscaling_config": SCALING, "health_check_period_s": 1, "max_ongoing_requests": 64}
        made = serve.deployment(BatchedModelReplica, name="Transcriber").options(
            **options, graceful_shutdown_timeout_s=20, ray_actor_options={"num_cpus": 0}
        )
        application = made.bind(build, partial(_tracer, build_telemetry), health, 4, 0.05)
        PrivateCluster.deploy(application, "models", {})

    def replicas(self) -> int:
        """Replicas that run."""
        return sum(state.running for state in PrivateCluster.states("models")[1].values())

    async def until(self, replicas: int) -> float:
        """Wait until so many replicas run; return the seconds that it took."""
        began = time.monotonic()
        while await asyncio.to_thread(self.replicas) != replicas:
            if time.monotonic() - began > PATIENCE_S:
                raise AssertionError(f"{self.replicas()} replicas, not {replicas}")
            await asyncio.sleep(0.2)
        return time.monotonic() - began

    async def call(self) -> str:
        """Make one call, again and again until it is answered; return which version of the model did."""
        from ray import serve

        from adapters.ray_serve.backend import RayServeBackend
        from domain.call import ModelIdentity
        from domain.errors import ModelError
        from ports.model_backend import CallMeta, TranscribeRequest

        self.number += 1
        key, pcm = f"call-{self.number}", self.number.to_bytes(4, "little") * 24_000  # three seconds of a sound of its own
        backend = RayServeBackend(serve.get_app_handle("models"), ModelIdentity("t", "1", "s", "p"))
        while True:
            try:
                output = await backend.call(TranscribeRequest(pcm, {"language": "en"}), CallMeta(key=key), TIMEOUT_S)
            except ModelError:
                self.again += 1
                await asyncio.sleep(0.5)
                continue
            self.answered[key] += 1
            return str(output.payload["revision"])

    async def many(self, calls: int, every_s: float) -> list[str]:
        """Make calls beside each other, one every `every_s` seconds."""
        made = []
        for _ in range(calls):
            made.append(asyncio.create_task(self.call()))
            await asyncio.sleep(every_s)
        return await asyncio.gather(*made)


def _tracer(build_telemetry: Any) -> Any:
    return build_telemetry(None, service_name="test").tracer


async def scale(scene: Scene) -> dict[str, Any]:
    """From nothing to many and back, with calls under way while replicas go."""
    before = await asyncio.to_thread(scene.replicas)
    began = time.monotonic()
    await scene.call()
    woke_s, most = time.monotonic() - began, 0
    wave = asyncio.create_task(scene.many(CALLS, 0.0))
    while not wave.done():
        most = max(most, await asyncio.to_thread(scene.replicas))
        await asyncio.sleep(0.2)
    trickle = asyncio.create_task(scene.many(20, 0.5))
    while not trickle.done():
        least = await asyncio.to_thread(scene.replicas)
        await asyncio.sleep(0.2)
    await wave
    await trickle
    return {"before": before, "woke_s": woke_s, "most": most, "under_a_trickle": least, "to_zero_s": await scene.until(0)}


async def hang(scene: Scene) -> dict[str, Any]:
    """An engine hangs in the middle of calls."""
    (scene.orders / "hang").touch()
    began = time.monotonic()
    await scene.many(6, 0.1)
    return {"hung": [path.name for path in scene.orders.glob("hung-*")], "answered_after_s": time.monotonic() - began}


async def upgrade(scene: Scene) -> dict[str, Any]:
    """Another version is deployed while calls are made."""
    await scene.many(CALLS // 2, 0.0)
    calls = asyncio.create_task(scene.many(60, 0.4))
    await asyncio.sleep(3.0)
    await asyncio.to_thread(scene.deploy)
    answers = await calls
    first = answers.index(f"scripted-{scene.deployed}")
    return {"versions": dict(Counter(answers)), "side_by_side": len({*answers[first:]}) == 2}


async def play(scene: Scene) -> dict[str, Any]:
    seen: dict[str, Any] = {"scale": [], "hang": [], "upgrade": []}
    for _ in range(ROUNDS):
        seen["scale"].append(await scale(scene))
        seen["again_by_scaling"] = scene.again
        seen["upgrade"].append(await upgrade(scene))
        seen["again_by_upgrades"] = scene.again
        seen["hang"].append(await hang(scene))
        await scene.until(0)
        scene.again = 0
    return {**seen, "calls": scene.number, "answered": len(scene.answered), "twice": max(scene.answered.values()) > 1}


def main() -> None:
    data_dir = Path(sys.argv[1])
    place = prepare_environment(data_dir)
    orders = data_dir / "orders"
    orders.mkdir()
    os.environ[ORDERS] = str(orders)
    cluster = PrivateCluster(place)
    try:
        cluster.start(
            proxy_location="Disabled", http_options={}, logging_config={}, dashboard=False, import_root=Path(__file__).parents[1]
        )
        scene = Scene(orders)
        scene.deploy()
        asyncio.run(scene.until(0))
        seen = asyncio.run(play(scene))
        sys.stdout.write("\n" + json.dumps(seen) + "\n")
        sys.stdout.flush()
    finally:
        cluster.stop()


if __name__ == "__main__":
    main()
