"""The child process that reads a GGUF file with transformers and writes safetensors: `python -m ... SOURCE TARGET PRECISION`."""

import ctypes
import errno
import signal
import sys
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1
"""From <linux/prctl.h>: the signal this process gets when the one that started it dies."""


def main(source: Path, target: Path, precision: str) -> int:
    """Converts and returns the exit status. Everything heavy is imported here: the parent never loads it."""
    _die_with_parent()
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name, local_files_only=True)
        model = AutoModelForCausalLM.from_pretrained(
            source.parent, gguf_file=source.name, dtype=torch.bfloat16, local_files_only=True, trust_remote_code=False
        )
        _forget_quantisation(model)
        model.save_pretrained(target)
        tokenizer.save_pretrained(target)
    except Exception as failed:
        if _is_disk_full(failed):
            return errno.ENOSPC
        raise
    return 0


def _forget_quantisation(model: Any) -> None:
    """The tensors are plain bfloat16 by now; as long as the model says GGUF, `save_pretrained` refuses."""
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.hf_quantizer = None
    model.is_quantized = False


def _is_disk_full(failed: Exception) -> bool:
    """safetensors reports its I/O errors as text, with the number the system gave."""
    full = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
    return getattr(failed, "errno", None) in full or any(f"os error {number}" in str(failed) for number in full)


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]))
