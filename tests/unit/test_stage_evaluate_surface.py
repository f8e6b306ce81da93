"""The stage that measures surfaces: its tables, tiles, interruption, the networks at the ends, and its messages."""

import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from omegaconf import OmegaConf

from htsr.compose import as_overrides
from htsr.files import Arrays, read_table, write_arrays
from htsr.landscape.convexity import summarize
from htsr.landscape.grid import join
from htsr.models.weights import write_weights
from htsr.networks.train import evaluate, percent
from htsr.networks.trained import examples, load_trained
from htsr.stages import collect_surfaces, evaluate_surface, train_model

RESNET = {
    "network": {"name": "resnet", "width": 4, "depth": 8},
    "train_fraction": 0.2,
    "epochs": 3,
    "weight_decay": 0.0,
}
NETWORKS = {
    "first": RESNET | {"checkpoints": [1, 2]},
    "second": RESNET | {"seed": 1},
    "third": RESNET | {"seed": 2, "batch_size": 16},
    "wide": RESNET | {"network": {"name": "resnet", "width": 8, "depth": 8}, "epochs": 1},
    "less": RESNET | {"train_fraction": 0.1, "epochs": 1},
}


@pytest.fixture(scope="module")
def given(digits, tmp_path_factory):
    """Files of five small networks as settings of the stage."""
    folder = tmp_path_factory.mktemp("networks")
    files = {key: [str(folder / f"{name}{end}") for name in NETWORKS] for key, end in FILES.items()}
    for i, (name, settings) in enumerate(NETWORKS.items()):
        own = {key: paths[i] for key, paths in files.items()}
        train_model.main(OmegaConf.create(settings | own | {"name": name, "images": str(digits)}))
    files.pop("history")
    return {"name": "test", "names": list(NETWORKS), "images": str(digits)} | files


FILES = {"weights": ".safetensors", "states": "_states.safetensors", "history": ".csv"}
COMMON = {"train_examples": 40, "test_examples": 0, "points": [5]}
SURFACES = {
    "plane": {"networks": ["first", "wide"], "points": [3, 5], "low": -0.5, "high": 0.5, "test_examples": 30},
    "lines": {
        "networks": ["first"],
        "directions_seeds": [0, 1],
        "batch_norm": "recalibrated",
        "normalization": "layer",
    },
    "path": {"networks": ["first"], "plane": "interpolation", "other": "second", "low": 0.0},
    "start": {"networks": ["first"], "plane": "interpolation", "other": "initial", "low": 0.0, "refine": 1},
    "three": {"networks": ["first"], "plane": "through", "other": "second", "third": "third", "points": [3, 3]},
    "curve": {"networks": ["first"], "plane": "bezier", "other": "second", "low": 0.0, "batch_norm": "recalibrated"},
}


def settings(given, folder, surfaces, tiles=1, **options):
    outputs = {key: str(folder / f"{key}.csv") for key in ("points", "checkpoints")}
    entry = {"title": "test", "common": COMMON, "surfaces": surfaces, "tiles": tiles}
    return {"curve_steps": 3} | given | outputs | {"set": entry} | options


def run(given, folder, surfaces=SURFACES, **options):
    evaluate_surface.main(OmegaConf.create(settings(given, folder, surfaces, **options)))
    return {key: folder / f"{key}.csv" for key in ("points", "checkpoints")}


def collected(folder, *parts):
    """Table, places and summary that collect_surfaces makes of several jobs' files."""
    files = {key: [str(paths[key]) for paths in parts] for key in ("points", "checkpoints")}
    made = {key: str(folder / f"{key}.csv") for key in ("table", "places", "summary")}
    collect_surfaces.main(OmegaConf.create(files | made))
    return tuple(read_table(path) for path in made.values())


@pytest.fixture(scope="module")
def whole(given, tmp_path_factory):
    return run(given, tmp_path_factory.mktemp("whole"))


def of(given, name, epoch=None):
    i = given["names"].index(name)
    return load_trained(given["weights"][i], given["images"], states=given["states"][i], epoch=epoch)


def loss_of(given, name, epoch=None, split="train", count=40, images_of="first"):
    shown = examples(of(given, images_of), split, count, 0)
    images, labels = torch.from_numpy(shown.images), torch.from_numpy(shown.labels)
    loss, predicted = evaluate(of(given, name, epoch).network, images, labels)
    return pytest.approx((loss, percent(predicted, labels)), rel=1e-5)


