"""Figures of trained networks: what is drawn, against closed forms, with little data and none; and their stages."""

import importlib
import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from omegaconf import OmegaConf
from test_theory_figures import assert_whole

from htsr.errors import InputError
from htsr.figures import (
    batch_esds,
    batch_size,
    epochs,
    generalization,
    phase_plane,
    random_labels,
    regularizers,
    scree,
    style,
    sweeps,
    training_curves,
)
from htsr.files import Arrays, write_arrays, write_table
from htsr.metrics.averages import average_layers
from htsr.metrics.measures import measure
from htsr.metrics.phase import PHASES
from htsr.spectra.esd import compute_spectrum
from htsr.spectra.spectrum import to_arrays, to_header
from htsr.stages import plot_generalization, plot_training_curves
from htsr.tails.fits import fit_spectrum

SETTINGS = {"batch_size": 16, "label_noise": 0.0, "weight_decay": 0.0, "learning_rate": 0.1, "width": 40, "depth": 3}
SWEEPS = {
    "batches": {"batch_size": [2, 8, 100]},
    "labels": {"label_noise": [0.0, 0.5, 1.0]},
    "plane": {"label_noise": [0.0, 1.0], "batch_size": [4, 32]},
    "kinds": {"regularizer": ["none", "a_rather_long_name", "dropout", "early_stopping", "noise"]},
    "course": {},
}


class Sweep:
    """A sweep's tables, and its spectra in a file."""

    def __init__(self, folder, name, over, seeds=3, layers=(("fc1", 40, 30), ("fc2", 30, 30)), diverged=()):
        rng, rows, networks, spectra = np.random.default_rng(0), [], [], []
        for number, (values, seed) in enumerate(itertools.product(itertools.product(*over.values()), range(seeds))):
            own = {"seed": seed, **SETTINGS, **dict(zip(over, values, strict=True))}
            network = f"{name}_{number}"
            strength = (3 if own["label_noise"] else 2) / np.log2(own["batch_size"])
            for epoch in (0, 1, 5) if name == "course" else (0, 5):
                for layer, n, m in layers:
                    signal = np.sqrt(epoch) * strength * np.outer(rng.normal(size=n), rng.normal(size=m))
                    key = f"{network}/{epoch}/{layer}"
                    w = rng.normal(size=(n, m)) + signal
                    spectrum = compute_spectrum(key, layer, "linear", {key: w}, "one_over_n", 1)
                    fit = fit_spectrum(spectrum, bootstrap=0)
                    spectra.append(spectrum)
                    states = {"epoch": epoch, "final": epoch == 5, "train_accuracy": 20.0 * epoch}
                    states |= {"true_accuracy": 20.0 * epoch * (1 - own["label_noise"]), "distance": 0.1 * epoch}
                    states |= {"test_accuracy": 18.0 * epoch + seed, "layer": layer, "weight_layer": layer}
                    rows.append({"sweep": name, "network": network, **own} | measure(spectrum, fit) | fit | states)
            good, last = number not in diverged, pd.DataFrame(rows[-len(layers) :])
            networks.append(
                {"series": name, "model": network, "accuracy": 90.0 + seed if good else None, **own}
                | {"error": 10.0 - seed if good else None, "gap": 10.0 - seed, "train_accuracy": 100.0}
                | average_layers(last.assign(status="ok"))
                | {"distance": 0.5, "status": "ok" if good else "diverged in epoch 3"}
            )
        self.axes, self.table, self.networks = list(over), pd.DataFrame(rows), pd.DataFrame(networks)
        self.path = Path(folder) / f"{name}.safetensors"
        write_arrays(self.path, to_arrays(spectra), to_header(spectra))
        self.spectra = Arrays(self.path)


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sweeps")
    found = {name: Sweep(folder, name, over, diverged=(1,) * (name == "labels")) for name, over in SWEEPS.items()}
    found["one"] = Sweep(folder, "one", {}, seeds=1, layers=(("fc1", 40, 30),))
    return found


def draw(module, sweep, table=None):
    table = sweep.table if table is None else table
    given = (table, sweep.networks, sweep.axes)
    if module in (batch_esds, random_labels):
        return module.draw(*given, sweep.spectra, None, 0.99)
    if module is scree:
        return module.draw(*given, sweep.spectra, None)
    if module is phase_plane:
        return module.draw(*given, None)
    return module.draw(*given, "one_over_n", *([{}] if module is batch_size else []))


