"""The bundled models as values, read from `manifest.toml`: which files, which bytes, from where."""

import hashlib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from adapters.model_store.errors import UnknownModel
from domain.canonical import sha256_of
from domain.search import CosineScale

CONVERTER_VERSION = 2
"""Counts changes to the conversion that alter its output: a higher number makes every converted model anew."""
TRUNK = re.compile(r"trunk([1-9][0-9]*)-int8")
"""Name of a precision that is the first so many layers of a GGUF model, for the item reader."""
TRUNK_SCALE = Path(__file__).parents[1] / "item_reader" / "weights" / "trunk_scale.npy"
"""One over the usual size of each dimension of a trunk's hidden states; measured where the reader is trained."""


class ModelKind(StrEnum):
    TRANSCRIBER = "transcriber"
    LANGUAGE_MODEL = "language_model"
    EMBEDDER = "embedder"
    ITEM_FINDER = "item_finder"
    DIARIZER = "diarizer"


class ModelFormat(StrEnum):
    """What an engine opens. GGUF is as llama.cpp reads it; it is converted to safetensors for vLLM, a trunk to CTranslate2.

    No engine opens what `torch.save` wrote: it is converted to ONNX, read as data.
    """

    CTRANSLATE2 = "ctranslate2"
    SAFETENSORS = "safetensors"
    GGUF = "gguf"
    TORCH = "torch"
    ONNX = "onnx"


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of the publisher: relative path, size in bytes, sha256 in hex."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class PackageMember:
    """A data file inside an installed distribution of exactly this version."""

    distribution: str
    version: str
    member: str


@dataclass(frozen=True, slots=True)
class PackageSource:
    """Data files of ordinary packages. `members` lists, for each file of the model, the parts to join in order."""

    members: Mapping[str, tuple[PackageMember, ...]]

    @property
    def distributions(self) -> tuple[tuple[str, str], ...]:
        """(name, version) of every distribution needed, in order of first use."""
        return tuple(dict.fromkeys((part.distribution, part.version) for parts in self.members.values() for part in parts))


@dataclass(frozen=True, slots=True)
class HubSource:
    """A repository of the model hub at one commit (40 hex digits)."""

    repository: str
    revision: str


@dataclass(frozen=True, slots=True)
class MirrorSource:
    """`<mirror folder>/<model name>/<path>`: the publisher's files, brought by hand or by a mounted volume."""


Source = PackageSource | HubSource | MirrorSource


@dataclass(frozen=True, slots=True)
class BundledModel:
    """One model of the manifest. `format` is the publisher's; `precisions` (default first) are what can be assembled.

    `assembled_bytes` gives the approximate size of the assembled folder per precision, for the free space check. `published`
    are the precisions that are the publisher's own files; GGUF weights in any other are converted, those of torch always.
    `cosines`: what those of an embedder mean, None where nobody measured it. `same_voice`: from which likeness two voices are
    one person by a diarizer, None where nobody measured it.
    """

    name: str
    kind: ModelKind
    publisher_id: str
    revision: str
    licence: str
    format: ModelFormat
    precisions: tuple[str, ...]
    assembled_bytes: Mapping[str, int]
    published: frozenset[str]
    files: tuple[ModelFile, ...]
    sources: tuple[Source, ...]
    cosines: CosineScale | None = None
    same_voice: float | None = None

    @property
    def default_precision(self) -> str:
        return self.precisions[0]

    @property
    def source_bytes(self) -> int:
        return sum(file.size for file in self.files)

    def converts(self, precision: str) -> bool:
        """Whether weights in this precision are made here, from the publisher's."""
        return self.format in (ModelFormat.GGUF, ModelFormat.TORCH) and precision not in self.published

    def format_of(self, precision: str) -> ModelFormat:
        """What an engine finds in the assembled folder."""
        if trunk_layers(precision) is not None:
            return ModelFormat.CTRANSLATE2
        converted = ModelFormat.ONNX if self.format is ModelFormat.TORCH else ModelFormat.SAFETENSORS
        return converted if self.converts(precision) else self.format

    def kind_of(self, precision: str) -> ModelKind:
        """What weights in this precision are good for: a trunk writes no words."""
        return ModelKind.ITEM_FINDER if trunk_layers(precision) is not None else self.kind

    def fingerprint(self, precision: str) -> str:
        """Names the assembled folder: other bytes, another precision or another converter give another folder."""
        made_of: dict[str, Any] = {
            "files": [asdict(file) for file in self.files],
            "revision": self.revision,
            "precision": precision,
            "converter": CONVERTER_VERSION if self.converts(precision) else 0,
        }
        if trunk_layers(precision) is not None:
            made_of["scale"] = hashlib.sha256(TRUNK_SCALE.read_bytes()).hexdigest()
        return sha256_of(made_of)[:12]


