"""Transcripts and recaps as JSON; the members of the contract, times in seconds."""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel

from adapters.http.segment_views import SegmentView, SpeakersView
from application.recap_times import has_times
from domain.call import CallKind, Provenance
from domain.recap import ActionItem, Chapter, Recap, Statement
from domain.transcript import Coverage, Transcript


class ModelIdentityView(BaseModel):
    id: str
    revision: str
    engine: str
    precision: str


class PromptView(BaseModel):
    name: str
    version: str
    digest: str


class UsageView(BaseModel):
    """What the call consumed; all zero when it came from the cache."""

    audio_seconds: float
    input_tokens: int
    output_tokens: int
    cached_input_tokens: int


class ProvenanceView(BaseModel):
    """One model call behind this result: its content key, what decided its output, and what it took."""

    key: str
    kind: CallKind
    input_sha256: str
    model: ModelIdentityView
    parameters: dict[str, Any]
    prompt: PromptView | None
    cache_hit: bool
    attempts: int
    latency_s: float
    usage: UsageView
    cost_usd: float

    @classmethod
    def of(cls, call: Provenance) -> "ProvenanceView":
        model, prompt, usage = call.model, call.prompt, call.usage
        return cls(
            key=call.key,
            kind=call.kind,
            input_sha256=call.input_sha256,
            model=ModelIdentityView(id=model.id, revision=model.revision, engine=model.engine, precision=model.precision),
            parameters=dict(call.parameters),
            prompt=PromptView(name=prompt.name, version=prompt.version, digest=prompt.digest) if prompt else None,
            cache_hit=call.cache_hit,
            attempts=call.attempts,
            latency_s=call.latency_s,
            usage=UsageView(
                audio_seconds=usage.audio_seconds,
                input_tokens=usage.input_tokens,
                output_tokens=usage.output_tokens,
                cached_input_tokens=usage.cached_input_tokens,
            ),
            cost_usd=call.cost_usd,
        )


class SuspectView(BaseModel):
    """Speech without text, or text that was withheld, and why."""

    start: float
    end: float
    reason: str


class CoverageView(BaseModel):
    """How much of the speech that was found got text."""

    speech_seconds: float
    transcribed_seconds: float
    ratio: float
    suspects: list[SuspectView]

    @classmethod
    def of(cls, coverage: Coverage) -> "CoverageView":
        return cls(
            speech_seconds=coverage.speech_seconds,
            transcribed_seconds=coverage.transcribed_seconds,
            ratio=coverage.ratio,
            suspects=[SuspectView(start=s.start, end=s.end, reason=s.reason) for s in coverage.suspects],
        )


class TranscriptView(BaseModel):
    id: str
    object: Literal["transcript"] = "transcript"
    language: str
    duration: float
    text: str
    segments: list[SegmentView]
    speakers: SpeakersView
    coverage: CoverageView
    damaged: bool
    provenance: list[ProvenanceView]

    @classmethod
    def of(cls, transcript: Transcript) -> "TranscriptView":
        return cls(
            id=transcript.id,
            language=transcript.language,
            duration=transcript.duration,
            text=transcript.text,
            segments=[SegmentView.of(segment) for segment in transcript.segments],
            speakers=SpeakersView.of(transcript.speakers),
            coverage=CoverageView.of(transcript.coverage),
            damaged=transcript.damaged,
            provenance=[ProvenanceView.of(call) for call in transcript.provenance],
        )


class SaidView(BaseModel):
    """A statement, the segments it cites, and how far they support it (0 to 1).

    `start` and `end` in seconds, from the first cited segment to the last; null where nobody knows them any more. `speaker` said
    all of it, null when several did. `confidence` (0 to 1): how probable it is that there is such a decision, action item or open
    question; null for the others.
    """

    text: str
    segment_ids: list[int]
    support: float
    start: float | None
    end: float | None
    speaker: str | None
    confidence: float | None


class StatementView(SaidView):
    """A statement of a recap, with what it rests on."""

    @classmethod
    def of(cls, statement: Statement) -> "StatementView":
        return cls(**_said(statement))


class ActionItemView(SaidView):
    """`owner` and `due` are words of the conversation, or null when it named none.

    `due_date` (ISO) is the day that `due` names, where the request told when the conversation was and there is one such day;
    `due_rule` how it was told.
    """

    owner: str | None
    due: str | None
    due_date: str | None
    due_rule: str | None

    @classmethod
    def of(cls, item: ActionItem) -> "ActionItemView":
        return cls(**_said(item), owner=item.owner, due=item.due, due_date=item.due_date, due_rule=item.due_rule)


def _said(statement: Statement | ActionItem) -> dict[str, Any]:
    known = has_times(statement)
    return {
        "text": statement.text,
        "segment_ids": list(statement.segment_ids),
        "support": statement.support,
        "start": statement.start if known else None,
        "end": statement.end if known else None,
        "speaker": statement.speaker,
        "confidence": statement.confidence,
    }


class ChapterView(BaseModel):
    title: str
    start: float
    end: float
    segment_ids: list[int]
    summary: list[StatementView]

    @classmethod
    def of(cls, chapter: Chapter) -> "ChapterView":
        return cls(
            title=chapter.title,
            start=chapter.start,
            end=chapter.end,
            segment_ids=list(chapter.segment_ids),
            summary=[StatementView.of(statement) for statement in chapter.summary],
        )


class CallsView(BaseModel):
    """The model calls behind a recap: those that were made for it, and those whose answers were there already, at no cost."""

    made: int
    reused: int

    @classmethod
    def of(cls, provenance: Sequence[Provenance]) -> "CallsView":
        reused = sum(call.cache_hit for call in provenance)
        return cls(made=len(provenance) - reused, reused=reused)


class RecapView(BaseModel):
    """A recap; `degraded` lists why parts are quoted instead of phrased. `sections` are those of its template, in its order."""

    id: str
    object: Literal["recap"] = "recap"
    transcript_id: str | None
    language: str
    title: str
    summary: list[StatementView]
    key_points: list[StatementView]
    decisions: list[StatementView]
    action_items: list[ActionItemView]
    open_questions: list[StatementView]
    chapters: list[ChapterView]
    support: float
    degraded: list[str]
    sections: list[str]
    calls: CallsView
    provenance: list[ProvenanceView]

    @classmethod
    def of(cls, recap: Recap) -> "RecapView":
        return cls(
            id=recap.id,
            transcript_id=recap.transcript_id,
            language=recap.language,
            title=recap.title,
            summary=[StatementView.of(s) for s in recap.summary],
            key_points=[StatementView.of(s) for s in recap.key_points],
            decisions=[StatementView.of(s) for s in recap.decisions],
            action_items=[ActionItemView.of(item) for item in recap.action_items],
            open_questions=[StatementView.of(s) for s in recap.open_questions],
            chapters=[ChapterView.of(chapter) for chapter in recap.chapters],
            support=recap.support,
            degraded=list(recap.degraded),
            sections=list(recap.sections),
            calls=CallsView.of(recap.provenance),
            provenance=[ProvenanceView.of(call) for call in recap.provenance],
        )
