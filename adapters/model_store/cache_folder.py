"""The cache on disk: one folder per assembled model, published whole by one rename, made by one process at a time.

Layout: `<cache>/models/<name>-<precision>-<fingerprint>/` with a `complete.json`, `<cache>/models/.assembling-*` while one
is being made, and `<cache>/locks/*.lock`, whose flock the maker holds. The kernel drops a flock when its last holder
dies, so whoever gets the lock knows that a leftover `.assembling-*` folder of that name belongs to nobody.
"""

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from adapters.model_store.errors import ModelSumWrong
from adapters.model_store.manifest import ModelFile
from adapters.model_store.verified_copy import require_sum, sha256_of_file, sync_folder, sync_tree

MARKER = "complete.json"
ASSEMBLING = ".assembling-"
DISCARDED = ".discarded-"


def default_cache_dir(environment: Mapping[str, str]) -> Path:
    """`$WORDLOOP_CACHE_DIR`, else `$XDG_CACHE_HOME/wordloop`, else `~/.cache/wordloop`."""
    if own := environment.get("WORDLOOP_CACHE_DIR"):
        return Path(own)
    return Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wordloop"


@dataclass(frozen=True, slots=True)
class Complete:
    """What `complete.json` says of an assembled model: its identity, every file's sum, and where the bytes came from."""

    id: str
    revision: str
    format: str
    precision: str
    licence: str
    files: tuple[ModelFile, ...]
    provenance: dict[str, object] = field(default_factory=dict)

    @property
    def total_bytes(self) -> int:
        return sum(file.size for file in self.files)

    def write(self, folder: Path) -> None:
        (folder / MARKER).write_text(json.dumps(asdict(self), indent=2, sort_keys=True) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> "Complete | None":
        """The marker of a folder, or None when there is none that can be read."""
        try:
            table = json.loads((folder / MARKER).read_text(encoding="utf-8"))
            return cls(**{**table, "files": tuple(ModelFile(**row) for row in table["files"])})
        except (OSError, ValueError, KeyError, TypeError):
            return None


def listed_files(folder: Path) -> tuple[ModelFile, ...]:
    """Every file below `folder` with its size and sum, the marker apart."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MARKER)
    return tuple(ModelFile(str(path.relative_to(folder)), path.stat().st_size, sha256_of_file(path)) for path in paths)


def whole(folder: Path) -> Complete | None:
    """The marker when every file it names is there with its size: cheap enough for each start."""
    complete = Complete.read(folder)
    if complete is None:
        return None
    for file in complete.files:
        try:
            if (folder / file.path).stat().st_size != file.size:
                return None
        except OSError:
            return None
    return complete


def damaged_files(folder: Path, advance: Callable[[int], None] = lambda _: None) -> list[str]:
    """What differs from the marker, by full sums, one sentence each; empty when all is right."""
    complete = Complete.read(folder)
    if complete is None:
        return [f"{folder} has no readable {MARKER}"]
    wrong: list[str] = []
    for file in complete.files:
        try:
            require_sum(file, (folder / file.path).stat().st_size, sha256_of_file(folder / file.path, advance))
        except OSError as missing:
            wrong.append(f"{file.path} can not be read: {missing.strerror}")
        except ModelSumWrong:
            wrong.append(f"{file.path} is not what was assembled")
    return wrong


class CacheFolder:
    """The models folder and the locks folder below one cache folder. Both are made when first needed."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.models = root / "models"
        self.locks = root / "locks"

    def make(self) -> None:
        self.models.mkdir(parents=True, exist_ok=True)
        self.locks.mkdir(parents=True, exist_ok=True)

    def path(self, entry: str) -> Path:
        return self.models / entry

    @contextmanager
    def lock(self, entry: str, waiting: Callable[[], None]) -> Iterator[int]:
        """Holds the lock of one entry and yields its file descriptor; calls `waiting` once when somebody else holds it."""
        self.make()
        handle = os.open(self.locks / f"{entry}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            if not _try_lock(handle):
                waiting()
                fcntl.flock(handle, fcntl.LOCK_EX)
            yield handle
        finally:
            os.close(handle)

    @contextmanager
    def new_folder(self, entry: str) -> Iterator[Path]:
        """A temporary sibling to fill, under the entry's lock; it is gone afterwards unless it was published."""
        folder = Path(tempfile.mkdtemp(prefix=f"{ASSEMBLING}{entry}.", dir=self.models))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def publish(self, folder: Path, entry: str) -> None:
        """Moves a filled folder to its name, in one step; a damaged one of that name steps aside and is removed."""
        folder.chmod(0o755)
        sync_tree(folder)
        target = self.path(entry)
        if target.exists():
            aside = Path(tempfile.mkdtemp(prefix=f"{DISCARDED}{entry}.", dir=self.models))
            target.rename(aside / "old")
            folder.rename(target)
            shutil.rmtree(aside, ignore_errors=True)
        else:
            folder.rename(target)
        sync_folder(self.models)

    def remove_leftovers(self, entry: str) -> None:
        """Removes what a killed process left of this entry. To be called under the entry's lock."""
        for pattern in (ASSEMBLING, DISCARDED):
            for folder in self.models.glob(f"{pattern}{entry}.*"):
                shutil.rmtree(folder, ignore_errors=True)

    def remove_all_leftovers(self) -> None:
        """Removes the leftovers of every entry that nobody is making just now."""
        leftovers = [*self.models.glob(f"{ASSEMBLING}*"), *self.models.glob(f"{DISCARDED}*")]
        for entry in {path.name.removeprefix(ASSEMBLING).removeprefix(DISCARDED).rpartition(".")[0] for path in leftovers}:
            with suppress(BlockingIOError), self.lock(entry, _refuse_to_wait):
                self.remove_leftovers(entry)


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _refuse_to_wait() -> None:
    raise BlockingIOError
