"""Fills one temporary folder with one model and publishes it; whoever calls holds the lock of the entry."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from adapters.model_store import inspect_folder
from adapters.model_store.cache_folder import CacheFolder, Complete, listed_files
from adapters.model_store.manifest import BundledModel, ModelFile
from adapters.model_store.progress import Progress
from adapters.model_store.reference import HubReference
from adapters.model_store.sources import FindDistribution, Hub, OpenSource, open_source
from adapters.model_store.verified_copy import FULL, not_enough_space, require_space, write_verified

Convert = Callable[[Path, Path, str, int], None]
"""(the model's first file, folder to fill, precision, descriptor of the lock to keep open) -> nothing."""

CONVERTERS = ("transformers", "torch", "gguf", "safetensors", "ctranslate2", "tokenizers", "onnx")
"""Distributions whose version may change the bytes of a conversion; recorded in the provenance."""

NOT_PART_OF_A_MODEL = (".gitattributes", ".md", ".onnx", ".h5", ".msgpack", ".ot", ".gguf", ".png", ".jpg", "LICENSE")
"""Endings of files in hub repositories that no engine here reads."""


@dataclass(frozen=True, slots=True)
class Assembler:
    """Makes entries of one cache folder. `find`, `mirror` and `hub` are the sources it may ask."""

    cache: CacheFolder
    progress: Progress
    find: FindDistribution
    mirror: Path | None
    hub: Hub
    convert: Convert

    def bundled(self, model: BundledModel, precision: str, entry: str, lock: int) -> Complete:
        """Assembles a model of the manifest: every file checked while it is written, and converted after that where it is."""
        source = open_source(model, self.find, self.mirror, self.hub)
        converts = model.converts(precision)
        with self._new_entry(entry, model.assembled_bytes[precision] + (model.source_bytes if converts else 0)) as folder:
            result = folder / "model"
            if converts:
                self._write_files(model, source, folder)
                files = self._converted(folder / model.files[0].path, result, precision, lock)
            else:
                self._write_files(model, source, result)
                files = model.files
            provenance = source.provenance | ({"converted_by": _versions()} if converts else {})
            complete = Complete(
                model.publisher_id, model.revision, model.format_of(precision), precision, model.licence, files, provenance
            )
            self._publish(complete, result, entry)
        return complete

    def from_hub(self, pinned: HubReference, entry: str) -> Complete:
        """Assembles a hub repository at a commit: names are judged before fetching, contents before publishing."""
        repository, revision = pinned.repository, pinned.revision
        names = self.hub.names(repository, revision)
        wanted = [name for name in names if not name.endswith(NOT_PART_OF_A_MODEL)]
        inspect_folder.require_safe_names(wanted, f"hub:{repository}")
        with self._new_entry(entry, 0) as folder:
            result = folder / "model"
            self.progress.start(f"Fetching {repository}", None)
            try:
                for name in wanted:
                    target = result / name
                    target.parent.mkdir(parents=True, exist_ok=True)
                    fetched = self.hub.file(repository, revision, name, folder / "fetched")
                    fetched.resolve().replace(target)
                    self.progress.advance(target.stat().st_size)
            finally:
                self.progress.finish()
            format_ = inspect_folder.require_safe_folder(result)
            precision = inspect_folder.precision_of(result, format_)
            provenance: dict[str, object] = {"kind": "hub", "repository": repository, "revision": revision}
            complete = Complete(repository, revision, format_, precision, "see the hub", listed_files(result), provenance)
            self._publish(complete, result, entry)
        return complete

    @contextmanager
    def _new_entry(self, entry: str, needed_bytes: int) -> Iterator[Path]:
        """A temporary folder on a disk with room; a disk that fills up meanwhile is explained and leaves nothing behind."""
        require_space(self.cache.models, needed_bytes)
        try:
            with self.cache.new_folder(entry) as folder:
                yield folder
        except OSError as failed:
            if failed.errno in FULL:
                raise not_enough_space(self.cache.models, needed_bytes) from failed
            raise

    def _write_files(self, model: BundledModel, source: OpenSource, folder: Path) -> None:
        self.progress.start(f"Joining {model.name}", model.source_bytes)
        try:
            for file in model.files:
                write_verified(source.blocks(file, folder / "fetched"), folder / file.path, file, self.progress.advance)
        finally:
            self.progress.finish()

    def _converted(self, first: Path, result: Path, precision: str, lock: int) -> tuple[ModelFile, ...]:
        self.progress.start(f"Converting {first.name} to {precision}", None)
        try:
            result.mkdir()
            self.convert(first, result, precision, lock)
            for path in result.rglob("*"):
                path.chmod(0o644 if path.is_file() else 0o755)
            return listed_files(result)
        finally:
            self.progress.finish()

    def _publish(self, complete: Complete, result: Path, entry: str) -> None:
        shutil.rmtree(result / ".cache", ignore_errors=True)
        complete.write(result)
        self.cache.publish(result, entry)


def _versions() -> dict[str, str]:
    found: dict[str, str] = {}
    for name in CONVERTERS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