MODULES = {
    batch_size: "batches",
    batch_esds: "batches",
    epochs: "course",
    scree: "course",
    random_labels: "labels",
    phase_plane: "plane",
    regularizers: "kinds",
}


@pytest.fixture
def saved(monkeypatch):
    """What stages would save: figure, table and paths."""
    found = []
    monkeypatch.setattr(style, "save", lambda *given: found.append(given))
    return found


@pytest.mark.parametrize("module", [batch_size, regularizers])
def test_figures_of_many_networks_are_whole(swept, module):
    figure, drawn = draw(module, swept[MODULES[module]])
    assert_whole(figure)
    assert len(drawn) and drawn["panel"].notna().all()
    note = figure._supxlabel.get_text()
    assert "nan" not in note and all(len(line) < 190 for line in note.splitlines())


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.rpartition(".")[2])
def test_stages_draw_one_network_and_say_where_there_is_none(swept, tmp_path, saved, module):
    own, name = swept["one"], module.__name__.rpartition(".")[2]
    job = {key: str(tmp_path / f"figure.{key}") for key in ("pdf", "png", "csv")}
    job |= {"sweep": str(tmp_path / "sweep.csv"), "networks": str(tmp_path / "networks.csv"), "axes": own.axes}
    if module in (batch_esds, random_labels, scree):
        job["spectra"] = str(own.path)
    if module in (batch_size, epochs, regularizers):
        job["normalization"] = "one_over_n"
    if module in (batch_esds, random_labels):
        job["spike_level"] = 0.99
    write_table(tmp_path / "networks.csv", own.networks)
    for table in (own.table, own.table.iloc[:0]):
        write_table(tmp_path / "sweep.csv", table)
        importlib.import_module(f"htsr.stages.plot_{name}").main(OmegaConf.create(job))
    (figure, drawn, *paths), (empty, none, *_) = saved
    assert_whole(figure)
    assert len(drawn) and drawn["panel"].notna().all() and paths == [job["pdf"], job["png"], job["csv"]]
    assert none.empty and not empty.axes and "No network" in empty.texts[0].get_text()


def test_networks_that_diverged_are_left_out_and_counted(swept):
    rows, note = sweeps.usable(swept["labels"].table, swept["labels"].networks)
    assert "labels_1" not in set(rows["network"]) and rows["network"].nunique() == 8
    figure, drawn = draw(random_labels, swept["labels"])
    assert "1 network diverged" in note and note in figure._supxlabel.get_text()
    assert "labels_1" not in set(drawn["network"])


def test_the_other_axes_stand_at_their_first_value(swept):
    rows, note = sweeps.fixed(swept["plane"].table, swept["plane"].axes, ["batch_size"])
    assert set(rows["label_noise"]) == {0.0} and set(rows["batch_size"]) == {4, 32}
    assert note == "Shown: share of random labels 0"


def test_places_of_settings():
    assert sweeps.places([100, 1, 10, 10], "batch_size") == pytest.approx({1: 0, 10: 0.5, 100: 1})
    assert sweeps.places([0, 0.25, 1], "label_noise") == pytest.approx({0: 0, 0.25: 0.25, 1: 1})
    assert sweeps.places(["b", "a", "c"], "kind") == {"b": 0, "a": 0.5, "c": 1}
    assert sweeps.places([0, 1, 10, 100], "epoch") == pytest.approx({0: 0, 1: 0.12, 10: 0.56, 100: 1})
    assert sweeps.places([0, 1e-4, 1e-2], "weight_decay") == pytest.approx({0: 0, 1e-4: 0.12, 1e-2: 1})
    assert sweeps.places([1, 2], "momentum") == {1: 0, 2: 1} and sweeps.places([5], "epoch") == {5: 0.5}


def test_means_over_seeds_have_students_interval():
    rows = pd.DataFrame({"x": [1, 1, 1, 2, 2], "y": [1.0, 2.0, 3.0, 4.0, np.nan]})
    found = sweeps.over_seeds(rows, "x", "y").set_index("x")
    half = 4.302653 / np.sqrt(3)  # the 97.5 % quantile of t with 2 degrees of freedom, standard deviation 1
    assert found.loc[1, ["mean", "low", "high", "n"]].tolist() == pytest.approx([2, 2 - half, 2 + half, 3])
    assert found.loc[2, "mean"] == 4 and np.isnan(found.loc[2, "low"]) and found.loc[2, "n"] == 1


