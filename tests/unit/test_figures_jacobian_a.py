"""Figures of Jacobians along trainings and against accuracy: what is drawn, with little data and none; their stages."""

import importlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from omegaconf import OmegaConf
from test_theory_figures import assert_whole

from htsr.errors import InputError
from htsr.figures import (
    jacobian_accuracy,
    jacobian_batch_size,
    jacobian_labels,
    jacobian_spectra,
    jacobian_trends,
    jacobians,
    style,
)
from htsr.files import Arrays, write_arrays, write_table
from htsr.metrics.jacobians import of_networks
from htsr.spectra.spectrum import Spectrum, to_arrays, to_header
from htsr.statistics.metrics_table import average_seeds, combine
from htsr.statistics.regression import Sampling, regress

N = 40
COLLECTIONS = {  # settings of the networks of each sweep or series, and their states
    "labels": ([{"label_noise": x, "seed": s} for x in (0.0, 1.0) for s in range(3)], ("0", "final")),
    "batches": ([{"batch_size": x, "seed": s} for x in (2, 8, 100) for s in range(3)], ("final",)),
    "course": ([{"seed": s} for s in range(2)], ("0", "1", "final")),
    "size": ([{"width": w, "depth": d, "seed": 0} for w in (8, 64) for d in (3, 5)], ("final",)),
    "published": ([{}], ("final", "pixels", "untrained")),
}
AXES = {"labels": ["label_noise"], "batches": ["batch_size"], "course": [], "size": ["width", "depth"]}
EPOCHS = {"0": 0, "1": 1, "final": 5, "pixels": 5}


