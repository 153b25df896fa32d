"""The import rules hold, and each of them catches a planted violation."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONTRACT = "tests/architecture/allow_list.py"
"""The type of contract that is of this project."""
PACKAGES = ("domain", "ports", "prompts", "application", "adapters", "serve_app", "evals", "benchmarks", "training", "dashboards")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The project's packages and contracts in a folder where a violation can be planted."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__", "*.ogg", "*.xz"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / CONTRACT).parent.mkdir(parents=True)
    shutil.copy(ROOT / CONTRACT, tmp_path / CONTRACT)
    return tmp_path


def lint(folder: Path) -> tuple[int, str]:
    """Run import-linter in a folder, on that folder's packages and no others."""
    program = (
        "import sys; sys.path.insert(0, '.'); from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, cwd=folder, capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout + done.stderr


def test_the_project_keeps_every_contract(copy: Path) -> None:
    status, output = lint(copy)
    assert status == 0, output


@pytest.mark.parametrize(
    ("file", "line", "contract"),
    [
        ("domain/planted.py", "import application.payloads", "Layers point inwards"),
        ("ports/planted.py", "import adapters.local_blobs", "Layers point inwards"),
        ("application/planted.py", "import serve_app.settings", "Layers point inwards"),
        ("application/planted.py", "import adapters.local_blobs", "Layers point inwards"),
        ("serve_app/planted.py", "import benchmarks.material", "Layers point inwards"),
        ("adapters/planted.py", "import training.meetings", "Layers point inwards"),
        ("serve_app/planted.py", "import dashboards.pages", "Layers point inwards"),
        ("domain/planted.py", "import openai", "Domain and ports import the standard library and each other only"),
        ("domain/planted.py", "import numpy as np", "The core imports the standard library and itself only"),
        ("ports/planted.py", "from httpx import Client", "Domain and ports import the standard library and each other only"),
        ("application/planted.py", "import a_package_that_nobody_knows", "The core imports the standard library and itself only"),
        ("adapters/planted.py", "import adapters.sql", "Adapters are strangers to one another"),
        ("adapters/planted.py", "import application.payloads", "Only the HTTP adapter calls use cases"),
        ("adapters/planted.py", "import ray", "Only the composition root and one adapter know Ray"),
        ("serve_app/settings/planted.py", "import serve_app.commands.up", "No room imports in a circle"),
        ("serve_app/composition/clock.py", "import serve_app.composition.worker", "No room imports in a circle"),
        ("adapters/http/common/planted.py", "import adapters.http.uploads.forms", "No room imports in a circle"),
    ],
)
def test_a_planted_violation_is_caught(copy: Path, file: str, line: str, contract: str) -> None:
    (copy / file).write_text(f"{line}\n")
    status, output = lint(copy)
    assert status != 0, output
    assert f"{contract} BROKEN" in output
