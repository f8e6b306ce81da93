"""Figures of Hessians and of trajectories: what is drawn, with little data and none; their stages."""

import importlib

import numpy as np
import pandas as pd
import pytest
from omegaconf import OmegaConf
from test_theory_figures import assert_whole

from htsr.figures import hessian_density, hessian_ends, hessian_ratio, hessian_scales, hessians, style, trajectories
from htsr.files import Arrays, write_arrays, write_table

AXES = {"labels": ["label_noise"], "vgg": ["optimizer", "batch_size"]}
NETWORKS = pd.DataFrame(
    [{"series": "labels", "model": f"labels_{x:g}", "seed": 0, "label_noise": x} for x in (0.0, 1.0)]
    + [
        {"series": "vgg", "model": f"vgg_{name}_{size}", "seed": 0, "optimizer": name, "batch_size": size}
        for name in ("sgd", "adam")
        for size in (16, 256)
    ]
    + [{"series": "resnets", "model": f"resnet_d{d}", "title": f"{d} deep, $5", "depth": d} for d in (8, 20)]
).assign(status="ok", error=3.0)
PROBES, GRID = 4, 200


def end_rows(network, epoch, size=2.0, layers=("all",), examples=50):
    """Rows of compute_hessian/{set}.csv; `size` is the largest eigenvalue."""
    row = {"network": network, "epoch": epoch, "part": "train", "n_parameters": 1000, "n_examples": examples}
    row |= {"loss": 0.1, "lambda_min": -0.1 * size, "lambda_min_bound": 0.2 * size, "lambda_max": size}
    row |= {"lambda_max_bound": 0.01 * size, "ratio": 0.1, "ratio_bound": 0.2, "undetected": 0.3 * size}
    row |= {"trace": 10 * size, "trace_stderr": size, "filter_curvature": size, "filter_curvature_stderr": 0.1 * size}
    row |= {"filter_lambda_max": 3 * size, "filter_lambda_max_bound": 0.1, "gauss_newton_lambda_max": 1.1 * size}
    row |= {"gauss_newton_lambda_max_bound": 0.1, "status": "ok"}
    return [row | {"layer": layer} for layer in layers]


def ends():
    rows = [row for x, size in ((0, 2.0), (1, 40.0)) for t in (0, 5) for row in end_rows(f"labels_{x}", t, size + t)]
    rows += end_rows("resnet_d8", np.nan, 7.0, layers=("all", "conv", "fc")) + end_rows("resnet_d20", np.nan, 9.0)
    return pd.DataFrame(rows + end_rows("resnet_d20", np.nan, 8.0, examples=20))


def planes():
    rows = [
        {
            "network": network,
            "epoch": np.nan,
            "part": "train",
            "n_examples": 50,
            "batch_norm": "frozen",
            "normalization": "filter",
        }
        | {"a": a, "b": b, "lambda_min": -0.5, "lambda_min_bound": 0.01, "lambda_max": 5 - a, "lambda_max_bound": 0.01}
        | {"ratio": 0.5 / (5 - a), "ratio_bound": 0.003, "status": "ok", "loss": np.exp(4 * np.hypot(a, b)) / 10}
        for network in ("resnet_d8", "resnet_d20")
        for b in (-1.0, 0.0, 1.0)
        for a in (-1.0, -0.5, 0.0, 0.5, 1.0)
    ]
    rows[0] |= {"ratio_bound": 0.2}
    rows[1] |= {"ratio": np.nan, "ratio_bound": np.nan, "loss": np.inf, "status": "a product is not finite"}
    return pd.DataFrame(rows)


def curvatures():
    return pd.DataFrame(
        {"network": network, "epoch": epoch, "part": "train", "direction": kind, "step": h, "n_directions": n}
        | {"second_difference": 3.0 + h, "second_difference_stderr": 0.2 if n > 1 else np.nan, "exact": sign * 1.0}
        | {"exact_stderr": 0.1 if n > 1 else np.nan, "gap": 3 + h - sign, "gap_stderr": np.nan, "rounding": 1e-9 / h**2}
        for network, epoch, sign in (("labels_0", 0, 1), ("labels_0", 5, 1), ("resnet_d8", np.nan, -1))
        for kind, n in (("random", 5), ("top_eigenvector", 1))
        for h in (1e-5, 0.01, 0.1, 1.0)
    )


