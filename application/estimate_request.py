"""Say what a request would cost and take, and how much of it is paid already, without running a model."""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, TypeAlias

from application.dry_run import DryEmbedder, DryLanguageModel, DryTranscriber, Foreseen
from application.pricing import Judged, Pricing
from application.recap.embed import SentenceVectors
from application.recap.make_recap import MakeRecap, Prompts
from application.recap.prototypes import prototype_texts
from application.recap.settings import RecapSettings
from application.run_stages import TEXTS_PER_CALL
from application.transcribe_audio import TranscribeAudio, TranscriptionSettings
from application.unheard_recap import unheard_recap
from domain.audio import WINDOW_SECONDS
from domain.call import CallContext, CallKind, ModelIdentity, Usage
from domain.errors import InvalidRequest, RateLimited
from domain.estimate import Estimate, Stage
from domain.transcript import Segment
from ports.audio_decoder import AudioDecoder
from ports.call_preview import CallPreview
from ports.embedder import InputType
from ports.speech_detector import SpeechDetector
from ports.transcriber import TranscriptionOptions

KINDS: Final = {
    Stage.TRANSCRIPTION: CallKind.TRANSCRIBE,
    Stage.RECAP: CallKind.GENERATE,
    Stage.EMBEDDING: CallKind.EMBED,
}
MOST_WORDS_PLANNED: Final = 30_000
"""Three hours of talk. The plan of a longer recap would keep an interpreter busy for too long; it is judged by its length."""


@dataclass(frozen=True, slots=True)
class Recording:
    """An uploaded recording in a file, with the options of the request."""

    source: Path
    language: str | None = None
    vocabulary: str | None = None
    template: str = "general"


@dataclass(frozen=True, slots=True)
class Length:
    """A recording of which only the length is known, in seconds; as if somebody spoke all the time."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Conversation:
    """Segments to recap, written in `language`."""

    segments: Sequence[Segment]
    language: str
    template: str = "general"


@dataclass(frozen=True, slots=True)
class Texts:
    """Texts to embed."""

    texts: Sequence[str]
    input_type: InputType = InputType.DOCUMENT


Asked: TypeAlias = Recording | Length | Conversation | Texts


class Places:
    """`count` estimates at once; who finds no place is refused with the seconds to wait, not queued."""

    def __init__(self, count: int, retry_after_s: float) -> None:
        self._free = self._count = count
        self._retry_after_s = retry_after_s

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Hold a place. Raises RateLimited."""
        if self._free == 0:
            raise RateLimited(f"{self._count} estimates run already, which is the most at once.", self._retry_after_s)
        self._free -= 1
        try:
            yield
        finally:
            self._free += 1


@dataclass(slots=True)
class _Found:
    """What one estimate has found so far."""

    foreseen: Foreseen = field(default_factory=Foreseen)
    judged: Mapping[CallKind, Judged] = field(default_factory=dict)
    exact: bool = True
    basis: list[str] = field(default_factory=list)
    audio_seconds: float | None = None
    speech_seconds: float | None = None

    def guess(self, judged: Mapping[CallKind, Judged], why: str) -> None:
        self.judged = {**self.judged, **judged}
        self.exact = False
        self.basis.append(why)


