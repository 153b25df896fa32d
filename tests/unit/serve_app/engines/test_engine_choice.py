"""Which engine runs the language model: one decision, held to a table of machines."""

from pathlib import Path

import pytest

from adapters.model_store import ModelStore
from serve_app.engines.choice import EngineChoice, choose_engine
from serve_app.engines.machine import Gpu, Machine, this_machine
from serve_app.errors import ConfigurationInvalid
from serve_app.settings.models import LanguageModelSettings

GIB = 1024**3
AVX2 = frozenset({"avx2", "fma", "f16c", "bmi2"})
AVX512 = AVX2 | {"avx512f", "avx512bw"}
VNNI = AVX512 | {"avx512_vnni"}
LAPTOP = Machine(AVX2, 16 * GIB)
SKYLAKE = Machine(AVX512, 64 * GIB)
ICELAKE = Machine(VNNI, 64 * GIB)
OLD = Machine(frozenset({"sse4_2", "avx"}), 16 * GIB)
SMALL = Machine(AVX2, 4 * GIB)
H100 = Machine(VNNI, 128 * GIB, Gpu(9.0, 80 * GIB))
T4 = Machine(AVX2, 32 * GIB, Gpu(7.5, 16 * GIB))
TINY_GPU = Machine(AVX2, 32 * GIB, Gpu(8.6, 2 * GIB))
QWEN = "qwen2.5-coder-1.5b-instruct"


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "cache")


@pytest.fixture
def safetensors(tmp_path: Path) -> str:
    folder = tmp_path / "recap"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"\0" * 64)
    return str(folder)


@pytest.fixture
def gguf(tmp_path: Path) -> str:
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "own.gguf").write_bytes(b"GGUF")
    return str(folder)


def chosen(machine: Machine, store: ModelStore, **settings: object) -> EngineChoice:
    return choose_engine(machine, LanguageModelSettings.model_validate(settings), store)


def shown(choice: EngineChoice) -> tuple[str, str, str, str]:
    return choice.engine, choice.device, choice.model.partition(":")[2], choice.dtype


@pytest.mark.parametrize(
    ("machine", "settings", "expected"),
    [
        # What a machine gets when nothing is asked for.
        (LAPTOP, {}, ("llama-cpp", "cpu", "q4_k_m", "")),
        (SMALL, {}, ("llama-cpp", "cpu", "q4_k_m", "")),
        (SKYLAKE, {}, ("llama-cpp", "cpu", "q4_k_m", "")),
        (ICELAKE, {}, ("llama-cpp", "cpu", "q4_k_m", "")),
        (H100, {}, ("vllm", "cuda", "bf16", "bfloat16")),
        (T4, {}, ("vllm", "cuda", "bf16", "float16")),
        (TINY_GPU, {}, ("llama-cpp", "cpu", "q4_k_m", "")),
        # What is asked for is kept where the machine can do it.
        (H100, {"engine": "llama-cpp"}, ("llama-cpp", "cpu", "q4_k_m", "")),
        (H100, {"device": "cpu"}, ("llama-cpp", "cpu", "q4_k_m", "")),
        (H100, {"dtype": "float16"}, ("vllm", "cuda", "bf16", "float16")),
        (ICELAKE, {"engine": "vllm"}, ("vllm", "cpu", "int8", "bfloat16")),
        (SKYLAKE, {"engine": "vllm"}, ("vllm", "cpu", "bf16", "bfloat16")),
        (LAPTOP, {"engine": "vllm"}, ("vllm", "cpu", "bf16", "float32")),
        (ICELAKE, {"model": f"{QWEN}:int8"}, ("vllm", "cpu", "int8", "bfloat16")),
        (SKYLAKE, {"model": f"{QWEN}:bf16"}, ("vllm", "cpu", "bf16", "bfloat16")),
        (LAPTOP, {"model": "smollm2-135m-instruct"}, ("llama-cpp", "cpu", "q4_1", "")),
        # Without a kernel for it, another precision is taken, and said.
        (LAPTOP, {"model": f"{QWEN}:int8"}, ("llama-cpp", "cpu", "q4_k_m", "")),
        (LAPTOP, {"model": f"{QWEN}:bf16"}, ("llama-cpp", "cpu", "q4_k_m", "")),
    ],
)
def test_a_machine_gets_the_engine_that_fits_it(
    machine: Machine, settings: dict[str, str], expected: tuple[str, str, str, str], store: ModelStore
) -> None:
    assert shown(chosen(machine, store, **settings)) == expected


def test_weights_that_only_vllm_reads_are_run_by_vllm(store: ModelStore, safetensors: str) -> None:
    assert shown(chosen(LAPTOP, store, model=safetensors)) == ("vllm", "cpu", "", "float32")
    assert shown(chosen(ICELAKE, store, model=safetensors)) == ("vllm", "cpu", "", "bfloat16")


def test_gguf_of_ones_own_is_run_by_llama_cpp(store: ModelStore, gguf: str) -> None:
    choice = chosen(LAPTOP, store, model=gguf)
    assert (choice.engine, choice.model) == ("llama-cpp", gguf)


def test_the_trunk_of_the_item_finder_writes_nothing(store: ModelStore) -> None:
    for machine in (LAPTOP, ICELAKE):
        with pytest.raises(ConfigurationInvalid, match="is for the item finder"):
            chosen(machine, store, model="qwen2.5-coder-0.5b-instruct:trunk14-int8")


def test_a_replaced_precision_is_said(store: ModelStore) -> None:
    assert "no kernel for int8" in chosen(LAPTOP, store, model=f"{QWEN}:int8").why


@pytest.mark.parametrize(
    ("machine", "settings", "told"),
    [
        (LAPTOP, {"engine": "vllm", "model": f"{QWEN}:int8"}, "no kernel for int8"),
        (LAPTOP, {"engine": "vllm", "dtype": "bfloat16"}, "no kernel for bfloat16"),
        (LAPTOP, {"engine": "vllm", "dtype": "float16"}, "no kernel for float16"),
        (LAPTOP, {"engine": "vllm", "model": f"{QWEN}:q4_k_m"}, "vLLM does not read q4_k_m"),
        (LAPTOP, {"engine": "llama-cpp", "model": f"{QWEN}:int8"}, "llama.cpp reads GGUF"),
        (LAPTOP, {"engine": "llama-cpp", "device": "cuda"}, "llama.cpp runs on the CPU"),
        (T4, {"dtype": "bfloat16"}, "no bfloat16"),
        (OLD, {}, "no AVX2"),
        (OLD, {"engine": "llama-cpp"}, "no AVX2"),
        (SMALL, {"engine": "vllm"}, "more than this machine's memory"),
    ],
)
def test_what_the_machine_can_not_run_is_refused_with_what_to_do(
    machine: Machine, settings: dict[str, str], told: str, store: ModelStore
) -> None:
    with pytest.raises(ConfigurationInvalid, match=told) as caught:
        chosen(machine, store, **settings)
    assert ";" in caught.value.detail, "the sentence says what to do"


def test_a_choice_leaves_nothing_open(store: ModelStore) -> None:
    settings = LanguageModelSettings()
    applied = chosen(LAPTOP, store).applied(settings)
    assert (applied.engine, applied.device, applied.model) == ("llama-cpp", "cpu", f"{QWEN}:q4_k_m")
    assert choose_engine(LAPTOP, applied, store).engine == "llama-cpp"


def test_this_machine_is_looked_at() -> None:
    seen = this_machine()
    assert seen.memory_bytes > GIB
    assert "sse2" in seen.instructions
