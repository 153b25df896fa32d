"""Folders and hub repositories: what is accepted, what is refused, and what is never asked."""

import json
import pickle
import shutil
import struct
from pathlib import Path

import pytest

from adapters.model_store import ForbiddenHub, ModelFormat, ModelStore, hub_for
from adapters.model_store.errors import ModelOffline, ModelSourceMissing, ModelUnreadable, UnsafeModel
from adapters.model_store.hub import HuggingFaceHub
from adapters.model_store.reference import BundledReference, FolderReference, HubReference, Reference, parse_reference
from adapters.model_store.sources import Hub
from domain.errors import InvalidRequest

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def safetensors(dtype: str = "BF16") -> bytes:
    header = json.dumps({"__metadata__": {"format": "pt"}, "w": {"dtype": dtype, "shape": [1], "data_offsets": [0, 2]}}).encode()
    return struct.pack("<Q", len(header)) + header + b"\0\0"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "my-model"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "llama"}')
    (folder / "model.safetensors").write_bytes(safetensors())
    return folder


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "cache")


class FolderHub(Hub):
    """A hub of one repository, served from a folder; remembers what was fetched."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.fetched: list[str] = []

    def require_allowed(self, what: str) -> None:
        pass

    def file(self, repository: str, revision: str, name: str, scratch: Path) -> Path:
        self.fetched.append(name)
        (scratch / name).parent.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copy(self._folder / name, scratch / name))

    def names(self, repository: str, revision: str) -> list[str]:
        return sorted(str(path.relative_to(self._folder)) for path in self._folder.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("whisper-base", BundledReference("whisper-base", None)),
        ("qwen2.5-coder-1.5b-instruct:int8", BundledReference("qwen2.5-coder-1.5b-instruct", "int8")),
        ("/models/x", FolderReference(Path("/models/x"))),
        ("./x", FolderReference(Path("x"))),
        ("folder:models/x", FolderReference(Path("models/x"))),
        (f"hub:owner/name.v2@{COMMIT}", HubReference("owner/name.v2", COMMIT)),
    ],
)
def test_references_are_read_as_people_write_them(text: str, meaning: Reference) -> None:
    assert parse_reference(text) == meaning


@pytest.mark.parametrize(
    "text", ["hub:owner/name", "hub:owner/name@main", "hub:owner/name@0123abc", f"hub:name@{COMMIT}", "", ":int8"]
)
def test_hub_references_without_a_commit_and_empty_names_are_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_reference(text)


def test_a_folder_of_safetensors_is_used_where_it_lies(store: ModelStore, model: Path) -> None:
    found = store.ensure(str(model))

    assert (found.path, found.id, found.format, found.precision) == (model, "my-model", ModelFormat.SAFETENSORS, "bf16")


def test_the_revision_of_a_folder_follows_its_bytes(store: ModelStore, model: Path) -> None:
    before = store.ensure(f"folder:{model}").revision
    assert store.ensure(f"folder:{model}").revision == before

    (model / "model.safetensors").write_bytes(safetensors() + b"\1")

    assert store.ensure(f"folder:{model}").revision != before


def test_quantised_folders_name_their_format(store: ModelStore, model: Path) -> None:
    (model / "config.json").write_text(
        '{"quantization_config": {"quant_method": "compressed-tensors", "format": "int-quantized"}}'
    )

    assert store.ensure(str(model)).precision == "int-quantized"


def test_a_ctranslate2_folder_is_told_by_its_bytes_and_not_by_its_name(store: ModelStore, model: Path) -> None:
    (model / "model.safetensors").unlink()
    (model / "model.bin").write_bytes(struct.pack("<I", 6) + b"WhisperSpec")
    assert store.ensure(str(model)).format is ModelFormat.CTRANSLATE2

    (model / "model.bin").write_bytes(pickle.dumps({"w": 1}))
    with pytest.raises(UnsafeModel, match="pickle"):
        store.ensure(str(model))


@pytest.mark.parametrize("name", ["pytorch_model.bin", "weights.pt", "weights.PTH", "deep/inside/state.pkl", "model.ckpt"])
def test_pickled_weights_are_refused_by_name(store: ModelStore, model: Path, name: str) -> None:
    (model / name).parent.mkdir(parents=True, exist_ok=True)
    (model / name).write_bytes(pickle.dumps([1]))

    with pytest.raises(UnsafeModel, match="safetensors"):
        store.ensure(str(model))


def test_code_beside_the_weights_is_refused(store: ModelStore, model: Path) -> None:
    (model / "modeling_x.py").write_text("print('hello')")

    with pytest.raises(UnsafeModel, match="code of its own"):
        store.ensure(str(model))


def test_a_configuration_that_asks_for_code_is_refused(store: ModelStore, model: Path) -> None:
    (model / "config.json").write_text('{"auto_map": {"AutoModel": "somebody/elsewhere--modeling_x.X"}}')

    with pytest.raises(UnsafeModel, match="auto_map"):
        store.ensure(str(model))


def test_foreign_sentence_transformers_modules_are_refused(store: ModelStore, model: Path) -> None:
    (model / "modules.json").write_text('[{"type": "sentence_transformers.models.Pooling"}, {"type": "os.system"}]')

    with pytest.raises(UnsafeModel, match=r"os\.system"):
        store.ensure(str(model))


@pytest.mark.parametrize("leave", [["config.json"], ["model.safetensors"], []])
def test_a_folder_that_is_no_model_says_so(store: ModelStore, model: Path, leave: list[str]) -> None:
    for path in list(model.iterdir()):
        if path.name not in leave:
            path.unlink()

    with pytest.raises(ModelUnreadable):
        store.ensure(str(model))


def test_a_missing_folder_says_so(store: ModelStore, tmp_path: Path) -> None:
    with pytest.raises(ModelUnreadable, match="not a folder"):
        store.ensure(str(tmp_path / "nowhere"))


def test_the_hub_is_not_asked_unless_allowed(store: ModelStore) -> None:
    with pytest.raises(ModelOffline, match="not allowed"):
        store.ensure(f"hub:somebody/x@{COMMIT}")


@pytest.mark.parametrize("value", ["1", "true", "YES", "on"])
def test_offline_wins_over_allowed(value: str) -> None:
    hub = hub_for({"HF_HUB_OFFLINE": value}, allowed=True)

    with pytest.raises(ModelOffline, match="HF_HUB_OFFLINE") as refused:
        hub.require_allowed("hub:somebody/x")
    assert "--allow-hub" in refused.value.detail
    assert isinstance(refused.value, ModelSourceMissing)


def test_the_hub_is_used_only_when_allowed() -> None:
    assert isinstance(hub_for({}, allowed=True), HuggingFaceHub)
    assert isinstance(hub_for({}, allowed=False), ForbiddenHub)


def test_a_hub_model_is_fetched_once_and_serves_offline_afterwards(tmp_path: Path, model: Path) -> None:
    (model / "README.md").write_text("no engine reads this")
    hub = FolderHub(model)
    reference = f"hub:somebody/x@{COMMIT}"

    found = ModelStore(tmp_path / "cache", hub=hub).ensure(reference)

    assert (found.id, found.revision, found.precision) == ("somebody/x", COMMIT, "bf16")
    assert hub.fetched == ["config.json", "model.safetensors"]
    assert ModelStore(tmp_path / "cache").ensure(reference, verify=True) == found


def test_a_hub_repository_with_pickles_is_refused_before_anything_is_fetched(tmp_path: Path, model: Path) -> None:
    (model / "pytorch_model.bin").write_bytes(pickle.dumps([1]))
    hub = FolderHub(model)

    with pytest.raises(UnsafeModel):
        ModelStore(tmp_path / "cache", hub=hub).ensure(f"hub:somebody/x@{COMMIT}")
    assert hub.fetched == []


def test_a_hub_repository_whose_content_is_unsafe_is_not_published(tmp_path: Path, model: Path) -> None:
    (model / "config.json").write_text('{"auto_map": {}}')

    with pytest.raises(UnsafeModel):
        ModelStore(tmp_path / "cache", hub=FolderHub(model)).ensure(f"hub:somebody/x@{COMMIT}")
    assert list((tmp_path / "cache/models").iterdir()) == []
