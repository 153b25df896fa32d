"""What the models of this machine were measured at: told in words, held to a floor, and remembered for the next look."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from domain.call import CallKind
from domain.rate import EngineRate

FLOORS: Final[Mapping[CallKind, EngineRate]] = {
    CallKind.TRANSCRIBE: EngineRate(1.5),
    CallKind.GENERATE: EngineRate(10.0, 3.0),
    CallKind.EMBED: EngineRate(200.0),
    CallKind.FIND: EngineRate(80.0),
    CallKind.ENTAIL: EngineRate(80.0),
    CallKind.DIARIZE: EngineRate(5.0),
}
"""A quarter of what two quiet AVX2 cores do with the bundled models (docs/benchmarks.md), the embedder's a tenth: less means a
kernel that does not fit the processor, or a machine that has no time."""
UNITS: Final = {
    CallKind.TRANSCRIBE: "seconds of sound",
    CallKind.GENERATE: "tokens",
    CallKind.EMBED: "tokens",
    CallKind.FIND: "tokens",
    CallKind.ENTAIL: "tokens",
    CallKind.DIARIZE: "seconds of sound",
}
TODO: Final = {
    CallKind.TRANSCRIBE: "look whether other work holds the cores; compute_type: int8 or float32 may suit this processor better",
    CallKind.GENERATE: "look whether other work holds the cores; else `--light`, language_model.engine: auto, or a remote model",
    CallKind.EMBED: "look whether other work holds the cores; embedder.engine: auto takes the fastest engine here",
    CallKind.FIND: "look whether other work holds the cores; reader.threads: as many as there are",
    CallKind.ENTAIL: "look whether other work holds the cores; reader.threads: as many as there are",
    CallKind.DIARIZE: "look whether other work holds the cores; diarizer.threads: as many as there are",
}
RECORD: Final = "model-rates.json"


@dataclass(frozen=True, slots=True)
class MeasuredModel:
    """A model as it ran here: `rate` as its replica measured it, `instructions` the processor's sets that decide the kernels."""

    kind: CallKind
    id: str
    engine: str
    precision: str
    instructions: str
    rate: EngineRate
    at: str

    @classmethod
    def of(cls, card: Mapping[str, Any]) -> "MeasuredModel | None":
        """From an entry of `/v1/models`; None for one that nobody measured, and for another name of a model."""
        told = card.get("rate")
        if not isinstance(told, dict) or card.get("alias_of"):
            return None
        rate = EngineRate(float(told["input_per_s"]), float(told["output_per_s"]), float(told["speedup"]))
        at = time.strftime("%Y-%m-%d %H:%M", time.gmtime())
        kind, about = CallKind(card["kind"]), {name: str(card[name]) for name in ("id", "engine", "precision", "instructions")}
        return cls(kind=kind, rate=rate, at=at, **about)

    @property
    def shown(self) -> str:
        """One line: which model, how it is run, how fast."""
        how = f"{self.engine}, {self.precision}, {self.instructions}"
        return f"{self.id} ({how}): {rate_words(self.kind, self.rate)}"


def rate_words(kind: CallKind, rate: EngineRate) -> str:
    """Return the rate in words."""
    read = f"reads {rate.input_per_s:.3g} {UNITS[kind]}/s"
    return f"{read}, writes {rate.output_per_s:.3g} tokens/s" if rate.output_per_s else read


def slow_words(kind: CallKind, rate: EngineRate | None) -> str | None:
    """Return what to do when the rate is below the floor; None when it is not, or when nobody measured."""
    floor = FLOORS[kind]
    if rate is None or (rate.input_per_s >= floor.input_per_s and rate.output_per_s >= floor.output_per_s):
        return None
    return f"slower than the {rate_words(kind, floor)} that this model should do anywhere: {TODO[kind]}"


def remember(cache_dir: Path, measured: Sequence[MeasuredModel]) -> None:
    """Keep what a start measured, for `wordloop doctor` and `wordloop models`."""
    rows = [{**_row(one), "rate": _rate_row(one.rate)} for one in measured]
    cache_dir.mkdir(parents=True, exist_ok=True)
    temporary = cache_dir / f"{RECORD}.new"
    temporary.write_text(json.dumps(rows, indent=2) + "\n")
    temporary.replace(cache_dir / RECORD)


def remembered(cache_dir: Path) -> list[MeasuredModel]:
    """Return what the last start on this machine measured; nothing when none did."""
    try:
        rows = json.loads((cache_dir / RECORD).read_text())
        return [MeasuredModel(**{**row, "kind": CallKind(row["kind"]), "rate": EngineRate(**row["rate"])}) for row in rows]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _row(one: MeasuredModel) -> dict[str, str]:
    return {name: str(getattr(one, name)) for name in ("kind", "id", "engine", "precision", "instructions", "at")}


def _rate_row(rate: EngineRate) -> dict[str, float]:
    return {"input_per_s": rate.input_per_s, "output_per_s": rate.output_per_s, "speedup": rate.speedup}
