"""What decides a result of every recording alike: by it, and by the bytes, a result is known again."""

from dataclasses import asdict

from adapters.silero_vad import SILERO_SCALE
from application.speakers.tell_speakers import SPEAKER_RECIPE
from application.transcribe_audio import RECIPE, TranscriptionSettings
from domain.canonical import Json
from domain.transcript_gates import ScoreScale
from domain.voice_clusters import ClusterRules
from serve_app.engines.served_models import ServedModels
from serve_app.settings.service import SpeakerSettings


def transcript_recipe(models: ServedModels, settings: TranscriptionSettings, scores: ScoreScale) -> dict[str, Json]:
    """Return what decides the text. The voice detector comes with the transcriber's engine."""
    return {
        "model": asdict(models.transcriber),
        "rules": asdict(settings),
        "code": RECIPE,
        "scores": {name: str(value) for name, value in asdict(scores).items()},  # JSON has no infinity
        "detector": asdict(SILERO_SCALE),
    }


def speaker_recipe(models: ServedModels, settings: SpeakerSettings, voices: ClusterRules | None) -> dict[str, Json]:
    """Return what decides who speaks; `voices` None where nobody tells speakers apart."""
    return {
        "by_default": settings.by_default,
        "code": SPEAKER_RECIPE,
        "model": asdict(models.diarizer) if models.diarizer is not None else None,
        "voices": asdict(voices) if voices is not None else None,
    }
