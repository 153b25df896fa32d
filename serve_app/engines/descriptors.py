"""What was measured of the models that are served: as configured, else as the manifest says of a bundled one (docs/adr/0027)."""

from adapters.model_store import ModelStore
from adapters.model_store.reference import BundledReference, parse_reference
from domain.search import UNMEASURED, CosineScale
from domain.transcript_gates import UNMEASURED_SCORES, ScoreScale
from domain.voice_clusters import ClusterRules
from serve_app.errors import ConfigurationInvalid
from serve_app.settings.models import DiarizerSettings, EmbedsWith, TranscriberSettings


def embedder_cosines(settings: EmbedsWith, store: ModelStore) -> CosineScale:
    """Return what the embedder's cosines mean: as configured, else as the bundled model's descriptor says, else as they are."""
    if settings.cosines is not None:
        return settings.cosines.scale
    named = None if settings.remote is not None else parse_reference(settings.model)
    known = store.manifest.model(named.name).cosines if isinstance(named, BundledReference) else None
    return known or UNMEASURED


def transcriber_scores(settings: TranscriberSettings, store: ModelStore) -> ScoreScale:
    """Return what the transcriber's scores mean: as configured, else as the bundled model's descriptor says, else nothing."""
    if settings.scores is not None:
        return settings.scores.scale
    named = None if settings.remote is not None else parse_reference(settings.model)
    known = store.manifest.model(named.name).scores if isinstance(named, BundledReference) else None
    return known or UNMEASURED_SCORES


def diarizer_voices(settings: DiarizerSettings, store: ModelStore) -> ClusterRules:
    """Return which cosines of the diarizer's voices are one person's: as configured, else as the bundled model's descriptor says.

    Raises ConfigurationInvalid for a model of which nobody says it.
    """
    if settings.voices is not None:
        return settings.voices.rules
    named = parse_reference(settings.model)
    known = store.manifest.model(named.name).voices if isinstance(named, BundledReference) else None
    if known is None:
        raise ConfigurationInvalid(f"diarizer.voices: say what the cosines of {settings.model} mean; nobody measured them")
    return known