def test_matrices_of_a_layer_are_averaged_before_networks():
    keys = {"network": "a", "seed": 0, "epoch": 1}
    rows = pd.DataFrame([keys | {"weight_layer": "conv", "alpha": v} for v in (2.0, 4.0, np.inf)])
    found = sweeps.per_layer(rows, ["alpha"], [])
    assert len(found) == 1 and found["alpha"].item() == 3


def test_the_largest_dense_layer_is_drawn_unless_another_is_named():
    rows = pd.DataFrame(
        {"weight_layer": ["conv", "fc1", "fc2"], "kind": ["conv2d", "linear", "linear"], "n": [900, 64, 99], "m": 50}
    )
    assert sweeps.choose(rows, None) == "fc2" and sweeps.choose(rows, "conv") == "conv"
    assert sweeps.choose(rows[:1], None) == "conv" and sweeps.choose(rows[:0], None) is None
    assert sweeps.layers(rows, 2) == (["conv", "fc2"], "1 smaller layer not shown")
    with pytest.raises(InputError, match="'fc9' is none of the sweep"):
        sweeps.choose(rows, "fc9")


def test_batch_size_shows_every_network_means_intervals_and_published_values(swept):
    own = swept["batches"]
    published = {"batch_size": [1, 8, 100, 500], "test_accuracy": [70.0, 71.0, None, 60.0]}
    _, drawn = batch_size.draw(own.table, own.networks, own.axes, "one_over_n", published)
    points = drawn[drawn["curve"].str.startswith("published")]
    assert points[["x", "value"]].to_numpy().tolist() == [[8, 71.0]]  # the others are missing or beyond ours
    test = drawn[(drawn["panel"] == "accuracy") & (drawn["curve"] == "test")]
    mean = test[test["network"].isna() & (test["x"] == 8)].iloc[0]
    assert mean["value"] == 91 and mean["high"] == pytest.approx(91 + 4.302653 / np.sqrt(3)) and mean["n"] == 3
    final = own.table[own.table["final"] & (own.table["weight_layer"] == "fc1")]
    stable = drawn[(drawn["panel"] == "stable_rank") & (drawn["curve"] == "fc1") & drawn["network"].notna()]
    assert stable["value"].tolist() == pytest.approx(final["stable_rank"].tolist())
    before = drawn.loc[drawn["curve"] == "fc1 before training", "value"]
    start = own.table[(own.table["epoch"] == 0) & (own.table["weight_layer"] == "fc1")]
    assert before.tolist() == pytest.approx([start[c].mean() for c in ("stable_rank", "mp_softrank", "alpha")])


def test_cells_of_phases_are_shares(swept):
    own = swept["batches"]
    _, drawn = draw(batch_size, own)
    strips = drawn[drawn["panel"].str.startswith("phase of")]
    assert set(strips["curve"]) <= set(PHASES) and strips["panel"].nunique() == 2
    np.testing.assert_allclose(strips.groupby(["panel", "x"])["value"].sum(), 1)
    final = own.table[own.table["final"] & (own.table["weight_layer"] == "fc2") & (own.table["batch_size"] == 2)]
    cells = strips[(strips["panel"] == "phase of fc2") & (strips["x"] == 2)].set_index("curve")["value"]
    assert cells.to_dict() == pytest.approx(final["phase"].value_counts(normalize=True).to_dict())


def test_batch_esds_draws_the_first_seed_of_the_largest_layer(swept):
    own = swept["batches"]
    _, drawn = draw(batch_esds, own)
    assert set(drawn["panel"]) == {f"batch size {size}" for size in (2, 8, 100)}
    values = own.spectra["batches_0/5/fc1"]  # seed 0 of batch size 2
    bars = drawn[(drawn["panel"] == "batch size 2") & (drawn["curve"] == "eigenvalues")]
    inside = np.mean(values <= bars["x_high"].max())
    assert (bars["y"] * (bars["x_high"] - bars["x"])).sum() == pytest.approx(inside)
    spikes = drawn[(drawn["panel"] == "batch size 2") & (drawn["curve"] == "spikes")]
    row = own.table[(own.table["network"] == "batches_0") & (own.table["layer"] == "fc1") & own.table["final"]].iloc[0]
    assert spikes["x"].tolist() == values[len(values) - int(row["n_spikes"]) :].tolist() and len(spikes) > 0
    edge = drawn[(drawn["panel"] == "batch size 2") & (drawn["curve"] == "lambda_plus")]
    assert edge["x"].item() == row["lambda_plus"]


