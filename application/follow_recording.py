"""How a recording is being heard, told to its job: words that are final, windows that are done, what there is left to do."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from application.expected_time import ExpectedTime
from application.job_session import JobSession
from domain.audio import WINDOW_SECONDS
from domain.call import CallKind
from domain.canonical import Json
from domain.transcript import Segment

DETECTED_PER_S = 300.0
"""Seconds of sound searched for speech in a second: 227 s take 0.9 s and an hour 8.6 s, beside decoding, on two cores."""
OnWords = Callable[[int], Awaitable[None]]
"""Told how many words a recording is going to have: a guess that what was heard makes better."""


@dataclass(slots=True)
class FollowRecording:
    """Tells the job how its recording is being heard. `seconds` is the length of the recording."""

    session: JobSession
    seconds: float
    on_words: OnWords
    expected: ExpectedTime
    words: int = 0
    heard_until: float = 0.0

    async def begin(self) -> None:
        """Price what comes, now that the length is known. The search for speech comes before the first window."""
        self.session.remaining.price("transcribing", await self.expected.transcription(self.seconds))
        self.session.remaining.price("speakers", 0.0)
        await self._guess_words()
        in_flight = self.expected.at_once[CallKind.TRANSCRIBE] * WINDOW_SECONDS / max(self.seconds, WINDOW_SECONDS)
        await self.session.begin("transcribing", in_flight=in_flight, head_s=self.seconds / DETECTED_PER_S)

    async def on_window(self, done: int, total: int, new: Sequence[Segment]) -> None:
        """Hear of windows, as `OnWindow` of the transcription."""
        for segment in new:
            await self.session.emit("transcript.segment", _told(segment))
        self.words += sum(len(segment.text.split()) for segment in new)
        self.heard_until = new[-1].end if new else self.heard_until
        await self._guess_words()
        await self.session.advance(done, total)

    async def _guess_words(self) -> None:
        """The words that were heard, and the usual number for what was not."""
        remaining = max(0.0, self.seconds - self.heard_until) / 60 * self.expected.settings.words_per_minute
        await self.on_words(self.words + round(remaining))


def _told(segment: Segment) -> dict[str, Json]:
    """A segment as an event, before anybody knows who said it.

    One per event, so that an attempt that is made again tells the very same and is not heard twice.
    """
    return {"id": segment.id, "start": segment.start, "end": segment.end, "text": segment.text, "speaker": segment.speaker}