def tail(values, null):
    """Columns of fits and measures: Hill's exponent of the upper half, and its null's."""

    def hill(sample):
        return 1 + N / 2 / np.log(sample[N // 2 :] / sample[N // 2]).sum()

    row = {"alpha": hill(values), "xmin": values[N // 2], "xmax": values[-1], "n_tail": N // 2, "n_eigenvalues": N}
    row |= {"alpha_stderr": 0.1, "alpha_low": np.nan, "alpha_high": np.nan, "status": "ok", "alpha_null_std": np.nan}
    row |= {"alpha_null": np.mean([hill(own) for own in null]) if len(null) else np.nan}
    row |= {"lambda_max": values[-1], "log_spectral_norm": np.log10(values[-1])}
    row |= {"stable_rank": values.sum() / values[-1]}
    return row | {"stable_rank_null": np.mean(null.sum(1) / null.max(1)) if len(null) else np.nan}


class Jacobians:
    """A table of Jacobians, the tables of their networks, and files of their spectra."""

    def __init__(self, folder):
        rng, rows, networks, self.paths = np.random.default_rng(0), [], {}, {}
        for collection, (settings, states) in COLLECTIONS.items():
            spectra, own = [], []
            for number, setting in enumerate(settings):
                network = f"{collection}_{number}" + (f"_s{setting['seed']}" if "seed" in setting else "")
                extra = ("pixels",) if collection == "labels" and setting["seed"] == 0 else ()
                for state in (*states, *extra):
                    width = 1 + 2 * (state == "final") + setting.get("width", 0) / 64
                    listed = {"n_examples": N, "part": "test", "rank": N, "effective_rank": 5 * width, "norm": width}
                    listed |= {"correlation_alignment": 0.3 * width / 5, "correlation_alignment_null": 0.02}
                    listed |= {"confidence": 0.5 + 0.1 * width, "logit_norm": 3.0, "epoch": EPOCHS.get(state)}
                    for name in ("softmax", "diagonal", "diagonal_x") if collection == "labels" else ("softmax",):
                        values = np.sort(np.exp(rng.normal(0, width, N)))
                        null = np.empty((0, 0)) if "diagonal" in name else np.sort(rng.exponential(1, (2, N)))
                        key = f"{network}/{state}/{name}"
                        spectrum = Spectrum(key, network, "jacobian", N, N, 1.0, "none", 1, values, null)
                        spectra.append(spectrum)
                        keys = {"collection": collection, "network": network, "state": state, "spectrum": name}
                        rows.append(keys | {"final": state == "final"} | tail(values, null) | listed)
                noise = setting.get("label_noise", 0.0)
                accuracy = 95 - 85 * noise + rng.normal()
                own.append(
                    {"series": collection, "model": network, "title": network, "accuracy": accuracy, "status": "ok"}
                    | {"error": 100 - accuracy, "alpha": 3 + rng.normal(), "log_norm": noise + 0.1 * rng.normal()}
                    | ({"gap": 100 - accuracy} if "seed" in setting else {})
                    | setting
                )
            self.paths[collection] = Path(folder) / f"{collection}.safetensors"
            header = {"model": collection} | to_header(spectra)
            write_arrays(self.paths[collection], to_arrays(spectra), header)
            networks[collection] = pd.DataFrame(own)
        self.table = pd.DataFrame(rows)
        measures = of_networks(self.table)
        self.networks = {name: own.join(measures, on="model") for name, own in networks.items()}
        self.all = pd.concat(self.networks.values(), ignore_index=True)
        self.files = {name: Arrays(path) for name, path in self.paths.items()}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return Jacobians(tmp_path_factory.mktemp("jacobians"))


@pytest.fixture(scope="module")
def regressions(made):
    sweeps = average_seeds(combine({name: made.networks[name] for name in AXES}))
    return {"sweeps": regress(sweeps, Sampling(resamples=50))}


HOW = {"resamples": 50, "level": 0.95, "seed": 0}
PARTS = {"epochs": "course", "size": "size", "plane": None}


def draw(made, name, table=None, regressions=None):
    table = made.table if table is None else table
    if name == "spectra":
        return jacobian_spectra.draw(table, made.all, list(made.files.values()), "digits")
    if name == "labels":
        return jacobian_labels.draw(table, made.networks["labels"], AXES["labels"], made.files["labels"], "digits")
    if name == "batch_size":
        return jacobian_batch_size.draw(table, made.networks["batches"], AXES["batches"], "digits", resamples=50)
    if name == "trends":
        return jacobian_trends.draw(table, made.all, AXES, PARTS, "digits")
    networks = made.all if len(table) else made.all.drop(columns=[c for c in made.all if c.startswith("jacobian")])
    return jacobian_accuracy.draw(table, networks, regressions or {}, {"labels": "random labels"}, "cifar10_jpeg")


@pytest.fixture(scope="module")
def figures(made, regressions):
    return {name: draw(made, name, regressions=regressions) for name in FIGURES}


FIGURES = ("spectra", "labels", "batch_size", "trends", "accuracy")


@pytest.mark.parametrize("name", FIGURES)
def test_figures_are_whole_and_say_what_they_show(figures, name):
    figure, drawn = figures[name]
    assert_whole(figure)
    assert len(drawn) and drawn["panel"].notna().all()
    note = figure._supxlabel.get_text()
    assert f"n = {N}$ test images" in note and "nan" not in note
    assert ("JPEG copies of CIFAR-10" in note) == (name == "accuracy")


@pytest.mark.parametrize("name", FIGURES)
def test_without_jacobians_figures_say_so(made, name):
    figure, drawn = draw(made, name, made.table.iloc[:0])
    assert drawn.empty and not figure.axes and figure.texts[0].get_text().startswith("No ")


@pytest.mark.parametrize("name", FIGURES)
def test_one_network_without_a_fit_is_drawn(made, name):
    whole = made.table
    one = whole.groupby("collection")["network"].transform("first") == whole["network"]
    table = whole[one].assign(alpha=np.nan, alpha_null=np.nan, xmin=np.nan, status="too few eigenvalues")
    figure, drawn = draw(made, name, table)
    if name in ("spectra", "labels"):  # the others look as they do with fits
        assert_whole(figure)
    assert figure.axes and len(drawn)
    assert "power law" not in set(drawn.get("curve", []))


def test_spectra_go_from_flat_to_funneled(made, figures):
    chosen = jacobian_spectra.chosen(jacobians.measured(made.table), made.all)
    assert [(row["network"], row["state"]) for row in chosen] == [
        ("labels_0_s0", "0"),
        ("labels_3_s0", "final"),
        ("labels_0_s0", "pixels"),
        ("labels_0_s0", "final"),
    ]
    published = made.table[made.table["collection"] == "published"]
    chosen = jacobian_spectra.chosen(jacobians.measured(published), made.all)
    assert [row["state"] for row in chosen] == ["untrained", "pixels", "final"]
    _, drawn = figures["spectra"]
    assert list(dict.fromkeys(drawn["panel"])) == ["untrained", "100 % random labels", "permuted pixels", "true labels"]
    own = drawn[(drawn["panel"] == "true labels") & (drawn["curve"] == "eigenvalues")]
    points, bars = own[own["x_high"].isna()], own[own["x_high"].notna()]
    values = made.files["labels"]["labels_0_s0/final/softmax"]
    np.testing.assert_allclose(points["x"], values)
    np.testing.assert_allclose(points["y"], 1 - np.arange(N) / N)
    assert (bars["y"] * (bars["x_high"] - bars["x"])).sum() == pytest.approx(1)


def test_power_law_of_a_distribution_function_has_its_share_and_slope(made):
    row = jacobians.measured(made.table).iloc[0]
    axis = style.new_figure(1).subplots()
    drawn = pd.DataFrame(jacobians.power_law_survival(axis, "panel", "law", row))
    assert drawn["y"].iloc[0] == pytest.approx(row["n_tail"] / N) and drawn["x"].iloc[0] == pytest.approx(row["xmin"])
    slope = np.polyfit(np.log(drawn["x"]), np.log(drawn["y"]), 1)[0]
    assert slope == pytest.approx(1 - row["alpha"])


def test_labels_draws_means_over_seeds_and_states_before_training(made, figures):
    _, drawn = figures["labels"]
    rows = jacobians.measured(made.table)
    final = rows[rows["final"] & rows["network"].isin(["labels_3_s0", "labels_4_s1", "labels_5_s2"])]
    mean = drawn[(drawn["curve"] == "alpha") & drawn["network"].isna() & (drawn["x"] == 1.0)].iloc[0]
    assert mean["value"] == pytest.approx(final["alpha"].mean()) and mean["n"] == 3
    before = drawn.loc[drawn["curve"] == "log_spectral_norm before training", "value"].item()
    start = rows[(rows["collection"] == "labels") & (rows["state"] == "0")]
    assert before == pytest.approx(start["log_spectral_norm"].mean())
    diagonal = drawn[(drawn["panel"] == "diagonal_x") & (drawn["curve"] == "100 % random labels")]
    np.testing.assert_allclose(diagonal["x"], made.files["labels"]["labels_3_s0/final/diagonal_x"])


def test_the_largest_eigenvalue_of_the_null_shares_the_trace(made):
    row = jacobians.measured(made.table).iloc[0]
    name = f"{row['network']}/{row['state']}/softmax"
    trace = made.files["labels"][name].sum()
    null = made.files["labels"][f"null/{name}"]
    expected = trace / np.mean(null.sum(axis=1) / null.max(axis=1))
    assert row["log_spectral_norm_null"] == pytest.approx(np.log10(expected))


def test_trends_leave_out_what_no_sweep_varies(made, figures):
    _, drawn = figures["trends"]
    assert list(dict.fromkeys(drawn["along"])) == ["epoch", "width", "depth"]
    assert {"depth 3", "depth 5", "null"} == set(drawn.loc[drawn["along"] == "width", "curve"])
    width = drawn[(drawn["along"] == "width") & (drawn["panel"] == "effective_rank") & (drawn["curve"] == "depth 3")]
    assert width.loc[width["network"].notna(), ["x", "value"]].to_numpy().tolist() == [[8, 15.625], [64, 20]]
    _, drawn = jacobian_trends.draw(made.table, made.all, AXES, {"epochs": "course", "size": None}, "digits")
    assert set(drawn["along"]) == {"epoch"}
    figure, drawn = jacobian_trends.draw(made.table, made.all, AXES, {}, "digits")
    assert drawn.empty and "No sweep" in figure.texts[0].get_text()


def test_trend_is_kendalls_tau_of_all_networks(figures):
    x = np.repeat([2.0, 8.0, 100.0], 3)
    tau, low, high, n = jacobian_batch_size.trend(x, np.array([1.0, 2, 3, 4, 5, 6, 7, 8, 9]), "a", **HOW)
    assert tau == pytest.approx(27 / np.sqrt(27 * 36)) and n == 9  # 27 pairs untied in x, all concordant
    assert 0 < low <= tau <= high + 0.05
    assert np.isnan(jacobian_batch_size.trend(x, np.ones(9), "a", **HOW)[:3]).all()
    assert jacobian_batch_size.trend(x, np.array([np.nan] * 8 + [1]), "a", **HOW)[3] == 1
    _, drawn = figures["batch_size"]
    assert drawn.loc[drawn["curve"] == "tau", "panel"].tolist() == list(jacobian_batch_size.COLUMNS)


def test_accuracy_draws_every_network_and_the_correlations_of_the_table(made, regressions, figures):
    _, drawn = figures["accuracy"]
    points = drawn[(drawn["metric"] == "jacobian_alpha") & (drawn["panel"] == "points")]
    assert len(points[points["target"] == "accuracy"]) == len(made.all)
    assert len(points[points["target"] == "gap"]) == len(made.all) - 1  # the published one has none
    tau = drawn[(drawn["panel"] == "tau") & (drawn["metric"] == "log_norm") & (drawn["target"] == "gap")]
    lines = regressions["sweeps"].set_index(["series", "metric", "target"])
    assert tau["y"].item() == lines.loc[("pooled", "log_norm", "gap"), "kendall_tau"]
    figure, drawn = jacobian_accuracy.draw(made.table, made.networks["published"], {}, {}, "cifar10_jpeg")
    assert_whole(figure)
    assert set(drawn["target"]) == {"accuracy"} and set(drawn["panel"]) == {"points"}


def test_logarithmic_axes_of_accuracy_and_gap_are_inverted_exactly():
    accuracy = np.array([-5.0, 10, 50, 99, 99.5])
    np.testing.assert_allclose(jacobian_accuracy._to_accuracy(jacobian_accuracy._from_accuracy(accuracy)), accuracy)
    gap = np.array([-3.0, 0, 0.5, 0.7, 90])
    np.testing.assert_allclose(jacobian_accuracy._to_gap(jacobian_accuracy._from_gap(gap)), gap)
    assert (np.diff(jacobian_accuracy._from_gap(gap)) > 0).all()


def test_a_spectrum_that_is_missing_stops_with_its_name(made):
    renamed = made.table.assign(network="gone_" + made.table["network"])
    networks = made.all.assign(model="gone_" + made.all["model"])
    with pytest.raises(InputError, match="no spectrum 'gone_labels_0_s0/0/softmax' of 'labels'"):
        jacobian_spectra.draw(renamed, networks, list(made.files.values()), "digits")
    with pytest.raises(InputError, match="no spectrum 'labels_0_s0/final/diagonal' of 'labels'"):
        jacobian_labels.draw(made.table, made.networks["labels"], ["label_noise"], made.files["course"], "digits")


def test_stages_read_files_and_write_what_is_drawn(made, regressions, tmp_path, monkeypatch):
    saved = []
    monkeypatch.setattr(style, "save", lambda *given: saved.append(given))
    paths = {name: str(tmp_path / f"{name}.csv") for name in (*made.networks, "jacobians", "sweeps")}
    for name, table in (made.networks | {"jacobians": made.table, "sweeps": regressions["sweeps"]}).items():
        write_table(paths[name], table)
    common = {"jacobians": paths["jacobians"], "dataset": "digits"}
    common |= {key: str(tmp_path / f"figure.{key}") for key in ("pdf", "png", "csv")}
    every = [paths[name] for name in made.networks]
    own = {
        "spectra": {"networks": every, "spectra": [str(path) for path in made.paths.values()]},
        "labels": {"networks": paths["labels"], "spectra": str(made.paths["labels"]), "axes": AXES["labels"]},
        "batch_size": {
            "networks": paths["batches"],
            "axes": AXES["batches"],
            "resamples": 50,
            "level": 0.95,
            "seed": 0,
        },
        "trends": {"networks": every, "axes": AXES, "shown_sweeps": PARTS},
        "accuracy": {"networks": every, "regressions": None, "sweep_regressions": paths["sweeps"], "titles": {}},
    }
    for name, job in own.items():
        importlib.import_module(f"htsr.stages.plot_jacobian_{name}").main(OmegaConf.create(common | job))
    assert len(saved) == len(own)
    for figure, drawn, *files in saved:
        assert figure.axes and len(drawn) and files == [common["pdf"], common["png"], common["csv"]]
