"""Say what a request would cost and take, and how much of it is paid already, without running a model."""

import asyncio
import hashlib
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from application.diarise.expected_windows import estimated_windows
from application.diarise.find_speakers import DiarizationSettings, FindSpeakers
from application.dry_run import (
    DryDiarizer,
    DryEmbedder,
    DryEntailmentJudge,
    DryItemFinder,
    DryLanguageModel,
    DryTranscriber,
    EstimatedCalls,
)
from application.estimate_inputs import Asked, Conversation, Length, Recording, Texts, check_stages
from application.estimated_recap import estimated_recap, unwritten_checking
from application.known_transcripts import KnownTranscripts
from application.payloads import TemplateChoice, expected_words
from application.pricing import Judged, Pricing
from application.prompt_files import Prompts
from application.recap.make_recap import MakeRecap
from application.recap.settings import RecapSettings
from application.speakers.asked import UP_TO_THE_SERVICE, SpeakersAsked
from application.speakers.tell_speakers import TellSpeakers
from application.templates import Templates, chosen
from application.text_groups import TEXTS_PER_CALL, text_groups
from application.transcribe_audio import TranscribeAudio, TranscriptionSettings
from application.transcribe_channels import TranscribeChannels
from domain.audio import WINDOW_SECONDS, DecodedAudio
from domain.call import CallContext, CallKind, ModelIdentity, Usage
from domain.errors import RateLimited
from domain.estimate import Estimate, Stage, StageEstimate
from domain.named_speakers import ToldBy
from domain.transcript import Segment, Transcript
from ports.audio_decoder import AudioDecoder
from ports.call_preview import CallPreview
from ports.clock import Clock
from ports.model_rates import ModelRates
from ports.speech_detector import SpeechDetector
from ports.transcriber import TranscriptionOptions

KINDS: Final = {
    Stage.TRANSCRIPTION: CallKind.TRANSCRIBE,
    Stage.SPEAKERS: CallKind.DIARIZE,
    Stage.RECAP: CallKind.GENERATE,
    Stage.EMBEDDING: CallKind.EMBED,
    Stage.FINDING: CallKind.FIND,
    Stage.CHECKING: CallKind.ENTAIL,
}
OF_A_RECAP: Final = frozenset({Stage.EMBEDDING, Stage.FINDING, Stage.CHECKING})
"""What a recap brings along."""
JOB_S: Final = 0.3
"""Seconds of any job besides its stages: a worker looks for work every 0.2 s, and claim, results and index are written."""
PREPARED_PER_S: Final = 150.0
"""Seconds of sound decoded and searched for speech in a second: on two cores 227 s of Vorbis take 1.6 s, 1 h of WAV 9.8."""
MOST_WORDS_PLANNED: Final = 30_000
"""Three hours of talk. The plan of a longer recap would keep an interpreter busy for too long; it is judged by its length."""


