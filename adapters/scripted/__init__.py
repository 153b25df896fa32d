"""Doubles that ship with the product: a backend and rates that follow a script, and a clock that only moves when told."""

from adapters.scripted.backend import SCRIPTED_MODEL, Asked, Delayed, ScriptedBackend
from adapters.scripted.clock import MovableClock
from adapters.scripted.rates import ScriptedRates

__all__ = ["SCRIPTED_MODEL", "Asked", "Delayed", "MovableClock", "ScriptedBackend", "ScriptedRates"]
