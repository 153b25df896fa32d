"""Transcripts: words with times, segments with scores, and how much of the speech they cover."""

from dataclasses import dataclass, replace

from domain.call import Provenance
from domain.named_speakers import NOT_LOOKED_FOR, Speakers


@dataclass(frozen=True, slots=True)
class Word:
    """One word with its times in seconds and the model's probability for it (0 to 1)."""

    start: float
    end: float
    text: str
    probability: float


@dataclass(frozen=True, slots=True)
class SegmentScores:
    """What the recogniser thought of its own text (meaning of each: Whisper paper, section 4.5)."""

    avg_logprob: float
    no_speech_prob: float
    compression_ratio: float
    temperature: float = 0.0


@dataclass(frozen=True, slots=True)
class Segment:
    """A sentence or a breath of speech. `id` is its place in the transcript, from 0; times in seconds.

    `language` (ISO 639-1) is the one that is spoken, None where nobody said; `language_probability` (0 to 1) that of its window,
    None where it was not guessed from the sound: the caller named it, or the rest of the recording decided.
    """

    id: int
    start: float
    end: float
    text: str
    scores: SegmentScores | None = None
    words: tuple[Word, ...] = ()
    speaker: str | None = None
    language: str | None = None
    language_probability: float | None = None

    def shifted(self, seconds: float) -> "Segment":
        words = tuple(replace(word, start=word.start + seconds, end=word.end + seconds) for word in self.words)
        return replace(self, start=self.start + seconds, end=self.end + seconds, words=words)


REFUSED = "invalid_model_output"
"""Why speech has no text when the recogniser's answer broke a rule of shape or content."""


@dataclass(frozen=True, slots=True)
class SuspectSpan:
    """Speech that got no text, text that was withheld, or text in doubt: where, and the reason as a short code."""

    start: float
    end: float
    reason: str

    def shifted(self, seconds: float) -> "SuspectSpan":
        return replace(self, start=self.start + seconds, end=self.end + seconds)


@dataclass(frozen=True, slots=True)
class RecognisedWindow:
    """What was recognised in one window, and what the recogniser withheld itself; times count from the window's start."""

    language: str
    language_probability: float
    segments: tuple[Segment, ...]
    withheld: tuple[SuspectSpan, ...] = ()


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of the speech that was found got text: the honest part of a transcript."""

    speech_seconds: float
    transcribed_seconds: float
    suspects: tuple[SuspectSpan, ...] = ()

    @property
    def ratio(self) -> float:
        """1.0 when there was nothing to transcribe."""
        return 1.0 if self.speech_seconds <= 0 else min(1.0, self.transcribed_seconds / self.speech_seconds)


@dataclass(frozen=True, slots=True)
class Transcript:
    """A recording as text. `duration` in seconds; `damaged` when the audio decoded only in part.

    `speakers` say who the speakers are, and whether they were looked for at all; each segment names its own.
    """

    id: str
    language: str
    duration: float
    segments: tuple[Segment, ...]
    coverage: Coverage
    provenance: tuple[Provenance, ...] = ()
    damaged: bool = False
    speakers: Speakers = NOT_LOOKED_FOR

    def naming(self, speakers: Speakers) -> "Transcript":
        """Return it with its speakers called as `speakers` has them, who are the same in the same order."""
        said = zip(self.segments, speakers.said_by, strict=True) if speakers.said_by else ()
        named = tuple(replace(segment, speaker=speakers.name_of(index)) for segment, index in said)
        return replace(self, segments=named or self.segments, speakers=speakers)

    @property
    def text(self) -> str:
        return " ".join(segment.text for segment in self.segments)

    @property
    def refused(self) -> bool:
        """Whether speech has no text because an answer of the recogniser broke a rule."""
        return any(span.reason == REFUSED for span in self.coverage.suspects)
