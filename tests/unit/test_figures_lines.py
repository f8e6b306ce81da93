"""Figures of lines through loss surfaces: what is drawn, with little data and none, and their stages."""

import importlib

import numpy as np
import pandas as pd
import pytest
from omegaconf import OmegaConf
from scipy.stats import kendalltau
from test_theory_figures import assert_whole

from htsr.figures import sharpness, surface_lines, surface_paths
from htsr.files import read_table, write_table
from htsr.landscape.convexity import summarize

AXES = {"vgg": ["optimizer", "batch_size", "weight_decay"], "depth": ["shortcuts", "depth"], "labels": ["label_noise"]}
SEEDS = (0, 1, 2)


def networks():
    """Tables of three sweeps and a series."""
    rows = []
    for optimizer in ("sgd", "adam"):
        for batch_size in (16, 256):
            for decay in (0.0, 0.01):
                name = f"vgg_{optimizer}_{batch_size}_{decay}_s0".replace(".", "p")
                own = {"optimizer": optimizer, "batch_size": batch_size, "weight_decay": decay}
                rows.append({"series": "vgg", "model": name, "title": name, "seed": 0} | own)
    for shortcuts in ("with", "without"):
        for depth in (8, 20):
            name = f"depth_{shortcuts}_{depth}_s0"
            rows.append({"series": "depth", "model": name, "seed": 0, "shortcuts": shortcuts, "depth": depth})
    for noise in (0.0, 1.0):
        for seed in (0, 1):
            name = f"labels_{noise}_s{seed}".replace(".", "p")
            rows.append({"series": "labels", "model": name, "seed": seed, "label_noise": noise})
    rows.append({"series": "published", "model": "resnet20", "title": "ResNet-20"})
    for i, row in enumerate(rows):
        error = 2 + i + (i % 3)
        row |= {"accuracy": 100 - error, "error": error, "gap": error - 1 if row["series"] != "published" else np.nan}
        row |= {"train_accuracy": 99.0, "status": "ok"}
    return pd.DataFrame(rows)


def surface(name, network, plane, a, losses, seed=0, *, other=None, test=False, **columns):
    """Points of one surface, network and seed; the loss of test images a tenth larger."""
    known = {"surface": name, "network": network, "other": other, "third": None, "plane": plane, "dimensions": 1}
    known |= {"normalization": "filter" if plane == "random" else None, "batch_norm": "frozen", "seed": seed}
    known |= {"length_a": 3.0, "length_b": None, "train_examples": 64, "test_examples": 50 if test else 0} | columns
    rows = []
    for x, loss in zip(a, losses, strict=True):
        status = "ok" if np.isfinite(loss) else "infinite" if np.isinf(loss) else "undefined"
        row = {"a": float(x), "b": 0.0, "level": 0, "status": status}
        for split, scale in (("train", 1.0), ("test", 1.1)):
            own = {"loss": scale * loss, "stderr": 0.05, "accuracy": 90.0}
            row |= {f"{split}_{k}": v if known[f"{split}_examples"] else None for k, v in own.items()}
        rows.append(known | row)
    return rows


def points():
    """Lines of all treatments of the VGGs, of the others filter-normalized; paths of all kinds."""
    rows, a = [], np.linspace(-1, 1, 5)
    treatments = {
        "vgg": [{}, {"batch_norm": "recalibrated"}, {"normalization": "none"}],
        "depth": [{}],
        "published": [{}],
    }
    for i, row in enumerate(NETWORKS.to_dict("records")):
        for treatment in treatments.get(row["series"], []):
            at = a / 10 if "normalization" in treatment else a
            name = "_".join([row["series"], *treatment.values()])
            for seed in SEEDS:
                losses = 0.05 + (1 + 0.3 * i + 0.2 * seed) * a**2
                rows += surface(name, row["model"], "random", at, losses, seed, **treatment)
    t, u = np.linspace(-0.25, 1.25, 7), np.linspace(0, 1, 5)
    bump = 0.1 + 4 * np.exp(-((t - 0.5) ** 2) / 0.05)
    pair = {"other": "vgg_sgd_256_0p0_s0", "test": True, "batch_norm": "recalibrated"}
    rows += surface("batches", "vgg_sgd_16_0p0_s0", "interpolation", t, bump, **pair)
    rows += surface("curve", "vgg_sgd_16_0p0_s0", "bezier", u, 0.1 + 0.8 * u * (1 - u), **pair)
    rows += surface("seeds", "labels_0p0_s0", "interpolation", t, 0.1 + t**2, other="labels_0p0_s1")
    for name in ("depth_with_20_s0", "depth_without_20_s0", "labels_1p0_s0"):
        rows += surface("initial", name, "interpolation", t, 0.1 + t**2, other="initial", test=True)
    return pd.DataFrame(rows)


