"""Turns weights into what an engine reads, in a child process: its gigabytes go back to the system when it ends."""

import os
import subprocess
import sys
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from adapters.model_store.errors import ConversionFailed
from adapters.model_store.manifest import TRUNK_SCALE, trunk_layers
from adapters.model_store.verified_copy import not_enough_space

DISK_FULL_EXIT = 28
"""The child's exit status for «no space left on device»: the number of ENOSPC."""

LINES_KEPT = 15
KILLED = -9


@dataclass(frozen=True, slots=True)
class _Child:
    """A converter: its module, what it is told after source and target, what it imports, its memory as a multiple of the file."""

    module: str
    arguments: tuple[str, ...]
    packages: str
    memory: int


def _child_for(source: Path, precision: str) -> _Child:
    if source.suffix == ".pt":
        return _Child("adapters.model_store.convert_torch", (), "`onnx`", 10)
    layers = trunk_layers(precision)
    if layers is None:
        packages = "`gguf`, `accelerate` and `transformers`"
        return _Child("adapters.model_store.convert_gguf", (precision,), packages, 8)
    return _Child("adapters.model_store.convert_trunk", (str(layers), str(TRUNK_SCALE)), "`gguf` and `ctranslate2`", 3)


def convert_weights(source: Path, target: Path, precision: str, keep_open: int) -> None:
    """Writes what the file `source` holds into the folder `target`: weights and tokenizer of a GGUF file as safetensors, or as a
    trunk for CTranslate2; networks that torch saved as ONNX.

    `keep_open` is the descriptor of the lock that guards `target`: the child inherits it, so that the lock outlives a parent
    that is killed for as long as the child can still write. Raises `ConversionFailed` or `NotEnoughSpace`.
    """
    root = str(Path(__file__).resolve().parents[2])
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")])),
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_VERBOSITY": "error",
        "CUDA_VISIBLE_DEVICES": "",
    }
    converter = _child_for(source, precision)
    command = [sys.executable, "-m", converter.module, str(source), str(target), *converter.arguments]
    with subprocess.Popen(  # noqa: S603 - our own module, with paths that the store made
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=environment,
        pass_fds=(keep_open,),
        text=True,
        errors="replace",
    ) as child:
        try:
            last_lines = deque(child.stderr or (), maxlen=LINES_KEPT)
        except BaseException:
            child.kill()
            raise
    _require_success(child.returncode, "".join(last_lines).strip(), source, target, converter)


def _require_success(status: int, said: str, source: Path, target: Path, converter: _Child) -> None:
    if status == 0:
        return
    if status == DISK_FULL_EXIT:
        raise not_enough_space(target, source.stat().st_size)
    if status == KILLED:
        raise ConversionFailed(
            f"Converting {source.name} was killed, most likely for want of memory: it takes about {converter.memory} times the "
            f"file's size ({converter.memory * source.stat().st_size / 1e9:.1f} GB). "
            "Free memory, or convert it elsewhere and name the folder."
        )
    raise ConversionFailed(
        f"Converting {source.name} failed (exit status {status}): {said or 'it said nothing'}. "
        f"Check that the packages {converter.packages} are installed as locked (`uv sync`)."
    )
