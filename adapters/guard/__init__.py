"""The call guard: one composition around every model port."""

from adapters.guard.guard import CallGuard, build_guard
from adapters.guard.models import (
    GuardedDiarizer,
    GuardedEmbedder,
    GuardedEntailmentJudge,
    GuardedItemFinder,
    GuardedLanguageModel,
    GuardedTranscriber,
)
from adapters.guard.preview import GuardedPreview
from adapters.guard.prices import DEFAULT_PRICES, REMOTE_ENGINE, Price, Prices, prices_of_replicas
from adapters.guard.settings import GuardSettings

__all__ = [
    "DEFAULT_PRICES",
    "REMOTE_ENGINE",
    "CallGuard",
    "GuardSettings",
    "GuardedDiarizer",
    "GuardedEmbedder",
    "GuardedEntailmentJudge",
    "GuardedItemFinder",
    "GuardedLanguageModel",
    "GuardedPreview",
    "GuardedTranscriber",
    "Price",
    "Prices",
    "build_guard",
    "prices_of_replicas",
]