def hessian_ends():
    """Curvatures of the VGGs, at first and at last; of one layer as well."""
    rows = []
    for i, name in enumerate(NETWORKS.loc[NETWORKS["series"] == "vgg", "model"]):
        for epoch, layer, scale in ((0, "all", 100.0), (8, "all", 1.0), (8, "fc", 7.0)):
            known = {"network": name, "epoch": epoch, "part": "train", "layer": layer, "n_examples": 64}
            rows.append(known | {"lambda_max": scale * (1 + i), "trace": 3.0 + i, "theta_h_theta": -1.0 * i})
    return pd.DataFrame(rows).assign(filter_lambda_max=2.0, filter_curvature=np.nan, fisher_rao=1.0, status="ok")


NETWORKS = networks()
POINTS = points()
SUMMARY = pd.DataFrame(summarize(POINTS.astype(object).where(POINTS.notna(), None).to_dict("records")))
ENDS = hessian_ends()
FEW = POINTS[POINTS["network"].str.match("vgg_sgd_.*_0p0_|depth_.*_20|labels") & (POINTS["normalization"] != "none")]
TITLES = {"vgg": "VGG-9 with a very long title that does not end where it might: batch size, weight decay, optimizer"}


def draw(name, points=POINTS, networks=NETWORKS, summary=SUMMARY, ends=ENDS, **how):
    if name == "paths":
        return surface_paths.draw(points, summary, networks, AXES, "digits", **how)
    if name == "sharpness":
        return sharpness.draw(summary, ends, networks, TITLES, "digits", **({"resamples": 50} | how))
    how = {"compared": "shortcuts", "named": False} | how if name == "shortcuts" else how
    return surface_lines.draw(points, networks, AXES, "cifar10_jpeg", **how)


FIGURES = ("lines", "shortcuts", "paths", "sharpness")


@pytest.fixture(scope="module")
def figures():
    return {name: draw(name) for name in FIGURES}


def titles(figure):
    return [axis.get_title() + axis.get_title(loc="left") for axis in figure.axes]


@pytest.mark.parametrize("name", FIGURES)
def test_figures_are_whole_and_state_their_conventions(figures, name):
    figure, drawn = figures[name]
    assert_whole(figure)
    note = figure._supxlabel.get_text()
    assert len(drawn) and "nan" not in note and "Batch norm frozen" in note
    assert "not finite" not in note and "Crosses" not in note
    assert ("JPEG copies of CIFAR-10" in note) == (name in ("lines", "shortcuts"))


@pytest.mark.parametrize("name", FIGURES)
def test_without_rows_figures_say_so(name):
    figure, drawn = draw(name, POINTS.iloc[:0], summary=SUMMARY.iloc[:0], ends=ENDS.iloc[:0])
    assert drawn.empty and not figure.axes and figure.texts[0].get_text().startswith("No ")


@pytest.mark.parametrize("name", ("lines", "paths", "sharpness"))
def test_one_network_is_drawn(name):
    own = "vgg_sgd_16_0p0_s0"
    kept = [table[table["network"] == own] for table in (POINTS, SUMMARY, ENDS)]
    figure, drawn = draw(name, kept[0], NETWORKS[NETWORKS["model"] == own], *kept[1:])
    assert_whole(figure)
    assert set(drawn["network"].dropna()) == {own} or name == "sharpness"


@pytest.mark.parametrize("name", ("lines", "paths"))
def test_networks_that_no_table_knows_are_called_by_name(name):
    figure, drawn = draw(name, FEW, networks=NETWORKS[NETWORKS["series"] == "published"])
    assert_whole(figure)
    assert len(drawn)


def test_lines_compare_batch_sizes_by_the_other_settings(figures):
    figure, drawn = figures["lines"]
    assert list(dict.fromkeys(drawn["column"])) == [
        f"{optimizer}\nweight decay {decay}" for optimizer in ("SGD", "Adam") for decay in ("0", "0.01")
    ]
    assert set(drawn["curve"]) == {"batch size 16", "batch size 256"}
    treatments = drawn[["normalization", "batch_norm"]].drop_duplicates().to_numpy().tolist()
    assert treatments == [["none", "frozen"], ["filter", "frozen"], ["filter", "recalibrated"]]
    assert "SGD\nweight decay 0\n(2.0, 6.0)" in titles(figure)  # of batch sizes 16 and 256
    assert "5 other networks not shown" in figure._supxlabel.get_text()


