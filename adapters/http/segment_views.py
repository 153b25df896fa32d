"""What was said and by whom, as JSON; times in seconds."""

from pydantic import BaseModel

from domain.named_speakers import KnownVoices, Speakers, SpeakerStatus, ToldBy
from domain.transcript import Segment


class WordView(BaseModel):
    """A word; its speaker is its segment's, since segments are cut where the speaker changes."""

    start: float
    end: float
    text: str
    probability: float
    speaker: str | None


class ScoresView(BaseModel):
    """The recogniser's opinion of its own text (Whisper paper, section 4.5)."""

    avg_logprob: float
    no_speech_prob: float
    compression_ratio: float
    temperature: float


class SegmentView(BaseModel):
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
    def of(cls, segment: Segment) -> "SegmentView":
        scores = segment.scores
        return cls(
            id=segment.id,
            start=segment.start,
            end=segment.end,
            speaker=segment.speaker,
            text=segment.text,
            words=[
                WordView(start=w.start, end=w.end, text=w.text, probability=w.probability, speaker=segment.speaker)
                for w in segment.words
            ],
            scores=ScoresView(
                avg_logprob=scores.avg_logprob,
                no_speech_prob=scores.no_speech_prob,
                compression_ratio=scores.compression_ratio,
                temperature=scores.temperature,
            )
            if scores
            else None,
            language=segment.language,
            language_probability=segment.language_probability,
        )


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
                speakers.labels[each.place]: RecognisedView(name=each.name, voice_id=each.voice_id, likeness=each.likeness)
                for each in voices.recognised
            },
            remembered=list(voices.remembered),
            not_remembered=[NotRememberedView(name=each.name, reason=each.reason) for each in voices.not_remembered],
            failure=voices.failure,
        )


class SpeakersView(BaseModel):
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
    def of(cls, speakers: Speakers) -> "SpeakersView":
        return cls(
            status=speakers.status,
            reason=speakers.reason,
            told_by=speakers.told_by,
            names=list(dict.fromkeys(speakers.names)),
            labels=dict(zip(speakers.labels, speakers.names, strict=True)),
            voices=None if speakers.voices is None else KnownVoicesView.of(speakers, speakers.voices),
        )
