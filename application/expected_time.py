"""What the stages of a job are going to take, from the rates that the replicas measured. Seconds; None where nobody knows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from application.diarise.expected_windows import estimated_windows
from application.diarise.find_speakers import DiarizationSettings
from application.estimated_recap import (
    estimated_embedding,
    estimated_finding,
    unwritten_checking,
    writing_chapters,
    writing_summary,
)
from application.pricing import Judged, seconds_of
from application.prompt_files import Prompts
from application.recap.settings import RecapSettings
from domain.audio import WINDOW_SECONDS
from domain.call import CallKind, Usage
from ports.model_rates import ModelRates

STRETCH_TOKENS: Final = 1536
"""What the reader's settings say by default."""


@dataclass(frozen=True, slots=True)
class RecapTime:
    """The model calls of a recap, in order. `embedding`: placing the lines and reading them, which share the processor."""

    embedding: float | None
    chapters: float | None
    title: float | None


@dataclass(frozen=True, slots=True)
class ExpectedTime:
    """Prices stages as an estimate does. `at_once`: how many calls of a kind one job has under way.

    The first stage of a model that has no replica at the moment has the time in it that one takes to start.

    `stretch_tokens`: about how many tokens of a conversation one call of the item finder reads.
    """

    rates: ModelRates
    prompts: Prompts
    at_once: Mapping[CallKind, int]
    settings: RecapSettings = field(default_factory=RecapSettings)
    stretch_tokens: int = STRETCH_TOKENS
    diarization: DiarizationSettings = field(default_factory=DiarizationSettings)

    async def transcription(self, seconds: float) -> float | None:
        """The windows of `seconds` of sound."""
        windows = -(-seconds // WINDOW_SECONDS)
        return await self._of(CallKind.TRANSCRIBE, Judged(int(windows), Usage(audio_seconds=seconds)))

    async def speakers(self, seconds: float) -> float | None:
        """Telling apart who speaks in `seconds` of sound."""
        return await self._of(CallKind.DIARIZE, estimated_windows(seconds, self.diarization))

    async def recap(self, words: int) -> RecapTime:
        """The recap of so many words that nobody has planned yet; `words` may be a guess."""
        if words <= 0:
            return RecapTime(0.0, 0.0, 0.0)
        placing = await self._of(CallKind.EMBED, estimated_embedding(words, self.settings))
        reading = await self._of(CallKind.FIND, estimated_finding(words, self.settings, self.stretch_tokens))
        chapters = await self._of(CallKind.GENERATE, writing_chapters(words, self.prompts, self.settings))
        summary = await self._of(CallKind.GENERATE, writing_summary(words, self.prompts, self.settings), woken=True)
        checking = await self._of(CallKind.ENTAIL, unwritten_checking(words, self.settings), woken=True)
        chapters = None if chapters is None else chapters + (checking or 0.0)
        return RecapTime(None if placing is None or reading is None else placing + reading, chapters, summary)

    async def placing(self, words: int) -> float | None:
        """The embedding of so many words of talk, line by line."""
        return await self._of(CallKind.EMBED, estimated_embedding(words, self.settings)) if words > 0 else 0.0

    async def embedding(self, calls: int, tokens: int) -> float | None:
        """Groups of texts, one after another."""
        return await self._of(CallKind.EMBED, Judged(calls, Usage(input_tokens=tokens)), 1)

    async def _of(self, kind: CallKind, judged: Judged, at_once: int | None = None, *, woken: bool = False) -> float | None:
        if judged.calls == 0:
            return 0.0
        rate = await self.rates.rate(kind)
        if rate is None:
            return None
        works_s = seconds_of(kind, rate, judged.usage, min(judged.calls, at_once or self.at_once.get(kind, 1)))
        return works_s if woken else self.rates.wakes_s(kind) + works_s
