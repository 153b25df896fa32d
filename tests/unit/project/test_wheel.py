"""What `pip install` of the built wheel brings: everything the service reads at run time."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's content, unpacked away from the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (wheel,) = folder.glob("*.whl")
    site = folder / "site"
    zipfile.ZipFile(wheel).extractall(site)
    return site


def run(site: Path, program: str) -> str:
    """Run a program that sees the unpacked wheel and the environment's libraries, and not the checkout."""
    libraries = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
    setup = f"import sys; sys.path[:0] = {[str(site), *libraries]!r}\n"
    done = subprocess.run(
        [sys.executable, "-S", "-c", setup + program],
        cwd=site.parent, check=False, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_default_configuration_comes_with_the_package(installed: Path) -> None:
    found = run(
        installed,
        "from serve_app.settings.serve_file import config_path\nfrom serve_app.settings.serve_file import load_config\n"
        "load_config(config_path(None))\nprint(config_path(None))",
    )
    assert found == str(installed / "serve_app" / "serve_config.yaml")
    assert Path(found).read_bytes() == (ROOT / "serve_config.yaml").read_bytes()


def test_prompts_recording_and_manifest_come_with_the_package(installed: Path) -> None:
    run(
        installed,
        "from prompts.library import load, names\nfrom serve_app.commands.demo import RECORDING\n"
        "from serve_app.engines.served_models import model_store\n"
        "assert RECORDING.exists(), RECORDING\nmodel_store()\nassert names()\nfor name in names(): load(name)",
    )


def test_templates_and_pages_come_with_the_package(installed: Path) -> None:
    found = run(
        installed,
        "import prompts\nfrom adapters.pages import JinjaPages\nfrom domain.outline import RecapOutline, TranscriptOutline\n"
        "for name in prompts.template_names(): prompts.template(name)\n"
        "JinjaPages().recap(RecapOutline('x', 'en', (), ()))\nJinjaPages().transcript(TranscriptOutline('en', 'x', (), ()))\n"
        "print(*prompts.template_names())",
    )
    assert found == "general interview lecture sales-call stand-up"
