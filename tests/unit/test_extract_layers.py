"""The stage from the outside: a file of weights in, matrices and a listing out."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from htsr.compose import as_overrides
from htsr.files import Arrays, read_table, write_arrays
from htsr.models.weights import write_weights
from htsr.stages import extract_layers

HEADER = {
    "model": "net",
    "source": "trained",
    "origin": "trained",
    "sha256": None,
    "accuracy": 91.5,
    "accuracy_source": "measured",
    "train_accuracy": 99.0,
    "n_parameters": 7,
    "layers": {"conv.weight": {"kind": "conv2d", "groups": 2, "transposed": False}},
    "tied": {"head.weight": "fc.weight"},
}


def state():
    generator = torch.Generator().manual_seed(0)
    return {
        "fc.weight": torch.randn(60, 50, generator=generator),
        "fc.bias": torch.zeros(60),
        "conv.weight": torch.randn(120, 60, 2, 2, generator=generator),
        "thin.weight": torch.randn(64, 1, generator=generator),
        "codes.weight": torch.ones(60, 60, dtype=torch.int64),
        "steps": torch.tensor(3),
    }


@pytest.fixture
def extract(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    def call(**options):
        files = {"weights": "net.safetensors", "layers": "out/net.safetensors", "listing": "out/net.csv"}
        monkeypatch.setattr(sys, "argv", ["stage", *as_overrides(files | options)])
        extract_layers.main()
        return Arrays("out/net.safetensors"), read_table("out/net.csv")

    return call


@pytest.mark.parametrize("half", [False, True])
def test_matrices_header_and_listing(extract, half):
    content = {key: tensor.half() if half and tensor.ndim == 2 else tensor for key, tensor in state().items()}
    content["codes.weight"] = state()["codes.weight"]
    write_weights("net.safetensors", content, HEADER)
    arrays, listing = extract()
    names = [f"conv[{g},{i},{j}]" for g in range(2) for i in range(2) for j in range(2)]
    assert list(arrays) == ["fc", *names]
    assert np.array_equal(arrays["fc"], content["fc.weight"].float())
    assert np.array_equal(arrays["conv[1,0,1]"], content["conv.weight"][60:, :, 0, 1])
    header = arrays.header
    copied = ("model", "origin", "sha256", "accuracy", "accuracy_source", "train_accuracy", "n_parameters")
    assert {key: header[key] for key in copied} == {key: HEADER[key] for key in copied}
    assert header["convolution"] == "slices"
    assert list(header["matrices"]) == list(arrays)
    assert header["matrices"]["conv[0,0,0]"] == {
        "layer": "conv",
        "kind": "conv2d",
        "kernel": [2, 2],
        "shape": [120, 60, 2, 2],
        "pool": "conv[0,0,0]",
    }
    expected = pd.DataFrame(
        [
            ("fc", "linear", "60 x 50", 1, "ok"),
            ("conv", "conv2d", "120 x 60 x 2 x 2", 8, "ok"),
            ("thin", "linear", "64 x 1", 0, "64 x 1: smaller side under 50"),
            ("codes", "linear", "60 x 60", 0, "entries are int64, not real numbers"),
            ("head", "linear", "60 x 50", 0, "the same weight as fc.weight"),
        ],
        columns=["layer", "kind", "shape", "n_matrices", "status"],
    )
    pd.testing.assert_frame_equal(listing, expected)


@pytest.mark.parametrize(("convolution", "count"), [("pooled", 8), ("unfolded", 2)])
def test_settings_arrive(extract, convolution, count):
    write_weights("net.safetensors", state(), HEADER)
    arrays, _ = extract(convolution=convolution, min_size=1)
    assert sum(name.startswith("conv") for name in arrays) == count
    assert arrays.header["convolution"] == convolution
    assert arrays["thin"].shape == (64, 1)


def test_two_runs_are_equal(extract):
    write_weights("net.safetensors", state(), HEADER)
    extract()
    first = [path.read_bytes() for path in sorted(Path("out").iterdir())]
    extract()
    assert [path.read_bytes() for path in sorted(Path("out").iterdir())] == first


def test_weights_written_by_another_stage(extract):
    write_arrays(
        "net.safetensors", [("fc.weight", np.ones((50, 50), np.float32))], {"model": "net", "origin": "trained"}
    )
    arrays, _ = extract()
    assert list(arrays) == ["fc"]
    assert arrays.header["accuracy"] is None


def test_no_matrix_at_all(extract, caplog):
    write_weights("net.safetensors", {"fc.weight": torch.ones(10, 10)}, HEADER | {"tied": {}})
    arrays, listing = extract()
    assert len(arrays) == 0
    assert arrays.header["matrices"] == {}
    assert list(listing.status) == ["10 x 10: smaller side under 50"]
    assert "is min_size=50 too large?" in caplog.text


@pytest.mark.parametrize("content", [None, b"", b"<html>"])
def test_no_weights(extract, tmp_path, content):
    if content is not None:
        (tmp_path / "net.safetensors").write_bytes(content)
    with pytest.raises(SystemExit, match=r"^error: net.safetensors: not a readable safetensors file"):
        extract()
    assert not (tmp_path / "out").exists()
