"""Spans and metrics of model calls."""

from adapters.telemetry.export import Exported, build_telemetry
from adapters.telemetry.otel import OpenTelemetry
from adapters.telemetry.recording import RecordedSpan, RecordingTelemetry

__all__ = ["Exported", "OpenTelemetry", "RecordedSpan", "RecordingTelemetry", "build_telemetry"]
