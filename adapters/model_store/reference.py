"""The names a person may give a model by: bundled name, folder, or hub repository at a commit."""

import re
from dataclasses import dataclass
from pathlib import Path

from domain.errors import InvalidRequest

COMMIT = re.compile(r"[0-9a-f]{40}")
REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True, slots=True)
class BundledReference:
    """A name of the manifest; the precision is None for the model's default one."""

    name: str
    precision: str | None


@dataclass(frozen=True, slots=True)
class FolderReference:
    path: Path


@dataclass(frozen=True, slots=True)
class HubReference:
    repository: str
    revision: str


Reference = BundledReference | FolderReference | HubReference


def parse_reference(text: str) -> Reference:
    """Reads `NAME`, `NAME:PRECISION`, `/folder`, `./folder`, `~/folder`, `folder:PATH` or `hub:OWNER/NAME@COMMIT`.

    `InvalidRequest` for a hub reference that is not pinned to a commit: a branch can change under a running service.
    """
    if text.startswith("folder:"):
        return FolderReference(Path(text.removeprefix("folder:")).expanduser())
    if text.startswith(("/", "./", "../", "~")) or text in {".", ".."}:
        return FolderReference(Path(text).expanduser())
    if text.startswith("hub:"):
        repository, _, revision = text.removeprefix("hub:").partition("@")
        if not REPOSITORY.fullmatch(repository) or not COMMIT.fullmatch(revision):
            raise InvalidRequest(
                f"{text!r} is no pinned hub model. Write hub:OWNER/NAME@COMMIT with the 40 hex digits of a commit, "
                "as the hub shows them under «Files and versions», History."
            )
        return HubReference(repository, revision)
    name, _, precision = text.partition(":")
    if not name:
        raise InvalidRequest("A model reference can not be empty. `wordloop models` lists the bundled names.")
    return BundledReference(name, precision or None)