@dataclass(frozen=True, slots=True)
class EstimateRequest:
    """Runs the plans of the real job over previews of the model ports.

    `work_dir` takes decoded sound while it is needed; `max_audio_s` bounds a recording, in seconds.
    """

    preview: CallPreview
    decoder: AudioDecoder
    detector: SpeechDetector
    transcription: TranscriptionSettings
    options: TranscriptionOptions
    prompts: Prompts
    pricing: Pricing
    work_dir: Path
    max_audio_s: float
    recap: RecapSettings = field(default_factory=RecapSettings)

    async def __call__(self, asked: Asked, stages: frozenset[Stage], context: CallContext) -> Estimate:
        """Return the estimate of `stages`. A recap brings its embeddings along.

        Raises InvalidRequest for stages that can not be done with what was asked, what the decoder raises for a recording, and
        StorageFailed.
        """
        check_stages(asked, stages)
        found = _Found()
        if isinstance(asked, Recording):
            await self._recording(asked, Stage.RECAP in stages, context, found)
        elif isinstance(asked, Length):
            await self._length(asked, Stage.RECAP in stages, context, found)
        elif isinstance(asked, Conversation):
            await self._conversation(asked.segments, asked.language, asked.template, context, found)
        else:
            await self._texts(asked, context, found)
        if any(not call.cached for call in found.foreseen.calls.values()) or found.judged:
            found.basis.append(
                "tokens, seconds and cost of calls that are not cached: usual sizes, and the pace of an idle service"
            )
        done = stages | ({Stage.EMBEDDING} if Stage.RECAP in stages else frozenset())
        estimates = {
            stage: self.pricing.of(kind, self._model(kind), found.foreseen.of(kind), found.judged.get(kind))
            for stage, kind in KINDS.items()
            if stage in done
        }
        return Estimate(found.exact, estimates, tuple(found.basis), found.audio_seconds, found.speech_seconds)

    async def _recording(self, asked: Recording, recap: bool, context: CallContext, found: _Found) -> None:
        """Decode, find speech and cut windows as the job does; the recap follows from the text where all of it is known."""
        transcriber = DryTranscriber(self.preview, found.foreseen)
        options = replace(self.options, language=asked.language, prompt=asked.vocabulary)
        pcm = self.work_dir / f"estimate-{secrets.token_hex(8)}.pcm"
        try:
            audio = await self.decoder.decode(asked.source, pcm, self.max_audio_s)
            transcribe = TranscribeAudio(transcriber, self.detector, self.transcription)
            transcript = await transcribe("estimate", audio, options, context, _unheeded)
        finally:
            pcm.unlink(missing_ok=True)
        found.audio_seconds, found.speech_seconds = audio.seconds, transcript.coverage.speech_seconds
        found.basis.append("transcription: the speech windows of the decoded recording, each looked up in the cache")
        if transcriber.unheard:
            found.guess(
                {}, "transcription: windows whose language turns out doubtful are heard a second time, which is not counted"
            )
        if not recap:
            return
        if found.foreseen.all_cached(CallKind.TRANSCRIBE):
            await self._conversation(transcript.segments, transcript.language, asked.template, context, found)
        else:
            await self._unheard(found.speech_seconds, context, found)

    async def _length(self, asked: Length, recap: bool, context: CallContext, found: _Found) -> None:
        found.audio_seconds = found.speech_seconds = asked.seconds
        windows = -(-asked.seconds // WINDOW_SECONDS)
        calls = {CallKind.TRANSCRIBE: Judged(int(windows), Usage(audio_seconds=asked.seconds))}
        found.guess(calls, f"transcription: full windows of {WINDOW_SECONDS:g} seconds, since the recording is not known")
        if recap:
            await self._unheard(asked.seconds, context, found)

    async def _unheard(self, speech_seconds: float, context: CallContext, found: _Found) -> None:
        """The recap of words nobody has heard; only its embedding of the prototypes is known."""
        words = round(speech_seconds / 60 * self.recap.words_per_minute)
        if words:
            await SentenceVectors(DryEmbedder(self.preview, found.foreseen), self.recap, context).of(prototype_texts())
        why = f"recap: the bounds of a recap of {words} words, {self.recap.words_per_minute:g} a minute of speech"
        found.guess(unheard_recap(words, self.prompts, self.recap), why)

    async def _conversation(
        self, segments: Sequence[Segment], language: str, template: str, context: CallContext, found: _Found
    ) -> None:
        """Run the recap's own plan to its end."""
        words = sum(len(segment.text.split()) for segment in segments)
        if words > MOST_WORDS_PLANNED:
            found.guess(unheard_recap(words, self.prompts, self.recap), f"recap: the bounds of a recap of {words} words")
            return
        language_model, embedder = DryLanguageModel(self.preview, found.foreseen), DryEmbedder(self.preview, found.foreseen)
        make_recap = MakeRecap(language_model, embedder, self.prompts, self.recap)
        await make_recap("estimate", None, segments, language, template, context, _untold)
        if found.foreseen.all_cached(CallKind.GENERATE, CallKind.EMBED):
            found.basis.append("recap: its own plan, every call answered from the cache")
        else:
            found.guess({}, "recap: its own plan, with stand-ins for answers that are not cached and decide further calls")

    async def _texts(self, asked: Texts, context: CallContext, found: _Found) -> None:
        embedder = DryEmbedder(self.preview, found.foreseen)
        for start in range(0, len(asked.texts), TEXTS_PER_CALL):
            await embedder.embed(asked.texts[start : start + TEXTS_PER_CALL], asked.input_type, context)
        found.basis.append(f"embedding: groups of {TEXTS_PER_CALL} texts, each looked up in the cache")

    def _model(self, kind: CallKind) -> ModelIdentity:
        served = self.preview.served
        return {
            CallKind.TRANSCRIBE: served.transcriber,
            CallKind.GENERATE: served.language_model,
            CallKind.EMBED: served.embedder,
        }[kind]


def default_stages(asked: type[Asked]) -> frozenset[Stage]:
    """Return what the request of this kind would do: a recording becomes a conversation."""
    if asked is Texts:
        return frozenset({Stage.EMBEDDING})
    return frozenset({Stage.RECAP, Stage.EMBEDDING} if asked is Conversation else Stage)


def check_stages(asked: Asked, stages: frozenset[Stage]) -> None:
    """Raise InvalidRequest for stages that no request does with what was asked."""
    if isinstance(asked, Texts):
        fits = stages == {Stage.EMBEDDING}
    elif isinstance(asked, Conversation):
        fits = Stage.RECAP in stages and Stage.TRANSCRIPTION not in stages
    else:
        fits = Stage.TRANSCRIPTION in stages and (Stage.RECAP in stages or Stage.EMBEDDING not in stages)
    if not fits:
        possible = ", ".join(sorted(default_stages(type(asked))))
        raise InvalidRequest(f"These stages are not those of any request with this input; all of them: {possible}.")


async def _unheeded(_done: int, _total: int, _fresh: Sequence[Segment]) -> None:
    """Nobody follows the progress of an estimate."""


async def _untold(_fraction: float) -> None:
    """Nobody follows the progress of an estimate."""
