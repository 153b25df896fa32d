"""Turns a decoded recording into a transcript: find speech, cut windows, recognise them, merge by time."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from pathlib import Path

from domain.audio import BYTES_PER_SAMPLE, SAMPLE_RATE, DecodedAudio, SpeechWindow
from domain.call import CallContext, Provenance
from domain.errors import InvalidModelOutput
from domain.sentences import sentences_of
from domain.speech import PlannedWindow, SpeechRules, plan_windows, speech_spans
from domain.transcript import REFUSED, RecognisedWindow, Segment, SuspectSpan, Transcript
from domain.transcript_gates import coverage_of, reason_to_withhold
from ports.speech_detector import SpeechDetector
from ports.transcriber import Transcriber, TranscriptionOptions

RECIPE = 1
"""Version of what decodes, cuts, gates and merges; raise it with every change that can change a transcript."""
OnWindow = Callable[[int, int, Sequence[Segment]], Awaitable[None]]
"""Told `done`, `total` and the segments that became final, in order of time, after every window."""


@dataclass(frozen=True, slots=True)
class TranscriptionSettings:
    """How recordings are transcribed. Only `rules` and the language numbers change the text."""

    rules: SpeechRules = field(default_factory=SpeechRules)
    concurrent_windows: int = 8
    """Windows of one recording in flight; each holds at most 1 MB of sound."""
    probe_windows: int = 3
    """First windows that vote on the language of the recording."""
    language_floor: float = 0.5
    """A guess below this has no vote (faster-whisper's language_detection_threshold)."""
    other_language_floor: float = 0.8
    """A window keeps a language other than the recording's only from this probability,"""
    other_language_speech: float = 3.0
    """and with this many seconds of speech: on less, the detector guesses."""


@dataclass(frozen=True, slots=True)
class _Recognised:
    """What became of one window, in seconds of the recording."""

    plan: PlannedWindow
    language: str
    language_probability: float
    segments: tuple[Segment, ...]
    withheld: tuple[SuspectSpan, ...]
    provenance: tuple[Provenance, ...]


@dataclass(frozen=True, slots=True)
class TranscribeAudio:
    """Transcribes recordings of any length; every window is one cached, guarded call."""

    transcriber: Transcriber
    detector: SpeechDetector
    settings: TranscriptionSettings = field(default_factory=TranscriptionSettings)

    async def __call__(
        self,
        transcript_id: str,
        audio: DecodedAudio,
        options: TranscriptionOptions,
        context: CallContext,
        on_window: OnWindow,
    ) -> Transcript:
        """Return the transcript of `audio`; a recording without speech has no segments.

        A window whose output is refused (InvalidModelOutput) is left without text and listed as suspect; when all are, that
        is raised. A window that fails for good otherwise (ModelError, BudgetExceeded, RateLimited, DeadlineExceeded) fails
        the transcript, and the windows in flight are cancelled; those that are done stay in the call cache.
        """
        plans = await self._plan(audio)
        windows: list[_Recognised] = []
        segments: list[Segment] = []
        language, probes = await self._meeting_language(audio, plans, options, context)
        async with aclosing(self._recognise_all(audio, plans, probes, language, options, context)) as stream:
            async for done, ready in stream:
                fresh = _numbered([segment for window in ready for segment in window.segments], len(segments))
                windows.extend(ready)
                segments.extend(fresh)
                await on_window(done, len(plans), fresh)
        if windows and not any(window.provenance for window in windows):
            raise InvalidModelOutput("the transcriber gave no valid output for any window of the recording")
        spoken = _vote(windows, 0.0) or language
        return Transcript(
            id=transcript_id,
            language=options.language or spoken or "und",
            duration=audio.seconds,
            segments=tuple(segments),
            coverage=coverage_of(
                [span for plan in plans for span in plan.speech],
                segments,
                [span for window in windows for span in window.withheld],
            ),
            provenance=tuple(provenance for window in windows for provenance in window.provenance),
            damaged=audio.damaged,
        )

    async def _plan(self, audio: DecodedAudio) -> tuple[PlannedWindow, ...]:
        probabilities = await self.detector.probabilities(Path(audio.pcm_path))
        frame, rules = self.detector.frame_seconds, self.settings.rules
        spans = speech_spans(probabilities, frame, audio.seconds, rules)
        return plan_windows(spans, probabilities, frame, audio.seconds, rules)

    async def _meeting_language(
        self,
        audio: DecodedAudio,
        plans: Sequence[PlannedWindow],
        options: TranscriptionOptions,
        context: CallContext,
    ) -> tuple[str | None, dict[int, _Recognised]]:
        """Return the language of the recording and the first windows, that voted on it, as they were heard."""
        if options.language is not None or not plans:
            return options.language, {}
        first = plans[: self.settings.probe_windows]
        heard = await _together([self._recognise(audio, plan, options, context) for plan in first])
        language = _vote(heard, self.settings.language_floor) or _vote(heard, 0.0)
        return language, {window.plan.index: window for window in heard}

    async def _recognise_all(
        self,
        audio: DecodedAudio,
        plans: Sequence[PlannedWindow],
        probes: dict[int, _Recognised],
        language: str | None,
        options: TranscriptionOptions,
        context: CallContext,
    ) -> AsyncGenerator[tuple[int, list[_Recognised]], None]:
        """Yield, after each window, how many are done and those that now follow all windows before them."""
        slots = asyncio.Semaphore(self.settings.concurrent_windows)

        async def one(plan: PlannedWindow) -> _Recognised:
            async with slots:
                heard = probes.get(plan.index) or await self._recognise(audio, plan, options, context)
                return await self._in_language(language, heard, audio, options, context)

        tasks = [asyncio.create_task(one(plan)) for plan in plans]
        waiting: dict[int, _Recognised] = {}
        following = 0
        try:
            for done, finished in enumerate(asyncio.as_completed(tasks), start=1):
                window = await finished
                waiting[window.plan.index] = window
                ready = []
                while following in waiting:
                    ready.append(waiting.pop(following))
                    following += 1
                yield done, ready
        finally:
            await _cancel(tasks)

    async def _in_language(
        self,
        language: str | None,
        heard: _Recognised,
        audio: DecodedAudio,
        options: TranscriptionOptions,
        context: CallContext,
    ) -> _Recognised:
        """Return the window as heard, or heard again in the recording's language if its own is only a guess."""
        if options.language is not None or language is None or heard.language == language:
            return heard
        sure = heard.language_probability >= self.settings.other_language_floor
        if sure and heard.plan.speech_seconds >= self.settings.other_language_speech:
            return heard
        again = await self._recognise(audio, heard.plan, replace(options, language=language), context)
        return replace(again, provenance=heard.provenance + again.provenance)

    async def _recognise(
        self, audio: DecodedAudio, plan: PlannedWindow, options: TranscriptionOptions, context: CallContext
    ) -> _Recognised:
        pcm = await asyncio.to_thread(_read, Path(audio.pcm_path), plan.start, plan.end)
        window = SpeechWindow(plan.index, plan.start, plan.end, pcm, plan.speech)
        try:
            answer = await self.transcriber.transcribe(window, options, context)
        except InvalidModelOutput:
            return _refused(plan, options.language)
        return _placed(plan, answer.value, answer.provenance)


def _placed(plan: PlannedWindow, heard: RecognisedWindow, provenance: Provenance) -> _Recognised:
    """Move a window to its place in the recording, withhold what can not have been said, and cut it into sentences."""
    kept: list[Segment] = []
    withheld: list[SuspectSpan] = []
    for segment in heard.segments:
        placed = segment.shifted(plan.start)
        if reason := reason_to_withhold(placed, plan.speech):
            withheld.append(SuspectSpan(placed.start, placed.end, reason))
        else:
            kept.extend(sentences_of(placed))
    return _Recognised(plan, heard.language, heard.language_probability, tuple(kept), tuple(withheld), (provenance,))


def _refused(plan: PlannedWindow, language: str | None) -> _Recognised:
    """Leave a window without text whose output broke the rules of validity, and say so for every stretch of its speech."""
    withheld = tuple(SuspectSpan(span.start, span.end, REFUSED) for span in plan.speech)
    return _Recognised(plan, language or "", 0.0, (), withheld, ())


def _read(pcm: Path, start: float, end: float) -> bytes:
    first, last = round(start * SAMPLE_RATE), round(end * SAMPLE_RATE)
    with pcm.open("rb") as file:
        file.seek(first * BYTES_PER_SAMPLE)
        data = file.read((last - first) * BYTES_PER_SAMPLE)
    return data[: len(data) - len(data) % BYTES_PER_SAMPLE]


def _numbered(segments: Sequence[Segment], first: int) -> list[Segment]:
    return [replace(segment, id=first + place) for place, segment in enumerate(segments)]


def _vote(windows: Sequence[_Recognised], floor: float) -> str | None:
    """Return the language with the most probable seconds of speech among guesses of at least `floor`."""
    votes: dict[str, float] = defaultdict(float)
    for window in windows:
        if window.language and window.language_probability >= floor:
            votes[window.language] += window.language_probability * max(window.plan.speech_seconds, 0.1)
    return max(sorted(votes), key=lambda language: votes[language], default=None)


async def _together(calls: Sequence[Awaitable[_Recognised]]) -> list[_Recognised]:
    """Await all; on the first failure cancel the others and raise it as it is."""
    tasks = [asyncio.ensure_future(call) for call in calls]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        await _cancel(tasks)


async def _cancel(tasks: Sequence["asyncio.Future[_Recognised]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
