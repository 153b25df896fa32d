"""The data folder and Ray's sessions are closed to other users of the machine, whoever made the folders before."""

import os
import stat
from pathlib import Path

import pytest

from adapters.ray_serve.cluster import prepare_environment
from adapters.ray_serve.private_folders import FolderShared, make_private, private_ray_folder


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("before", [None, 0o755, 0o777, 0o750, 0o700, 0o500])
def test_a_data_folder_is_closed_also_when_it_was_there(tmp_path: Path, before: int | None) -> None:
    folder = tmp_path / "data"
    if before is not None:
        folder.mkdir()
        folder.chmod(before)
    make_private(folder)
    assert mode_of(folder) == (0o500 if before == 0o500 else 0o700)


def test_a_folder_in_which_everybody_writes_is_refused_and_stays_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    with pytest.raises(FolderShared, match="name a folder of its own"):
        make_private(tmp_path)
    assert mode_of(tmp_path) == 0o1777


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_somebody_else_stays_as_it_is_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "volume"
    folder.mkdir()
    folder.chmod(0o777)
    os.chown(folder, 1234, 1234)
    make_private(folder)
    assert mode_of(folder) == 0o777
    assert "others may look into it" in caplog.text


def test_rays_sessions_lie_in_a_closed_folder_that_is_the_same_every_time(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    folder = private_ray_folder(tmp_path)
    folder.chmod(0o755)

    assert private_ray_folder(tmp_path) == folder
    assert mode_of(folder) == 0o700
    assert private_ray_folder(folder) == folder


def test_a_name_that_somebody_else_has_taken_is_not_used(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / f"wordloop-{os.geteuid()}").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FolderShared, match="RAY_TMPDIR"):
        private_ray_folder(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_place_for_sessions_that_somebody_closed_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)
    with pytest.raises(FolderShared, match="RAY_TMPDIR"):
        private_ray_folder(tmp_path / "closed")


def test_a_service_closes_its_folder_and_rays_before_it_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, base = tmp_path / "data", tmp_path / "base"
    for folder in (data, base):
        folder.mkdir(mode=0o755)
    monkeypatch.setattr(os, "environ", os.environ | {"RAY_TMPDIR": str(base)})
    place = prepare_environment(data)
    try:
        assert mode_of(data) == 0o700
        assert mode_of(Path(os.environ["RAY_TMPDIR"])) == 0o700
        assert Path(os.environ["RAY_TMPDIR"]).parent == base
    finally:
        place.close()
