"""Whisper through faster-whisper and CTranslate2: windows of many requests in one encode and one decode."""

from adapters.faster_whisper_engine.engine import FasterWhisperEngine

__all__ = ["FasterWhisperEngine"]
