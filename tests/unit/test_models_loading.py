"""Checkpoints in every format, and files that are none or want to run something."""

import argparse
import collections
import fractions
import json
import os
import pickle
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from htsr.errors import InputError
from htsr.models.loading import load_state
from htsr.models.unpickle import read_with_placeholders
from htsr.models.weights import untie

FORMATS = {"zip": True, "legacy": False}


@pytest.fixture(params=FORMATS)
def save(request, tmp_path):
    """Writes a checkpoint in one of torch's formats."""

    def write(content, **options):
        path = tmp_path / "net.th"
        torch.save(content, path, _use_new_zipfile_serialization=FORMATS[request.param], **options)
        return path

    return write


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 2))


STATE = network().state_dict()


def assert_same(found, expected=STATE):
    assert list(found) == list(expected)
    for key, tensor in expected.items():
        assert found[key].dtype == tensor.dtype
        assert torch.equal(found[key], tensor), key


@pytest.mark.parametrize(
    "nest",
    [
        lambda state: state,
        lambda state: {"state_dict": state, "epoch": 3, "arch": "net"},
        lambda state: {"model": state, "optimizer": {"state": {0: {"exp_avg": torch.ones(4, 4)}}}},
        lambda state: {"model_state_dict": {f"module.{key}": tensor for key, tensor in state.items()}},
        lambda state: {"net": {f"module._orig_mod.{key}": tensor for key, tensor in state.items()}},
        lambda state: {"checkpoint": {"weights": state}},
        lambda state: {key: nn.Parameter(t) if t.is_floating_point() else t for key, t in state.items()},
    ],
)
@pytest.mark.parametrize("placeholders", [False, True])
def test_nested(save, nest, placeholders):
    found = load_state(save(nest(STATE)), placeholders)
    if not all(key in found for key in STATE):  # the one nest that is no known name keeps it as prefix
        found = {key.removeprefix("checkpoint.weights."): tensor for key, tensor in found.items()}
    assert_same(found)
    assert not any(tensor.requires_grad for tensor in found.values())


def test_two_networks_in_one_file(save):
    found = load_state(save({"encoder": STATE, "decoder": STATE, "optim": {"a": torch.ones(2, 2)}}))
    assert list(found) == [f"{part}.{key}" for part in ("encoder", "decoder") for key in STATE]


def test_safetensors_and_its_shards(tmp_path):
    save_file(STATE, tmp_path / "model.bin")  # told by content, not by name
    found = load_state(tmp_path / "model.bin")
    assert_same({key: found[key] for key in STATE})
    folder = tmp_path / "shards"
    folder.mkdir()
    for number, key in enumerate(STATE):
        save_file({key: STATE[key]}, folder / f"model-{number}.safetensors")
    assert_same(load_state(folder))


def test_npz(tmp_path):
    np.savez(tmp_path / "net.npz", **{key: tensor.numpy() for key, tensor in STATE.items()})
    assert_same(load_state(tmp_path / "net.npz"))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16, torch.int8, torch.bool])
@pytest.mark.parametrize("placeholders", [False, True])
def test_dtypes_are_kept(save, dtype, placeholders):
    state = {"a.weight": torch.tensor([[1.0, 0.0], [2.0, 3.0]]).to(dtype), "empty": torch.empty(0, 3, dtype=dtype)}
    content = state | {"odd": fractions.Fraction(1)} if placeholders else state
    found = load_state(save(content), placeholders)
    assert {key: tensor.dtype for key, tensor in found.items()} == dict.fromkeys(state, dtype)
    assert torch.equal(found["a.weight"].double(), state["a.weight"].double())


@pytest.mark.parametrize("placeholders", [False, True])
def test_eight_bit_floats(tmp_path, placeholders):
    weight = torch.tensor([[1.0, 0.5]]).to(torch.float8_e4m3fn)
    torch.save({"a.weight": weight, "odd": fractions.Fraction(1) if placeholders else 1}, tmp_path / "net.th")
    found = load_state(tmp_path / "net.th", placeholders)["a.weight"]
    assert found.dtype == weight.dtype
    assert torch.equal(found.float(), weight.float())


def test_not_a_number_and_infinite_are_kept(save):
    weight = torch.tensor([[np.nan, np.inf], [-np.inf, 1.0]])
    found = load_state(save({"a.weight": weight}))["a.weight"]
    assert torch.equal(torch.nan_to_num(found), torch.nan_to_num(weight))


@pytest.mark.parametrize("placeholders", [False, True])
def test_views_and_ties(save, placeholders):
    weight = torch.arange(6.0).reshape(2, 3)
    state = {"a.weight": weight, "b.weight": weight, "c.weight": weight.T, "row": weight[1]}
    content = state | {"odd": fractions.Fraction(1)} if placeholders else state
    found = load_state(save(content), placeholders)
    assert_same(found, state)
    assert untie(found)[1] == {"b.weight": "a.weight", "c.weight": "a.weight"}


