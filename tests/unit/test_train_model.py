"""The stage that trains: its files, its determinism, its messages; and the networks of the experiment `digits`."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from htsr import config
from htsr.files import Arrays, read_table
from htsr.models.layers import matrices
from htsr.networks.build import build
from htsr.stages.train_model import main

SMALL = {"network": {"name": "lenet", "width": 16, "depth": 5}, "train_fraction": 0.3, "epochs": 4}
SMALL |= {"learning_rate": 0.02, "weight_decay": 0.0}


def run(folder, name="small", **settings):
    """Train in this process. Returns the paths of weights and history."""
    weights, history = folder / f"{name}.safetensors", folder / f"{name}.csv"
    main(OmegaConf.create(SMALL | {"name": name, "weights": str(weights), "history": str(history)} | settings))
    return weights, history


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return run(tmp_path_factory.mktemp("trained"))


def test_header_and_history(trained):
    weights, history = Arrays(trained[0]), read_table(trained[1])
    header, last = weights.header, history.iloc[-1]
    assert header["model"] == "small" and header["source"] == header["origin"] == "trained"
    assert header["sha256"] is None and header["tied"] == {}
    assert header["accuracy"] == last["test_accuracy"] and header["train_accuracy"] == last["train_accuracy"]
    assert header["accuracy_source"] == "measured on the held-out 898 images of digits"
    assert header["n_parameters"] == sum(weights[key].size for key in weights)
    assert header["layers"]["conv2.weight"] == {"kind": "conv2d", "groups": 1, "transposed": False}
    assert {key for key in weights if weights[key].ndim > 1} == header["layers"].keys()
    assert history["epoch"].tolist() == [0, 1, 2, 3, 4]
    assert list(history) == ["epoch", "loss", "train_accuracy", "test_accuracy", "learning_rate"]
    assert history["learning_rate"].isna().tolist() == [True] + [False] * 4
    assert history["loss"].iloc[0] > 2 > last["loss"]
    assert history["test_accuracy"].iloc[0] < 30 < 50 < last["test_accuracy"]


def test_the_program_gives_identical_bytes(trained, tmp_path):
    files = [tmp_path / "again.safetensors", tmp_path / "again.csv"]
    settings = config.as_overrides(SMALL | {"name": "small"})
    command = [sys.executable, "-m", "htsr.stages.train_model", *settings, f"weights={files[0]}", f"history={files[1]}"]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "2"})
    assert done.returncode == 0, done.stderr
    assert "epoch 4 of 4" in done.stderr
    assert [path.read_bytes() for path in files] == [path.read_bytes() for path in trained]


def test_the_seed_matters(trained, tmp_path):
    other, _ = run(tmp_path, seed=1)
    assert not np.array_equal(Arrays(other)["conv2.weight"], Arrays(trained[0])["conv2.weight"])


def test_zero_epochs_keep_the_start(trained, tmp_path):
    weights, history = run(tmp_path, epochs=0, start_from="small", start=str(trained[0]))
    assert all(np.array_equal(Arrays(weights)[key], tensor) for key, tensor in Arrays(trained[0]).items())
    assert read_table(history)["test_accuracy"].tolist() == [Arrays(trained[0]).header["accuracy"]]


def test_regularized_and_fine_tuned(trained, tmp_path):
    regularized, _ = run(tmp_path, "regularized", start_from="small", start=str(trained[0]), group_lasso=3.0)
    finetuned, history = run(tmp_path, "finetuned", start_from="regularized", start=str(regularized), epochs=2)
    norms = [np.linalg.norm(Arrays(path)["conv2.weight"].reshape(16, -1), axis=1) for path in (regularized, finetuned)]
    before = np.linalg.norm(Arrays(trained[0])["conv2.weight"].reshape(16, -1), axis=1)
    assert before.min() > 0 and np.median(norms[0]) < 0.6 * np.median(before)
    gone = [~Arrays(path)["conv1.weight"].any(axis=(1, 2, 3)) for path in (regularized, finetuned)]
    assert 0 < gone[0].sum() < 16 and np.array_equal(gone[0], gone[1])
    assert not np.array_equal(*norms)
    assert read_table(history)["train_accuracy"].iloc[-1] > 50


def test_batch_normalization_survives_the_file(tmp_path):
    residual = {"network": {"name": "resnet", "width": 4, "depth": 8}}
    first, _ = run(tmp_path, "first", epochs=1, **residual)
    again, history = run(tmp_path, "again", epochs=0, start_from="first", start=str(first), **residual)
    assert Arrays(again)["bn1.num_batches_tracked"] == 9
    assert read_table(history)["test_accuracy"][0] == Arrays(first).header["accuracy"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"network": {"name": "alexnet"}}, "model small: network 'alexnet' is unknown"),
        ({"dataset": {"name": "letters"}}, "model small: data set 'letters' is unknown"),
        ({"batch_size": 0}, "batch_size: 0 is less than 1"),
        ({"epochs": -1}, "epochs: -1"),
        ({"learning_rate": 1e6}, "model small: training diverged in epoch 1 .*lenet.*learning_rate 1000000.0.*lower"),
        ({"network": {"name": "mlp"}, "group_lasso": 1.0}, "group_lasso acts on filters.*'mlp' has none"),
        ({"start_from": "other"}, "start_from names 'other'"),
        ({"start": "absent.safetensors"}, "absent.safetensors"),
        ({"epoch": 3}, "epoch"),
    ],
)
def test_bad_settings_end_with_one_message(tmp_path, settings, message):
    with pytest.raises(SystemExit, match=message) as error:
        run(tmp_path, **settings)
    assert str(error.value).startswith("error: ") and "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


def test_a_start_of_another_shape_is_named(trained, tmp_path):
    wider = {"network": {"name": "lenet", "width": 20, "depth": 5}}
    with pytest.raises(
        SystemExit, match=r"conv1.weight has shape \(16, 1, 3, 3\) there and \(20, 1, 3, 3\).*same arch"
    ):
        run(tmp_path, start_from="small", start=str(trained[0]), **wider)
    deeper = {"network": {"name": "lenet", "width": 16, "depth": 6}}
    with pytest.raises(SystemExit, match="has shape none there"):
        run(tmp_path, start_from="small", start=str(trained[0]), **deeper)


@pytest.fixture(scope="module")
def digits(root):
    """The trained series of the default experiment: settings of their models."""
    series = config.load(root / "config", ["experiment=digits"])["series"]
    return {name: entry["models"] for name, entry in series.items()}


def test_the_networks_of_digits_have_matrices(digits):
    for models in digits.values():
        for name, model in models.items():
            with torch.device("meta"):
                network = build(*model["train"]["network"].values(), (1, 8, 8), 10, None)
            _, listing = matrices(network.state_dict(), min_size=50)
            assert sum(row["n_matrices"] for row in listing) >= 2, name


def test_titles_say_what_varies_and_the_shares_are_spread_evenly(digits):
    for models in (models for series, models in digits.items() if series != "digits_compression"):
        for name, model in models.items():
            network, fraction = model["train"]["network"], model["train"]["train_fraction"]
            assert model["title"] == f"{network['width']} wide, {network['depth']} deep, {100 * fraction:.0f} %"
            assert name == f"{network['name']}_w{network['width']}_d{network['depth']}"
        settings = [model["train"] for model in models.values()]
        shares = _ranks([entry["train_fraction"] for entry in settings])
        for key in ("width", "depth"):
            sizes = _ranks([entry["network"][key] for entry in settings])
            assert np.corrcoef(shares, sizes)[0, 1] == pytest.approx(0)


def _ranks(values):
    return np.unique(values, return_inverse=True)[1]
