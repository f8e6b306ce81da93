"""The stage that trains: its files, its determinism, its messages; and the networks of the experiment `digits`."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf

from htsr.compose import as_overrides, load
from htsr.files import Arrays, read_table
from htsr.models.layers import matrices
from htsr.networks.build import build
from htsr.stages.download_dataset import main as download
from htsr.stages.train_model import main

SMALL = {"network": {"name": "lenet", "width": 16, "depth": 5}, "train_fraction": 0.3, "epochs": 4}
SMALL |= {"learning_rate": 0.02, "weight_decay": 0.0}


FILES = {"weights": ".safetensors", "history": ".csv", "states": "_states.safetensors"}


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """The file of images that download_dataset makes of the digits."""
    path = tmp_path_factory.mktemp("images") / "digits.safetensors"
    download(OmegaConf.create({"name": "digits", "images": str(path)}))
    return path


@pytest.fixture(scope="module")
def run(images):
    """Train in this process. Returns the paths of weights, history and states."""

    def train(folder, name="small", **settings):
        files = {key: str(folder / f"{name}{ending}") for key, ending in FILES.items()}
        main(OmegaConf.create(SMALL | {"name": name, "images": str(images)} | files | settings))
        return tuple(Path(path) for path in files.values())

    return train


@pytest.fixture(scope="module")
def trained(run, tmp_path_factory):
    return run(tmp_path_factory.mktemp("trained"))


def test_header_and_history(trained):
    weights, history = Arrays(trained[0]), read_table(trained[1])
    header, last = weights.header, history.iloc[-1]
    assert header["model"] == "small" and header["source"] == header["origin"] == "trained"
    assert header["sha256"] is None and header["tied"] == {}
    assert header["accuracy"] == last["test_accuracy"] and header["train_accuracy"] == last["train_accuracy"]
    assert header["accuracy_source"] == "measured on 898 test images of digits"
    assert header["n_parameters"] == sum(weights[key].size for key in weights)
    assert header["layers"]["conv2.weight"] == {"kind": "conv2d", "groups": 1, "transposed": False}
    assert {key for key in weights if weights[key].ndim > 1} == header["layers"].keys()
    assert history["epoch"].tolist() == [0, 1, 2, 3, 4]
    assert list(history) == [
        "epoch", "loss", "train_accuracy", "true_accuracy", "test_loss", "test_accuracy", "learning_rate"
    ]  # fmt: skip
    assert (history["true_accuracy"] == history["train_accuracy"]).all()
    assert header["status"] == "ok" and header["final_epoch"] == 4 and header["n_labels_replaced"] == 0
    assert header["settings"]["network"]["width"] == 16 and header["settings"]["dataset"]["name"] == "digits"
    states = Arrays(trained[2])
    assert states.header["epochs"] == [0, 4]
    assert all(np.array_equal(states[f"4/{key}"], weights[key]) for key in weights)
    assert history["learning_rate"].isna().tolist() == [True] + [False] * 4
    assert history["loss"].iloc[0] > 2 > last["loss"]
    assert history["test_accuracy"].iloc[0] < 30 < 50 < last["test_accuracy"]


def test_the_program_gives_identical_bytes(trained, images, tmp_path):
    files = {key: tmp_path / f"again{ending}" for key, ending in FILES.items()}
    settings = as_overrides(SMALL | {"name": "small", "images": str(images)})
    command = [
        sys.executable,
        "-m",
        "htsr.stages.train_model",
        *settings,
        *(f"{k}={path}" for k, path in files.items()),
    ]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "2"})
    assert done.returncode == 0, done.stderr
    assert "epoch 4 of 4" in done.stderr
    assert [path.read_bytes() for path in files.values()] == [path.read_bytes() for path in trained]


KILLED = """
import os, signal
from htsr.stages import train_model

def kill(record):
    if "epoch 8 of" in record.getMessage():
        os.kill(os.getpid(), signal.SIGKILL)
    return True

train_model.log.addFilter(kill)
train_model.main()
"""


def test_a_killed_training_goes_on_to_the_same_bytes(run, images, tmp_path, caplog):
    """kill -9 amid a training with dropout, noise, Adam and checkpoints; the next run goes on from its saved state."""
    settings = {"network": {"name": "mlp", "width": 64, "depth": 3, "dropout": 0.3}, "epochs": 12, "optimizer": "adam"}
    settings |= {"learning_rate": 0.001, "label_noise": 0.2, "input_noise": 0.1, "log_checkpoints": 4}
    settings |= {"early_stopping": 12, "batch_size": 8}
    whole = run(tmp_path / "whole", "killed", **settings)
    resume, files = tmp_path / "resume.safetensors", {k: tmp_path / f"killed{ending}" for k, ending in FILES.items()}
    more = {"name": "killed", "images": str(images), "resume": str(resume), "save_seconds": 0.0}
    words = as_overrides(SMALL | settings | more) + [f"{key}={path}" for key, path in files.items()]
    assert subprocess.run([sys.executable, "-c", KILLED, *words], capture_output=True).returncode == -9
    assert resume.exists() and not any(path.exists() for path in files.values())
    with caplog.at_level(logging.INFO):
        again = run(tmp_path, "killed", resume=str(resume), **settings)
    assert "goes on after epoch 7" in caplog.text and "epoch 7 of 12" not in caplog.text
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in whole]
    assert not resume.exists()


def test_the_state_of_another_training_is_not_used(run, tmp_path, caplog):
    resume = tmp_path / "resume.safetensors"
    resume.write_bytes(b"cut off")
    weights, *_ = run(tmp_path, resume=str(resume))
    assert "begins anew" in caplog.text and not resume.exists()
    assert Arrays(weights).header["status"] == "ok"


def test_one_and_two_threads_agree(run, tmp_path):
    """Sums in another order: after 60 steps of a small network the weights agree to 1e-4 of their largest."""
    one, two = (Arrays(run(tmp_path, f"t{threads}", threads=threads, epochs=2)[0]) for threads in (1, 2))
    for key in one:
        assert np.abs(one[key] - two[key]).max() <= 1e-4 * np.abs(one[key]).max()


def test_labels_are_replaced_exactly_and_remembered(run, tmp_path):
    weights, history, _ = run(tmp_path, label_noise=0.5, label_noise_kind="other", epochs=1)
    header = Arrays(weights).header
    n = round(0.3 * 899)
    assert abs(header["n_labels_replaced"] - n / 2) <= 5 and header["settings"]["label_noise_kind"] == "other"
    table = read_table(history)
    assert (table["true_accuracy"] != table["train_accuracy"]).any()


def test_a_diverged_training_is_reported_and_marked(run, tmp_path):
    weights, history, states = run(tmp_path, learning_rate=1e6)
    header = Arrays(weights).header
    assert header["status"] == "diverged in epoch 1" and header["accuracy"] is None
    assert header["accuracy_source"] == "training diverged in epoch 1"
    assert read_table(history)["epoch"].tolist() == [0, 1] and Arrays(states).header["final_epoch"] == 1


def test_early_stopping_reports_the_epoch_that_it_keeps(run, tmp_path):
    weights, history, states = run(tmp_path, epochs=60, early_stopping=2, label_noise=0.8, evaluate_every=7)
    header, table = Arrays(weights).header, read_table(history).set_index("epoch")
    kept = header["final_epoch"]
    assert kept < 60 and header["accuracy"] == table.loc[kept, "test_accuracy"]
    assert kept in Arrays(states).header["epochs"]


def test_the_seed_matters(run, trained, tmp_path):
    other, *_ = run(tmp_path, seed=1)
    assert not np.array_equal(Arrays(other)["conv2.weight"], Arrays(trained[0])["conv2.weight"])


def test_zero_epochs_keep_the_start(run, trained, tmp_path):
    weights, history, _ = run(tmp_path, epochs=0, start_from="small", start=str(trained[0]))
    assert all(np.array_equal(Arrays(weights)[key], tensor) for key, tensor in Arrays(trained[0]).items())
    assert read_table(history)["test_accuracy"].tolist() == [Arrays(trained[0]).header["accuracy"]]


def test_regularized_and_fine_tuned(run, trained, tmp_path):
    regularized, *_ = run(tmp_path, "regularized", start_from="small", start=str(trained[0]), group_lasso=3.0)
    finetuned, history, _ = run(tmp_path, "finetuned", start_from="regularized", start=str(regularized), epochs=2)
    norms = [np.linalg.norm(Arrays(path)["conv2.weight"].reshape(16, -1), axis=1) for path in (regularized, finetuned)]
    before = np.linalg.norm(Arrays(trained[0])["conv2.weight"].reshape(16, -1), axis=1)
    assert before.min() > 0 and np.median(norms[0]) < 0.6 * np.median(before)
    gone = [~Arrays(path)["conv1.weight"].any(axis=(1, 2, 3)) for path in (regularized, finetuned)]
    assert 0 < gone[0].sum() < 16 and np.array_equal(gone[0], gone[1])
    assert not np.array_equal(*norms)
    assert read_table(history)["train_accuracy"].iloc[-1] > 50


def test_batch_normalization_survives_the_file(run, tmp_path):
    residual = {"network": {"name": "resnet", "width": 4, "depth": 8}}
    first, *_ = run(tmp_path, "first", epochs=1, **residual)
    again, history, _ = run(tmp_path, "again", epochs=0, start_from="first", start=str(first), **residual)
    assert Arrays(again)["bn1.num_batches_tracked"] == 9
    assert read_table(history)["test_accuracy"][0] == Arrays(first).header["accuracy"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"network": {"name": "alexnet"}}, "model small: network 'alexnet' is unknown"),
        ({"images": "absent.safetensors"}, "model small: absent.safetensors"),
        ({"label_noise": 1.5}, "label_noise: 1.5 is a share"),
        ({"checkpoints": [9]}, "checkpoints: there is no epoch 9 in 0 to 4"),
        ({"nesterov": True, "momentum": 0.0}, "nesterov needs momentum"),
        ({"device": "cuda"}, "device: cuda, but torch finds no such device"),
        ({"optimizer": "newton"}, "newton"),
        ({"batch_size": 0}, "batch_size: 0 is less than 1"),
        ({"epochs": -1}, "epochs: -1"),
        ({"network": {"name": "mlp"}, "group_lasso": 1.0}, "group_lasso acts on filters.*'mlp' has none"),
        ({"start_from": "other"}, "start_from names 'other'"),
        ({"start": "absent.safetensors"}, "absent.safetensors"),
        ({"epoch": 3}, "epoch"),
    ],
)
def test_bad_settings_end_with_one_message(run, tmp_path, settings, message):
    with pytest.raises(SystemExit, match=message) as error:
        run(tmp_path, **settings)
    assert str(error.value).startswith("error: ") and "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


def test_a_start_of_another_shape_is_named(run, trained, tmp_path):
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
    series = load(root / "config", ["experiment=digits", "sweeps=[]", "claims=[]", "papers=[]"])["series"]
    return {name: entry["models"] for name, entry in series.items()}


def test_the_networks_of_digits_have_matrices(digits):
    for models in digits.values():
        for name, model in models.items():
            network = build(
                *(model["train"]["network"][key] for key in ("name", "width", "depth")), (1, 8, 8), 10, None
            )
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
