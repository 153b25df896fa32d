"""What an estimate is asked for, and how it is told."""

import math
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field, StringConstraints, model_validator

from adapters.http.common.body import Body, Language
from adapters.http.common.fields import LATEST_SECOND, MOST_TEXTS, SEGMENT_CHARACTERS, Identifier, RecordedAt
from adapters.http.common.speakers_body import Speakers
from adapters.http.common.template_body import GENERAL, TemplateBody
from adapters.http.results.bodies import MOST_SEGMENTS, SegmentBody
from adapters.http.uploads.forms import AudioForm
from domain.estimate import Estimate, Stage, StageEstimate
from ports.call_metering import Amounts
from ports.embedder import InputType

Stages = Annotated[
    tuple[Stage, ...], Field(max_length=len(Stage), description="What the request would do; all it can by default")
]
Text = Annotated[str, StringConstraints(min_length=1, max_length=SEGMENT_CHARACTERS)]


class EstimateForm(AudioForm):
    """The fields beside `file`, as in the real request."""

    stages: Annotated[tuple[Stage, ...], Field(alias="stages[]", max_length=len(Stage))] = ()


class EstimateBody(Body):
    """One of `transcript_id`, `segments`, `input` (texts to embed) and `audio_seconds`, with the options of the real request."""

    transcript_id: Identifier | None = None
    segments: Annotated[tuple[SegmentBody, ...], Field(min_length=1, max_length=MOST_SEGMENTS)] | None = None
    input: Annotated[tuple[Text, ...], Field(min_length=1, max_length=MOST_TEXTS)] | None = None
    audio_seconds: Annotated[float, Field(strict=True, gt=0, le=LATEST_SECOND, allow_inf_nan=False)] | None = None
    language: Language | None = None
    template: TemplateBody = GENERAL
    recorded_at: RecordedAt | None = None
    speakers: Speakers = None
    vocabulary: Annotated[str, StringConstraints(max_length=1024)] | None = None
    input_type: InputType = InputType.DOCUMENT
    stages: Stages = ()

    @model_validator(mode="before")
    @classmethod
    def _one_text(cls, body: Any) -> Any:
        """A single text may stand without a list, as in the embedding request."""
        if isinstance(body, dict) and isinstance(body.get("input"), str):
            return {**body, "input": [body["input"]]}
        return body

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if sum(source is not None for source in (self.transcript_id, self.segments, self.input, self.audio_seconds)) != 1:
            raise ValueError("give one of transcript_id, segments, input and audio_seconds")
        starts = [segment.start for segment in self.segments or ()]
        if starts != sorted(starts):
            raise ValueError("segments are not in order of their start")
        return self


class StageView(BaseModel):
    """One stage: all its calls, those of them that the cache answers, and what the others take.

    `seconds` on a service that does nothing else; it and `cost_usd` (US dollars) are null where nobody measured the model's rate.
    """

    calls: int
    cached_calls: int
    audio_seconds: float
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    seconds: float | None

    @classmethod
    def of(cls, stage: StageEstimate) -> "StageView":
        return cls(
            calls=stage.calls,
            cached_calls=stage.cached_calls,
            audio_seconds=round(stage.audio_seconds, 3),
            input_tokens=stage.input_tokens,
            output_tokens=stage.output_tokens,
            cost_usd=_rounded(stage.cost_usd, 8),
            seconds=_rounded(stage.seconds, 3),
        )


class TotalView(BaseModel):
    """All stages together; `tokens` are those read and written."""

    calls: int
    cached_calls: int
    tokens: int
    cost_usd: float | None
    seconds: float | None


class AmountsView(BaseModel):
    """What may still be used; null where there is no limit."""

    audio_seconds: float | None
    tokens: float | None
    money_usd: float | None

    @classmethod
    def of(cls, left: Amounts) -> "AmountsView":
        return cls(audio_seconds=_limit(left.audio_seconds), tokens=_limit(left.tokens), money_usd=_limit(left.money_usd))


class BudgetView(BaseModel):
    """Budgets of the caller in the current period."""

    tenant: AmountsView


class EstimateView(BaseModel):
    """What a request would take. `exact`: its calls are known one by one; what the uncached ones take is judged in any case.

    `audio_seconds` and `speech_seconds` are those of the recording. `basis` says in words how each part was found.
    `other_seconds` go to no model (waiting for a worker, decoding, planning, storing); `total.seconds` holds them.
    """

    object: Literal["estimate"] = "estimate"
    exact: bool
    audio_seconds: float | None
    speech_seconds: float | None
    other_seconds: float
    stages: dict[Stage, StageView]
    total: TotalView
    budget_left: BudgetView
    basis: list[str]

    @classmethod
    def of(cls, estimate: Estimate, left: Amounts) -> "EstimateView":
        total = estimate.total
        return cls(
            exact=estimate.exact,
            audio_seconds=_rounded(estimate.audio_seconds, 3),
            speech_seconds=_rounded(estimate.speech_seconds, 3),
            other_seconds=round(estimate.other_seconds, 3),
            stages={stage: StageView.of(found) for stage, found in estimate.stages.items()},
            total=TotalView(
                calls=total.calls,
                cached_calls=total.cached_calls,
                tokens=total.input_tokens + total.output_tokens,
                cost_usd=_rounded(total.cost_usd, 8),
                seconds=_rounded(total.seconds, 3),
            ),
            budget_left=BudgetView(tenant=AmountsView.of(left)),
            basis=list(estimate.basis),
        )


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _limit(amount: float) -> float | None:
    return None if math.isinf(amount) else amount
