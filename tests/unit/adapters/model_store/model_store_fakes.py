"""A small model in small installed packages, for the tests of the model store."""

import hashlib
from importlib.metadata import Distribution, PackageNotFoundError
from pathlib import Path

from adapters.model_store.manifest import Manifest, parse_manifest
from adapters.model_store.progress import Progress
from adapters.model_store.sources import FindDistribution

WEIGHTS = bytes(range(256)) * 1200
CONFIG = b'{"model_type": "tiny"}\n'
HALF = len(WEIGHTS) // 2

MANIFEST = """
[[model]]
name = "tiny"
kind = "embedder"
publisher_id = "somebody/tiny"
revision = "0123456789abcdef0123456789abcdef01234567"
licence = "MIT"
format = "{format}"
precisions = [{{ name = "float32", assembled_bytes = {assembled} }}]
files = [
    {{ path = "weights.bin", size = {size}, sha256 = "{weights_sum}" }},
    {{ path = "sub/config.json", size = {config_size}, sha256 = "{config_sum}" }},
]
[[model.sources]]
kind = "package"
distributions = ["tiny-weights-part1==1.0.0", "tiny-weights-part2==1.0.0"]
[model.sources.members]
"weights.bin" = ["tiny-weights-part1:tiny_part1/data/a.bin", "tiny-weights-part2:tiny_part2/data/b.bin"]
"sub/config.json" = ["tiny-weights-part1:tiny_part1/data/config.json"]
[[model.sources]]
kind = "mirror"
[[model.sources]]
kind = "hub"
repository = "somebody/tiny"
revision = "0123456789abcdef0123456789abcdef01234567"
"""


def tiny_manifest(weights: bytes = WEIGHTS, assembled: int = 310_000, model_format: str = "safetensors") -> Manifest:
    """A manifest of one model of two files, the first of them in two packages."""
    return parse_manifest(
        MANIFEST.format(
            format=model_format,
            assembled=assembled,
            size=len(weights),
            weights_sum=hashlib.sha256(weights).hexdigest(),
            config_size=len(CONFIG),
            config_sum=hashlib.sha256(CONFIG).hexdigest(),
        )
    )


def install_tiny(site: Path, version: str = "1.0.0") -> Path:
    """Two installed distributions below `site`, as an installer leaves them. Importing either of them fails."""
    install(site, "tiny-weights-part1", version, {"tiny_part1/data/a.bin": WEIGHTS[:HALF], "tiny_part1/data/config.json": CONFIG})
    install(site, "tiny-weights-part2", version, {"tiny_part2/data/b.bin": WEIGHTS[HALF:]})
    return site


def install(site: Path, name: str, version: str, files: dict[str, bytes]) -> None:
    """Writes one distribution: its files, an `__init__` that must not run, METADATA and RECORD."""
    package = next(iter(files)).partition("/")[0]
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    everything = files | {
        f"{package}/__init__.py": b"raise AssertionError('a package of weights was imported')\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
    }
    everything[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*everything, f"{info}/RECORD"]).encode()
    for path, content in everything.items():
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_bytes(content)


def find_in(site: Path) -> FindDistribution:
    """Finds distributions below `site` and nowhere else."""

    def find(name: str) -> Distribution:
        for found in Distribution.discover(name=name, path=[str(site)]):
            return found
        raise PackageNotFoundError(name)

    return find


class RecordedProgress(Progress):
    """Keeps the label of every step, and the bytes that were done in each."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, int | None]] = []
        self.done: list[int] = []
        self.open = 0

    def start(self, label: str, total_bytes: int | None) -> None:
        assert self.open == 0, "steps never overlap"
        self.open += 1
        self.steps.append((label, total_bytes))
        self.done.append(0)

    def advance(self, done_bytes: int) -> None:
        assert self.open == 1
        self.done[-1] += done_bytes

    def finish(self) -> None:
        self.open -= 1


def entries(cache: Path) -> list[str]:
    """The names in the models folder, leftovers included."""
    folder = cache / "models"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []
