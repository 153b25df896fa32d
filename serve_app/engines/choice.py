"""Which engine runs the language model on this machine, in which precision: one decision, made once, before anything loads.

The figures behind it are in docs/adr/0018. A precision for which the processor has no kernel is never just run: it would work,
hundreds of times slower, and nobody would be told.
"""

from dataclasses import dataclass

from adapters.model_store import ModelFormat, ModelKind, ModelStore
from adapters.model_store.reference import BundledReference, FolderReference, Reference, parse_reference
from serve_app.engines.machine import Machine
from serve_app.errors import ConfigurationInvalid
from serve_app.settings.models import LanguageModelSettings

LLAMA_CPP, VLLM = "llama-cpp", "vllm"
LLAMA_CPP_NEEDS = ("avx2", "fma", "f16c", "bmi2")
"""What the wheels of llama.cpp are compiled for; on a processor without, the process dies of an illegal instruction."""
INT8_NEEDS = ("avx512f", "avx512bw", "avx512_vnni")
"""vLLM's int8 kernels on CPU; without them oneDNN's reference kernel runs (`gemm_x8s8s32x_matmul_t::execute_ref`)."""
BFLOAT16_NEEDS = ("avx512f", "avx512bw")
"""Without AVX-512 a bfloat16 product takes 16 to 100 times as long as a float32 one (torch 2.13, verified facts 9)."""
BFLOAT16_CAPABILITY = 8.0
"""Compute capability of the first NVIDIA GPUs with bfloat16."""
GPU_WEIGHTS_SHARE = 0.6
"""Share of a GPU's memory that weights may take; the rest is the key-value cache and what the other models need."""
COMPUTE_NEEDS = {"float32": (), "bfloat16": BFLOAT16_NEEDS, "float16": BFLOAT16_NEEDS}
WEIGHTS_NEED = {"int8": INT8_NEEDS, "bf16": BFLOAT16_NEEDS}
"""Instruction sets by the type that vLLM computes in, and by the precision of weights that are converted for it."""


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """`model`: the reference with its precision named. `dtype`: what vLLM computes in, "" for llama.cpp. `why`: one sentence."""

    engine: str
    device: str
    model: str
    dtype: str
    why: str

    def applied(self, settings: LanguageModelSettings) -> LanguageModelSettings:
        """The settings with nothing left open."""
        return settings.model_copy(
            update={"engine": self.engine, "device": self.device, "model": self.model, "dtype": self.dtype or "auto"}
        )


def choose_engine(machine: Machine, settings: LanguageModelSettings, store: ModelStore) -> EngineChoice:
    """Decide for `machine`; what the settings name is kept. Raises ConfigurationInvalid, with what to do, for what can not run.

    `auto` is vLLM on a GPU, and for weights that only vLLM reads; llama.cpp everywhere else.
    """
    _require_words(settings.model, store)
    device = _device(machine, settings, store)
    if device == "cuda":
        return _on_gpu(machine, settings, store)
    if settings.engine == VLLM:
        return _vllm_on_cpu(machine, settings, store)
    return _without_gpu(machine, settings, store)


def _require_words(reference: str, store: ModelStore) -> None:
    """Refuse the trunk of a language model, which has no words left to write with."""
    named = parse_reference(reference)
    if not isinstance(named, BundledReference) or named.precision is None:
        return
    if store.manifest.model(named.name).kind_of(named.precision) is ModelKind.ITEM_FINDER:
        raise ConfigurationInvalid(f"language_model.model: {reference} is for the item finder; leave the precision out")


def _device(machine: Machine, settings: LanguageModelSettings, store: ModelStore) -> str:
    if settings.device != "auto":
        return settings.device
    if settings.engine == LLAMA_CPP or machine.gpu is None:
        return "cpu"
    return "cuda" if _weights_bytes(settings.model, store) <= GPU_WEIGHTS_SHARE * machine.gpu.memory_bytes else "cpu"


def _on_gpu(machine: Machine, settings: LanguageModelSettings, store: ModelStore) -> EngineChoice:
    if settings.engine == LLAMA_CPP:
        raise ConfigurationInvalid("language_model: llama.cpp runs on the CPU here; use engine: vllm with device: cuda")
    old = machine.gpu is not None and machine.gpu.capability < BFLOAT16_CAPABILITY
    if old and settings.dtype == "bfloat16":
        raise ConfigurationInvalid("language_model.dtype: this GPU has no bfloat16; use dtype: float16")
    dtype = settings.dtype if settings.dtype != "auto" else "float16" if old else "bfloat16"
    return EngineChoice(VLLM, "cuda", _in_precision(settings.model, "bf16", store), dtype, "vLLM is fastest on a GPU")


