"""Tensors of a file that `torch.save` wrote, read as data: without torch, and without running anything that the file names.

Such a file is a zip of a pickle, which names tensors, and of one raw member per storage. The pickle is read by an unpickler that
knows five names and refuses every other, so that nothing it holds can call anything.
"""

import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

ELEMENTS = {"FloatStorage": "<f4", "LongStorage": "<i8", "IntStorage": "<i4"}
"""Storages of torch by their name, as types of NumPy."""


class _Tensors(pickle.Unpickler):
    """Makes arrays of NumPy where the pickle asks for tensors; raises `UnpicklingError` for any other name."""

    def __init__(self, archive: zipfile.ZipFile, prefix: str) -> None:
        super().__init__(archive.open(f"{prefix}data.pkl"))
        self._archive, self._prefix = archive, prefix

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if module == "torch" and name in ELEMENTS:
            return ELEMENTS[name]
        raise pickle.UnpicklingError(f"{module}.{name} is no part of a tensor")

    def persistent_load(self, pid: Any) -> Any:
        import numpy as np

        _, elements, key, _, count = pid
        data = self._archive.read(f"{self._prefix}data/{int(key)}")
        return np.frombuffer(data, elements, int(count))


def read_tensors(path: Path) -> Any:
    """Return what the file holds, with arrays of NumPy for tensors. Raises UnpicklingError for more than those and plain data."""
    with zipfile.ZipFile(path) as archive:
        prefix = next(name for name in archive.namelist() if name.endswith("/data.pkl")).removesuffix("data.pkl")
        return _Tensors(archive, prefix).load()


def _tensor(storage: Any, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any) -> Any:
    """The view of a storage that a tensor is; strides in elements, as torch counts them."""
    from numpy.lib.stride_tricks import as_strided

    last = offset + sum((length - 1) * step for length, step in zip(size, stride, strict=True))
    if min((offset, *stride, *size)) < 0 or (0 not in size and last >= len(storage)):
        raise pickle.UnpicklingError("a tensor reaches beyond its storage")
    return as_strided(storage[offset:], size, [step * storage.itemsize for step in stride]).copy()
