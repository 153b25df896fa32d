"""When a model replica counts as ill or as worn, by the settings."""

from typing import Literal

from pydantic import Field

from adapters.guard.settings import AttemptTimeouts
from adapters.guard.soundness import is_sound
from adapters.ray_serve.health_rules import HealthRules
from adapters.ray_serve.recycling import RecycleLimits
from adapters.ray_serve.watchdog import HealthLimits
from serve_app.settings.model_ports import PORTS
from serve_app.settings.strict import Strict

ModelName = Literal["transcriber", "language_model", "embedder", "reader", "diarizer"]


class RecycleSettings(Strict):
    """After how many `calls`, or with how many `rss_bytes` of memory, a replica asks to be replaced. None: never."""

    calls: int | None = Field(default=None, ge=1)
    rss_bytes: int | None = Field(default=None, ge=1)


class HealthSettings(Strict):
    """When Ray Serve replaces a model replica; it asks every `health_check_period_s` and believes three answers in a row.

    An engine is hung when it has something to do and answers nothing for longer than `guard.timeouts` of its calls and than
    `slow_factor` times the longest of its last 32 calls. It is sick when `bad_in_a_row` different calls one after another failed
    or were answered with what the guard refuses. `recycle`: models of which a replica is replaced when it has done enough, one of
    a deployment at a time, after it has finished its calls.
    """

    slow_factor: float = Field(default=10.0, ge=1)
    bad_in_a_row: int = Field(default=8, ge=1)
    recycle: dict[ModelName, RecycleSettings] = Field(default_factory=dict)

    def rules(self, model: ModelName, timeouts: AttemptTimeouts) -> HealthRules:
        """Return the rules for the replicas of one model."""
        timeout_s = max(getattr(timeouts, kind.value) for kind, port in PORTS.items() if port == model)
        worn = self.recycle.get(model, RecycleSettings())
        limits = HealthLimits(timeout_s, self.slow_factor, self.bad_in_a_row)
        return HealthRules(limits, RecycleLimits(worn.calls, worn.rss_bytes), is_sound)
