"""Figures of the matrices and directions of Jacobians, and of random networks beside their laws."""

import numpy as np
import pandas as pd
import pytest
from omegaconf import OmegaConf
from synthetic_jacobians import CLASSES, EXAMPLES, jacobians, state

from htsr.files import Arrays, read_table, write_arrays, write_table
from htsr.jacobian.structure import block_means
from htsr.stages import plot_jacobian_depth, plot_jacobian_directions, plot_jacobian_heatmap

STEPS = [-1.0, 0.0, 1.0]
LABELS = np.sort(np.arange(EXAMPLES) % CLASSES)


@pytest.fixture(params=[1, 3], ids=["grey", "colour"])
def given(request, tmp_path):
    """Table, networks and details of a network with true and one with random labels; one or three channels."""
    states = [state("l", "l_0", 2.0, name, epoch) for name, epoch in (("0", 0), ("final", 5), ("pixels", 5))]
    states += [state("l", "l_1", 1.0), state("l", "l_1", 1.0, "pixels")]
    table = jacobians(states)[0].assign(stable_rank=3.0, stable_rank_null=5.0)
    write_table(tmp_path / "jacobians.csv", table)
    networks = pd.DataFrame({"model": ["l_0", "l_1"], "label_noise": [0.0, 1.0]})
    write_table(tmp_path / "networks.csv", networks)
    rng, arrays = np.random.default_rng(0), {}
    for row in states:
        place = f"{row['network']}/{row['state']}"
        vectors = rng.standard_normal((EXAMPLES, 5)) + 2 * np.eye(CLASSES, 5)[LABELS]
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        arrays |= {
            f"{place}/correlation": (vectors @ vectors.T).astype(np.float32),
            f"{place}/labels": LABELS,
            f"{place}/images": rng.standard_normal((2, request.param, 4, 4)).astype(np.float32),
            f"{place}/patterns": rng.standard_normal((2, CLASSES)) / 4,
            f"{place}/shares": np.array([0.9, 0.5]),
            f"{place}/values": np.array([3.0, 1.0]),
            f"{place}/flow": rng.dirichlet(np.ones(CLASSES), (2, 3)),
            f"{place}/moved": np.array([[0.4, 0.0, 0.3]] * 2),
        }
    write_arrays(tmp_path / "details.safetensors", arrays.items(), {"steps": STEPS})
    return tmp_path


def draw(stage, folder, **settings):
    files = {ending: str(folder / f"drawn.{ending}") for ending in ("pdf", "png", "csv")}
    stage.main(OmegaConf.create(settings | files))
    assert (folder / "drawn.pdf").read_bytes().startswith(b"%PDF")
    return read_table(files["csv"])


def settings(folder, **others):
    files = {"jacobians": str(folder / "jacobians.csv"), "networks": [str(folder / "networks.csv")]}
    return files | {"details": [str(folder / "details.safetensors")], "dataset": "digits"} | others


def test_heatmap_shows_the_means_between_classes(given):
    drawn = draw(plot_jacobian_heatmap, given, **settings(given))
    names = ["untrained", "100 % random labels", "permuted pixels", "true labels"]
    assert list(drawn["state"].unique()) == names
    own = drawn[drawn["state"] == "true labels"].pivot_table("mean", "first_class", "second_class")
    arrays = Arrays(given / "details.safetensors")
    expected = block_means(np.asarray(arrays["l_0/final/correlation"], float), LABELS)
    assert own.to_numpy() == pytest.approx(expected)


def test_directions_show_patterns_and_flow(given):
    drawn = draw(plot_jacobian_directions, given, **settings(given))
    arrays = Arrays(given / "details.safetensors")
    for network in ("l_0", "l_1"):
        own = drawn[drawn["network"] == network]
        patterns = own[own["panel"] == "pattern"].pivot_table("value", "direction", "class")
        assert patterns.to_numpy() == pytest.approx(arrays[f"{network}/final/patterns"])
        flow = own[own["panel"] == "flow"].groupby(["direction", "x"])["value"].sum()
        assert len(flow) == 2 * len(STEPS) and flow.to_numpy() == pytest.approx(1)


@pytest.mark.parametrize("stage", [plot_jacobian_heatmap, plot_jacobian_directions])
def test_nothing_in_detail_is_said(stage, tmp_path):
    table = jacobians([state("l", "l_0")])[0].assign(stable_rank=3.0, stable_rank_null=5.0)
    write_table(tmp_path / "jacobians.csv", table)
    drawn = draw(stage, tmp_path, jacobians=str(tmp_path / "jacobians.csv"), dataset="digits")
    assert drawn.empty


def test_random_networks_have_the_variances_of_their_laws(tmp_path):
    drawn = draw(plot_jacobian_depth, tmp_path, width=100, samples=4)
    assert len(drawn) and drawn["y"].notna().any()
    values = [
        plot_jacobian_depth.squared_singular_values(200, 2, relu, False, np.random.default_rng(3)) for relu in (0, 1)
    ]
    for found, variance in zip(values, (2, 4), strict=True):
        assert found.var() / found.mean() ** 2 == pytest.approx(variance, rel=0.25)
