"""The trunk of the item reader: the first layers of a GGUF model compute the same in CTranslate2, and it is made within 2 GB."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapters.model_store import ModelFormat, ModelKind, bundled_manifest
from adapters.model_store.conversion import convert_weights
from adapters.model_store.errors import ConversionFailed
from adapters.model_store.manifest import TRUNK_SCALE, trunk_layers

ROOT = Path(__file__).parents[4]
MODEL, TRUNK = "qwen2.5-coder-0.5b-instruct", "trunk14-int8"
WIDTH, HEADS, SHARED, HIDDEN, LAYERS, WORDS = 64, 4, 2, 96, 3, 260
BASE, EPSILON = 10_000.0, 1e-6


def rms(x: Any, gamma: Any) -> Any:
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + EPSILON) * gamma


def rotated(x: Any) -> Any:
    """Rotary positions, the two halves of a head against each other (Su et al. 2021; GPT-NeoX's order)."""
    half = x.shape[-1] // 2
    angles = np.arange(len(x))[:, None] * BASE ** (-np.arange(half) / half)
    cos, sin = np.cos(angles)[:, None], np.sin(angles)[:, None]
    return np.concatenate([x[..., :half] * cos - x[..., half:] * sin, x[..., half:] * cos + x[..., :half] * sin], -1)


def attended(x: Any, w: dict[str, Any], at: str) -> Any:
    size = WIDTH // HEADS
    q, k, v = ((x @ w[f"{at}attn_{part}.weight"].T + w[f"{at}attn_{part}.bias"]).reshape(len(x), -1, size) for part in "qkv")
    q, k = rotated(q), np.repeat(rotated(k), HEADS // SHARED, 1)
    scores = np.einsum("qhd,khd->hqk", q, k) / np.sqrt(size) + np.triu(np.full((len(x), len(x)), -np.inf), 1)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    return (
        np.einsum("hqk,khd->qhd", weights, np.repeat(v, HEADS // SHARED, 1)).reshape(len(x), -1) @ w[f"{at}attn_output.weight"].T
    )


def hidden_states(tokens: list[int], w: dict[str, Any], layers: int, scale: Any) -> Any:
    """What Qwen2 computes, written down plainly in double precision."""
    x = w["token_embd.weight"][tokens].astype(np.float64)
    for at in (f"blk.{number}." for number in range(layers)):
        x = x + attended(rms(x, w[f"{at}attn_norm.weight"]), w, at)
        near = rms(x, w[f"{at}ffn_norm.weight"])
        gate = near @ w[f"{at}ffn_gate.weight"].T
        x = x + (gate / (1 + np.exp(-gate)) * (near @ w[f"{at}ffn_up.weight"].T)) @ w[f"{at}ffn_down.weight"].T
    return rms(x, scale)


def small_weights() -> dict[str, Any]:
    random = np.random.default_rng(4)

    def matrix(*shape: int) -> Any:
        return (random.standard_normal(shape) / np.sqrt(shape[-1])).astype(np.float32)

    found = {"token_embd.weight": matrix(WORDS, WIDTH)}
    for at in (f"blk.{number}." for number in range(LAYERS)):
        for part, rows in (("q", WIDTH), ("k", WIDTH // 2), ("v", WIDTH // 2)):
            found |= {f"{at}attn_{part}.weight": matrix(rows, WIDTH), f"{at}attn_{part}.bias": matrix(rows)}
        found |= {f"{at}attn_output.weight": matrix(WIDTH, WIDTH), f"{at}ffn_down.weight": matrix(WIDTH, HIDDEN)}
        found |= {f"{at}ffn_{part}.weight": matrix(HIDDEN, WIDTH) for part in ("gate", "up")}
        found |= {f"{at}{part}_norm.weight": 1 + matrix(WIDTH) for part in ("attn", "ffn")}
    return found


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of three layers in a GGUF file, and beside it a scale."""
    from gguf import GGUFWriter
    from tokenizers.pre_tokenizers import ByteLevel

    folder = tmp_path_factory.mktemp("small")
    writer = GGUFWriter(folder / "small.gguf", "qwen2")
    for name, value in (("block_count", LAYERS), ("embedding_length", WIDTH), ("feed_forward_length", HIDDEN)):
        writer.add_uint32(f"qwen2.{name}", value)
    writer.add_uint32("qwen2.attention.head_count", HEADS)
    writer.add_uint32("qwen2.attention.head_count_kv", SHARED)
    writer.add_float32("qwen2.attention.layer_norm_rms_epsilon", EPSILON)
    writer.add_float32("qwen2.rope.freq_base", BASE)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list([*sorted(ByteLevel.alphabet()), "th", "the", "Ġthe", "[PAD]"])
    writer.add_token_merges(["t h", "th e", "Ġ the"])
    for name, weight in small_weights().items():
        writer.add_tensor(name, weight)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    np.save(folder / "scale.npy", np.linspace(0.5, 2.0, WIDTH).astype(np.float32))
    return folder


def convert(small: Path, target: Path, layers: int) -> None:
    command = [sys.executable, "-m", "adapters.model_store.convert_trunk", small / "small.gguf", target, str(layers)]
    subprocess.run([*command, small / "scale.npy"], check=True, cwd=ROOT)


@pytest.mark.parametrize("layers", [1, 2])
def test_a_trunk_computes_what_the_first_layers_of_the_model_compute(small: Path, tmp_path: Path, layers: int) -> None:
    import ctranslate2

    convert(small, tmp_path, layers)

    generator = ctranslate2.Generator(str(tmp_path), device="cpu", compute_type="int8_float32")
    tokens = [int(token) for token in np.random.default_rng(1).integers(0, WORDS, 40)]
    found = np.array(generator.forward_batch([tokens], return_log_probs=False))[0]
    wanted = hidden_states(tokens, small_weights(), layers, np.load(small / "scale.npy"))
    away = np.linalg.norm(found - wanted, axis=1) / np.linalg.norm(wanted, axis=1)
    assert away.max() < 0.06, "what int8 rounds"


def test_its_tokenizer_joins_bytes_by_the_merges_of_the_file(small: Path, tmp_path: Path) -> None:
    from tokenizers import Tokenizer

    convert(small, tmp_path, 1)

    tokenizer = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    read = tokenizer.encode("the the [PAD]")
    assert read.tokens == ["the", "Ġthe", "Ġ", "[", "P", "A", "D", "]"], "a mark in a text is its characters"
    assert tokenizer.encode("e\u0301").ids == tokenizer.encode("\u00e9").ids


def test_a_model_with_too_few_layers_is_refused(small: Path, tmp_path: Path) -> None:
    with pytest.raises(ConversionFailed, match="no 10 or more layers"):
        convert_weights(small / "small.gguf", tmp_path, "trunk10-int8", os.open(tmp_path, os.O_RDONLY))


def test_a_trunk_is_of_its_own_format_and_kind_and_named_after_its_scale(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    model = bundled_manifest().model(MODEL)
    assert (model.format_of(TRUNK), model.kind_of(TRUNK)) == (ModelFormat.CTRANSLATE2, ModelKind.ITEM_FINDER)
    assert (model.format_of("int8"), model.kind_of("int8")) == (ModelFormat.SAFETENSORS, ModelKind.LANGUAGE_MODEL)
    assert (trunk_layers(TRUNK), trunk_layers("int8"), trunk_layers("trunk0-int8")) == (14, None, None)
    before, others = model.fingerprint(TRUNK), model.fingerprint("int8")
    (tmp_path / "scale.npy").write_bytes(TRUNK_SCALE.read_bytes() + b"\0")
    monkeypatch.setattr("adapters.model_store.manifest.TRUNK_SCALE", tmp_path / "scale.npy")
    assert model.fingerprint(TRUNK) != before
    assert model.fingerprint("int8") == others


@pytest.mark.slow
def test_the_bundled_trunk_is_made_within_two_gigabytes_and_without_torch(tmp_path: Path) -> None:
    """The program finds neither torch nor transformers, as on an installation without vLLM; the child inherits that."""
    (tmp_path / "torch.py").write_text("raise ImportError")
    (tmp_path / "transformers.py").write_text("raise ImportError")
    program = (
        "import json, resource, sys; from pathlib import Path; from adapters.model_store import ModelStore;"
        f"store = ModelStore(Path(sys.argv[1])); folder = store.ensure('{MODEL}:{TRUNK}');"
        f"damage = store.damage('{MODEL}', '{TRUNK}'); size = store.assembled('{MODEL}', '{TRUNK}').total_bytes;"
        "peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024;"
        "print(json.dumps([folder.format, damage, size, peak, sorted(path.name for path in folder.path.iterdir())]))"
    )
    paths = os.pathsep.join([str(tmp_path), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "cache")],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": paths},
    )
    format_, damage, size, peak, names = json.loads(done.stdout)
    assert (format_, damage) == ("ctranslate2", [])
    assert names == ["complete.json", "config.json", "model.bin", "tokenizer.json", "vocabulary.json"]
    assert size == pytest.approx(bundled_manifest().model(MODEL).assembled_bytes[TRUNK], rel=0.01)
    assert peak < 2e9


def test_what_is_no_qwen2_model_is_refused(tmp_path: Path) -> None:
    from gguf import GGUFWriter

    writer = GGUFWriter(tmp_path / "x.gguf", "llama")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    with pytest.raises(ConversionFailed, match="not a qwen2 model"):
        convert_weights(tmp_path / "x.gguf", tmp_path, "trunk1-int8", os.open(tmp_path, os.O_RDONLY))
