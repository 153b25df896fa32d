"""`python -m tests.package_trial DIST`: install the wheel of a folder into an empty environment and use it there.

Needs `uv` on the PATH. Whatever the package forgot to bring shows here: nothing of the checkout can be imported.
"""

import contextlib
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

import httpx

from tests.changelog import ROOT, current_version

READY_S = 60.0
SDIST_HAS = ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "serve_config.yaml", "prompts/lock")


def main() -> None:
    """Try the wheel and the sdist of DIST; exit 1 at the first thing that does not work."""
    dist = Path(sys.argv[1]).absolute()
    version = current_version()
    wheel, sdist = dist / f"wordloop_ml-{version}-py3-none-any.whl", dist / f"wordloop_ml-{version}.tar.gz"
    _look_into(sdist, version)
    with tempfile.TemporaryDirectory(prefix="wordloop-trial-") as folder:
        trial = Trial(Path(folder))
        trial.install(wheel)
        told = trial.run("--version")
        if told.strip() != f"wordloop {version}":
            sys.exit(f"--version says {told}")
        trial.doctor()
        trial.process(ROOT / "serve_app" / "demo" / "launch-review.ogg")
    sys.stdout.write(f"wordloop {version}: installed from its wheel, looked at by doctor, made a recap with scripted engines\n")


def _look_into(sdist: Path, version: str) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.removeprefix(f"wordloop_ml-{version}/") for name in archive.getnames()}
    if missing := [name for name in SDIST_HAS if name not in names]:
        sys.exit(f"{sdist.name} lacks {', '.join(missing)}")


class Trial:
    """An empty environment in a folder, far from the checkout."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}

    def install(self, wheel: Path) -> None:
        """Install the wheel with the versions that uv.lock pins."""
        pins = self.folder / "pins.txt"
        export = [
            "uv",
            "export",
            "--quiet",
            "--locked",
            "--no-default-groups",
            "--no-hashes",
            "--no-emit-project",
            "-o",
            str(pins),
        ]
        subprocess.run(export, cwd=ROOT, check=True)
        subprocess.run(["uv", "venv", "--quiet", "--python", sys.executable, str(self.folder / "env")], check=True)
        python = str(self.folder / "env" / "bin" / "python")
        subprocess.run(["uv", "pip", "install", "--quiet", "--python", python, "-c", str(pins), str(wheel)], check=True)

    def run(self, *arguments: str, failing: bool = False) -> str:
        """Run `wordloop` and return what it printed."""
        done = subprocess.run(
            self._command(*arguments),
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        if done.returncode and not failing:
            sys.exit(f"wordloop {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done.stdout

    def doctor(self) -> None:
        """Nothing may be wrong but that no model is there, which the package does not bring."""
        told = self.run("doctor", "--no-sums", failing=True)
        if wrong := [line for line in re.findall(r"^✘ (.*)$", told, re.MULTILINE) if not line.startswith("model ")]:
            sys.exit("doctor: " + "; ".join(wrong))

    def process(self, recording: Path) -> None:
        """Turn a recording into files by a service with scripted engines."""
        data = self.folder / "data"
        command = self._command("up", "--scripted", "--port", "0", "--data-dir", str(data))
        service = subprocess.Popen(command, cwd=self.folder, env=self.environment, stdout=subprocess.DEVNULL)
        try:
            url = _address(data / "service.json")
            self.run("process", str(recording), "--server", url, "--output-dir", "results")
            if "## Action items" not in (self.folder / "results" / f"{recording.stem}.md").read_text():
                sys.exit("no action items in the recap")
        finally:
            service.terminate()
            service.wait(30)

    def _command(self, *arguments: str) -> list[str]:
        return [str(self.folder / "env" / "bin" / "wordloop"), *arguments]


def _address(told: Path) -> str:
    """Wait until the service that writes the file answers, and return where."""
    give_up = time.monotonic() + READY_S
    while time.monotonic() < give_up:
        with contextlib.suppress(OSError, ValueError, httpx.HTTPError):
            url: str = json.loads(told.read_text())["url"]
            if httpx.get(f"{url}/livez").is_success:
                return url
        time.sleep(0.1)
    sys.exit(f"the scripted service was not ready within {READY_S:.0f} s")


if __name__ == "__main__":
    main()
