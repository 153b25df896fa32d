"""What this machine can compute with: GPU, instruction sets, memory."""

import shutil
import subprocess
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

CPUINFO = Path("/proc/cpuinfo")
SHOWN = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16")
"""Instruction sets that decide which kernels run, in the kernel's spelling."""
ASK_GPU_S = 10.0
"""Seconds; a driver that does not answer within is no GPU to build on."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """A CUDA device: its compute capability (8.0 is an A100, 7.5 a T4) and its memory in bytes."""

    capability: float
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Machine:
    """`instructions`: the processor's flags as Linux names them. `memory_bytes`: installed. `gpu`: one that vLLM here can use."""

    instructions: frozenset[str]
    memory_bytes: int
    gpu: Gpu | None = None

    def has(self, *names: str) -> bool:
        return self.instructions.issuperset(names)

    @property
    def shown(self) -> str:
        """The instruction sets that matter here, in words."""
        return " ".join(name for name in SHOWN if name in self.instructions) or "no AVX2"


def instruction_sets() -> str:
    """The instruction sets of this processor that decide which kernels run, in words."""
    return Machine(_instructions(), 0).shown


def this_machine() -> Machine:
    """Look at the machine that this process runs on. Writes nothing and loads no engine."""
    return Machine(_instructions(), psutil.virtual_memory().total, _gpu() if _cuda_engine() else None)


def _instructions() -> frozenset[str]:
    try:
        lines = CPUINFO.read_text().splitlines()
    except OSError:
        return frozenset()
    return frozenset(next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), ()))


def _cuda_engine() -> bool:
    """Whether vLLM is installed as its CUDA build: the CPU build makes no use of a GPU."""
    try:
        version("vllm")
    except PackageNotFoundError:
        return False
    return True


def _gpu() -> Gpu | None:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return None
    asked = [tool, "--query-gpu=compute_cap,memory.total", "--format=csv,noheader,nounits"]
    try:
        said = subprocess.run(asked, capture_output=True, text=True, timeout=ASK_GPU_S, check=True).stdout  # noqa: S603
        capability, mebibytes = said.splitlines()[0].split(",")
        return Gpu(float(capability), int(mebibytes) * 1024**2)
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return None
