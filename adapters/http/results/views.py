"""Transcripts and recaps as JSON; the members of the contract, times in seconds."""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel

from adapters.http.common.provenance_views import ProvenanceView
from adapters.http.common.view import View
from application.recap_times import has_times
from domain.call import Provenance
from domain.named_speakers import KnownVoices, Speakers, SpeakerStatus, ToldBy
from domain.recap import ActionItem, Recap, Statement
from domain.transcript import Segment


class WordView(BaseModel):
    """A word; its speaker is its segment's, since segments are cut where the speaker changes."""

    start: float
    end: float
    text: str
    probability: float
    speaker: str | None


class ScoresView(View):
    """The recogniser's opinion of its own text (Whisper paper, section 4.5)."""

    avg_logprob: float
    no_speech_prob: float
    compression_ratio: float
    temperature: float


class SegmentView(View):
    """What was said in one go. `language` (ISO 639-1) is the one that is spoken; `language_probability` null where it was not
    guessed from the sound: the request named it, or the rest of the recording decided.
    """

    id: int
    start: float
    end: float
    speaker: str | None
    text: str
    words: list[WordView]
    scores: ScoresView | None
    language: str | None
    language_probability: float | None

    @classmethod
    def otherwise(cls, value: Segment) -> dict[str, Any]:
        return {
            "words": [
                WordView(start=w.start, end=w.end, text=w.text, probability=w.probability, speaker=value.speaker)
                for w in value.words
            ]
        }


class RecognisedView(BaseModel):
    """Who a speaker is by a voice that is kept, and how much alike the voices are: 1 is the same."""

    name: str
    voice_id: str
    likeness: float


class NotRememberedView(BaseModel):
    name: str
    reason: str


class KnownVoicesView(BaseModel):
    """What came of the voices that are kept, where the request asked to `recognise` or `remember`.

    `compared` with so many; `of_another_model` were made with another speaker model and say nothing. `recognised` by the label of
    the speaker. `remembered`: names under which a voice is kept now; `not_remembered` and why: `too_little_heard` (8 seconds
    alone are needed), `not_heard`, `nothing_stored`, `too_many_voices`, `storage_failed`. `failure`: why nobody could be
    recognised: `unmeasured_model`, `storage_failed`.
    """

    compared: int
    of_another_model: int
    recognised: dict[str, RecognisedView]
    remembered: list[str]
    not_remembered: list[NotRememberedView]
    failure: str | None

    @classmethod
    def of(cls, speakers: Speakers, voices: KnownVoices) -> "KnownVoicesView":
        return cls(
            compared=voices.compared,
            of_another_model=voices.of_another_model,
            recognised={
                speakers.labels[each.index]: RecognisedView(name=each.name, voice_id=each.voice_id, likeness=each.likeness)
                for each in voices.recognised
            },
            remembered=list(voices.remembered),
            not_remembered=[NotRememberedView(name=each.name, reason=each.reason) for each in voices.not_remembered],
            failure=voices.failure,
        )


class SpeakersView(View):
    """Who the speakers are. `status`: `found`; `failed`, which costs nothing but their names; or `off`, where nobody looked.

    `reason`: why they were not found, a short code. `told_by`: their voices, the channels of the recording, or the count that was
    asked for. `names` in order of first speech. `labels` maps what each was called when they were found to what they are called
    now: labels are what a renaming names, and two of one name are one speaker. `voices` only where the request asked for them.
    """

    status: SpeakerStatus
    reason: str | None
    told_by: ToldBy | None
    names: list[str]
    labels: dict[str, str]
    voices: KnownVoicesView | None

    @classmethod
    def otherwise(cls, value: Speakers) -> dict[str, Any]:
        return {
            "names": list(dict.fromkeys(value.names)),
            "labels": dict(zip(value.labels, value.names, strict=True)),
            "voices": None if value.voices is None else KnownVoicesView.of(value, value.voices),
        }


class SuspectView(View):
    """Speech without text, or text that was withheld, and why."""

    start: float
    end: float
    reason: str


class CoverageView(View):
    """How much of the speech that was found got text."""

    speech_seconds: float
    transcribed_seconds: float
    ratio: float
    suspects: list[SuspectView]


class TranscriptView(View):
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


class SaidView(View):
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

    @classmethod
    def otherwise(cls, value: Statement | ActionItem) -> dict[str, Any]:
        return {} if has_times(value) else {"start": None, "end": None}


class StatementView(SaidView):
    """A statement of a recap, with what it rests on."""


class ActionItemView(SaidView):
    """`owner` and `due` are words of the conversation, or null when it named none.

    `due_date` (ISO) is the day that `due` names, where the request told when the conversation was and there is one such day;
    `due_rule` how it was told.
    """

    owner: str | None
    due: str | None
    due_date: str | None
    due_rule: str | None


class ChapterView(View):
    title: str
    start: float
    end: float
    segment_ids: list[int]
    summary: list[StatementView]


class CallsView(BaseModel):
    """The model calls behind a recap: those that were made for it, and those whose answers were there already, at no cost."""

    made: int
    reused: int

    @classmethod
    def of(cls, provenance: Sequence[Provenance]) -> "CallsView":
        reused = sum(call.cache_hit for call in provenance)
        return cls(made=len(provenance) - reused, reused=reused)


class RecapView(View):
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
    def otherwise(cls, value: Recap) -> dict[str, Any]:
        return {"calls": CallsView.of(value.provenance)}


class DeletedView(BaseModel):
    id: str
    object: Literal["conversation.deleted"] = "conversation.deleted"
    deleted: Literal[True] = True