def density_arrays():
    found = []
    for network, epoch, size in (("labels_0", 0, 2.0), ("labels_0", 5, 60.0), ("resnet_d8", None, 10.0)):
        label = network if epoch is None else f"{network}[epoch={epoch}]"
        grid = np.linspace(-size, 2 * size, GRID)
        values = np.exp(-((grid / size * 10) ** 2)) + 1e-3 * np.exp(-(((grid - size) / size * 10) ** 2))
        arrays = {"grid": grid, "density": values, "stderr": 0.1 * values, "width": np.array([size / 10])}
        arrays |= {
            "atoms": np.array([-size / 2, size]),
            "nodes": np.zeros((PROBES, 3)),
            "weights": np.ones((PROBES, 3)),
        }
        found += [(f"{label}/{key}", array) for key, array in arrays.items()]
    return [*found, *((f"lost[epoch=0]/{key}", np.full(3, np.nan)) for key in ("grid", "density", "stderr", "width"))]


def surface(network="vgg_sgd_16", name="trajectories", lengths=(4.0, 0.5), epochs=(0, 1, 2, 8), **columns):
    """Points and places of a plane of principal components."""
    known = {"surface": name, "network": network, "plane": "pca", "dimensions": 2, "batch_norm": "frozen", "seed": 0}
    known |= {"length_a": lengths[0], "length_b": lengths[1], "train_examples": 50, "test_examples": 0, "level": 0}
    known |= {"test_loss": np.nan, "normalization": np.nan}
    axis = np.linspace(-1.2, 1.2, 5)
    points = [
        known | {"a": a, "b": b, "train_loss": 10 ** (3 * np.hypot(a, b) - 4)} | columns for a in axis for b in axis
    ]
    places = [
        {"surface": name, "network": network, "checkpoint": network, "epoch": t, "a": -1 + t / 8, "b": t * (8 - t) / 16}
        for t in epochs
    ]
    return pd.DataFrame(points), pd.DataFrame(places)


def projected(network):
    """Coordinates and explained shares of a training, as project_trajectory writes them."""
    coordinates = [{"network": network, "epoch": t, "outside": 0.3 * (t < 8)} for t in (0, 1, 2, 8)]
    shares = [
        {"network": network, "component": i, "explained": 0.8 / i, "explained_null": 0.6 / i, "status": "ok"}
        | {"explained_null_low": 0.55 / i, "explained_null_high": 0.65 / i, "explained_p": 0.001}
        | {"cumulative": 0.9, "cumulative_null": 0.8, "cumulative_null_low": 0.7, "cumulative_null_high": 0.85}
        | {"cumulative_p": 0.01}
        for i in (1, 2, 3)
    ]
    return pd.DataFrame(coordinates), pd.DataFrame(shares)


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """All tables by name, and the path of the densities."""
    path = tmp_path_factory.mktemp("hessians") / "density.safetensors"
    write_arrays(path, density_arrays(), {"hessians": "set"})
    vgg = [name for name in NETWORKS["model"] if name.startswith("vgg")]
    points, places = zip(*(surface(name) for name in vgg), strict=True)
    coordinates, explained = zip(*map(projected, vgg), strict=True)
    tables = {"ends": ends(), "planes": planes(), "curvatures": curvatures()}
    tables |= {"points": pd.concat(points), "places": pd.concat(places)}
    return tables | {"coordinates": pd.concat(coordinates), "explained": pd.concat(explained), "density": path}


FIGURES = ("ends", "scales", "density", "ratio", "trajectories")


def draw(name, given):
    titles = hessians.titles(given["ends"]["network"], NETWORKS, AXES)
    if name == "ends":
        return hessian_ends.draw(given["ends"], titles, "digits")
    if name == "scales":
        return hessian_scales.draw(given["curvatures"], given["ends"], titles, "digits")
    if name == "density":
        return hessian_density.draw([Arrays(given["density"])], given["ends"], titles, "digits")
    if name == "ratio":
        return hessian_ratio.draw(given["planes"], titles, "digits")
    tables = [given[key] for key in ("points", "places", "coordinates", "explained")]
    return trajectories.draw(*tables, NETWORKS, AXES, "digits")