def test_many_batch_sizes_are_thinned(swept):
    own = swept["batches"]
    first = own.table[(own.table["network"] == "batches_0")]
    table = pd.concat([first.assign(batch_size=2 + i) for i in range(15)])
    figure, drawn = draw(batch_esds, own, table)
    assert drawn["panel"].nunique() == batch_esds.MOST and "3 batch sizes not shown" in figure._supxlabel.get_text()
    assert {"batch size 2", "batch size 16"} <= set(drawn["panel"])


def test_a_spectrum_that_is_missing_stops_with_its_name(swept):
    own = swept["batches"]
    for module in (batch_esds, random_labels, scree):
        with pytest.raises(InputError, match="no spectrum 'gone_batches_0/"):
            renamed = own.table.assign(network="gone_" + own.table["network"])
            networks = own.networks.assign(model="gone_" + own.networks["model"])
            rest = (own.spectra, None, 0.99) if module is not scree else (own.spectra, None)
            module.draw(renamed, networks, own.axes, *rest)


def test_epochs_draws_means_and_ranges_over_seeds(swept):
    own = swept["course"]
    _, drawn = draw(epochs, own)
    at = drawn[(drawn["panel"] == "stable_rank") & (drawn["curve"] == "fc2")].set_index("x")
    values = own.table[(own.table["epoch"] == 1) & (own.table["layer"] == "fc2")]["stable_rank"]
    assert at.index.tolist() == [0, 1, 5]
    assert at.loc[1, ["value", "least", "greatest", "n"]].tolist() == pytest.approx(
        [values.mean(), values.min(), values.max(), 3]
    )
    assert "n_traps" in set(drawn["panel"]) and "training, true labels" not in set(drawn["curve"])
    _, drawn = draw(epochs, own, own.table.assign(n_traps=np.nan, true_accuracy=0.0))
    assert "n_traps" not in set(drawn["panel"]) and "training, true labels" in set(drawn["curve"])


def test_scree_draws_the_singular_values_at_both_ends(swept):
    own = swept["course"]
    _, drawn = draw(scree, own)
    for curve, epoch in (("before training", 0), ("after training", 5)):
        values = drawn[(drawn["panel"] == "fc1: singular values") & (drawn["curve"] == curve)]["y"]
        np.testing.assert_allclose(values[::-1] ** 2 / 40, own.spectra[f"course_0/{epoch}/fc1"])
    with pytest.raises(InputError, match="'course_9' is none of the sweep"):
        scree.draw(own.table, own.networks, own.axes, own.spectra, "course_9")


def test_random_labels_compares_the_ends(swept):
    _, drawn = draw(random_labels, swept["labels"])
    spectra = drawn.dropna(subset=["y"])
    assert set(spectra["panel"]) == {"0 % random labels", "100 % random labels"}
    true = drawn[(drawn["curve"] == "training, true labels") & drawn["network"].isna()].set_index("x")["value"]
    assert true.to_dict() == {0.0: 100.0, 0.5: 50.0, 1.0: 0.0}


def test_phase_plane_shows_means_and_the_commonest_phase(swept):
    own = swept["plane"]
    phases = {0: "HEAVY-TAILED", 1: "RANDOM-LIKE", 2: "HEAVY-TAILED"}
    table = own.table.assign(phase=own.table["seed"].map(phases))
    _, drawn = draw(phase_plane, own, table)
    cell = drawn[(drawn["x"] == 4) & (drawn["y"] == 1.0)].set_index("panel")
    assert cell.loc["test_error", "value"] == 9 and cell.loc["test_error", "stdev"] == 1
    assert cell.loc["train_error", "value"] == 0 and cell.loc["test_error", "n"] == 3
    assert cell.loc["phase", "value"] == "HEAVY-TAILED" and cell.loc["phase", "share"] == pytest.approx(2 / 3)
    _, drawn = draw(phase_plane, own, table[table["seed"] < 2])  # a tie goes to the less correlated phase
    assert set(drawn.loc[drawn["panel"] == "phase", "value"]) == {"RANDOM-LIKE"}
    _, drawn = draw(phase_plane, swept["labels"])
    assert set(drawn["x"]) == {0, 5}  # epochs, where nothing else is varied


