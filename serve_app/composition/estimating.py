"""Estimates of requests, wired to the guard, the decoder and the rates of the models that are served."""

from typing import Final

import prompts
from adapters.guard import GuardedPreview
from adapters.http.common.services import Estimating
from application.estimate_request import EstimateRequest, Slots
from application.pricing import Pricing
from application.spool import Spool
from domain.call import CallKind
from ports.transcriber import TranscriptionOptions
from serve_app.composition.blobs import work_dir
from serve_app.composition.composition import Composition
from serve_app.composition.model_calls import at_once, price_table
from serve_app.settings.models import (
    DiarizerSettings,
    EmbedderSettings,
    LanguageModelSettings,
    ReaderSettings,
    TranscriberSettings,
)
from serve_app.settings.service import Settings

_Settings = TranscriberSettings | LanguageModelSettings | EmbedderSettings | ReaderSettings | DiarizerSettings

ESTIMATES_AT_ONCE: Final = 2
"""Each decodes and detects speech on about one core."""
RETRY_AFTER_S: Final = 5.0
"""Seconds: a ten-minute recording takes about three."""


def build_estimating(composition: Composition) -> Estimating:
    """Return the estimates of one ingress process."""
    from adapters.pyav_decoder.decoder import PyAvDecoder
    from adapters.pyav_decoder.limits import DecodeLimits
    from adapters.silero_vad import SileroVad

    settings = composition.settings
    folder = work_dir(settings.data_folder)
    estimate = EstimateRequest(
        preview=GuardedPreview(
            composition.guard,
            composition.transcriber,
            composition.language_model,
            composition.embedder,
            composition.trained_reader,
            composition.trained_judge,
            composition.diarizer,
        ),
        decoder=PyAvDecoder(DecodeLimits(), require_confinement=settings.security.require_confinement),
        detector=SileroVad(),
        rates=composition.rates,
        known=composition.known,
        clock=composition.clock,
        transcription=composition.transcription,
        options=TranscriptionOptions(),
        prompts=prompts,
        templates=prompts,
        pricing=pricing(settings),
        work_dir=folder,
        max_audio_s=settings.limits.max_audio_s,
        recap=composition.recap,
        speakers=composition.diarization if composition.diarizer is not None else None,
        speakers_by_default=composition.settings.speakers.by_default,
        vocabulary=settings.vocabulary.tenants,
    )
    return Estimating(estimate, Spool(folder), Slots(ESTIMATES_AT_ONCE, RETRY_AFTER_S))


def pricing(settings: Settings) -> Pricing:
    """Return what is known of the served models besides their rates: calls at once, and whose bill is by use."""
    ports: dict[CallKind, _Settings] = {
        CallKind.TRANSCRIBE: settings.transcriber,
        CallKind.GENERATE: settings.language_model,
        CallKind.EMBED: settings.embedder,
        CallKind.FIND: settings.reader,
        CallKind.ENTAIL: settings.reader,
        CallKind.DIARIZE: settings.diarizer,
    }
    elsewhere = frozenset(kind for kind, port in ports.items() if port.remote is not None)
    return Pricing(price_table(settings), at_once(settings), elsewhere)
