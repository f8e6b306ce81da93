"""Files of weights: the state dict of a network under its original names, with a header that says where it is from."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from htsr.errors import InputError
from htsr.files import Arrays, whole

if TYPE_CHECKING:
    from torch import Tensor

_CODES = {
    "float64": "F64",
    "float32": "F32",
    "float16": "F16",
    "bfloat16": "BF16",
    "float8_e4m3fn": "F8_E4M3",
    "float8_e5m2": "F8_E5M2",
    "complex64": "C64",
    "int64": "I64",
    "int32": "I32",
    "int16": "I16",
    "int8": "I8",
    "uint64": "U64",
    "uint32": "U32",
    "uint16": "U16",
    "uint8": "U8",
    "bool": "BOOL",
}
_BUFFERS = ("running_mean", "running_var", "num_batches_tracked")  # what batch norm keeps beside its parameters


def untie(state: Mapping[str, "Tensor"]) -> tuple[dict[str, "Tensor"], dict[str, str]]:
    """The state dict with each tensor once, and the dropped names: {dropped: kept}.

    Two tensors are one when they cover the same numbers of one storage; a transposed view is the same weight.
    """
    kept, tied, seen = {}, {}, {}
    for key, tensor in state.items():
        layout = sorted((stride, size) for stride, size in zip(tensor.stride(), tensor.shape, strict=True) if size > 1)
        place = (tensor.untyped_storage().data_ptr(), tensor.storage_offset(), tensor.dtype, *layout)
        if tensor.numel() and place in seen:
            tied[key] = seen[place]
        else:
            kept[key] = tensor
            seen[place] = key
    return kept, tied


def count_parameters(state: Mapping[str, "Tensor"]) -> int:
    """Numbers in the floating-point tensors, the running statistics of batch norm left out."""
    return sum(
        tensor.numel() for key, tensor in state.items() if tensor.is_floating_point() and not key.endswith(_BUFFERS)
    )


def write_weights(path: str | Path, state: Mapping[str, "Tensor"], header: Mapping[str, Any]) -> None:
    """Write tensors of any dtype as one safetensors file, whole or not at all; `htsr.files.Arrays` reads its header.

    The order of the names is kept and equal input gives equal bytes; safetensors' own writer promises neither.
    """
    import torch

    entries, offset = {"__metadata__": {key: json.dumps(value) for key, value in header.items()}}, 0
    names = sorted(state, key=lambda name: -state[name].element_size())  # so that every tensor is aligned
    spans = {}
    for name in names:
        spans[name] = [offset, offset := offset + state[name].numel() * state[name].element_size()]
    for name, tensor in state.items():
        code = _CODES.get(str(tensor.dtype).removeprefix("torch."))
        if code is None:
            raise InputError(f"{name}: a tensor of {tensor.dtype} has no place in a safetensors file")
        entries[name] = {"dtype": code, "shape": list(tensor.shape), "data_offsets": spans[name]}
    text = json.dumps(entries).encode()
    text += b" " * (-len(text) % 8)
    with whole(path) as partial, partial.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name in names:
            state[name].contiguous().flatten().view(torch.uint8).numpy().tofile(file)


def read_weights(path: str | Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The memory-mapped state dict of a file of weights, in its order, and the header.

    Arrays of numpy where it knows all dtypes, which saves loading torch; tensors otherwise.
    Raises InputError where the file is missing, truncated or no safetensors file.
    """
    arrays = Arrays(path)
    try:
        return dict(arrays), arrays.header
    except KeyError:  # a dtype such as half precision
        from safetensors.torch import load_file

        state = load_file(path)
        return {name: state[name] for name in arrays}, arrays.header