class Bomb:
    """Unpickled, it would run a command."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.mark.parametrize("placeholders", [False, True])
@pytest.mark.parametrize("where", ["beside", "inside", "alone"])
def test_unsafe_pickle_never_runs(save, tmp_path, placeholders, where):
    mark = tmp_path / "ran"
    bomb = Bomb(f"touch {mark}")
    content = {"beside": {"state_dict": STATE, "bomb": bomb}, "inside": {**STATE, "bomb": bomb}, "alone": bomb}[where]
    path = save(content)
    if placeholders and where != "alone":
        assert_same(load_state(path, placeholders))
    else:
        with pytest.raises(InputError, match="holds no weight" if placeholders else r"net.th: needs posix.system"):
            load_state(path, placeholders)
    assert not mark.exists()
    torch.load(path, weights_only=False)  # what this project never does
    assert mark.exists()


@pytest.mark.parametrize(
    "name", ["builtins.eval", "builtins.getattr", "subprocess.Popen", "torch.load", "torch.hub.load"]
)
def test_functions_become_placeholders(save, name, tmp_path):
    class Call:
        def __reduce__(self):
            import importlib

            module, function = name.rsplit(".", 1)
            return getattr(importlib.import_module(module), function), (f"touch {tmp_path}/ran",)

    assert_same(load_state(save({"state_dict": STATE, "call": Call()}), placeholders=True))
    assert not (tmp_path / "ran").exists()


def test_plain_pickle_bomb(tmp_path):
    path = tmp_path / "net.pkl"
    path.write_bytes(pickle.dumps({"a.weight": Bomb(f"touch {tmp_path}/ran")}))
    for placeholders in (False, True):
        with pytest.raises(InputError, match=r"not a complete torch checkpoint|posix.system"):
            load_state(path, placeholders)
    assert not (tmp_path / "ran").exists()


def test_unknown_classes(save):
    """What training programs leave in checkpoints: arguments, default dictionaries, scalars of numpy."""
    content = {
        "args": argparse.Namespace(lr=0.1),
        "state": collections.defaultdict(list, {"a": [1]}),
        "best": np.float64(91.2),
        "ratio": fractions.Fraction(1, 3),
        "state_dict": STATE,
    }
    path = save(content)
    with pytest.raises(InputError, match=r"net.th: needs argparse.Namespace, .*`placeholders: true`"):
        load_state(path)
    assert_same(load_state(path, placeholders=True))
    found = read_with_placeholders(path)
    assert found["args"] == {"lr": 0.1} or found["args"]["lr"] == 0.1
    assert type(found["ratio"]).__name__ == "Placeholder"


def test_unknown_classes_in_a_newer_pickle(save):
    assert_same(load_state(save({"state_dict": STATE, "a": {1, 2}}, pickle_protocol=4), placeholders=True))


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("wrap", [lambda net: net, lambda net: {"model": net}, nn.DataParallel])
def test_whole_network(save, wrap):
    path = save(wrap(network()))
    with pytest.raises(InputError, match=r"needs torch.nn"):
        load_state(path)
    found = load_state(path, placeholders=True)
    assert set(found) == set(STATE)
    assert_same({key: found[key] for key in STATE})


@pytest.mark.parametrize("cut", [20, 2000, -100, -1])
@pytest.mark.parametrize("placeholders", [False, True])
def test_truncated_checkpoint(save, cut, placeholders):
    path = save({"a.weight": torch.ones(40, 40)})
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(InputError, match=r"net.th: (a truncated or damaged zip|not a complete torch)"):
        load_state(path, placeholders)


def test_damaged_pickles_end_in_one_message(tmp_path):
    """Every flipped byte gives tensors or an InputError, no other exception and no crash."""
    content = {"a.weight": torch.ones(2, 2), "odd": fractions.Fraction(1)}
    torch.save(content, tmp_path / "whole.th", _use_new_zipfile_serialization=False)
    whole = (tmp_path / "whole.th").read_bytes()
    generator = np.random.default_rng(0)
    refused = 0
    for position in generator.choice(len(whole), 150, replace=False):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << generator.integers(8)
        (tmp_path / "net.th").write_bytes(damaged)
        try:
            load_state(tmp_path / "net.th", placeholders=True)
        except InputError:
            refused += 1
    assert refused > 20


@pytest.mark.parametrize("content", [{}, {"epoch": 3}, {"a.bias": torch.ones(3)}, [torch.ones(2, 2)], 5])
def test_no_weight(save, content):
    with pytest.raises(InputError, match=r"net.th: holds no weight"):
        load_state(save(content))


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_torchscript(tmp_path):
    torch.jit.script(nn.Linear(2, 2)).save(tmp_path / "net.pt")
    for placeholders in (False, True):
        with pytest.raises(InputError, match="TorchScript program, which is not run"):
            load_state(tmp_path / "net.pt", placeholders)


HEADER = json.dumps({"a": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}}).encode()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"<!DOCTYPE html><html>not found</html>", "no checkpoint of a known format .*DOCTYPE"),
        (b"version https://git-lfs.github.com/spec/v1\n", "no checkpoint of a known format"),
        (b"\x00" * 100, "no checkpoint of a known format"),
        (b"\x80\x02", "not a complete torch checkpoint"),
        (b"\x80\x02K\x05.", "not a complete torch checkpoint"),
        (len(HEADER).to_bytes(8, "little") + HEADER + b"\0" * 15, "not a complete safetensors"),
        (len(HEADER).to_bytes(8, "little") + b"{" * len(HEADER) + b"\0" * 16, "not a complete safetensors"),
    ],
)
def test_no_checkpoint(tmp_path, content, message):
    path = tmp_path / "net.th"
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"net.th: {message}"):
        load_state(path)


def test_other_archives(tmp_path):
    with zipfile.ZipFile(tmp_path / "net.zip", "w") as archive:
        archive.writestr("README", "hello")
    for placeholders in (False, True):
        with pytest.raises(InputError, match="not a complete torch checkpoint"):
            load_state(tmp_path / "net.zip", placeholders)
    np.savez(tmp_path / "net.npz", a=np.array([fractions.Fraction(1)], dtype=object))
    with pytest.raises(InputError, match="not an npz file of plain arrays"):
        load_state(tmp_path / "net.npz")


def test_missing_and_empty_folder(tmp_path):
    with pytest.raises(InputError, match=r"no.th: could not be read: No such file"):
        load_state(tmp_path / "no.th")
    with pytest.raises(InputError, match=r"without .safetensors files"):
        load_state(tmp_path)
