"""Estimates of requests, wired to the guard, the decoder and the rates of the models that are served."""

from typing import Final

import prompts
from adapters.guard import DEFAULT_PRICES, GuardedPreview
from adapters.http.services import Estimating
from application.estimate_request import EstimateRequest, Places
from application.pricing import Pricing
from application.spool import Spool
from domain.call import CallKind
from ports.transcriber import TranscriptionOptions
from serve_app.blobs import work_dir
from serve_app.compose import Composition, at_once
from serve_app.settings import EmbedderSettings, LanguageModelSettings, Settings, TranscriberSettings

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
        preview=GuardedPreview(composition.guard, composition.transcriber, composition.language_model, composition.embedder),
        decoder=PyAvDecoder(DecodeLimits()),
        detector=SileroVad(),
        rates=composition.rates,
        known=composition.known,
        clock=composition.clock,
        transcription=composition.transcription,
        options=TranscriptionOptions(),
        prompts=prompts,
        pricing=pricing(settings),
        work_dir=folder,
        max_audio_s=settings.limits.max_audio_s,
    )
    return Estimating(estimate, Spool(folder), Places(ESTIMATES_AT_ONCE, RETRY_AFTER_S))


def pricing(settings: Settings) -> Pricing:
    """Return what is known of the served models besides their rates: calls at once, and whose bill is by use."""
    ports: dict[CallKind, TranscriberSettings | LanguageModelSettings | EmbedderSettings] = {
        CallKind.TRANSCRIBE: settings.transcriber,
        CallKind.GENERATE: settings.language_model,
        CallKind.EMBED: settings.embedder,
    }
    elsewhere = frozenset(kind for kind, port in ports.items() if port.remote is not None)
    return Pricing(DEFAULT_PRICES, at_once(settings), elsewhere)