def test_lines_are_means_over_directions_with_their_range(figures):
    _, drawn = figures["lines"]
    own = POINTS[(POINTS["network"] == "vgg_adam_256_0p0_s0") & (POINTS["surface"] == "vgg") & (POINTS["a"] == 0.5)]
    keys = (drawn["network"] == "vgg_adam_256_0p0_s0") & (drawn["normalization"] == "filter") & (drawn["a"] == 0.5)
    row = drawn[keys & (drawn["batch_norm"] == "frozen") & (drawn["panel"] == "train_loss")].squeeze()
    assert row["n"] == len(SEEDS) == len(own) and row["n_nonfinite"] == 0
    assert row["value"] == pytest.approx(own["train_loss"].mean())
    assert (row["low"], row["high"]) == (own["train_loss"].min(), own["train_loss"].max())


def test_refined_points_count_for_single_lines_only():
    rows = pd.DataFrame(surface("line", "net", "random", [-1, 0, 0.5, 1], [1, 0, 0.5, 1])).assign(level=[0, 0, 1, 0])
    assert surface_lines.along(rows, "train_loss")["a"].tolist() == [-1, 0, 0.5, 1]
    both = pd.concat([rows, rows.assign(seed=1, train_loss=[3, 2, np.nan, np.inf])])
    found = surface_lines.along(both, "train_loss")
    assert found["a"].tolist() == [-1, 0, 1] and found["value"].tolist()[:2] == [2, 1]
    assert np.isnan(found["value"].iloc[2]) and found["n_nonfinite"].tolist() == [0, 0, 1]


def test_seeds_of_a_training_share_a_curve():
    again = "vgg_sgd_16_0p0_s0"
    more = FEW[FEW["network"] == again].assign(network="vgg_sgd_16_0p0_s1")
    other = NETWORKS[NETWORKS["model"] == again].assign(model="vgg_sgd_16_0p0_s1", seed=1, error=4.0)
    figure, drawn = draw("lines", pd.concat([FEW, more]), pd.concat([NETWORKS, other]))
    own = drawn[(drawn["column"] == "") & (drawn["curve"] == "batch size 16")]  # nothing else varies
    assert set(own["n"]) == {2 * len(SEEDS)} and set(own["error"]) == {3.0}
    assert "1 or 2 trainings" in figure._supxlabel.get_text()


def test_losses_that_are_not_finite_are_marked_and_counted():
    points = FEW.copy()
    far = (points["network"] == "vgg_sgd_16_0p0_s0") & (points["a"] == 1) & (points["seed"] == 1)
    points.loc[far, "train_loss"] = np.inf
    points.loc[(points["surface"] == "initial") & (points["a"] == 1), "train_loss"] = np.nan
    figure, drawn = draw("lines", points)
    assert_whole(figure)
    assert "Crosses: 2 infinite losses" in figure._supxlabel.get_text()
    lost = drawn[drawn["n_nonfinite"] > 0]
    assert lost["value"].isna().all() and lost["low"].notna().all() and len(lost) == 2
    rows = points.astype(object).where(points.notna() & (points != np.inf), None)
    rows["train_loss"] = points["train_loss"]
    figure, _ = draw("paths", points, summary=pd.DataFrame(summarize(rows.to_dict("records"))))
    assert_whole(figure)
    assert "Crosses: 3 undefined losses" in figure._supxlabel.get_text()
    assert any("undefined" in title for title in titles(figure))


def test_shortcuts_have_columns_by_depth(figures):
    _, drawn = figures["shortcuts"]
    assert set(drawn["column"]) == {"depth 8", "depth 20"} and set(drawn["network"].str[:5]) == {"depth"}
    figure, drawn = draw("shortcuts", compared="nothing")
    assert drawn.empty and not figure.axes
    figure, drawn = draw("lines", FEW, compared="nothing")
    assert_whole(figure)
    assert set(drawn["column"]) == {"vgg", "depth"}


def test_paths_name_their_ends_and_barriers(figures):
    figure, drawn = figures["paths"]
    ticks = [text.get_text() for axis in figure.axes for text in axis.get_xticklabels()]
    for end in ("0\nbatch size 16", "1\nbatch size 256", "0\nseed 0", "1\nseed 1", "0\nsolution", "1\ninitial weights"):
        assert end in ticks
    both = next(title for title in titles(figure) if title.startswith("SGD, weight decay 0\n"))
    assert "line: $B =$ $3.97" in both and "curve: $B =$ $0.20" in both
    row = drawn[(drawn["surface"] == "batches") & (drawn["panel"] == "train_loss")].iloc[0]
    assert row["barrier"] == pytest.approx(4.0, abs=0.1) and row["barrier_at"] == 0.5
    assert row["barrier_stderr"] == pytest.approx(0.05 * 1.5**0.5)
    assert set(drawn.loc[drawn["surface"] == "seeds", "panel"]) == {"train_loss", "train_accuracy"}
    assert "with shortcuts, depth 20\n$B =$ 0, 0" in titles(figure)


