"""The bundled models as values, read from `manifest.toml`: which files, which bytes, from where."""

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Any

from adapters.model_store.errors import UnknownModel
from domain.canonical import sha256_of

CONVERTER_VERSION = 2
"""Counts changes to the conversion that alter its output: a higher number makes every converted model anew."""


class ModelKind(StrEnum):
    TRANSCRIBER = "transcriber"
    LANGUAGE_MODEL = "language_model"
    EMBEDDER = "embedder"


class ModelFormat(StrEnum):
    """What an engine opens. GGUF is read as it is by llama.cpp, and converted to safetensors for vLLM."""

    CTRANSLATE2 = "ctranslate2"
    SAFETENSORS = "safetensors"
    GGUF = "gguf"


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
    are the precisions that are the publisher's own files; GGUF weights in any other are converted.
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

    @property
    def default_precision(self) -> str:
        return self.precisions[0]

    @property
    def source_bytes(self) -> int:
        return sum(file.size for file in self.files)

    def converts(self, precision: str) -> bool:
        """Whether weights in this precision are made here, from the publisher's."""
        return self.format is ModelFormat.GGUF and precision not in self.published

    def fingerprint(self, precision: str) -> str:
        """Names the assembled folder: other bytes, another precision or another converter give another folder."""
        version = CONVERTER_VERSION if self.converts(precision) else 0
        return sha256_of(
            {
                "files": [asdict(file) for file in self.files],
                "revision": self.revision,
                "precision": precision,
                "converter": version,
            }
        )[:12]


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
    )


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
