"""The recordings and meetings that the benchmarks use."""

import json
import os
from pathlib import Path
from typing import Any

from domain.errors import WordloopError

DATA_VARIABLE = "WORDLOOP_EVAL_DATA"
MEETING_S = 600.0
"""Ten minutes of a meeting, in seconds."""


class MaterialMissing(WordloopError):
    """The evaluation data is not where it is looked for."""


def data_folder() -> Path:
    """Return the evaluation data: $WORDLOOP_EVAL_DATA, else `shared/data` beside the checkout."""
    named = os.environ.get(DATA_VARIABLE)
    folder = Path(named) if named else Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        raise MaterialMissing(f"no evaluation data at {folder}; set {DATA_VARIABLE} to its folder")
    return folder


def long_recording() -> Path:
    """Thirteen and a half minutes of real voices."""
    return next(iter(sorted((data_folder() / "speech").glob("session-12spk.*"))))


def ten_minute_meeting(name: str = "product-ES2009a.json") -> list[dict[str, Any]]:
    """The first ten minutes of a real meeting as segments with speakers, the body of `POST /v1/recaps`."""
    turns = json.loads((data_folder() / "meetings" / name).read_text())["turns"]
    segments = [
        {"start": turn["start_s"], "end": turn["end_s"], "speaker": turn["speaker"], "text": turn["text"]}
        for turn in turns
        if turn["text"].strip() and turn["start_s"] is not None and turn["end_s"] is not None and turn["end_s"] <= MEETING_S
    ]
    return sorted(segments, key=lambda segment: segment["start"])
