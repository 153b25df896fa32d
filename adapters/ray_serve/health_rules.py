"""What decides whether a model replica is to be replaced. Without Ray: settings are read before it is imported."""

from collections.abc import Callable
from dataclasses import dataclass

from adapters.ray_serve.recycling import RecycleLimits
from adapters.ray_serve.watchdog import HealthLimits
from ports.model_backend import ModelRequest, RawOutput

Judge = Callable[[ModelRequest, RawOutput], bool | None]
"""Whether an answer can come from an engine that is well; None where nobody can say."""


@dataclass(frozen=True, slots=True)
class HealthRules:
    """When a replica of one model counts as ill, and when as worn."""

    limits: HealthLimits
    recycle: RecycleLimits
    judge: Judge
