"""The call guard: one composition around every model port."""

from adapters.guard.guard import CallGuard, build_guard
from adapters.guard.models import GuardedEmbedder, GuardedLanguageModel, GuardedTranscriber
from adapters.guard.preview import GuardedPreview
from adapters.guard.prices import DEFAULT_PRICES, REMOTE_ENGINE, Price, Prices
from adapters.guard.settings import GuardSettings

__all__ = [
    "DEFAULT_PRICES",
    "REMOTE_ENGINE",
    "CallGuard",
    "GuardSettings",
    "GuardedEmbedder",
    "GuardedLanguageModel",
    "GuardedPreview",
    "GuardedTranscriber",
    "Price",
    "Prices",
    "build_guard",
]