def test_every_network_has_its_own_loss_at_its_place(given, whole):
    points = read_table(whole["points"])
    columns = ["train_loss", "train_accuracy"]

    def at(surface, a, b=0.0, network="first", columns=columns):
        places = zip(points["surface"], points["network"], points["a"], points["b"], strict=True)
        return tuple(points[columns].iloc[list(places).index((surface, network, a, b))])

    for surface in ("plane", "path", "start", "three"):
        assert at(surface, 0.0) == loss_of(given, "first")
    assert at("plane", 0.0, network="wide") == loss_of(given, "wide")
    assert at("plane", 0.0, columns=["test_loss", "test_accuracy"]) == loss_of(given, "first", split="test", count=30)
    assert at("path", 1.0) == at("three", 1.0) == loss_of(given, "second")
    assert at("start", 1.0) == loss_of(given, "first", epoch=0)
    assert at("curve", 0.0) == at("lines", 0.0)  # the same network, recalibrated
    assert at("curve", 1.0) != at("path", 1.0)


def test_the_tables(whole, tmp_path):
    points, places = (read_table(path) for path in whole.values())
    summary = collected(tmp_path, whole)[2]
    counts = points.groupby(["surface", "network", "seed"]).size()
    assert counts["plane"].tolist() == [15, 15] and counts["lines"].tolist() == [5, 5]
    beyond = points["surface"] == "three"  # beyond the networks some running variances are below zero
    assert (points["status"] == "ok")[~beyond].all() and set(points["status"][beyond]) == {"ok", "undefined"}
    assert (points["train_loss"].isna() == (points["status"] == "undefined")).all()
    assert points.columns.tolist() == evaluate_surface.POINTS
    plane, lines = points[points["surface"] == "plane"], points[points["surface"] == "lines"]
    assert (plane["length_a"] / plane["length_b"]).between(0.999, 1.001).all() and lines["length_b"].isna().all()
    assert (plane["test_examples"] == 30).all() and (lines["test_examples"] == 0).all()
    assert lines["test_loss"].isna().all() and set(lines["normalization"]) == {"layer"}
    third = places[(places["surface"] == "three") & (places["checkpoint"] == "third")].iloc[0]
    assert third["b"] > 0 and places["checkpoint"].isin([*NETWORKS, "initial"]).all()
    assert set(summary["surface"]) == set(SURFACES) and len(summary) == len(SURFACES) + 1  # a plane of two networks
    by = summary.set_index("surface")
    assert by.loc["lines", "n_seeds"] == 2 and by.loc["lines", "width_nat_std"] >= 0
    assert by.loc["path", "train_barrier"] > 0 and np.isnan(by.loc["three", "train_barrier"])
    again = pd.DataFrame(summarize(points.to_dict("records")))
    pd.testing.assert_frame_equal(again, summary, check_dtype=False)


def test_tiles_and_threads_join_to_the_same_bytes(given, whole, tmp_path):
    surfaces = {name: own for name, own in SURFACES.items() if name in ("plane", "lines", "three")}
    tables, parts = [], []
    for tile in range(3):
        paths = run(given, tmp_path / str(tile), surfaces, tiles=3, tile=tile, threads=1 + tile % 2)
        tables.append(read_table(paths["points"]).to_dict("records"))
        parts.append(paths)
    expected = read_table(whole["points"])
    expected = expected[expected["surface"].isin(surfaces)].reset_index(drop=True)
    pd.testing.assert_frame_equal(pd.DataFrame(join(tables)), expected, check_exact=True)
    table, _, summary = collected(tmp_path, *parts)
    pd.testing.assert_frame_equal(table, expected, check_exact=True)
    whole_summary = collected(tmp_path, whole)[2]
    whole_summary = whole_summary[whole_summary["surface"].isin(surfaces)].reset_index(drop=True)
    pd.testing.assert_frame_equal(summary, whole_summary, check_exact=True)


def test_an_interrupted_job_goes_on_to_the_same_bytes(given, whole, tmp_path, monkeypatch, caplog):
    resume = tmp_path / "resume.safetensors"
    count, real = 0, evaluate_surface.moved

    def killed(*arguments):
        nonlocal count
        count += 1
        if count == 37:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(evaluate_surface, "moved", killed)
    with pytest.raises(KeyboardInterrupt):
        run(given, tmp_path, resume=str(resume), save_seconds=0.0)
    assert sum(len(Arrays(resume)[group]) for group in Arrays(resume)) == 36
    assert not (tmp_path / "points.csv").exists()
    kept, before = resume.read_bytes(), count
    paths = run(given, tmp_path, resume=str(resume))
    assert count - before == len(read_table(whole["points"])) - 36 and not resume.exists()
    assert all(path.read_bytes() == whole[key].read_bytes() for key, path in paths.items())
    for content in (kept, b"broken"):
        resume.write_bytes(content)
        count = 40
        run(given, tmp_path, {"lines": SURFACES["lines"]}, resume=str(resume))
        assert count == 50 and "begin anew" in caplog.text
        caplog.clear()


