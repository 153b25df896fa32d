"""What operators and clients ask of the service itself: models, alive, ready."""

from typing import Literal

from pydantic import BaseModel

from adapters.http.common.services import ModelCard
from domain.call import CallKind


class RateView(BaseModel):
    """How fast one replica is, as it measured itself: seconds of sound or tokens read per second, tokens written per second (0:
    it writes none), and how many times as much it does with many calls at once."""

    input_per_s: float
    output_per_s: float
    speedup: float


class ModelView(BaseModel):
    """A served model; the members after `owned_by` are ours. `created` in Unix seconds.

    `instructions`: the processor's instruction sets that decide which kernels run. `rate` is null while nobody measured it, and
    for remote models. `slow` says what to do where the rate is below what the model should do anywhere. `alias_of`: the model
    that answers to this name, where that is not its own.
    """

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str
    kind: CallKind
    revision: str
    engine: str
    precision: str
    breaker: str
    instructions: str = ""
    rate: RateView | None = None
    slow: str | None = None
    alias_of: str | None = None

    @classmethod
    def of(cls, card: ModelCard, alias: str | None = None) -> "ModelView":
        rate = card.rate
        return cls(
            id=alias or card.id,
            alias_of=card.id if alias else None,
            created=card.created,
            owned_by=card.owned_by,
            kind=card.kind,
            revision=card.revision,
            engine=card.engine,
            precision=card.precision,
            breaker=card.breaker,
            instructions=card.instructions,
            rate=RateView(input_per_s=rate.input_per_s, output_per_s=rate.output_per_s, speedup=rate.speedup) if rate else None,
            slow=card.slow,
        )


class ModelPage(BaseModel):
    object: Literal["list"] = "list"
    data: list[ModelView]


class AliveView(BaseModel):
    status: Literal["alive"] = "alive"


class WarmModelView(BaseModel):
    id: str
    kind: CallKind
    ready: bool
    detail: str


class ReadyView(BaseModel):
    status: Literal["ready"] = "ready"
    models: list[WarmModelView]