def _without_gpu(machine: Machine, settings: LanguageModelSettings, store: ModelStore) -> EngineChoice:
    model, replaced = _readable_by_llama_cpp(machine, settings, store)
    if model is None:
        return _vllm_on_cpu(machine, settings, store)
    if not machine.has(*LLAMA_CPP_NEEDS):
        raise ConfigurationInvalid(
            "language_model: this processor has no AVX2, which llama.cpp is compiled for; name a remote language model"
        )
    why = "llama.cpp is ready in seconds, takes the least memory and is as fast as any on a processor"
    return EngineChoice(LLAMA_CPP, "cpu", model, "", replaced or why)


def _readable_by_llama_cpp(machine: Machine, settings: LanguageModelSettings, store: ModelStore) -> tuple[str | None, str]:
    """The reference in a form that llama.cpp reads, and what was replaced for it; None when vLLM is to run it.

    Raises ConfigurationInvalid when llama.cpp was asked for by name and can not.
    """
    named = parse_reference(settings.model)
    if isinstance(named, FolderReference) and store.format_of(named.path) is ModelFormat.GGUF:
        return settings.model, ""
    published = _published(named, store)
    if published is not None and isinstance(named, BundledReference):
        if named.precision in (None, published):
            return f"{named.name}:{published}", ""
        if settings.engine == "auto" and not machine.has(*WEIGHTS_NEED.get(named.precision, ())):
            return f"{named.name}:{published}", f"no kernel for {named.precision} on this processor; llama.cpp reads {published}"
    if settings.engine == LLAMA_CPP:
        raise ConfigurationInvalid(f"language_model.model: llama.cpp reads GGUF, and {settings.model} is none; use engine: vllm")
    return None, ""


def _published(named: Reference, store: ModelStore) -> str | None:
    """The precision of the publisher's own GGUF file; None for weights that are none."""
    if not isinstance(named, BundledReference):
        return None
    model = store.manifest.model(named.name)
    return next((precision for precision in model.precisions if precision in model.published), None)


def _vllm_on_cpu(machine: Machine, settings: LanguageModelSettings, store: ModelStore) -> EngineChoice:
    named = parse_reference(settings.model)
    int8 = machine.has(*INT8_NEEDS)
    if isinstance(named, BundledReference) and named.precision == "int8" and not int8:
        raise ConfigurationInvalid(
            "language_model.model: this processor has no kernel for int8 (AVX-512 VNNI), and the reference kernel is hundreds of "
            "times slower; use engine: llama-cpp, or leave the precision out"
        )
    dtype = settings.dtype
    if dtype == "auto":
        dtype = "bfloat16" if machine.has(*BFLOAT16_NEEDS) else "float32"
    if not machine.has(*COMPUTE_NEEDS.get(dtype, ())):
        raise ConfigurationInvalid(
            f"language_model.dtype: this processor has no kernel for {dtype} (AVX-512); use dtype: float32, or engine: llama-cpp"
        )
    model = _in_precision(settings.model, "int8" if int8 else "bf16", store)
    _require_memory(machine, model, dtype, store)
    return EngineChoice(VLLM, "cpu", model, dtype, f"vLLM in {dtype}, which this processor has kernels for")


def _require_memory(machine: Machine, model: str, dtype: str, store: ModelStore) -> None:
    widened = 2 if dtype == "float32" else 1
    needed = widened * _weights_bytes(model, store)
    if needed > machine.memory_bytes:
        raise ConfigurationInvalid(
            f"language_model: its weights take {needed / 1e9:.0f} GB in {dtype}, more than this machine's memory; "
            "use engine: llama-cpp or a smaller model"
        )


def _in_precision(reference: str, precision: str, store: ModelStore) -> str:
    """A bundled model in the precision for vLLM, unless one is named; any other reference as it is."""
    named = parse_reference(reference)
    if not isinstance(named, BundledReference):
        return reference
    model = store.manifest.model(named.name)
    if named.precision is not None and named.precision in model.published and model.converts(precision):
        raise ConfigurationInvalid(
            f"language_model.model: vLLM does not read {named.precision}; use engine: llama-cpp, or leave the precision out"
        )
    return f"{named.name}:{named.precision or precision}"


def _weights_bytes(reference: str, store: ModelStore) -> int:
    """What the weights take in memory, in bytes; 0 for those that nobody looked at yet."""
    named = parse_reference(reference)
    if not isinstance(named, BundledReference):
        return 0
    sizes = store.manifest.model(named.name).assembled_bytes
    return sizes.get(named.precision or "bf16", max(sizes.values()))