def test_the_program_gives_the_same_bytes(given, whole, tmp_path):
    command = [sys.executable, "-m", "htsr.stages.evaluate_surface", *as_overrides(settings(given, tmp_path, SURFACES))]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "2"})
    assert done.returncode == 0, done.stderr
    assert all((tmp_path / f"{key}.csv").read_bytes() == path.read_bytes() for key, path in whole.items())


def test_the_plane_of_principal_components(given, tmp_path):
    """Two made directions: the coordinates of the states come out, scaled to 1."""
    network = of(given, "first").network.state_dict()
    rng = np.random.default_rng(0)
    shape = tuple(network["layer3.0.conv2.weight"].shape)
    directions = np.linalg.qr(rng.standard_normal((np.prod(shape), 2)))[0].T.astype(np.float32)
    file = tmp_path / "directions.safetensors"
    named = [(f"first/direction_{i + 1}/layer3.0.conv2.weight", d.reshape(shape)) for i, d in enumerate(directions)]
    write_arrays(file, named, {})
    surfaces = {"pca": {"networks": ["first"], "plane": "pca", "points": [3, 3]}}
    paths = run(given, tmp_path, surfaces, directions=str(file))
    places = read_table(paths["checkpoints"])
    assert places["epoch"].tolist() == [0, 1, 2, 3]
    assert places[["a", "b"]].abs().max().tolist() == pytest.approx([1, 1])
    assert places.iloc[-1][["a", "b"]].abs().max() < 1e-6
    states = Arrays(given["states"][0])
    move = np.ravel(states["0/layer3.0.conv2.weight"]) - np.ravel(states["3/layer3.0.conv2.weight"])
    points = read_table(paths["points"])
    for column, length, direction in zip("ab", ("length_a", "length_b"), directions, strict=True):
        assert places[column].iloc[0] * points[length].iloc[0] == pytest.approx(float(direction @ move), rel=1e-4)


def test_a_loss_that_is_not_finite_has_a_status(given, tmp_path):
    tensors, header = Arrays(given["weights"][0]), Arrays(given["weights"][0]).header
    state = {key: torch.from_numpy(np.array(tensors[key])) for key in tensors}
    state["fc.weight"] *= 3e38
    write_weights(tmp_path / "huge.safetensors", state, header)
    files = {"weights": [str(tmp_path / "huge.safetensors")], "names": ["huge"], "states": []}
    paths = run(given | files, tmp_path, {"line": {"networks": ["huge"]}})
    points = read_table(paths["points"])
    assert set(points["status"]) == {"undefined"} and points["train_loss"].isna().all()
    summary = collected(tmp_path, paths)[2].iloc[0]
    assert summary["n_nonfinite"] == 5 and np.isnan(summary["decrease"])


@pytest.mark.parametrize(
    ("surface", "message"),
    [
        ({"networks": ["other"]}, "network 'other' is not among the given ones"),
        ({"networks": []}, "networks and directions_seeds need an entry"),
        ({"plane": "interpolation"}, "plane interpolation needs other"),
        ({"other": "second"}, "plane random needs neither other nor third"),
        ({"plane": "through", "other": "second", "third": "third"}, "plane through has 2 dimension"),
        ({"points": [4]}, "points 4 from -1.0 to 1.0 pass over 0"),
        ({"train_examples": 0}, "there is nothing to measure"),
        ({"point": [5]}, "one: Key 'point' not in 'Surface'"),
        ({"plane": "pca"}, "needs the files `directions`"),
        ({"batch_norm": "recalibrated", "train_examples": 0, "test_examples": 5}, "needs two training images"),
        ({"plane": "interpolation", "other": "wide"}, "choose networks of one architecture"),
        ({"plane": "interpolation", "other": "less"}, "less was trained on other images"),
        ({"refine": 1}, "set tiles to 1"),
    ],
)
def test_messages(given, tmp_path, capsys, surface, message):
    with pytest.raises(SystemExit) as stopped:
        run(given, tmp_path, {"one": {"networks": ["first"]} | surface}, tiles=2 if "refine" in surface else 1)
    assert str(stopped.value).startswith("error: surfaces test: one") and message in str(stopped.value)


def test_lists_of_files_must_agree(given, tmp_path):
    for options in ({"states": ["x"]}, {"weights": []}, {"tile": 1}):
        with pytest.raises(SystemExit, match=r"error: surfaces test: (5 names, but|tile 1: there are 1)"):
            run(
                given | {key: value for key, value in options.items() if key != "tile"},
                tmp_path,
                **{key: value for key, value in options.items() if key == "tile"},
            )
