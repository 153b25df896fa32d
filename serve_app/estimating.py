"""Estimates of requests, wired to the guard, the decoder and the pace of the models that are served."""

from collections.abc import Mapping
from typing import Final

import prompts
from adapters.guard import DEFAULT_PRICES, GuardedPreview
from adapters.http.services import Estimating
from application.estimate_request import EstimateRequest, Places
from application.pricing import Pace, Pricing
from application.spool import Spool
from application.transcribe_audio import TranscriptionSettings
from domain.call import CallKind
from ports.transcriber import TranscriptionOptions
from serve_app.blobs import work_dir
from serve_app.compose import Composition
from serve_app.settings import EmbedderSettings, LanguageModelSettings, Settings, TranscriberSettings

CPU_PACES: Final[Mapping[CallKind, Pace]] = {
    CallKind.TRANSCRIBE: Pace(audio_second=1.6 / 11),
    CallKind.GENERATE: Pace(output_token=(2 / 3) / 3.4, at_once=8),
    CallKind.EMBED: Pace(input_token=1 / 7_000),
}
"""The bundled models on two cores. Whisper base int8 took 1.6 s for a clip of 11 s. The 1.5B language model writes 3.6 tokens/s
alone and 26 at eight streams in bfloat16, its prompt included (docs/adr/0007), and takes two thirds of that time in int8. MiniLM
places 532 short sentences of about 13 tokens a second (docs/adr/0002). What runs on a GPU has no figure here, so its time is not
known."""
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
        transcription=TranscriptionSettings(concurrent_windows=settings.worker.windows_in_flight),
        options=TranscriptionOptions(),
        prompts=prompts,
        pricing=pricing(settings),
        work_dir=folder,
        max_audio_s=settings.limits.max_audio_s,
    )
    return Estimating(estimate, Spool(folder), Places(ESTIMATES_AT_ONCE, RETRY_AFTER_S))


def pricing(settings: Settings) -> Pricing:
    """Return what is known of the served models: a pace on CPU, a bill by use from a provider."""
    ports: dict[CallKind, TranscriberSettings | LanguageModelSettings | EmbedderSettings] = {
        CallKind.TRANSCRIBE: settings.transcriber,
        CallKind.GENERATE: settings.language_model,
        CallKind.EMBED: settings.embedder,
    }
    here = {kind for kind, port in ports.items() if port.remote is None and port.device == "cpu"}
    elsewhere = frozenset(kind for kind, port in ports.items() if port.remote is not None)
    return Pricing(DEFAULT_PRICES, {kind: CPU_PACES[kind] for kind in here}, elsewhere)
