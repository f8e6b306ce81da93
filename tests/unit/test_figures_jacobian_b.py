"""Figures of the matrices and directions of Jacobians, and of random networks beside their laws."""

import numpy as np
import pandas as pd
import pytest
from omegaconf import OmegaConf
from synthetic_jacobians import CLASSES, EXAMPLES, jacobians, state
from test_theory_figures import assert_whole

from htsr.figures import style
from htsr.files import Arrays, read_table, write_arrays, write_table
from htsr.jacobian.structure import block_means
from htsr.spectra.spectrum import Spectrum, to_arrays, to_header
from htsr.stages import (
    plot_jacobian_depth,
    plot_jacobian_diagonal,
    plot_jacobian_directions,
    plot_jacobian_heatmap,
    plot_jacobian_levels,
)

STEPS = [-1.0, 0.0, 1.0]
LABELS = np.sort(np.arange(EXAMPLES) % CLASSES)


@pytest.fixture
def given(request, tmp_path):
    """Table, networks and details of a network with true and one with random labels; one or more channels."""
    channels = getattr(request, "param", 1)
    states = [state("l", "l_0", 2.0, name, epoch) for name, epoch in (("0", 0), ("final", 5), ("pixels", 5))]
    states += [state("l", "l_1", 1.0), state("l", "l_1", 1.0, "pixels")]
    table, eigenvalues, _ = jacobians(states)
    fitted = {"stable_rank": 3.0, "stable_rank_null": 5.0, "n_tail": 20, "n_eigenvalues": EXAMPLES}
    fitted |= {"xmin": table["lambda_max"] / 10, "xmax": table["lambda_max"]}
    write_table(tmp_path / "jacobians.csv", table.assign(**fitted))
    shape = {"kind": "jacobian", "n": EXAMPLES, "m": EXAMPLES, "q": 1.0, "normalization": "none"}
    spectra = [
        Spectrum(name=name, layer=name.rpartition("/")[0], eigenvalues=values, **shape)
        for name, values in eigenvalues.items()
        if not name.startswith("null/")
    ]
    write_arrays(tmp_path / "spectra.safetensors", to_arrays(spectra), to_header(spectra) | {"model": "l"})
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
            f"{place}/images": rng.standard_normal((2, channels, 4, 4)).astype(np.float32),
            f"{place}/patterns": rng.standard_normal((2, CLASSES)) / 4,
            f"{place}/shares": np.array([0.9, 0.5]),
            f"{place}/values": np.array([3.0, 1.0]),
            f"{place}/flow": rng.dirichlet(np.ones(CLASSES), (2, 3)),
            f"{place}/moved": np.array([[0.4, 0.0, 0.3]] * 2),
        }
    write_arrays(tmp_path / "details.safetensors", arrays.items(), {"steps": STEPS})
    return tmp_path


def laid_out(figure, drawn, pdf, png, csv):
    assert_whole(figure)
    write_table(csv, drawn)


def draw(stage, folder, monkeypatch=None, **settings):
    """What a stage draws. With a monkeypatch its figure is only laid out, which takes half the time of two files."""
    if monkeypatch:
        monkeypatch.setattr(style, "save", laid_out)
    files = {ending: str(folder / f"drawn.{ending}") for ending in ("pdf", "png", "csv")}
    stage.main(OmegaConf.create(settings | files))
    assert monkeypatch or (folder / "drawn.pdf").read_bytes().startswith(b"%PDF")
    return read_table(files["csv"])


def settings(folder, **others):
    files = {"jacobians": str(folder / "jacobians.csv"), "networks": [str(folder / "networks.csv")]}
    return files | {"details": [str(folder / "details.safetensors")], "dataset": "digits"} | others


def test_heatmap_shows_the_means_between_classes(given, monkeypatch):
    drawn = draw(plot_jacobian_heatmap, given, monkeypatch, **settings(given))
    names = ["untrained", "100 % random labels", "permuted pixels", "true labels"]
    assert list(drawn["state"].unique()) == names
    own = drawn[drawn["state"] == "true labels"].pivot_table("mean", "first_class", "second_class")
    arrays = Arrays(given / "details.safetensors")
    expected = block_means(np.asarray(arrays["l_0/final/correlation"], float), LABELS)
    assert own.to_numpy() == pytest.approx(expected)


@pytest.mark.parametrize("given", [1, 3], ids=["grey", "colour"], indirect=True)
def test_directions_show_patterns_and_flow(given):
    drawn = draw(plot_jacobian_directions, given, **settings(given))
    arrays = Arrays(given / "details.safetensors")
    for network in ("l_0", "l_1"):
        own = drawn[drawn["network"] == network]
        patterns = own[own["panel"] == "pattern"].pivot_table("value", "direction", "class")
        assert patterns.to_numpy() == pytest.approx(arrays[f"{network}/final/patterns"])
        flow = own[own["panel"] == "flow"].groupby(["direction", "x"])["value"].sum()
        assert len(flow) == 2 * len(STEPS) and flow.to_numpy() == pytest.approx(1)


def of_spectra(folder, **others):
    chosen = settings(folder, spectra=[str(folder / "spectra.safetensors")], **others)
    del chosen["details"]
    return chosen


def test_diagonal_lies_beside_the_spectrum(given, monkeypatch):
    drawn = draw(plot_jacobian_diagonal, given, monkeypatch, **of_spectra(given, titles={"l": "Labels"}))
    arrays = Arrays(given / "spectra.safetensors")
    own = drawn[(drawn["panel"] == "true labels") & (drawn["curve"] == "diagonal")]
    assert own["y"].to_numpy() == pytest.approx(np.asarray(arrays["l_0/final/diagonal"])[::-1])
    assert own["x"].tolist() == list(range(1, EXAMPLES + 1))
    largest = drawn[drawn["panel"] == "largest"]
    assert set(largest["network"]) == {"l_0", "l_1"}
    parts = drawn[drawn["panel"] == "exponents"].groupby("curve")["y"].count()
    assert parts.to_dict() == {"softmax": 2, "diagonal": 2, "correlation": 2, "logit": 2}


def test_levels_lie_over_their_largest_eigenvalue(given, monkeypatch):
    drawn = draw(plot_jacobian_levels, given, monkeypatch, **of_spectra(given))
    curves = drawn[~drawn["curve"].str.startswith("power law")]
    assert set(curves["curve"]) == {"softmax", "centred", "correlation", "logit"}
    ends = curves.groupby(["panel", "curve"])["x"].max()
    assert ends.to_numpy() == pytest.approx(1) and len(ends) == 16


@pytest.mark.parametrize("stage", [plot_jacobian_heatmap, plot_jacobian_directions, plot_jacobian_levels])
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
