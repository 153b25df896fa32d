"""What the Serve controller knows: which deployments are warm (asked at most once a second), and where Serve listens."""

import asyncio
import os
import time
from collections.abc import Mapping

from adapters.ray_serve.haproxy_guard import LISTEN_HOST

FRESH_S = 1.0
"""Seconds for which an answer of the controller is good enough."""


ASLEEP = "asleep"


class DeploymentReadiness:
    """Readiness of the deployments of one application, by name."""

    def __init__(self, application: str) -> None:
        self._application = application
        self._asked_at = -FRESH_S
        self._states: Mapping[str, tuple[bool, str]] = {}
        self._lock = asyncio.Lock()

    async def __call__(self) -> Mapping[str, tuple[bool, str]]:
        """Return, per deployment, whether it is there for whoever asks, and in words its status.

        One that is healthy without a replica is `ASLEEP`: it was scaled to zero, and the first call wakes it.
        """
        async with self._lock:
            if time.monotonic() - self._asked_at >= FRESH_S:
                self._states = await asyncio.to_thread(self._ask)
                self._asked_at = time.monotonic()
            return self._states

    def _ask(self) -> Mapping[str, tuple[bool, str]]:
        import ray
        from ray import serve

        # Outside of a cluster Serve would start one to answer.
        application = serve.status().applications.get(self._application) if ray.is_initialized() else None
        if application is None:
            return {}
        states = {}
        for name, deployment in application.deployments.items():
            running = sum(n for state, n in deployment.replica_states.items() if str(state).endswith("RUNNING"))
            status = str(getattr(deployment.status, "value", deployment.status)).lower()
            asleep = status == "healthy" and not sum(deployment.replica_states.values())
            states[name] = (running > 0 or asleep, ASLEEP if asleep else status)
        return states


def listening_host() -> str:
    """Return the address on which the service listens. Blocks; to be called in a process of the cluster, off its event loop."""
    if named := os.environ.get(LISTEN_HOST):
        return named
    from ray.serve.context import _get_global_client  # Serve has no public way to ask

    return str(_get_global_client().http_config.host)


def listening_host_if_known() -> str | None:
    """Return `listening_host`, or None when neither Ray nor Serve runs yet: to ask would start a Ray of its own."""
    import ray
    from ray.serve.exceptions import RayServeException

    if not ray.is_initialized():
        return os.environ.get(LISTEN_HOST)
    try:
        return listening_host()
    except RayServeException:
        return None


def cluster_environment() -> dict[str, str]:
    """Return the environment of Ray's own processes: ours without what the application alone was given."""
    import ray

    context = ray.get_runtime_context() if ray.is_initialized() else None
    own = dict(context.runtime_env).get("env_vars") or {} if context is not None else {}
    return {name: value for name, value in os.environ.items() if name not in own}
