"""Files of weights: order, dtypes and bytes are kept, shared weights are written once."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from htsr.errors import InputError
from htsr.files import Arrays
from htsr.models.weights import count_parameters, read_weights, untie, write_weights

STATE = {
    "z.weight": torch.arange(6.0).reshape(2, 3),
    "a.half": torch.tensor([1.5, np.nan, np.inf], dtype=torch.float16),
    "a.odd": torch.arange(3, dtype=torch.int8),
    "a.bf16": torch.arange(6.0).reshape(3, 2).bfloat16().T,
    "a.double": torch.tensor(2.5, dtype=torch.float64),
    "a.flag": torch.tensor([True, False]),
    "a.steps": torch.tensor(7),
    "a.empty": torch.empty(0, 4),
    "b.weight": torch.arange(4.0).reshape(2, 2).T,
}


def test_round_trip(tmp_path):
    path = tmp_path / "net.safetensors"
    header = {"model": "net", "accuracy": 91.5, "tied": {"a": "b"}, "sha256": None}
    write_weights(path, STATE, header)
    found, read = read_weights(path)
    assert read == header
    assert list(found) == list(STATE)
    independent = load_file(path)
    for key, tensor in STATE.items():
        for other in (found[key], independent[key]):
            assert (other.dtype, other.shape) == (tensor.dtype, tensor.shape)
            assert torch.equal(other.contiguous().flatten().view(torch.uint8), tensor.flatten().view(torch.uint8))


def test_every_tensor_is_aligned(tmp_path):
    path = tmp_path / "net.safetensors"
    write_weights(path, STATE, {})
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    entries = json.loads(content[8 : 8 + length])
    for key, tensor in STATE.items():
        assert (8 + length + entries[key]["data_offsets"][0]) % tensor.element_size() == 0


def test_plain_dtypes_need_no_torch(tmp_path):
    path = tmp_path / "net.safetensors"
    state = {"b.weight": torch.arange(4.0).reshape(2, 2).T, "a.steps": torch.tensor(7), "c.bias": torch.ones(2)}
    write_weights(path, state, {})
    code = "import sys; from htsr.models.weights import read_weights; state, _ = read_weights(sys.argv[1]);"
    code += "assert 'torch' not in sys.modules; print(list(state), state['b.weight'].tolist())"
    shown = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True).stdout
    assert shown == "['b.weight', 'a.steps', 'c.bias'] [[0.0, 2.0], [1.0, 3.0]]\n"
    assert isinstance(read_weights(path)[0]["b.weight"], np.memmap)


def test_equal_input_gives_equal_bytes(tmp_path):
    for name in ("one", "two"):
        write_weights(tmp_path / name, STATE, {key: key for key in "qwertyuiop"})
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_unknown_dtype_leaves_nothing(tmp_path):
    with pytest.raises(InputError, match=r"a: a tensor of torch.complex128"):
        write_weights(tmp_path / "net", {"a": torch.ones(2, 2, dtype=torch.complex128)}, {})
    assert not list(tmp_path.iterdir())


def test_truncated(tmp_path):
    path = tmp_path / "net.safetensors"
    write_weights(path, STATE, {})
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"net.safetensors: .*truncated"):
        read_weights(path)


def test_untie():
    weight, other = torch.arange(12.0).reshape(3, 4), torch.arange(12.0).reshape(3, 4)
    state = {
        "embed.weight": weight,
        "head.weight": weight,
        "turned": weight.T,
        "equal": other,
        "first": weight[:1],
        "last": weight[2:],
        "vector": weight.flatten(),
        "none": torch.empty(0),
        "nothing": torch.empty(0),
    }
    kept, tied = untie(state)
    assert tied == {"head.weight": "embed.weight", "turned": "embed.weight"}
    assert list(kept) == [key for key in state if key not in tied]


def test_parameters_are_counted_once():
    norm = torch.nn.BatchNorm2d(5)
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 5, 2), norm)
    assert count_parameters(network.state_dict()) == sum(p.numel() for p in network.parameters()) == 75


def test_header_is_read_without_tensors(tmp_path):
    write_weights(tmp_path / "net", STATE, {"accuracy": 1.5})
    assert Arrays(tmp_path / "net").header == {"accuracy": 1.5}