def test_paths_run_from_the_initial_weights_to_the_solution(figures):
    axes = [
        axis for axis in figures["paths"][0].axes if any("solution" in t.get_text() for t in axis.get_xticklabels())
    ]
    assert len(axes) == 3 and all(axis.xaxis.get_inverted() for axis in axes)


def test_values_are_rounded_to_their_errors():
    assert surface_paths.plus_minus(1.2345, 0.034) == r"$1.23 \pm 0.03$"
    assert surface_paths.plus_minus(1.2345, 0.0144) == r"$1.234 \pm 0.014$"
    assert surface_paths.plus_minus(123.4, 20.0) == r"$123 \pm 20$"
    assert surface_paths.plus_minus(0.0, 0.0) == "0" and surface_paths.plus_minus(np.nan, 1.0) == "undefined"


def test_sharpness_ranks_trainings_within_sweeps_and_all_together(figures):
    _, drawn = figures["sharpness"]
    tau = drawn[drawn["panel"] == "tau"].set_index(["measure", "target", "series"])
    name = "width_nat filter frozen"
    assert tau.loc[(name, "error", "within"), "n"] == 12 and tau.loc[(name, "error", "all"), "n"] == 13
    table = sharpness.measured(SUMMARY, ENDS, NETWORKS)
    own = table.dropna(subset=[name, "error"])
    assert tau.loc[(name, "error", "all"), "y"] == pytest.approx(kendalltau(own[name], own["error"]).statistic)
    assert tau.loc[(name, "error", "all"), "y"] < -0.8  # sharper ones have larger errors here
    row = drawn[drawn["panel"] == "difference"].iloc[0]
    assert row["n"] == 8 and row["measure"] == f"{name} less width_nat none frozen"
    assert row["y"] == pytest.approx(0, abs=0.2)


def test_sharpness_takes_the_last_state_and_marks_lower_bounds(figures):
    _, drawn = figures["sharpness"]
    own = drawn[(drawn["measure"] == "lambda_max") & (drawn["panel"] == "points") & (drawn["target"] == "error")]
    assert own["x"].tolist() == [1.0 + i for i in range(8)]
    cut = SUMMARY.assign(reached_nat=0.5)
    figure, drawn = draw("sharpness", summary=cut)
    assert "Hollow: lower bounds" in figure._supxlabel.get_text()
    widths = drawn[drawn["measure"].str.startswith("width_nat") & (drawn["panel"] == "points")]
    assert (widths["reached"] == 0.5).all()


def test_sharpness_leaves_out_networks_that_diverged_and_works_without_widths():
    failed = NETWORKS.assign(status=np.where(NETWORKS["model"] == "vgg_sgd_16_0p0_s0", "diverged", None))
    _, drawn = draw("sharpness", networks=failed)
    assert not (drawn["network"].astype(str) == "vgg_sgd_16_0p0").any() and drawn["network"].nunique() == 12
    figure, drawn = draw("sharpness", summary=pd.DataFrame())
    assert_whole(figure)
    assert set(drawn["measure"]) <= set(sharpness.CURVATURES)


@pytest.mark.parametrize("name", FIGURES)
def test_stages_write_figures(figures, tmp_path, name):
    stage = importlib.import_module(f"htsr.stages.plot_{name if name == 'sharpness' else 'surface_' + name}")
    tables = {
        "points": FEW,
        "summary": SUMMARY[SUMMARY["surface"] != "depth"].iloc[:20],
        "ends": ENDS.iloc[:0],
        "networks": NETWORKS,
    }
    for key, table in tables.items():
        write_table(tmp_path / f"{key}.csv", table)
    given = {key: str(tmp_path / f"{key}.csv") for key in tables}
    given |= {key: [given[key]] for key in ("ends", "networks")} | {"axes": AXES, "titles": TITLES, "resamples": 50}
    given |= {"dataset": "digits"} | {kind: str(tmp_path / f"out.{kind}") for kind in ("pdf", "png", "csv")}
    job = next(value for key, value in vars(stage).items() if key.startswith("Plot") and key.endswith("Job"))
    known = {key: value for key, value in given.items() if key in job.__dataclass_fields__}
    stage.main(OmegaConf.create(known))
    assert set(read_table(tmp_path / "out.csv")["network"].dropna()) <= set(figures[name][1]["network"])
    assert (tmp_path / "out.pdf").stat().st_size > 1000 and (tmp_path / "out.png").stat().st_size > 1000
