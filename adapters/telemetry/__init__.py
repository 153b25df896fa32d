"""Spans and metrics of model calls."""

from adapters.telemetry.recording import RecordedSpan, RecordingTelemetry

__all__ = ["RecordedSpan", "RecordingTelemetry"]
