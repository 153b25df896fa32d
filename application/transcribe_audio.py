"""Turns a decoded recording into a transcript: find speech, cut windows, recognise them, merge by time."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from pathlib import Path

from application.heard_windows import HeardWindow, LanguageVote, joined, placed, refused, vote
from application.sound_of import sound_of
from domain.audio import DecodedAudio, Span, SpeechWindow
from domain.call import CallContext
from domain.errors import InvalidModelOutput
from domain.second_hearing import second_hearings
from domain.speech import PlannedWindow, SpeechRules, faint_window, plan_windows, speech_spans
from domain.transcript import Segment, Transcript
from domain.transcript_gates import coverage_of
from ports.speech_detector import SpeechDetector
from ports.transcriber import TRANSLATE, Transcriber, TranscriptionOptions

RECIPE = 3
"""Version of what decodes, cuts, gates and merges; raise it with every change that can change a transcript."""
WRITTEN_IN = {TRANSLATE: "en"}
"""The language of a text that is not in the one that was spoken, by task."""
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
        windows: list[HeardWindow] = []
        segments: list[Segment] = []
        async with aclosing(self._recognise_all(audio, plans, options, context)) as stream:
            async for done, ready in stream:
                fresh = _numbered([segment for window in ready for segment in window.segments], len(segments))
                windows.extend(ready)
                segments.extend(fresh)
                await on_window(done, len(plans), fresh)
        if windows and not any(window.provenance for window in windows):
            raise InvalidModelOutput("the transcriber gave no valid output for any window of the recording")
        return Transcript(
            id=transcript_id,
            language=WRITTEN_IN.get(options.task) or options.language or vote(windows, 0.0) or "und",
            duration=audio.seconds,
            segments=tuple(segments),
            coverage=coverage_of(
                [span for window in windows if window.plan.faint is None or window.segments for span in window.plan.speech],
                segments,
                [span for window in windows for span in window.suspects],
            ),
            provenance=tuple(provenance for window in windows for provenance in window.provenance),
            damaged=audio.damaged,
        )

    async def _plan(self, audio: DecodedAudio) -> tuple[PlannedWindow, ...]:
        probabilities = await self.detector.probabilities(Path(audio.pcm_path))
        frame, scale, rules = self.detector.frame_seconds, self.detector.scale, self.settings.rules
        spans = speech_spans(probabilities, frame, audio.seconds, scale, rules)
        if not spans:
            return faint_window(probabilities, frame, audio.seconds, scale)
        return plan_windows(spans, probabilities, frame, audio.seconds, rules)

    async def _recognise_all(
        self, audio: DecodedAudio, plans: Sequence[PlannedWindow], options: TranscriptionOptions, context: CallContext
    ) -> AsyncGenerator[tuple[int, list[HeardWindow]], None]:
        """Yield, after each window, how many are done and those that now follow all windows before them."""
        slots = asyncio.Semaphore(self.settings.concurrent_windows)
        # The voters are in flight at once, or those that wait for their vote would hold every slot.
        voters = min(self.settings.probe_windows, len(plans), self.settings.concurrent_windows)
        elected = LanguageVote(voters, self.settings.language_floor)

        async def one(plan: PlannedWindow) -> HeardWindow:
            async with slots:
                heard = await self._recognise(audio, plan, options, context)
                elected.hear(heard)
                language = options.language or await elected.language()
                settled = await self._in_language(language, heard, audio, options, context)
                return await self._completed(settled, audio, options, context)

        tasks = [asyncio.create_task(one(plan)) for plan in plans]
        waiting: dict[int, HeardWindow] = {}
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
        heard: HeardWindow,
        audio: DecodedAudio,
        options: TranscriptionOptions,
        context: CallContext,
    ) -> HeardWindow:
        """Return the window as heard, or heard again in the recording's language if its own is only a guess."""
        if options.language is not None or language is None or heard.language == language:
            return heard
        sure = heard.language_probability >= self.settings.other_language_floor
        if sure and heard.plan.speech_seconds >= self.settings.other_language_speech:
            return heard
        again = await self._recognise(audio, heard.plan, replace(options, language=language), context)
        return replace(again, provenance=heard.provenance + again.provenance)

    async def _completed(
        self, heard: HeardWindow, audio: DecodedAudio, options: TranscriptionOptions, context: CallContext
    ) -> HeardWindow:
        """Return the window with its silent speech listened to again, in shorter windows and as speech that it is."""
        if heard.plan.faint is not None:
            return heard
        plans = second_hearings(heard.plan, heard.texts, self.settings.rules.pad)
        asked = replace(options, language=options.language or heard.language or None, assume_speech=True)
        again = await _together([self._recognise(audio, plan, asked, context) for plan in plans])
        return joined(heard, again) if again else heard

    async def _recognise(
        self, audio: DecodedAudio, plan: PlannedWindow, options: TranscriptionOptions, context: CallContext
    ) -> HeardWindow:
        pcm = await asyncio.to_thread(sound_of, Path(audio.pcm_path), Span(plan.start, plan.end))
        window = SpeechWindow(plan.index, plan.start, plan.end, pcm, plan.speech, plan.left)
        try:
            answer = await self.transcriber.transcribe(window, options, context)
        except InvalidModelOutput:
            return refused(plan, options.language)
        return placed(plan, answer.value, answer.provenance, options, self.transcriber.scores)


def _numbered(segments: Sequence[Segment], first: int) -> list[Segment]:
    return [replace(segment, id=first + index) for index, segment in enumerate(segments)]


async def _together(calls: Sequence[Awaitable[HeardWindow]]) -> list[HeardWindow]:
    """Await all; on the first failure cancel the others and raise it as it is."""
    tasks = [asyncio.ensure_future(call) for call in calls]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        await _cancel(tasks)


async def _cancel(tasks: Sequence["asyncio.Future[HeardWindow]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
