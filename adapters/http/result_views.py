"""Transcripts and recaps as JSON; the members of the contract, times in seconds."""

from typing import Any, Literal

from pydantic import BaseModel

from domain.call import CallKind, Provenance
from domain.recap import ActionItem, Chapter, Recap, Statement
from domain.transcript import Coverage, Segment, Transcript


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


class WordView(BaseModel):
    start: float
    end: float
    text: str
    probability: float


class ScoresView(BaseModel):
    """The recogniser's opinion of its own text (Whisper paper, section 4.5)."""

    avg_logprob: float
    no_speech_prob: float
    compression_ratio: float
    temperature: float


class SegmentView(BaseModel):
    id: int
    start: float
    end: float
    speaker: str | None
    text: str
    words: list[WordView]
    scores: ScoresView | None

    @classmethod
    def of(cls, segment: Segment) -> "SegmentView":
        scores = segment.scores
        return cls(
            id=segment.id,
            start=segment.start,
            end=segment.end,
            speaker=segment.speaker,
            text=segment.text,
            words=[WordView(start=w.start, end=w.end, text=w.text, probability=w.probability) for w in segment.words],
            scores=ScoresView(
                avg_logprob=scores.avg_logprob,
                no_speech_prob=scores.no_speech_prob,
                compression_ratio=scores.compression_ratio,
                temperature=scores.temperature,
            )
            if scores
            else None,
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
            coverage=CoverageView.of(transcript.coverage),
            damaged=transcript.damaged,
            provenance=[ProvenanceView.of(call) for call in transcript.provenance],
        )


class StatementView(BaseModel):
    """A statement, the segments it cites, and how far they support it (0 to 1)."""

    text: str
    segment_ids: list[int]
    support: float

    @classmethod
    def of(cls, statement: Statement) -> "StatementView":
        return cls(text=statement.text, segment_ids=list(statement.segment_ids), support=statement.support)


class ActionItemView(BaseModel):
    """`owner` and `due` are words of the conversation, or null when it named none."""

    text: str
    segment_ids: list[int]
    support: float
    owner: str | None
    due: str | None

    @classmethod
    def of(cls, item: ActionItem) -> "ActionItemView":
        return cls(text=item.text, segment_ids=list(item.segment_ids), support=item.support, owner=item.owner, due=item.due)


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


class RecapView(BaseModel):
    """A recap; `degraded` lists why parts are quoted instead of phrased."""

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
            provenance=[ProvenanceView.of(call) for call in recap.provenance],
        )
