"""What the stages of a job are going to take, from the rates that the replicas measured. Seconds; None where nobody knows."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from application.pricing import Judged, seconds_of
from application.recap.make_recap import Prompts
from application.recap.settings import RecapSettings
from application.unheard_recap import phrasing_chapters, phrasing_title, unheard_embedding, unheard_notes
from domain.audio import WINDOW_SECONDS
from domain.call import CallKind, Usage
from ports.model_rates import ModelRates


@dataclass(frozen=True, slots=True)
class RecapTime:
    """The model calls of a recap, in order."""

    embedding: float | None
    chapters: float | None
    title: float | None


@dataclass(frozen=True, slots=True)
class ExpectedTime:
    """Prices stages as an estimate does. `at_once`: how many calls of a kind one job has under way."""

    rates: ModelRates
    prompts: Prompts
    at_once: Mapping[CallKind, int]
    settings: RecapSettings = field(default_factory=RecapSettings)

    async def transcription(self, seconds: float) -> float | None:
        """The windows of `seconds` of sound."""
        windows = -(-seconds // WINDOW_SECONDS)
        return await self._of(CallKind.TRANSCRIBE, Judged(int(windows), Usage(audio_seconds=seconds)))

    async def recap(self, words: int) -> RecapTime:
        """The recap of so many words that nobody has planned yet; `words` may be a guess."""
        if words <= 0:
            return RecapTime(0.0, 0.0, 0.0)
        notes = unheard_notes(words, self.settings)
        embedding = await self._of(CallKind.EMBED, unheard_embedding(words, len(notes), self.settings))
        chapters = await self._of(CallKind.GENERATE, phrasing_chapters(notes, self.prompts))
        return RecapTime(embedding, chapters, await self._of(CallKind.GENERATE, phrasing_title(len(notes), self.prompts)))

    async def embedding(self, calls: int, tokens: int) -> float | None:
        """Groups of texts, one after another."""
        return await self._of(CallKind.EMBED, Judged(calls, Usage(input_tokens=tokens)), 1)

    async def _of(self, kind: CallKind, judged: Judged, at_once: int | None = None) -> float | None:
        if judged.calls == 0:
            return 0.0
        rate = await self.rates.rate(kind)
        if rate is None:
            return None
        return seconds_of(kind, rate, judged.usage, min(judged.calls, at_once or self.at_once.get(kind, 1)))