@pytest.fixture(scope="module")
def figures(given):
    return {name: draw(name, given) for name in FIGURES}


@pytest.mark.parametrize("name", FIGURES)
def test_figures_are_whole_and_say_what_they_show(figures, name):
    figure, drawn = figures[name]
    assert_whole(figure)
    note = figure._supxlabel.get_text()
    assert (
        len(drawn) and drawn["panel"].notna().all() and "50" in note and "training images" in note and "nan" not in note
    )


@pytest.mark.parametrize("name", FIGURES)
def test_without_results_figures_say_so(given, name, tmp_path):
    write_arrays(tmp_path / "none.safetensors", [], {})
    empty = {"planes": pd.DataFrame(columns=["network"]), "curvatures": pd.DataFrame(columns=["network"])}
    empty |= {"ends": given["ends"].iloc[:0], "points": given["points"].assign(plane="random")}
    figure, drawn = draw(name, given | empty | {"density": tmp_path / "none.safetensors"})
    assert drawn.empty and not figure.axes and figure.texts[0].get_text().startswith("No ")


def test_ends_are_those_of_the_most_examples_with_bounds_and_chances(figures):
    _, drawn = figures["ends"]
    own = drawn[(drawn["network"] == "resnet_d20") & (drawn["curve"] == "Hessian")].set_index("panel")
    assert own.loc[r"$\lambda_{\mathrm{max}}$", ["value", "error", "beyond"]].tolist() == pytest.approx([9, 0.09, 2.7])
    ratio = own.loc[r"$|\lambda_{\mathrm{min}}/\lambda_{\mathrm{max}}|$"]
    assert ratio[["value", "error", "beyond"]].tolist() == pytest.approx([0.1, 0.2, 0.3])
    assert own.loc["trace/parameters", ["value", "error"]].tolist() == pytest.approx([0.09, 0.009])
    states = drawn[drawn["network"] == "labels_0"].groupby("state")["epoch"].unique()
    assert states["untrained"] == [0] and states["trained"] == [5]
    layers = drawn[drawn["panel"].str.endswith("by layer")]
    assert set(layers["layer"]) == {"conv", "fc"} and set(layers["network"]) == {"resnet_d8"}


def test_ends_that_are_missing_or_failed_are_told(given):
    rows = given["ends"].head(4).copy()
    rows.loc[rows.index[0], ["lambda_max", "lambda_min", "ratio", "trace"]] = np.nan
    rows.loc[rows.index[0], "status"] = "a product is not finite"
    rows.loc[rows.index[1], "trace"] = -5.0
    figure, drawn = hessian_ends.draw(rows, {}, "digits")
    assert_whole(figure)
    assert "1 state: a product is not finite" in figure._supxlabel.get_text() and len(drawn)


def test_scales_leave_out_what_rounding_can_make(figures):
    figure, drawn = figures["scales"]
    assert sorted(set(drawn["step"])) == [0.01, 0.1, 1.0]
    assert [axis.get_title(loc="left") for axis in figure.axes] == [
        "true labels, untrained",
        "true labels",
        "resnet_d8\n8 deep, \\$5",
    ]
    assert figure.axes[2].get_yscale() == "symlog"  # its vᵀHv is negative


def test_density_has_both_states_and_the_atoms(given, figures):
    _, drawn = figures["density"]
    arrays = Arrays(given["density"])
    own = drawn[(drawn["network"] == "labels_0") & (drawn["curve"] == "trained")]
    curve, atoms = own[own["y"].notna()], own[own["y"].isna()]
    np.testing.assert_allclose(curve["y"], arrays["labels_0[epoch=5]/density"])
    assert atoms["x"].tolist() == arrays["labels_0[epoch=5]/atoms"].tolist()
    assert set(drawn["network"]) == {"labels_0", "resnet_d8"}  # the third is not finite


def test_ratio_hatches_pixels_whose_bound_is_as_large(figures):
    figure, drawn = figures["ratio"]
    hatched = drawn[drawn["hatched"]]
    assert hatched[["a", "b"]].to_numpy().tolist() == [[-1.0, -1.0], [-0.5, -1.0]]
    assert [patch.get_hatch() for patch in figure.axes[0].patches] == ["////", "xxxx"]
    assert "ratio $0.100 \\pm 0.003$" in figure.axes[0].get_title(loc="left")
    assert "(1 pixel)" in figure._supxlabel.get_text() and "contours of the loss" in figure._supxlabel.get_text()


