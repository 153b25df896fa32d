"""How a child is started: isolated, with no inherited environment, and told where its packages are."""

import importlib.util
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

CHILD = Path(__file__).with_name("child.py")
ENVIRONMENT = {"LC_ALL": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
"""All that the child inherits: one thread per library, and no secrets."""


class DecoderBroken(RuntimeError):
    """The child can not start at all: an installation without PyAV, limits too small to import it, or a confinement that is
    asked for and can not be had."""


def command(child: Path, request: Mapping[str, Any]) -> list[str]:
    """The command line of one child."""
    return [sys.executable, "-I", "-S", "-B", str(child), json.dumps(request)]


def import_paths() -> list[str]:
    """Where the child finds its packages; they are located here, not imported. Raises DecoderBroken."""
    folders = [str(CHILD.parents[2])]
    for package in ("av", "numpy"):
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            raise DecoderBroken(f"the package {package} is not installed")
        folders.append(str(Path(spec.origin).parents[1]))
    return list(dict.fromkeys(folders))
