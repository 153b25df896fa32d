"""The wheel holds every file of the packages that it lists, both configurations, and nothing of the tests."""

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

from tests.changelog import current_version

ROOT = Path(__file__).parents[3]


def test_the_wheel_is_the_tracked_files_of_its_packages_and_both_configurations(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=120)
    wheel = tmp_path / f"wordloop_ml-{current_version()}-py3-none-any.whl"
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    listed = subprocess.run(["git", "ls-files", *packages], cwd=ROOT, check=True, capture_output=True, text=True).stdout

    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    data = {Path(name).suffix for name in names}

    assert set(listed.split()) <= names
    assert {"serve_app/serve_config.yaml", "serve_app/serve_config.gpu.yaml"} <= names
    assert {".npz", ".npy", ".toml", ".jinja", ".md", ".ogg"} <= data, "weights, manifest, pages, prompts, recording"
    assert {Path(name).parts[0] for name in names} == set(packages)