def test_ratio_is_drawn_without_losses(given):
    figure, drawn = draw("ratio", given | {"planes": given["planes"].drop(columns=["loss", "normalization"])})
    assert_whole(figure)
    assert drawn["loss"].isna().all() and "contours" not in figure._supxlabel.get_text()


def test_trajectories_are_in_units_of_distance_with_their_null(figures):
    figure, drawn = figures["trajectories"]
    own = drawn[(drawn["network"] == "vgg_sgd_16") & (drawn["curve"] == "state")]
    assert own["x"].tolist() == [-4, -3.5, -3, 0] and own["y"].tolist() == pytest.approx([0, 7 / 32, 3 / 8, 0])
    surface = drawn[(drawn["network"] == "vgg_sgd_16") & (drawn["curve"] == "loss")]
    assert surface["x"].max() == pytest.approx(4.8) and surface["y"].max() == pytest.approx(0.6) and len(surface) == 25
    axis = figure.axes[0]
    assert axis.get_xlabel() == "PC 1: 80.0 %\nnull 60.0 [55.0, 65.0] %" and axis.get_ylabel().startswith(
        "PC 2: 40.0 %"
    )
    assert axis.get_title(loc="left") == "SGD, batch size 16\nboth 90.0 %, null 80.0 %"
    assert [text.get_text() for text in axis.texts] == ["0", "1", "2", "8"]


def test_epochs_that_would_hide_each_other_are_not_written():
    x, y = np.array([0.0, 0.5, 0.51, 0.52, 1.0]), np.zeros(5)
    assert trajectories.told(np.arange(5.0), x, y) == [0, 1, 4]
    assert trajectories.told(np.arange(1.0), x[:1], y[:1]) == [0]


def test_one_training_with_lost_losses_and_without_a_null_is_drawn(given):
    points, places = surface("unknown_" + "name_" * 12)
    points.loc[[0, 1], "train_loss"] = [np.inf, np.nan]
    tables = [given["coordinates"].iloc[:0], given["explained"].iloc[:0].drop(columns="component")]
    figure, drawn = trajectories.draw(points, places, *tables, NETWORKS.iloc[:0], {}, "digits")
    assert_whole(figure)
    assert figure.axes[0].get_xlabel() == "PC 1" and "1 infinite and 1 undefined" in figure._supxlabel.get_text()
    assert not (drawn["curve"] == "explained").any()


def test_stages_read_files_and_write_what_is_drawn(given, tmp_path, monkeypatch):
    saved = []
    monkeypatch.setattr(style, "save", lambda *given: saved.append(given))
    paths = {name: str(tmp_path / f"{name}.csv") for name in given} | {"none": str(tmp_path / "none.csv")}
    for name, table in (given | {"networks": NETWORKS}).items():
        if name != "density":
            write_table(tmp_path / f"{name}.csv", table)
    write_table(paths["none"], [], ["network"])
    common = {"networks": [str(tmp_path / "networks.csv")], "axes": AXES, "dataset": "digits"}
    common |= {key: str(tmp_path / f"figure.{key}") for key in ("pdf", "png", "csv")}
    own = {
        "hessian_ends": {"ends": [paths["ends"]]},
        "hessian_scales": {"ends": [paths["ends"]], "curvatures": [paths["none"], paths["curvatures"]]},
        "hessian_density": {"ends": [paths["ends"]], "densities": [str(given["density"])]},
        "hessian_ratio": {"planes": [paths["planes"], paths["none"]]},
        "trajectories": {"points": paths["points"], "places": paths["places"], "level": 0.95}
        | {"coordinates": [paths["coordinates"]], "explained": [paths["explained"]]},
    }
    for name, job in own.items():
        importlib.import_module(f"htsr.stages.plot_{name}").main(OmegaConf.create(common | job))
    assert len(saved) == len(own)
    for figure, drawn, *files in saved:
        assert figure.axes and len(drawn) and files == [common["pdf"], common["png"], common["csv"]]
