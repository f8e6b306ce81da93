"""Reading torch checkpoints that name unknown classes: tensors are kept, everything else becomes an inert placeholder.

A pickle is a program that may call any importable function. Here `find_class` knows the few names that rebuild tensors,
and answers every other name with `Placeholder`, so nothing that a file names is ever imported or called.
"""

import io
import logging
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

log = logging.getLogger("htsr.download_model")

_MAGIC = 0x1950A86A20F9469CFC6C  # first object of torch's format before 1.6
_STORAGES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
    "ComplexFloatStorage": torch.complex64,
    "ComplexDoubleStorage": torch.complex128,
    "UntypedStorage": torch.uint8,
}


class Placeholder(dict):
    """Stands for an instance of any class: takes whatever a pickle gives it, keeps named state, does nothing."""

    def __new__(cls, *args: Any, **kwargs: Any) -> "Placeholder":
        return super().__new__(cls)

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__()

    def __call__(self, *args: Any, **kwargs: Any) -> "Placeholder":
        return Placeholder()

    def __setstate__(self, state: Any) -> None:
        for part in state if isinstance(state, tuple) else [state]:
            if isinstance(part, dict):
                self.update(part)

    def append(self, item: Any) -> None:
        """Ignored: a placeholder for a list."""

    def extend(self, items: Any) -> None:
        """Ignored: a placeholder for a list."""

    __hash__ = object.__hash__
    __eq__ = object.__eq__


def _tensor(storage: Tensor, offset: int, size: tuple, stride: tuple, *_: Any) -> Tensor:
    return storage.as_strided(size, stride, offset)


def _typed_tensor(storage: Tensor, offset: int, size: tuple, stride: tuple, _grad: Any, _hooks: Any, dtype, *_: Any):
    return storage.view(dtype).as_strided(size, stride, offset)


def _parameter(data: Any, *_: Any) -> Any:
    return data


_KNOWN = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch", "Size"): torch.Size,
    ("torch._utils", "_rebuild_tensor"): _tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_tensor_v3"): _typed_tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("torch._utils", "_rebuild_parameter_with_state"): _parameter,
}


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: Any, storage: Callable | None = None, replaced: set | None = None):
        super().__init__(file, encoding="latin1")
        self.storage, self.replaced = storage, replaced

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _KNOWN:
            return _KNOWN[module, name]
        if module.startswith("torch") and name in _STORAGES:
            return _STORAGES[name]
        if module == "torch" and isinstance(dtype := vars(torch).get(name), torch.dtype):
            return dtype
        if self.replaced is not None:
            self.replaced.add(f"{module}.{name}")
        return Placeholder

    def persistent_load(self, pid: Any) -> Any:
        if self.storage is None or not isinstance(pid, tuple):
            raise pickle.UnpicklingError("persistent object in an unexpected place")
        return pid[1] if pid[0] == "module" else self.storage(*pid[1:])


def read_with_placeholders(path: str | Path) -> Any:
    """The object in a torch checkpoint, zip or older format, with placeholders for all that is not a tensor or plain.

    Raises whatever a malformed file makes it raise; runs nothing that the file names.
    """
    replaced: set[str] = set()
    found = _read_zip(path, replaced) if zipfile.is_zipfile(path) else _read_stream(path, replaced)
    log.warning("%s: placeholders for %s", path, ", ".join(sorted(replaced)) or "nothing")
    return found


def _read_zip(path: str | Path, replaced: set[str]) -> Any:
    with zipfile.ZipFile(path) as archive:
        pickled = next(name for name in archive.namelist() if name.split("/")[1:] == ["data.pkl"])
        folder, storages = pickled.removesuffix("data.pkl"), {}

        def storage(dtype: torch.dtype, key: str, _place: Any, length: int) -> Tensor:
            if key not in storages:
                storages[key] = _numbers(archive.read(f"{folder}data/{key}"), dtype, length)
            return storages[key]

        return _Unpickler(io.BytesIO(archive.read(pickled)), storage, replaced).load()


def _read_stream(path: str | Path, replaced: set[str]) -> Any:
    with Path(path).open("rb") as file:
        if _Unpickler(file).load() != _MAGIC:
            raise pickle.UnpicklingError("a pickle, but not torch's")
        _Unpickler(file).load(), _Unpickler(file).load()  # protocol and sizes of types
        size, storages = Path(path).stat().st_size, {}

        def storage(dtype: torch.dtype, key: str, _place: Any, length: int, view: tuple | None) -> Tensor:
            if key not in storages:
                if not 0 <= length * dtype.itemsize <= size:
                    raise pickle.UnpicklingError(f"a storage of {length} numbers in a file of {size} bytes")
                storages[key] = torch.empty(length, dtype=dtype)
            return storages[key] if view is None else storages[key][view[1] : view[1] + view[2]]

        found = _Unpickler(file, storage, replaced).load()
        for key in _Unpickler(file).load():
            into = storages[key]
            length = int.from_bytes(file.read(8), "little")
            into.copy_(_numbers(file.read(len(into) * into.dtype.itemsize), into.dtype, length))
        return found


def _numbers(data: bytes, dtype: torch.dtype, length: int) -> Tensor:
    if len(data) != length * dtype.itemsize:
        raise pickle.UnpicklingError(f"{len(data)} bytes for {length} numbers: truncated")
    return torch.frombuffer(bytearray(data), dtype=dtype) if data else torch.empty(0, dtype=dtype)