class Slots:
    """`count` estimates at once; who finds no slot is refused with the seconds to wait, not queued."""

    def __init__(self, count: int, retry_after_s: float) -> None:
        self._free = self._count = count
        self._retry_after_s = retry_after_s

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Hold a slot. Raises RateLimited."""
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

    estimated: EstimatedCalls = field(default_factory=EstimatedCalls)
    judged: Mapping[CallKind, Judged] = field(default_factory=dict)
    exact: bool = True
    basis: list[str] = field(default_factory=list)
    audio_seconds: float | None = None
    speech_seconds: float | None = None
    other_seconds: float = 0.0

    def guess(self, judged: Mapping[CallKind, Judged], why: str) -> None:
        self.judged = {**self.judged, **judged}
        self.exact = False
        self.basis.append(why)


@dataclass(frozen=True, slots=True)
class EstimateRequest:
    """Runs the plans of the real job over previews of the model ports.

    `work_dir` takes decoded sound while it is needed; `max_audio_s` bounds a recording, in seconds. Looking decodes, finds speech
    and plans as the job does, so what looking takes by `clock` is what the job takes besides its models.
    """

    preview: CallPreview
    rates: ModelRates
    known: KnownTranscripts
    clock: Clock
    decoder: AudioDecoder
    detector: SpeechDetector
    transcription: TranscriptionSettings
    options: TranscriptionOptions
    prompts: Prompts
    templates: Templates
    pricing: Pricing
    work_dir: Path
    max_audio_s: float
    recap: RecapSettings = field(default_factory=RecapSettings)
    speakers: DiarizationSettings | None = None
    speakers_by_default: bool = True
    vocabulary: Mapping[str, str] = field(default_factory=dict)

    async def __call__(self, asked: Asked, stages: frozenset[Stage], context: CallContext) -> Estimate:
        """Return the estimate of `stages`. A recap brings embedding, finding and checking along, a transcription speakers.

        Raises InvalidRequest for stages that can not be done with what was asked, what the decoder raises for a recording, and
        StorageFailed.
        """
        check_stages(asked, stages)
        began, found = self.clock.monotonic(), _Found()
        if isinstance(asked, Recording):
            await self._recording(asked, Stage.RECAP in stages, context, found)
        elif isinstance(asked, Length):
            await self._length(asked, Stage.RECAP in stages, context, found)
        elif isinstance(asked, Conversation):
            await self._conversation(asked.segments, asked.language, asked.template, context, found)
        else:
            await self._texts(asked, context, found)
        if any(not call.cached for call in found.estimated.calls.values()) or found.judged:
            found.basis.append(
                "tokens, seconds and cost of calls that are not cached: usual sizes, at the rates that the replicas measured,"
                " on a service that does nothing else"
            )
        done = (stages | (OF_A_RECAP if Stage.RECAP in stages else frozenset())) - {Stage.SPEAKERS}
        said = asked.speakers if isinstance(asked, Recording) else UP_TO_THE_SERVICE
        if Stage.TRANSCRIPTION in stages and self._listens(said):
            done |= {Stage.SPEAKERS}
        estimates = {stage: await self._priced(kind, found) for stage, kind in KINDS.items() if stage in done}
        other = JOB_S + found.other_seconds + self.clock.monotonic() - began
        return Estimate(found.exact, estimates, tuple(found.basis), found.audio_seconds, found.speech_seconds, other)

    async def _priced(self, kind: CallKind, found: _Found) -> StageEstimate:
        rate, calls = await self.rates.rate(kind), found.estimated.of(kind)
        priced = self.pricing.of(kind, self._model(kind), calls, found.judged.get(kind), rate)
        return replace(priced, seconds=priced.seconds + self.rates.wakes_s(kind)) if priced.seconds else priced

    async def _recording(self, asked: Recording, recap: bool, context: CallContext, found: _Found) -> None:
        """Take a transcript that is known by the recording's bytes, as the job does; else look at the windows."""
        expected = expected_words(self.vocabulary.get(context.tenant), asked.vocabulary)
        options = replace(self.options, language=asked.language, prompt=expected)
        known = await self.known.look(await asyncio.to_thread(_digest, asked.source), options, context, asked.speakers)
        transcript = known or await self._transcript(asked, options, context, found)
        found.audio_seconds, found.speech_seconds = transcript.duration, transcript.coverage.speech_seconds
        if known is not None:
            found.estimated.recall(known.provenance)
            found.basis.append("transcription: these bytes have a transcript already, which the job takes")
        if not recap:
            return
        if found.estimated.all_cached(CallKind.TRANSCRIBE):
            await self._conversation(transcript.segments, transcript.language, asked.template, context, found)
        else:
            await self._by_length(found.speech_seconds, context, found)

    async def _transcript(
        self, asked: Recording, options: TranscriptionOptions, context: CallContext, found: _Found
    ) -> Transcript:
        """Decode, find speech and cut windows as the job does; windows that nobody has heard stay without words."""
        transcriber = DryTranscriber(self.preview, found.estimated)
        pcm = self.work_dir / f"estimate-{secrets.token_hex(8)}.pcm"
        try:
            audio = await self.decoder.decode(asked.source, pcm, self.max_audio_s)
            transcribe = TranscribeAudio(transcriber, self.detector, self.transcription)
            told = await TellSpeakers(None, self.speakers_by_default).by_channel(audio, asked.speakers)
            if told is not None:
                channels = TranscribeChannels(transcribe, self.decoder, self.work_dir, self.max_audio_s)
                transcript, _ = await channels("estimate", asked.source, audio, told, options, context, _unheeded)
            else:
                transcript = await transcribe("estimate", audio, options, context, _unheeded)
                await self._speakers(audio, asked.speakers, context, found)
        finally:
            pcm.unlink(missing_ok=True)
        found.basis.append("transcription: the speech windows of the decoded recording, each looked up in the cache")
        if transcriber.undetermined:
            found.guess(
                {}, "transcription: windows whose language turns out doubtful are heard a second time, which is not counted"
            )
        return transcript

    def _listens(self, asked: SpeakersAsked) -> bool:
        """Whether the job would listen to voices."""
        wanted = self.speakers_by_default if asked.wanted is None else asked.wanted
        told = asked.of_kept_voices or (asked.count.most != 1 and asked.told_by is not ToldBy.CHANNEL)
        return self.speakers is not None and wanted and told

    async def _speakers(self, audio: DecodedAudio, asked: SpeakersAsked, context: CallContext, found: _Found) -> None:
        """Look up every window, as telling speakers apart would ask for it."""
        served, voices = self.preview.served.diarizer, self.preview.served.voices
        if self.speakers is not None and served is not None and voices is not None and self._listens(asked):
            diarizer = DryDiarizer(self.preview, found.estimated, served, voices)
            await FindSpeakers(diarizer, self.speakers)(audio, asked.count, context, _uncounted)
            found.basis.append("speakers: the windows of the decoded recording, each looked up in the cache")

    async def _length(self, asked: Length, recap: bool, context: CallContext, found: _Found) -> None:
        found.audio_seconds = found.speech_seconds = asked.seconds
        windows = -(-asked.seconds // WINDOW_SECONDS)
        calls = {CallKind.TRANSCRIBE: Judged(int(windows), Usage(audio_seconds=asked.seconds))}
        if self.speakers is not None and self._listens(UP_TO_THE_SERVICE):
            calls[CallKind.DIARIZE] = estimated_windows(asked.seconds, self.speakers)
        found.guess(calls, f"transcription: full windows of {WINDOW_SECONDS:g} seconds, since the recording is not known")
        found.other_seconds = asked.seconds / PREPARED_PER_S
        if recap:
            await self._by_length(asked.seconds, context, found)

    async def _by_length(self, speech_seconds: float, context: CallContext, found: _Found) -> None:
        """The recap of words nobody has heard."""
        words = round(speech_seconds / 60 * self.recap.words_per_minute)
        why = f"recap: the bounds of a recap of {words} words, {self.recap.words_per_minute:g} a minute of speech"
        found.guess(estimated_recap(words, self.prompts, self.recap, self.preview.served.stretch_tokens), why)

    async def _conversation(
        self, segments: Sequence[Segment], language: str, template: TemplateChoice, context: CallContext, found: _Found
    ) -> None:
        """Run the recap's own plan to its end."""
        words = sum(len(segment.text.split()) for segment in segments)
        if words > MOST_WORDS_PLANNED:
            found.guess(
                estimated_recap(words, self.prompts, self.recap, self.preview.served.stretch_tokens),
                f"recap: the bounds of a recap of {words} words",
            )
            return
        language_model, embedder = DryLanguageModel(self.preview, found.estimated), DryEmbedder(self.preview, found.estimated)
        finder, judge = DryItemFinder(self.preview, found.estimated), DryEntailmentJudge(self.preview, found.estimated)
        make_recap = MakeRecap(language_model, embedder, finder, self.prompts, self.recap, judge)
        asked = chosen(self.templates, template)
        written, shape = asked.language or language, asked.template
        await make_recap("estimate", None, segments, written, shape, context, _untold)
        if found.estimated.all_cached(CallKind.GENERATE, CallKind.EMBED, CallKind.FIND, CallKind.ENTAIL):
            found.basis.append("recap: its own plan, every call answered from the cache")
        else:
            unwritten = not found.estimated.all_cached(CallKind.GENERATE)
            judged = {CallKind.ENTAIL: unwritten_checking(words, self.recap)} if unwritten else {}
            found.guess(judged, "recap: its own plan, with stand-ins for answers that are not cached and decide further calls")

    async def _texts(self, asked: Texts, context: CallContext, found: _Found) -> None:
        embedder = DryEmbedder(self.preview, found.estimated)
        for group in text_groups(asked.texts):
            await embedder.embed(group, asked.input_type, context, asked.long_texts)
        found.basis.append(f"embedding: groups of {TEXTS_PER_CALL} texts, each looked up in the cache")

    def _model(self, kind: CallKind) -> ModelIdentity:
        served = self.preview.served
        if kind is CallKind.DIARIZE and served.diarizer is not None:
            return served.diarizer
        return {
            CallKind.TRANSCRIBE: served.transcriber,
            CallKind.GENERATE: served.language_model,
            CallKind.EMBED: served.embedder,
            CallKind.FIND: served.item_finder,
            CallKind.ENTAIL: served.item_finder,
        }[kind]


def _digest(source: Path) -> str:
    """Return the name under which the blob store keeps these bytes."""
    with source.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


async def _unheeded(_done: int, _total: int, _fresh: Sequence[Segment]) -> None:
    """Nobody follows the progress of an estimate."""


async def _uncounted(_done: int, _total: int) -> None:
    """Nobody counts the windows of an estimate."""


async def _untold(_fraction: float) -> None:
    """Nobody follows the progress of an estimate."""
