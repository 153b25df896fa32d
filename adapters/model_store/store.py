"""From a model's name to a folder that an engine can load: found, checked, joined, converted, published once."""

import importlib.metadata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from adapters.model_store import inspect_folder
from adapters.model_store.assembly import Assembler, Convert
from adapters.model_store.cache_folder import CacheFolder, Complete, damaged_files, default_cache_dir, whole
from adapters.model_store.conversion import convert_weights
from adapters.model_store.errors import UnknownModel
from adapters.model_store.hub import ForbiddenHub, hub_for
from adapters.model_store.manifest import BundledModel, Manifest, ModelFormat, bundled_manifest
from adapters.model_store.progress import Progress, SilentProgress
from adapters.model_store.reference import BundledReference, FolderReference, HubReference, parse_reference
from adapters.model_store.sources import FindDistribution, Hub, OpenSource, open_source
from domain.canonical import sha256_of


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A folder that an engine can load, and which weights are in it.

    `id`, `revision` and `precision` go into the `ModelIdentity` that the engine reports; `format` says which engine loads it.
    """

    path: Path
    id: str
    revision: str
    format: ModelFormat
    precision: str


class ModelStore:
    """Gives folders for references. Safe to use from several threads and processes on one cache folder at once."""

    def __init__(
        self,
        cache_dir: Path,
        progress: Progress | None = None,
        *,
        manifest: Manifest | None = None,
        find: FindDistribution = importlib.metadata.distribution,
        mirror: Path | None = None,
        hub: Hub | None = None,
        convert: Convert = convert_weights,
        read_only: bool = False,
    ) -> None:
        """`mirror` holds publishers' files as `<model name>/<path>`. Without a `hub`, none is asked.

        What killed processes left behind is removed here; `read_only` leaves it, for whoever only looks.
        """
        self.manifest = manifest or bundled_manifest()
        self._cache = CacheFolder(Path(cache_dir).absolute())
        self._progress = progress or SilentProgress()
        self._hub = hub or ForbiddenHub("fetching from the hub was not allowed")
        self._assembler = Assembler(self._cache, self._progress, find, mirror, self._hub, convert)
        if not read_only:
            self._cache.remove_all_leftovers()

    @classmethod
    def from_environment(
        cls, environment: Mapping[str, str], progress: Progress | None = None, *, allow_hub: bool = False, read_only: bool = False
    ) -> "ModelStore":
        """The store as the environment sets it: WORDLOOP_CACHE_DIR or XDG_CACHE_HOME, WORDLOOP_MODEL_MIRROR, WORDLOOP_ALLOW_HUB=1
        (or `allow_hub`), and HF_HUB_OFFLINE, which forbids the hub whatever else is set."""
        mirror = environment.get("WORDLOOP_MODEL_MIRROR")
        hub = hub_for(environment, allow_hub or environment.get("WORDLOOP_ALLOW_HUB") == "1")
        return cls(
            default_cache_dir(environment), progress, mirror=Path(mirror) if mirror else None, hub=hub, read_only=read_only
        )

    def ensure(self, reference: str, *, verify: bool = False) -> ModelFolder:
        """The folder of a model, assembled first when it is not there yet.

        A folder whose sizes (with `verify`: whose sums) are wrong is assembled anew. Raises the kinds of `errors.py`, and
        `InvalidRequest` for a reference that has no meaning.
        """
        match parse_reference(reference):
            case BundledReference(name, precision):
                model, chosen = self._known(name, precision)
                entry = _entry(model, chosen)
                return self._once(entry, verify, lambda lock: self._assembler.bundled(model, chosen, entry, lock))
            case HubReference() as pinned:
                return self._from_hub(pinned, verify)
            case FolderReference(path):
                return self._local(path)

    @staticmethod
    def format_of(folder: Path) -> ModelFormat:
        """The format of a model in a folder of one's own. Raises UnsafeModel and ModelUnreadable."""
        return inspect_folder.require_safe_folder(folder.resolve())

    def assembled(self, name: str, precision: str | None = None) -> Complete | None:
        """The marker of a bundled model that is there, or None; looks at sizes only."""
        return whole(self.folder(name, precision))

    def seen(self, reference: str) -> str | None:
        """The id of a model of a folder or of the hub as it is now; None when it is still to be fetched. Writes nothing.

        Raises what `ensure` would, as far as that can be told by looking.
        """
        match parse_reference(reference):
            case FolderReference(path):
                inspect_folder.require_safe_folder(path.resolve())
                return path.resolve().name
            case HubReference() as pinned:
                complete = whole(self._cache.path(_hub_entry(pinned)))
                if complete is None:
                    self._hub.require_allowed(pinned.repository)
                return complete.id if complete else None
            case BundledReference(name, precision):
                there = self.assembled(name, precision)
                return there.id if there else None

    def folder(self, name: str, precision: str | None = None) -> Path:
        """Where a bundled model is, or would be."""
        return self._cache.path(_entry(*self._known(name, precision)))

    def damage(self, name: str, precision: str | None = None) -> list[str]:
        """What is wrong with an assembled model by full sums; empty when all is right."""
        folder = self.folder(name, precision)
        complete = Complete.read(folder)
        self._progress.start(f"Checking {name}", complete.total_bytes if complete else None)
        try:
            return damaged_files(folder, self._progress.advance)
        finally:
            self._progress.finish()

    def source_of(self, name: str) -> OpenSource:
        """Where a bundled model would come from. `ModelSourceMissing` when it could not."""
        return open_source(self.manifest.model(name), self._assembler.find, self._assembler.mirror, self._hub)

    def _known(self, name: str, precision: str | None) -> tuple[BundledModel, str]:
        model = self.manifest.model(name)
        chosen = precision or model.default_precision
        if chosen not in model.precisions:
            raise UnknownModel(f"{name} is not made in precision {chosen!r}. Use one of {', '.join(model.precisions)}.")
        return model, chosen

    def _from_hub(self, pinned: HubReference, verify: bool) -> ModelFolder:
        entry = _hub_entry(pinned)
        if self._usable(entry, verify) is None:
            self._hub.require_allowed(pinned.repository)
        return self._once(entry, verify, lambda _: self._assembler.from_hub(pinned, entry))

    def _local(self, path: Path) -> ModelFolder:
        folder = path.resolve()
        format_ = inspect_folder.require_safe_folder(folder)
        remembered = self._cache.root / "sums" / f"{sha256_of(str(folder))[:24]}.json"
        revision = inspect_folder.content_revision(folder, remembered)
        return ModelFolder(folder, folder.name, revision, format_, inspect_folder.precision_of(folder, format_))

    def _once(self, entry: str, verify: bool, fill: Callable[[int], Complete]) -> ModelFolder:
        """The entry as it is when it is usable; otherwise filled by whichever process gets the lock first."""
        complete = self._usable(entry, verify)
        if complete is None:
            with self._cache.lock(entry, self._waiting(entry)) as lock:
                self._cache.remove_leftovers(entry)
                complete = self._usable(entry, verify) or fill(lock)
        return ModelFolder(
            self._cache.path(entry), complete.id, complete.revision, ModelFormat(complete.format), complete.precision
        )

    def _usable(self, entry: str, verify: bool) -> Complete | None:
        folder = self._cache.path(entry)
        complete = whole(folder)
        return None if complete and verify and damaged_files(folder) else complete

    def _waiting(self, entry: str) -> Callable[[], None]:
        def say_so() -> None:
            self._progress.start(f"Waiting for another process to finish {entry}", None)
            self._progress.finish()

        return say_so


def _entry(model: BundledModel, precision: str) -> str:
    return f"{model.name}-{precision}-{model.fingerprint(precision)}"


def _hub_entry(pinned: HubReference) -> str:
    return f"hub-{sha256_of([pinned.repository, pinned.revision])[:24]}"
