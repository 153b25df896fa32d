"""The walks of docs/extend.md lead where they say, in a copy of this repository."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.docs.guide import ROOT, Reader, follow


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A clone, with what was changed since the last commit."""
    target = tmp_path / "copy"
    git("clone", "--quiet", "--shared", str(ROOT), str(target))
    for name in git("ls-files", "--modified", "--others", "--exclude-standard").split("\n"):
        if name and (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name)
    for name in git("ls-files", "--deleted").split("\n"):
        if name:
            (target / name).unlink(missing_ok=True)
    return target


def test_each_walk_ends_with_what_it_promises(copy: Path) -> None:
    reader = Reader(copy, {}, {"PYTEST_ADDOPTS": "-p no:cacheprovider"}, code=copy)

    skipped = dict(follow(ROOT / "docs" / "extend.md", reader))

    assert len(reader.ran) > 15
    assert list(skipped.values()) == ["installs the package anew, so that its entry points are known"]
