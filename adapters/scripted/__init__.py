"""Doubles that ship with the product: a backend, models and rates that follow a script, and a clock that only moves when
told."""

from adapters.scripted.backend import SCRIPTED_MODEL, Asked, Delayed, ScriptedBackend
from adapters.scripted.clock import MovableClock
from adapters.scripted.diarizer import SCRIPTED_VOICES, ScriptedDiarizer, listened, stretches
from adapters.scripted.engines import TimedBatches, TimedWriter
from adapters.scripted.entailment_judge import ScriptedEntailmentJudge, judged_by
from adapters.scripted.item_finder import ScriptedItemFinder, by_words, found, found_by, span_of
from adapters.scripted.rates import ScriptedRates

__all__ = [
    "SCRIPTED_MODEL",
    "SCRIPTED_VOICES",
    "Asked",
    "Delayed",
    "MovableClock",
    "ScriptedBackend",
    "ScriptedDiarizer",
    "ScriptedEntailmentJudge",
    "ScriptedItemFinder",
    "ScriptedRates",
    "TimedBatches",
    "TimedWriter",
    "by_words",
    "found",
    "found_by",
    "judged_by",
    "listened",
    "span_of",
    "stretches",
]
