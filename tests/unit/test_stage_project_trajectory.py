"""The stage project_trajectory on files, as the workflow calls it."""

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from htsr.files import Arrays, read_table, write_table
from htsr.models.weights import write_weights
from htsr.stages import project_trajectory


def course(folder, epochs=(0, 1, 2, 4, 8), drift=0.0):
    """States of a random walk, with a drift, in the form of train_model's files."""
    generator = torch.Generator().manual_seed(0)
    shapes = {"conv.weight": (4, 1, 3, 3), "bn.weight": (4,), "bn.running_mean": (4,), "fc.weight": (5, 4)}
    state = {key: torch.randn(shape, generator=generator) for key, shape in shapes.items()}
    states = {}
    for epoch in epochs:
        state = {key: t + drift + 0.1 * torch.randn(t.shape, generator=generator) for key, t in state.items()}
        states |= {f"{epoch}/{key}": t for key, t in state.items()}
        states[f"{epoch}/bn.num_batches_tracked"] = torch.tensor(epoch)
    write_weights(folder / "states.safetensors", states, {"epochs": list(epochs)})
    rows = [{"epoch": e, "loss": 1 / (1 + e), "train_accuracy": 50.0, "learning_rate": 0.1} for e in range(9)]
    write_table(folder / "history.csv", rows)


def run(folder, **settings):
    outputs = {"coordinates": "coordinates.csv", "explained": "explained.csv", "directions": "directions.safetensors"}
    given = {"name": "toy", "names": ["walk"], "samples": 200}
    given |= {"states": [str(folder / "states.safetensors")], "histories": [str(folder / "history.csv")]}
    given |= {key: str(folder / name) for key, name in outputs.items()}
    project_trajectory.main(OmegaConf.create(given | settings))
    return read_table(given["coordinates"]), read_table(given["explained"]), Arrays(given["directions"])


@pytest.mark.parametrize(
    ("include", "names"),
    [
        ("weights", ["conv.weight", "fc.weight"]),
        ("parameters", ["bn.weight", "conv.weight", "fc.weight"]),
        ("state", ["bn.running_mean", "bn.weight", "conv.weight", "fc.weight"]),
    ],
)
def test_coordinates_are_those_along_the_directions(tmp_path, include, names):
    course(tmp_path)
    coordinates, explained, directions = run(tmp_path, include=include)
    assert sorted(key.removeprefix("walk/direction_1/") for key in directions if "_1/" in key) == names
    states = Arrays(tmp_path / "states.safetensors")
    for i in (1, 2):
        inner = [
            sum(
                float(np.sum(directions[f"walk/direction_{i}/{key}"] * (states[f"{t}/{key}"] - states[f"8/{key}"])))
                for key in names
            )
            for t in (0, 1, 2, 4, 8)
        ]
        np.testing.assert_allclose(coordinates[f"pc{i}"], inner, atol=1e-5)
    assert coordinates["epoch"].tolist() == [0, 1, 2, 4, 8]
    np.testing.assert_allclose(coordinates["loss"], [1, 1 / 2, 1 / 3, 1 / 5, 1 / 9])
    length = (
        np.hypot(coordinates["pc1"], coordinates["pc2"]) ** 2 + (coordinates["outside"] * coordinates["distance"]) ** 2
    )
    np.testing.assert_allclose(length, coordinates["distance"] ** 2, atol=1e-6)
    assert explained["component"].tolist() == [1, 2, 3, 4] and explained["explained"].sum() == pytest.approx(1)
    assert explained["cumulative"].iloc[-1] == pytest.approx(1)
    sizes = {"conv.weight": 36, "bn.weight": 4, "bn.running_mean": 4, "fc.weight": 20}
    assert (explained["n_parameters"] == sum(sizes[key] for key in names)).all()


def test_a_walk_is_told_from_a_drift(tmp_path):
    course(tmp_path)
    _, walk, _ = run(tmp_path)
    row = walk.iloc[0]
    assert row["explained_null_low"] < row["explained"] < row["explained_null_high"] and row["explained_p"] > 0.02
    assert row["explained_limit"] == pytest.approx(8 / np.pi**2)
    course(tmp_path, drift=0.3)
    _, drift, _ = run(tmp_path)
    assert drift["explained"].iloc[0] > drift["explained_null_high"].iloc[0]
    assert drift["explained_p"].iloc[0] == pytest.approx(1 / 201)
    _, centred, _ = run(tmp_path, centred=True)
    assert centred["explained_limit"].iloc[0] == pytest.approx(6 / np.pi**2)


def test_too_few_states_have_a_status(tmp_path):
    course(tmp_path, epochs=(0, 8))
    coordinates, explained, directions = run(tmp_path)
    assert explained["status"].tolist() == ["fewer than 3 states"] and len(coordinates) == 2 and not list(directions)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"histories": []}, "lists of one length"),
        ({"components": 1}, "components is 1: 2 is the least"),
        ({"level": 1.0}, "between 0 and 1"),
        ({"include": "bias"}, "include"),
    ],
)
def test_settings_that_make_no_sense(tmp_path, settings, says):
    course(tmp_path)
    with pytest.raises(SystemExit, match=says):
        run(tmp_path, **settings)
