"""Ports kept in the memory of one process: for tests, and for a first try without any store."""

from adapters.memory.budget_ledger import MemoryBudgetLedger
from adapters.memory.call_board import MemoryCallBoard
from adapters.memory.call_cache import MemoryCallCache
from adapters.memory.voice_profiles import MemoryVoiceProfiles

__all__ = ["MemoryBudgetLedger", "MemoryCallBoard", "MemoryCallCache", "MemoryVoiceProfiles"]
