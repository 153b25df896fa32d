"""Model replicas of this cluster as a `ModelBackend`, through a deployment handle."""

import asyncio
from typing import Any

from domain.call import ModelIdentity
from domain.errors import ModelOverloaded, ModelTimeout, ModelUnavailable, WordloopError
from ports.model_backend import CallMeta, ModelBackend, ModelRequest, RawOutput

REPLICA_RESTART_S = 5.0
"""Seconds after which a lost replica is worth asking for again."""


class RayServeBackend(ModelBackend):
    """One model deployment. `handle` is its deployment handle; the identity is that of the weights it serves."""

    def __init__(self, handle: Any, identity: ModelIdentity, name: str = "ray_serve") -> None:
        self._handle = handle
        self._identity = identity
        self._name = name

    @property
    def identity(self) -> ModelIdentity:
        return self._identity

    @property
    def name(self) -> str:
        return self._name

    async def call(self, request: ModelRequest, meta: CallMeta, timeout_s: float) -> RawOutput:
        response = self._handle.call.remote(request, meta)
        try:
            async with asyncio.timeout(timeout_s):
                output: RawOutput = await response
                return output
        except TimeoutError as error:
            response.cancel()
            raise ModelTimeout(f"no answer within {timeout_s:.1f} s") from error
        except asyncio.CancelledError:
            response.cancel()
            raise
        except Exception as error:
            raise unwrapped(error) from error


def unwrapped(error: BaseException) -> WordloopError:
    """Turn what arrives from another process into one of our errors.

    An exception raised in a replica arrives as a RayTaskError whose `str` is a remote traceback; its `cause` is the
    exception itself. A replica that died, is starting, or is full has Ray's own kinds.
    """
    from ray.exceptions import RayActorError, RayTaskError
    from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError

    if isinstance(error, RayTaskError) and isinstance(error.cause, BaseException):
        return unwrapped(error.cause)
    if isinstance(error, WordloopError):
        return error
    if isinstance(error, BackPressureError):
        return ModelOverloaded("the model's queue is full", getattr(error, "retry_after_s", None))
    if isinstance(error, RayActorError | DeploymentUnavailableError):
        return ModelUnavailable("the model's replica is gone or starting", REPLICA_RESTART_S)
    # The kind only: the text of an unknown error may quote its input.
    return ModelUnavailable(f"the model's replica failed with {type(error).__name__}", None)
