"""The bundled recording."""

from pathlib import Path

RECORDING = Path(__file__).parent / "launch-review.ogg"
"""3.8 minutes, three voices, CC0 (see the licence note beside it)."""
