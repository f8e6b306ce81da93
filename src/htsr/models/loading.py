"""Checkpoints of any known format to a state dict of tensors, without executing anything that a file holds."""

import re
import tarfile
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from htsr.errors import InputError
from htsr.models.unpickle import read_with_placeholders

# Where training programs put the state dict, in order of preference.
_NESTS = ("state_dict", "model_state_dict", "model_state", "model", "net", "network", "module", "weights", "params")
_NO_WEIGHTS = re.compile("optim|sched|scaler", re.IGNORECASE)
_WRAPPERS = ("module.", "_orig_mod.")  # torch's DataParallel and compile put these before every name


def load_state(path: str | Path, placeholders: bool = False) -> dict[str, Tensor]:
    """The tensors of a checkpoint on the CPU by their dotted names, in the file's order, memory-mapped where possible.

    The format is told by content: safetensors (or a folder of its shards), torch's zip and older formats, npz. Nested
    checkpoints are unwrapped, `module.` prefixes of parallel training removed.
    placeholders: read torch files that need unknown classes, with inert stand-ins for these.
    Raises InputError for files that are no checkpoint, hold no weight, or need a class while placeholders is False.
    """
    path = Path(path)
    try:
        state = _flatten(_read(path, placeholders))
    except OSError as error:
        raise InputError(f"{path}: could not be read: {error.strerror or error}") from error
    except RecursionError as error:
        raise InputError(f"{path}: its entries contain themselves") from error
    while prefix := next((p for p in _WRAPPERS if state and all(key.startswith(p) for key in state)), None):
        state = {key.removeprefix(prefix): tensor for key, tensor in state.items()}
    if not any(tensor.ndim >= 2 for tensor in state.values()):
        names = ", ".join(list(state)[:5]) or "none"
        raise InputError(f"{path}: holds no weight with two or more dimensions (its tensors: {names})")
    return {key: _dense(tensor.detach()) for key, tensor in state.items()}


def _read(path: Path, placeholders: bool) -> Any:
    if path.is_dir():
        return _read_shards(path)
    with path.open("rb") as file:
        head = file.read(64)
    if not head:
        raise InputError(f"{path}: is empty")
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < path.stat().st_size:
        return _read_safetensors(path)
    if head.startswith(b"PK\x03\x04"):
        names = _members(path)
        if any(name.endswith(".npy") for name in names):
            return _read_npz(path)
        if any(name.endswith("constants.pkl") for name in names):
            raise InputError(f"{path}: a TorchScript program, which is not run: save its state dict instead")
        return _read_torch(path, placeholders, mmap=True)
    if head.startswith(b"\x80") and not tarfile.is_tarfile(path):
        return _read_torch(path, placeholders, mmap=False)
    raise InputError(f"{path}: no checkpoint of a known format (safetensors, torch, npz): it begins with {head[:16]}")


def _members(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except Exception as error:  # a damaged archive can end in any exception
        raise InputError(f"{path}: a truncated or damaged zip archive: fetch it again") from error


def _read_torch(path: Path, placeholders: bool, mmap: bool) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on old storages and protocols, none on the content
            return torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
    except Exception as error:  # a malformed pickle can end in any exception
        if placeholders:
            return _read_replaced(path)
        if match := re.search(r"GLOBAL (\S+)", str(error)):
            raise InputError(
                f"{path}: needs {match[1]}, which is not loaded from a checkpoint: `placeholders: true` in the model's"
                " entry reads the tensors without it"
            ) from error
        raise InputError(f"{path}: not a complete torch checkpoint of tensors: {_reason(error)}") from error


def _read_replaced(path: Path) -> Any:
    try:
        return read_with_placeholders(path)
    except Exception as error:
        raise InputError(f"{path}: not a complete torch checkpoint: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if "rror: " in line] or str(error).splitlines()
    return lines[0] if lines else type(error).__name__


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except SafetensorError as error:
        raise InputError(f"{path}: not a complete safetensors file: {error}") from error


def _read_shards(folder: Path) -> dict[str, Tensor]:
    state = {}
    for path in sorted(folder.glob("*.safetensors")):
        state |= _read_safetensors(path)
    if not state:
        raise InputError(f"{folder}: a folder without .safetensors files")
    return state


def _read_npz(path: Path) -> dict[str, Tensor]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: torch.from_numpy(arrays[name]) for name in arrays}
    except Exception as error:
        raise InputError(f"{path}: not an npz file of plain arrays: {error}") from error


def _flatten(found: Any) -> dict[str, Tensor]:
    """Tensors by dotted name, of a state dict, a checkpoint around it, or a whole network read with placeholders."""
    if not isinstance(found, Mapping):
        return {}
    for key in _NESTS:
        if isinstance(found.get(key), Mapping) and (state := _flatten(found[key])):
            return state
    return dict(_walk(found, ""))


def _walk(found: Mapping, prefix: str) -> Iterator[tuple[str, Tensor]]:
    if "_modules" in found:  # the inside of a torch.nn.Module
        found = {**(found.get("_parameters") or {}), **(found.get("_buffers") or {}), **found["_modules"]}
    for key, value in found.items():
        if isinstance(value, Tensor):
            yield f"{prefix}{key}", value
        elif isinstance(value, Mapping) and not _NO_WEIGHTS.search(str(key)):
            yield from _walk(value, f"{prefix}{key}.")


def _dense(tensor: Tensor) -> Tensor:
    return tensor.dequantize() if tensor.is_quantized else tensor.to_dense()