def trunk_layers(precision: str) -> int | None:
    """Return how many layers a trunk has; None for a precision that is none."""
    found = TRUNK.fullmatch(precision)
    return int(found[1]) if found else None


@dataclass(frozen=True, slots=True)
class Manifest:
    models: tuple[BundledModel, ...]

    def model(self, name: str) -> BundledModel:
        """The model of that name; `UnknownModel` names those there are."""
        for model in self.models:
            if model.name == name:
                return model
        known = ", ".join(model.name for model in self.models)
        raise UnknownModel(
            f"There is no bundled model {name!r}. Use one of {known}, the path of a folder, or hub:OWNER/NAME@REVISION."
        )


def parse_manifest(text: str) -> Manifest:
    """Reads the TOML of a manifest. A missing or ill-formed field is a `KeyError` or `ValueError`: it ships with the code."""
    return Manifest(tuple(_model(table) for table in tomllib.loads(text)["model"]))


@cache
def bundled_manifest() -> Manifest:
    """The manifest that ships in this folder."""
    return parse_manifest(resources.files(__package__).joinpath("manifest.toml").read_text(encoding="utf-8"))


def _model(table: Mapping[str, Any]) -> BundledModel:
    files = tuple(ModelFile(str(row["path"]), int(row["size"]), str(row["sha256"])) for row in _rows(table["files"]))
    precisions = _rows(table["precisions"])
    assembled = {str(row["name"]): int(row["assembled_bytes"]) for row in precisions}
    return BundledModel(
        name=str(table["name"]),
        kind=ModelKind(str(table["kind"])),
        publisher_id=str(table["publisher_id"]),
        revision=str(table["revision"]),
        licence=str(table["licence"]),
        format=ModelFormat(str(table["format"])),
        precisions=tuple(assembled),
        assembled_bytes=assembled,
        published=frozenset(str(row["name"]) for row in precisions if row.get("published")),
        files=files,
        sources=tuple(_source(row) for row in _rows(table["sources"])),
        cosines=_cosines(table.get("cosines")),
        same_voice=float(table["same_voice"]) if "same_voice" in table else None,
    )


def _cosines(row: Mapping[str, Any] | None) -> CosineScale | None:
    return None if row is None else CosineScale(float(row["unrelated"]), float(row["related"]))


def _source(row: Mapping[str, Any]) -> Source:
    match row["kind"]:
        case "package":
            versions = dict(str(pin).split("==") for pin in _strings(row["distributions"]))
            members = row["members"]
            if not isinstance(members, dict):
                raise ValueError("members of a package source must be a table of path = [parts]")
            return PackageSource(
                {path: tuple(_member(part, versions) for part in _strings(parts)) for path, parts in members.items()}
            )
        case "hub":
            return HubSource(str(row["repository"]), str(row["revision"]))
        case "mirror":
            return MirrorSource()
        case kind:
            raise ValueError(f"unknown kind of source in the manifest: {kind!r}")


def _member(part: str, versions: Mapping[str, str]) -> PackageMember:
    distribution, _, member = part.partition(":")
    return PackageMember(distribution, versions[distribution], member)


def _rows(value: Any) -> list[Mapping[str, Any]]:
    if not isinstance(value, list):
        raise ValueError("expected an array of tables in the manifest")
    return value


def _strings(value: object) -> list[str]:
    if not isinstance(value, list):
        raise ValueError("expected an array of strings in the manifest")
    return [str(item) for item in value]