def test_regularizers_keep_their_order(swept):
    figure, drawn = draw(regularizers, swept["kinds"])
    means = drawn[(drawn["panel"] == "gap") & drawn["network"].isna()]
    assert means["x"].tolist() == SWEEPS["kinds"]["regularizer"]
    assert means["value"].tolist() == pytest.approx([9.0] * 5)  # 100 - 90 - mean seed
    assert [text.get_text() for text in figure.axes[-1].get_xticklabels()][1] == "a rather long name"


def history(epochs_=5, **columns):
    epoch = np.arange(epochs_ + 1)
    table = pd.DataFrame({"epoch": epoch, "loss": np.exp(-epoch.astype(float)), "test_loss": 1.0})
    return table.assign(train_accuracy=50.0, true_accuracy=50.0, test_accuracy=40.0).assign(**columns)


def test_training_curves_are_lines_of_few_and_medians_of_many():
    many = [history(train_accuracy=float(i), true_accuracy=0.0) for i in range(9)]
    figure, drawn = training_curves.draw(
        [history(), *many], [f"m{i}" for i in range(10)], ["few", *["many"] * 9], {"few": "One network"}
    )
    assert_whole(figure)
    assert set(drawn.loc[drawn["series"] == "few", "curve"]) == {"training", "test"}
    own = drawn[(drawn["series"] == "many") & (drawn["panel"] == "accuracy")]
    median = own[(own["model"] == "median") & (own["curve"] == "training")]
    assert set(median["y"]) == {4.0} and len(median) == 6 and "training, true labels" in set(own["curve"])


def test_training_curves_of_one_epoch_of_divergence_and_of_nothing():
    lost = history(loss=[1.0, 2.0, 3.0, 4.0, 5.0, np.nan])
    figure, drawn = training_curves.draw([history(0), lost], ["a", "b"], ["s", "t"], {})
    assert_whole(figure)
    assert "1 network diverged" in figure._supxlabel.get_text() and drawn["y"].notna().all()
    assert "No network" in training_curves.draw([], [], [], {})[0].texts[0].get_text()


def test_generalization_names_the_pooled_correlation(swept):
    networks = pd.concat([swept[name].networks for name in ("batches", "labels")])
    rows = [
        {"series": series, "metric": "alpha", "target": "error", "n": n, "kendall_tau": tau, "kendall_low": low}
        | {"kendall_high": 0.9, "status": "ok"}
        for series, n, tau, low in (("batches", 3, -1.0, np.nan), ("pooled", 6, 0.5, -0.25))
    ]
    figure, drawn = generalization.draw(networks, pd.DataFrame(rows), {"labels": "Random labels"}, "one_over_n")
    assert_whole(figure)
    titles = [axis.get_title(loc="left") for axis in figure.axes]
    assert titles[0] == r"$\tau = 0.50$ $[-0.25, 0.90]$, $n = 6$" and set(titles[1:]) == {r"no $\tau$"}
    assert len(figure.axes) == 12 and "1 network diverged" in figure._supxlabel.get_text()
    points = drawn[(drawn["metric"] == "alpha") & (drawn["target"] == "error")]
    assert len(points) == 17 and "labels_1" not in set(points["model"])
    none = networks.assign(status="diverged in epoch 1")
    assert "No network" in generalization.draw(none, pd.DataFrame(rows), {}, "none")[0].texts[0].get_text()


def test_stages_of_curves_and_generalization(swept, tmp_path, saved):
    write_table(tmp_path / "h.csv", history())
    job = {key: str(tmp_path / f"figure.{key}") for key in ("pdf", "png", "csv")}
    curves = {"histories": [str(tmp_path / "h.csv")], "models": ["m"], "series": ["s"]}
    plot_training_curves.main(OmegaConf.create(job | curves))
    assert set(saved.pop()[1]["model"]) == {"m"}
    with pytest.raises(SystemExit, match="lists of one length"):
        plot_training_curves.main(OmegaConf.create(job | curves | {"series": []}))
    write_table(tmp_path / "n.csv", swept["batches"].networks)
    columns = ["series", "metric", "target", "n", "kendall_tau", "kendall_low", "kendall_high", "status"]
    write_table(tmp_path / "r.csv", pd.DataFrame(columns=columns))
    job |= {"networks": [str(tmp_path / "n.csv")], "regressions": str(tmp_path / "r.csv"), "normalization": "none"}
    plot_generalization.main(OmegaConf.create(job))
    assert set(saved.pop()[1]["metric"]) == set(generalization.METRICS)
