"""Finds who speaks when in a decoded recording: listen to windows that overlap, join the voices, put the turns together."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from application.bounded_calls import in_step
from application.sound_of import sound_of
from domain.audio import SAMPLE_RATE, DecodedAudio, Span
from domain.call import CallContext, Provenance
from domain.speaker_turns import TurnRules, turns_and_voices
from domain.speakers import HeardWindow, SpeakerCount, SpokenTurns
from ports.diarizer import LONGEST_WINDOW_S, Diarizer

OnProgress = Callable[[int, int], Awaitable[None]]
"""Told `done` and `total` after every window."""


@dataclass(frozen=True, slots=True)
class DiarizationSettings:
    """How speakers are found. All but `concurrent_windows` change the turns; chosen by measurement (docs/adr/0023)."""

    window_s: float = LONGEST_WINDOW_S
    step_s: float = 5.0
    """From one window to the next: everything but the two ends is heard twice."""
    concurrent_windows: int = 8
    """Windows of one recording in flight; each holds 0.3 MB of sound."""
    turns: TurnRules = field(default_factory=TurnRules)


@dataclass(frozen=True, slots=True)
class FindSpeakers:
    """Tells the speakers of recordings of any length apart; every window is one cached, guarded call."""

    diarizer: Diarizer
    settings: DiarizationSettings = field(default_factory=DiarizationSettings)

    async def __call__(
        self, audio: DecodedAudio, count: SpeakerCount, context: CallContext, on_progress: OnProgress
    ) -> SpokenTurns:
        """Return the turns of `audio`; a recording without speech has none.

        A window that fails for good (the ModelError kinds, BudgetExceeded, RateLimited, DeadlineExceeded) fails it, and so does a
        cancel: the windows in flight are cancelled, those that are done stay in the call cache.
        """
        spans = planned(audio.seconds, self.settings)
        done = 0

        async def heard(span: Span) -> tuple[HeardWindow, Provenance]:
            nonlocal done
            pcm = await asyncio.to_thread(sound_of, Path(audio.pcm_path), span)
            answer = await self.diarizer.listen(pcm, context)
            done += 1
            await on_progress(done, len(spans))
            stretches = tuple(stretch.shifted(span.start) for stretch in answer.value)
            return HeardWindow(span.start, span.end, stretches), answer.provenance

        found = await in_step([_call(heard, span) for span in spans], self.settings.concurrent_windows)
        windows = [window for window, _ in found]
        turns, voices = await asyncio.to_thread(turns_and_voices, windows, count, self.diarizer.voices, self.settings.turns)
        return SpokenTurns(turns, tuple(provenance for _, provenance in found), voices)


def planned(seconds: float, settings: DiarizationSettings) -> tuple[Span, ...]:
    """Return the windows of a recording of so many seconds: each a step after the one before, the last one up to the end."""
    samples = round(seconds * SAMPLE_RATE)
    window, step = round(settings.window_s * SAMPLE_RATE), round(settings.step_s * SAMPLE_RATE)
    last = max(0, samples - window)
    starts = [*range(0, last, step), last] if samples else []
    return tuple(Span(start / SAMPLE_RATE, min(samples, start + window) / SAMPLE_RATE) for start in starts)


def _call(
    heard: Callable[[Span], Awaitable[tuple[HeardWindow, Provenance]]], span: Span
) -> Callable[[], Awaitable[tuple[HeardWindow, Provenance]]]:
    return lambda: heard(span)
