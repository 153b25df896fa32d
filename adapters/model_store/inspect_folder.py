"""Looks at a folder that somebody else filled: which format it is, and whether loading it would run foreign code.

Pickled weights execute what their author wrote while they are read; so do repositories with code of their own. Both are
refused whoever vouches for them: the same weights are always to be had as safetensors or CTranslate2.
"""

import hashlib
import json
import struct
from collections.abc import Iterable
from pathlib import Path

from adapters.model_store.errors import ModelUnreadable, UnsafeModel
from adapters.model_store.manifest import ModelFormat
from adapters.model_store.verified_copy import sha256_of_file

PICKLES = (".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib")
CODE = (".py", ".so", ".dll", ".dylib")
CTRANSLATE2_WEIGHTS = "model.bin"
PICKLE_STARTS = (b"PK\x03\x04", b"\x80")
"""torch.save writes a zip since 1.6 and a bare pickle before; CTranslate2 starts with a small version number instead."""

TRUSTED_MODULES = "sentence_transformers."
SAFETENSORS_NAMES = {"F32": "float32", "F16": "float16", "BF16": "bf16", "I8": "int8", "F8_E4M3": "fp8", "F64": "float64"}


def require_safe_names(names: Iterable[str], where: str) -> None:
    """`UnsafeModel` when a file name says pickle or code. `model.bin` is judged by its bytes, once they are here."""
    for name in names:
        suffix = Path(name).suffix.lower()
        pickled = suffix in PICKLES or (suffix == ".bin" and Path(name).name != CTRANSLATE2_WEIGHTS)
        if pickled or suffix in CODE:
            what = "pickled weights" if pickled else "code of its own"
            raise UnsafeModel(
                f"{where} holds {name}: {what}, which would run on this machine when loaded. "
                "Use a safetensors or CTranslate2 model, or convert it on a machine that may be lost; then remove that file."
            )


def require_safe_folder(folder: Path) -> ModelFormat:
    """The format of the model in `folder`. `UnsafeModel` when it could run code, `ModelUnreadable` when no engine loads it."""
    if not folder.is_dir():
        raise ModelUnreadable(f"{folder} is not a folder. Give the folder that holds the model's config.json.")
    names = [str(path.relative_to(folder)) for path in sorted(folder.rglob("*")) if path.is_file()]
    require_safe_names(names, str(folder))
    for name in names:
        if name.endswith("config.json") and "auto_map" in _json_object(folder / name):
            raise UnsafeModel(f"{folder / name} asks for code of its own (auto_map). Use a model of a built-in architecture.")
    _require_own_modules(folder)
    return _format(folder, names)


def _require_own_modules(folder: Path) -> None:
    """sentence-transformers imports whatever class `modules.json` names: only its own may stand there."""
    path = folder / "modules.json"
    if not path.is_file():
        return
    try:
        types = [str(module["type"]) for module in json.loads(path.read_text(encoding="utf-8"))]
    except (ValueError, KeyError, TypeError) as broken:
        raise ModelUnreadable(f"{path} is not a list of modules. Copy the model again.") from broken
    for name in types:
        if not name.startswith(TRUSTED_MODULES):
            raise UnsafeModel(
                f"{path} names {name}, which is not part of sentence-transformers. Use a model without code of its own."
            )


def _format(folder: Path, names: list[str]) -> ModelFormat:
    weights = folder / CTRANSLATE2_WEIGHTS
    if CTRANSLATE2_WEIGHTS in names:
        with weights.open("rb") as start:
            if start.read(4).startswith(PICKLE_STARTS):
                raise UnsafeModel(
                    f"{weights} is a pickle and not CTranslate2. Convert it with ct2-transformers-converter elsewhere."
                )
        return ModelFormat.CTRANSLATE2
    if any(name.endswith(".safetensors") for name in names) and "config.json" in names:
        return ModelFormat.SAFETENSORS
    if sum(name.endswith(".gguf") for name in names) == 1:
        return ModelFormat.GGUF
    raise ModelUnreadable(
        f"{folder} holds neither a CTranslate2 model (model.bin), nor safetensors with a config.json, nor one GGUF file. "
        "Give the folder that has them."
    )


def gguf_file(folder: Path) -> Path:
    """The one GGUF file of a folder. `ModelUnreadable` when there is none, or more than one."""
    found = sorted(folder.glob("*.gguf"))
    if len(found) != 1:
        raise ModelUnreadable(f"{folder} holds {len(found)} GGUF files where llama.cpp reads one. Give a folder with one.")
    return found[0]


def precision_of(folder: Path, format_: ModelFormat) -> str:
    """How the weights are kept: the quantisation the config names, else the type of the first floating tensor.

    CTranslate2 and GGUF keep no such note that can be read without their libraries: `as-stored`.
    """
    if format_ is not ModelFormat.SAFETENSORS:
        return "as-stored"
    quantization = _json_object(folder / "config.json").get("quantization_config")
    if isinstance(quantization, dict):
        return str(quantization.get("format") or quantization.get("quant_method") or "quantised")
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as start:
            (length,) = struct.unpack("<Q", start.read(8))
            header = json.loads(start.read(length))
        for name, tensor in header.items():
            if name != "__metadata__" and tensor["dtype"] in SAFETENSORS_NAMES:
                return SAFETENSORS_NAMES[tensor["dtype"]]
    return "as-stored"


def content_revision(folder: Path, remembered: Path) -> str:
    """`sha256:` of all files of a folder: the revision of weights that nobody numbered.

    Summing gigabytes at each start would be slow, so sums are remembered in the file `remembered` for as long as the size and the
    time of change of a file stay the same.
    """
    memory = _json_object(remembered) if remembered.is_file() else {}
    sums: dict[str, object] = {}
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        state = path.stat()
        key = f"{path.relative_to(folder)}|{state.st_size}|{state.st_mtime_ns}|{state.st_ino}"
        sums[key] = memory.get(key) or sha256_of_file(path)
        digest.update(f"{path.relative_to(folder)}\0{sums[key]}\n".encode())
    if sums != memory:
        remembered.parent.mkdir(parents=True, exist_ok=True)
        fresh = remembered.with_suffix(".new")
        fresh.write_text(json.dumps(sums), encoding="utf-8")
        fresh.replace(remembered)
    return f"sha256:{digest.hexdigest()}"


def _json_object(path: Path) -> dict[str, object]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as broken:
        raise ModelUnreadable(f"{path} is not readable JSON. Copy the model again.") from broken
    return value if isinstance(value, dict) else {}
