"""Turns GGUF weights into safetensors, in a child process: its gigabytes go back to the system when it ends."""

import os
import subprocess
import sys
from collections import deque
from pathlib import Path

from adapters.model_store.errors import ConversionFailed
from adapters.model_store.verified_copy import not_enough_space

CHILD_MODULE = "adapters.model_store.convert_gguf"
DISK_FULL_EXIT = 28
"""The child's exit status for «no space left on device»: the number of ENOSPC."""

LINES_KEPT = 15
KILLED = -9


def convert_gguf(source: Path, target: Path, precision: str, keep_open: int) -> None:
    """Writes the weights and the tokenizer of the GGUF file `source` into the folder `target` as safetensors.

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
    command = [sys.executable, "-m", CHILD_MODULE, str(source), str(target), precision]
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
    _require_success(child.returncode, "".join(last_lines).strip(), source, target)


def _require_success(status: int, said: str, source: Path, target: Path) -> None:
    if status == 0:
        return
    if status == DISK_FULL_EXIT:
        raise not_enough_space(target, source.stat().st_size)
    if status == KILLED:
        raise ConversionFailed(
            f"Converting {source.name} was killed, most likely for want of memory: it takes about eight times the file's size "
            f"({8 * source.stat().st_size / 1e9:.0f} GB). Free memory, or convert it elsewhere and name the folder."
        )
    raise ConversionFailed(
        f"Converting {source.name} failed (exit status {status}): {said or 'it said nothing'}. "
        "Check that the packages `gguf`, `accelerate` and `transformers` are installed as locked (`uv sync`)."
    )
