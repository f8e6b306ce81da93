"""Claims about loss landscapes: columns that are derived, pairs of networks, words of reasons, every claim judged."""

import itertools
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml
from omegaconf import OmegaConf
from synthetic_results import experiment
from synthetic_sweeps import sweep

from htsr.files import read_table, write_table
from htsr.landscape.convexity import summarize
from htsr.stages.judge_claims import main
from htsr.statistics import verdict
from htsr.statistics.claims import check, judge
from htsr.statistics.evidence import Judging, LandscapeTables, NotMeasured, Tables, Training
from htsr.statistics.landscape_tables import UNBOUNDED, climb, measured, ratio_difference
from htsr.statistics.metrics_table import average_seeds, combine
from htsr.statistics.regression import Sampling, regress
from htsr.statistics.student import student

EMPTY = pd.DataFrame()
JUDGING = Judging(resamples=100)
AXES = {
    "depth": {"shortcuts": ["with", "without"], "depth": [8, 20, 32]},
    "width": {"shortcuts": ["with", "without"], "width": [4, 16]},
    "vgg": {"optimizer": ["sgd", "adam"], "batch_size": [16, 256], "weight_decay": [0.0, 0.01]},
    "labels": {"label_noise": [0.0, 1.0]},
}
PLANES = {"plane": "random", "dimensions": 2, "normalization": "filter", "batch_norm": "frozen"}
LINES = PLANES | {"dimensions": 1}
RAW = LINES | {"normalization": "none"}
MINIMA = {"layer": "all", "part": "train", "final": True}


@pytest.fixture(scope="module")
def trained():
    """Networks of four sweeps of three seeds."""
    made = [sweep(name, over)[1] for name, over in AXES.items()]
    networks = pd.concat(made, ignore_index=True)
    return Training(EMPTY, networks, {}, {name: list(over) for name, over in AXES.items()}, EMPTY)


def surface(network, name="depth", other=None, plane="random", dimensions=2, policy="frozen", how="filter", **values):
    row = {"surface": name, "network": network, "other": other, "third": None, "plane": plane, "dimensions": dimensions}
    row |= {"normalization": how if plane == "random" else None, "batch_norm": policy, "split": "train"}
    row |= {"share_negative": 0.0, "width_nat": 1.0, "width_double": 0.5, "reached_nat": 1.0}
    row |= {f"{split}_barrier{end}": np.nan for split in ("train", "test") for end in ("", "_stderr")}
    return row | values


def surfaces(trained, noise=0.02):
    """Planes and lines on which shortcuts, width, batch size and weight decay act as the source says."""
    rng, rows = np.random.default_rng(0), []
    for row in trained.networks.to_dict("records"):
        sweep_name, name = row["series"], row["model"]
        error = rng.normal(0, noise)
        without = row.get("shortcuts") == "without"
        if sweep_name in ("depth", "width"):
            depth, width = (row[axis] for axis in ("depth", "width"))
            bad = without * ((depth if sweep_name == "depth" else 16) / 64 - (0.1 if width == 16 else 0))
            for policy in ("frozen", "recalibrated"):
                rows.append(surface(name, sweep_name, policy=policy, share_negative=0.1 + bad + error))
            flat = 10 ** (0.3 * (width == 16) - 0.5 * without + error)
            lines = {"dimensions": 1, "share_negative": 0.1 + bad + error}
            rows.append(surface(name, f"{sweep_name}_lines", width_nat=flat, **lines))
            rows.append(surface(name, f"{sweep_name}_bn", policy="recalibrated", width_nat=flat * 10, **lines))
        if sweep_name == "vgg":
            large, decay = row["batch_size"] == 256, row["weight_decay"] > 0
            width = 10 ** (error - 0.2 * large)
            rows.append(surface(name, "vgg", dimensions=1, width_nat=width))
            rows.append(surface(name, "vgg_bn", dimensions=1, policy="recalibrated", width_nat=width * 10))
            raw = 0.1 * 10 ** (error + 0.3 * large * (1 if decay else -1))
            rows.append(surface(name, "vgg_raw", dimensions=1, how="none", width_nat=raw, reached_nat=0.5))
    return pd.DataFrame(rows + paths())


def paths(count=6, line=2.0, curve=0.05):
    """Straight lines and curves between seeds, and lines to the initial weights."""
    rows, more = [], {"dimensions": 1, "policy": "recalibrated"}
    for i in range(count):
        first, second = f"labels_0.0_s{2 * i}", f"labels_0.0_s{2 * i + 1}"
        for plane, height in (("interpolation", line), ("bezier", curve)):
            barrier = {"train_barrier": height + i / 100, "train_barrier_stderr": 0.01}
            rows.append(surface(first, f"seeds_{plane}", second, plane, **more, **barrier))
        barrier = {"train_barrier": 0.0, "train_barrier_stderr": 0.0}
        rows.append(surface(first, "initial", "initial", "interpolation", **more, **barrier))
    return rows


def points(networks):
    """Lines to the initial weights on which the loss falls, and planes whose loss is not convex for b > 0."""
    rows, known = [], {"seed": 0, "level": 0, "train_examples": 8, "test_loss": np.nan, "third": None}
    for network in networks:
        for a in np.linspace(0, 1, 5):
            place = {"surface": "initial", "network": network, "other": "initial", "plane": "interpolation"}
            place |= {"dimensions": 1, "normalization": None, "batch_norm": "recalibrated"}
            rows.append(place | known | {"a": a, "b": 0.0, "train_loss": a**2})
        for a, b in itertools.product(np.linspace(-1, 1, 9), repeat=2):
            place = {"surface": "depth", "network": network, "other": None} | PLANES
            rows.append(place | known | {"a": a, "b": b, "train_loss": 3 + a**2 - b**3})
    return pd.DataFrame(rows)


def plane(networks, low=-0.001, high=-0.5):
    """Hessians over a plane, with large negative eigenvalues for b > 0."""
    rows = []
    for i, network in enumerate(networks):
        for a, b in itertools.product(np.linspace(-1, 1, 5), repeat=2):
            least = (high if b > 0 else low) * (1 + i / 100)
            row = {"network": network, "batch_norm": "frozen", "a": a, "b": b, "lambda_min": least, "lambda_max": 1.0}
            rows.append(row | {"lambda_min_bound": 0.0001, "lambda_max_bound": 0.0, "ratio": -least})
    return pd.DataFrame(rows).assign(surface="maps")


def hessian(network, value=1.0, **values):
    row = {"network": network, "epoch": 5, "part": "train", "layer": "all", "status": "ok", "surface": "hessians"}
    row |= {"lambda_min": -0.05 * value, "lambda_min_bound": 0.001, "lambda_max": value, "lambda_max_bound": 0.001}
    row |= {"undetected": 0.0, "trace": 10 * value, "filter_lambda_max": value, "filter_curvature": value}
    return row | values


def ends(trained):
    rng, rows = np.random.default_rng(1), []
    for row in trained.networks.to_dict("records"):
        sharp = row["label_noise"] + (row["batch_size"] == 256)
        rows.append(hessian(row["model"], 10 ** (sharp + rng.normal(0, 0.05))))
        rows.append(hessian(row["model"], 1.0, epoch=0))
    return pd.DataFrame(rows)


def trajectories(networks):
    rows = [
        {"network": network, "component": k, "cumulative": 0.7 + i / 100, "cumulative_null": 0.6, "cumulative_p": 0.001}
        for i, network in enumerate(networks)
        for k in (1, 2)
    ]
    return pd.DataFrame(rows).assign(surface="paths_explained")


def scales(networks):
    rows = [
        {"network": network, "direction": "random", "step": step, "exact": 2.0, "gap": 1.0 + i / 10}
        for i, network in enumerate(networks)
        for step in (0.01, 0.1)
    ]
    return pd.DataFrame(rows).assign(surface="curvature")


def pairs(count=6):
    names = [f"labels_0.0_s{i}" for i in range(2 * count)]
    apart = enumerate(zip(names[::2], names[1::2], strict=True))
    rows = [{"first": a, "second": b, "excess": 0.05 + i / 100} for i, (a, b) in apart]
    rows.append(rows[0] | {"second": "labels_1.0_s0", "excess": -1.0})
    return pd.DataFrame(rows).assign(part="test", pair=[f"p{i}" for i in range(len(rows))])


@pytest.fixture(scope="module")
def given(trained):
    deep = [name for name in trained.networks["model"] if name.startswith("depth")][:8]
    found = LandscapeTables(
        points=points(deep),
        summary=surfaces(trained),
        ends=ends(trained),
        plane=plane(deep),
        curvature=scales(deep),
        explained=trajectories(deep),
        solutions=pairs(),
    )
    return Tables(EMPTY, EMPTY, EMPTY, training=trained, landscape=found)


def judged(given, test, **arguments):
    claim = SimpleNamespace(paper="p", source="s", statement="A sentence.", test=test, arguments=arguments)
    check("claim", test, arguments)
    return judge({"claim": claim}, given, JUDGING).iloc[0]


def with_summary(given, rows):
    return Tables(EMPTY, EMPTY, EMPTY, training=given.training, landscape=LandscapeTables(summary=pd.DataFrame(rows)))


def test_pairs_differ_in_one_axis_alone(given):
    rows = measured(given, "summary", PLANES, "share_negative").set_index("network")["share_negative"]
    without = [name for name in rows.index if "without" in name]
    differences = np.array([rows[name] - rows[name.replace("without", "with")] for name in without])
    assert len(differences) == 15
    shortcuts = {"axis": "shortcuts", "first": "with", "second": "without"}
    row = judged(given, "landscape_differs", table="summary", where=PLANES, column="share_negative", **shortcuts)
    found = student(differences)
    assert row["verdict"] == verdict.SUPPORTED and row["n"] == 15
    assert (row["effect"], row["effect_low"], row["p_value"]) == pytest.approx((found.mean, found.low, found.p))
    assert "15 pairs of networks" in row["reason"] and "seed" not in row["reason"] and "luck" not in row["reason"]
    turned = shortcuts | {"first": "without", "second": "with"}
    row = judged(given, "landscape_differs", table="summary", where=PLANES, column="share_negative", **turned)
    assert row["verdict"] == verdict.NOT_SUPPORTED and "not larger as claimed" in row["reason"]


def test_one_axis_at_an_end_of_another(given):
    batch = {"table": "summary", "where": RAW, "column": "log_width_nat", "axis": "batch_size"}
    batch |= {"across": "weight_decay"}
    plain = judged(given, "landscape_differs", **batch, end="least", expected="smaller")
    assert plain["verdict"] == verdict.SUPPORTED and plain["n"] == 6
    assert plain["effect"] == pytest.approx(-0.3, abs=0.03)
    assert plain["reason"].startswith("at weight_decay 0: ") and "on 50 % of the rays" in plain["reason"]
    decayed = judged(given, "landscape_differs", **batch, end="greatest")
    assert decayed["verdict"] == verdict.SUPPORTED and decayed["reason"].startswith("at weight_decay 0.01: ")
    row = judged(given, "landscape_interacts", **batch)
    assert row["effect"] == pytest.approx(decayed["effect"] - plain["effect"]) and row["n"] == 6
    assert "fours of networks" in row["reason"] and "change of log_width_nat from batch_size 16 to 256" in row["reason"]
    with pytest.raises(Exception, match="neither least nor greatest"):
        judged(given, "landscape_differs", **batch, end="first")


def test_interaction_with_labels(given):
    row = judged(
        given, "landscape_interacts", table="summary", where=PLANES, column="share_negative",
        axis="depth", across="shortcuts", first="with", second="without",
    )  # fmt: skip
    assert row["verdict"] == verdict.SUPPORTED and row["n"] == 3 and row["effect"] == pytest.approx(24 / 64, abs=0.05)


def test_trend_with_depth_without_shortcuts(given):
    chosen = {"table": "summary", "column": "share_negative", "axis": "depth"}
    row = judged(given, "landscape_trend", where=PLANES | {"shortcuts": "without"}, **chosen)
    assert row["verdict"] == verdict.SUPPORTED and row["n"] == 9 and row["effect"] == pytest.approx(3**0.5 / 2)
    row = judged(given, "landscape_trend", where=PLANES, **chosen)
    assert row["n"] == 18 and row["effect"] < 1, "with and without are not compared with each other"


def test_one_network_a_setting_is_said_and_no_seeds_are_made_up(given):
    rows = given.landscape.summary
    only = with_summary(given, rows[rows["network"].str.endswith("_s0")])
    shortcuts = {"axis": "shortcuts", "first": "with", "second": "without"}
    row = judged(only, "landscape_differs", table="summary", where=PLANES, column="share_negative", **shortcuts)
    assert row["n"] == 5 and "one network a setting" in row["reason"]
    row = judged(
        only, "landscape_trend", table="summary", where=PLANES | {"shortcuts": "without"}, column="share_negative",
        axis="depth",
    )  # fmt: skip
    assert row["verdict"] == verdict.INCONCLUSIVE and "with so few networks p cannot fall below" in row["reason"]
    row = judged(
        only, "landscape_interacts", table="summary", where=PLANES, column="share_negative", axis="depth",
        across="shortcuts", first="with", second="without",
    )  # fmt: skip
    assert row["verdict"] == verdict.INCONCLUSIVE and row["n"] == 1 and "1 four of networks" in row["reason"]


def test_several_surfaces_of_a_pair_are_one_pair(given):
    rows = given.landscape.summary
    twice = pd.concat([rows, rows.assign(surface=rows["surface"] + "_again")])
    arguments = {"table": "summary", "where": LINES, "column": "log_width_nat", "axis": "batch_size"}
    one, two = (judged(found, "landscape_differs", **arguments) for found in (given, with_summary(given, twice)))
    assert one["n"] == two["n"] == 12 and one["p_value"] == pytest.approx(two["p_value"])
    tracked = {"table": "summary", "where": LINES, "column": "width_nat"}
    one, two = (judged(found, "landscape_tracks", **tracked) for found in (given, with_summary(given, twice)))
    assert one["n"] == two["n"] and one["effect"] == pytest.approx(two["effect"])


def test_sweeps_of_other_values_are_paired_at_their_own_ends(given):
    batches = sweep("b", {"batch_size": [2, 32, 512]})[1]
    training = given.training
    networks = pd.concat([training.networks, batches], ignore_index=True)
    training = Training(EMPTY, networks, {}, {**training.axes, "b": ["batch_size"]}, EMPTY)
    rows = [surface(row.model, "b", dimensions=1, width_nat=1 / row.batch_size) for row in batches.itertuples()]
    summary = pd.concat([given.landscape.summary, pd.DataFrame(rows)], ignore_index=True)
    found = Tables(EMPTY, EMPTY, EMPTY, training=training, landscape=LandscapeTables(summary=summary))
    row = judged(found, "landscape_differs", table="summary", where=LINES, column="log_width_nat", axis="batch_size")
    assert row["n"] == 15 and "at batch_size least" in row["reason"] and row["verdict"] == verdict.NOT_SUPPORTED


def test_diverged_networks_are_left_out(given):
    networks = given.training.networks.copy()
    lost = networks["model"] == "vgg_sgd_16_0.0_s0"
    networks.loc[lost, "status"] = "diverged in epoch 3"
    training = Training(EMPTY, networks, {}, given.training.axes, EMPTY)
    found = Tables(EMPTY, EMPTY, EMPTY, training=training, landscape=given.landscape)
    row = judged(found, "landscape_differs", table="summary", where=LINES, column="log_width_nat", axis="batch_size")
    assert row["n"] == 11 and "1 of 24 networks diverged" in row["reason"]
    fours = {
        "table": "summary",
        "where": RAW,
        "column": "log_width_nat",
        "axis": "batch_size",
        "across": "weight_decay",
    }
    assert judged(found, "landscape_interacts", **fours)["n"] == 5
    assert judged(found, "landscape_mean_has_sign", table="summary", where=RAW, column="width_nat")["n"] == 23
    assert judged(found, "landscape_tracks", table="summary", where=RAW, column="width_nat")["n"] == 8


def test_widths_and_errors(given):
    tracked = {"table": "summary", "where": LINES, "column": "width_nat", "expected": "negative"}
    row = judged(given, "landscape_tracks", **tracked)
    assert row["n"] == 6 + 4 + 8 and "within-sweep tau of width_nat and error" in row["reason"]
    assert "over 18 trainings of 3 sweeps" in row["reason"]
    networks = given.training.networks.copy()
    width = given.landscape.summary.query("surface == 'vgg'").set_index("network")["width_nat"]
    networks["error"] = 5 - networks["model"].map(width).fillna(0)
    training = Training(EMPTY, networks, {}, given.training.axes, EMPTY)
    found = Tables(EMPTY, EMPTY, EMPTY, training=training, landscape=given.landscape)
    row = judged(found, "landscape_beats", rival=RAW, **tracked)
    assert row["n"] == 8 and "rival width_nat (normalization none)" in row["reason"] and row["effect"] > 0
    assert judged(found, "landscape_tracks", **tracked)["verdict"] != verdict.NOT_SUPPORTED


def test_how_batch_norm_is_measured_against_batch_size(given):
    arguments = {"table": "summary", "where": {"plane": "random", "dimensions": 1, "normalization": "filter"}}
    arguments |= {"column": "log_width_nat", "how": "batch_norm", "axis": "batch_size"}
    row = judged(given, "landscape_acts_more", values=["frozen", "recalibrated"], **arguments)
    assert row["n"] == 12 and row["verdict"] == verdict.SUPPORTED and row["effect"] == pytest.approx(0.8, abs=0.03)
    row = judged(given, "landscape_acts_more", values=["frozen", "other"], **arguments)
    assert "no pair of networks" in row["reason"]


def test_networks_not_points_are_counted(given):
    row = judged(given, "landscape_share_in_range", table="plane", where={}, column="certain_ratio", low=0, high=0.01)
    assert row["n"] == 8 and row["effect"] == pytest.approx(0.6) and "of 200 Hessians" in row["reason"]
    assert "8 networks)" in row["reason"]
    few = LandscapeTables(plane=given.landscape.plane.query("network == 'depth_with_8_s0'"))
    few = Tables(EMPTY, EMPTY, EMPTY, training=given.training, landscape=few)
    row = judged(few, "landscape_share_in_range", table="plane", where={}, column="certain_ratio", low=0, high=0.01)
    assert row["verdict"] == verdict.INCONCLUSIVE and "an interval needs 5 networks" in row["reason"]


def test_ratios_are_judged_by_their_bounds(trained):
    rows = [
        hessian("a"),
        hessian("b", undetected=0.1),
        hessian("c", lambda_max_bound=2.0),
        hessian("d", lambda_min=np.nan, lambda_max=np.nan),
        hessian("e", epoch=np.nan),
        hessian("e", epoch=np.nan, layer="fc1"),
    ]
    given = Tables(EMPTY, EMPTY, EMPTY, training=trained, landscape=LandscapeTables(ends=pd.DataFrame(rows)))
    found = measured(given, "ends", MINIMA, "certain_ratio").set_index("network")["certain_ratio"]
    assert found["a"] == pytest.approx(0.051 / 0.999) and found["b"] == pytest.approx(0.151 / 0.999)
    assert found["c"] == found["d"] == UNBOUNDED and found["e"] == found["a"]


def test_maps_beside_the_surface_of_the_same_plane(given):
    found = measured(given, "maps", {}, "ratio_difference")
    assert len(found) == 8 and found["ratio_difference"].to_numpy() == pytest.approx(np.log10(500))
    one = measured(given, "plane", {}, "log_ratio").query("network == 'depth_with_8_s0'")
    drawn = given.landscape.points.query("network == 'depth_with_8_s0' and dimensions == 2")
    assert np.isnan(ratio_difference(one, drawn.assign(train_loss=drawn["a"] ** 2 + drawn["b"] ** 2)))
    far = drawn.assign(train_loss=np.where((drawn["a"] > 0.9), np.inf, drawn["train_loss"]))
    assert ratio_difference(one, far) == pytest.approx(np.log10(500)), "points beside an infinite loss do not count"


def test_climbs():
    assert climb(np.array([4.0, 3.0, 1.0])) == 0 and climb(np.array([4.0, 1.0, 2.0, 0.0])) == 0.25
    assert climb(np.array([4.0, np.inf, 0.0])) == 1 and np.isnan(climb(np.array([1.0, np.nan, 0.0])))
    assert np.isnan(climb(np.ones(3)))


def test_a_line_is_followed_from_the_initial_weights_to_the_solution(given):
    rows = given.landscape.points.query("plane == 'interpolation'").copy()
    assert measured(given, "lines", {"between": "initial"}, "climb")["climb"].tolist() == [0.0] * 8
    rows["train_loss"] = 1 - rows["train_loss"]
    turned = Tables(EMPTY, EMPTY, EMPTY, landscape=LandscapeTables(points=rows))
    assert measured(turned, "lines", {}, "climb")["climb"].tolist() == [1.0] * 8


def test_barriers_of_curves_and_lines(given):
    straight = {"plane": "interpolation", "between": "solutions", "batch_norm": "recalibrated"}
    share = {"table": "summary", "low": 2, "high": 1000000}
    row = judged(given, "landscape_share_in_range", where=straight, column="barrier_z", **share)
    assert row["verdict"] == verdict.SUPPORTED and row["n"] == 6 and "6 independent pairs of networks" in row["reason"]
    curve = straight | {"plane": "bezier"}
    found = measured(given, "summary", curve, "relative_barrier")
    assert found["relative_barrier"].iloc[0] == pytest.approx(0.05 / 2)
    flat = with_summary(given, [row | {"train_barrier": 0.0} for row in paths()])
    with pytest.raises(NotMeasured, match="no loss surfaces with relative_barrier"):
        measured(flat, "summary", curve, "relative_barrier")


def test_solutions_of_other_labels_are_no_other_seeds(given):
    row = judged(given, "landscape_mean_has_sign", table="solutions", where={"seeds": True}, column="excess")
    assert row["n"] == 6 and row["verdict"] == verdict.SUPPORTED
    assert "over 6 comparisons of 6 independent pairs of networks" in row["reason"]


@pytest.mark.parametrize(
    ("test", "arguments", "why"),
    [
        ("landscape_mean_has_sign", {"table": "summary", "where": {}, "column": "x"}, "no loss surfaces"),
        ("landscape_trend", {"table": "networks", "where": {}, "column": "x", "axis": "depth"}, "no sweeps"),
        ("landscape_mean_has_sign", {"table": "maps", "where": {}, "column": "x"}, "no Hessians over a plane that"),
    ],
)
def test_what_is_not_there_is_not_measured(test, arguments, why):
    row = judged(Tables(EMPTY, EMPTY, EMPTY), test, **arguments)
    assert row["verdict"] == verdict.INCONCLUSIVE and f"not measured in this experiment: {why}" in row["reason"]


@pytest.mark.parametrize(
    ("test", "arguments", "why"),
    [
        ("landscape_differs", {"axis": "dropout"}, "none of the networks belongs to a sweep over dropout"),
        ("landscape_differs", {"axis": "width", "across": "batch_size"}, "none of the networks belongs"),
        ("landscape_mean_has_sign", {"reference": "null"}, "loss surfaces: no column null"),
        ("landscape_mean_has_sign", {"where": {"normalization": "layer"}}, "(normalization layer)"),
        ("landscape_mean_has_sign", {"where": {"optimizer": "sgd", "regularizer": 1}}, "no column regularizer"),
    ],
)
def test_what_was_not_measured_so_is_said(given, test, arguments, why):
    arguments = {"table": "summary", "where": PLANES, "column": "share_negative"} | arguments
    reason = judged(given, test, **arguments)["reason"]
    assert reason.startswith("not measured in this experiment: ") and why in reason


def test_networks_of_no_sweep_are_judged_without_sweeps():
    rows = scales([f"resnet{i}" for i in range(6)])
    given = Tables(EMPTY, EMPTY, EMPTY, landscape=LandscapeTables(curvature=rows))
    where = {"direction": "random", "step": 0.01}
    row = judged(given, "landscape_mean_has_sign", table="curvature", where=where, column="relative_gap")
    assert row["verdict"] == verdict.SUPPORTED and "over 6 measurements of 6 networks" in row["reason"]


def test_unknown_table_and_labels_in_place_of_numbers(given):
    with pytest.raises(Exception, match="table: 'surface' is none of summary"):
        judged(given, "landscape_mean_has_sign", table="surface", where={}, column="x")
    with pytest.raises(Exception, match="has labels, not numbers"):
        judged(given, "landscape_differs", table="summary", where=PLANES, column="share_negative", axis="shortcuts")


def test_summaries_as_they_are_collected_are_read(given):
    """The columns are those of `summarize`."""
    rows = given.landscape.points.astype(object)
    rows = rows.assign(train_stderr=0.1, test_stderr=np.nan, test_examples=0, length_a=1.0, length_b=None)
    whole = pd.DataFrame(summarize(rows.where(rows.notna(), None).to_dict("records")))
    found = measured(with_summary(given, whole), "summary", PLANES, "share_negative", "log_width_nat")
    assert len(found) == 8 and found["share_negative"].between(0.2, 0.8).all()
    lines = {"plane": "interpolation", "between": "initial"}
    assert measured(with_summary(given, whole), "summary", lines, "barrier_z")["barrier_z"].eq(0).all()


def claims(config):
    text = (config.rootpath / "config/claims/loss_landscapes.yaml").read_text(encoding="utf-8")
    return {name: claim | {"paper": "loss_landscapes"} for name, claim in yaml.safe_load(text).items()}


GIVEN = {
    "summary": "surface_summary",
    "ends": "hessian_ends",
    "plane": "hessian_planes",
    "curvature": "hessian_curvatures",
}


@pytest.fixture(scope="module")
def job(given, request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("landscape")
    metrics, layers, regressions = experiment({"mlp": 6})
    networks = given.training.networks.assign(log_norm=given.training.networks["batch_size"] / 100)
    made = {"metrics": metrics, "layers": layers, "regressions": regressions, "networks": networks}
    made |= {"swept": pd.concat([sweep(name, over)[0] for name, over in AXES.items()])}
    of_networks = networks[["series", "model", "error", "gap", "alpha", "seed"]]
    made |= {"sweeps": regress(average_seeds(combine({"t": of_networks})), Sampling(20))}
    found = {name: getattr(given.landscape, name) for name in LandscapeTables.__dataclass_fields__}
    for name, table in (made | found).items():
        write_table(folder / f"{name}.csv", table)
    write_table(folder / "empty.csv", [], ["network"])
    several = ("ends", "plane", "curvature", "explained")
    files = {name: str(folder / f"{name}.csv") for name in (*made, *found)}
    files |= {name: [str(folder / "empty.csv"), files[name]] for name in several}
    listed = {name: [files[name]] for name in ("metrics", "layers", "networks")}
    swept = {"sweeps": [files["swept"]], "sweep_regressions": files["sweeps"], "axes": dict(given.training.axes)}
    chosen = {GIVEN.get(name, name): files[name] for name in (*found, "regressions")}
    more = {"resamples": 40, "verdicts": str(folder / "claims.csv"), "claims": claims(request.config)}
    return chosen | listed | swept | more


def test_every_claim_is_judged(job):
    main(OmegaConf.create(job))
    found = read_table(job["verdicts"]).set_index("claim")
    assert len(found) == len(job["claims"]) > 30 and set(found["paper"]) == {"loss_landscapes"}
    assert not found["reason"].str.startswith("not measured").any(), found["reason"].to_dict()
    assert found["n"].notna().all() and {"supported", "not supported"} <= set(found["verdict"])


def test_an_experiment_without_landscapes_has_none_measured(job):
    names = ("points", *GIVEN.values(), "explained", "solutions")
    main(OmegaConf.create({key: value for key, value in job.items() if key not in names}))
    found = read_table(job["verdicts"]).set_index("claim")
    assert found.drop("landscape_batch_weights")["reason"].str.startswith("not measured in this experiment: no ").all()


def test_other_tables_are_refused(job):
    with pytest.raises(SystemExit, match="no column surface"):
        main(OmegaConf.create(job | {"surface_summary": job["regressions"]}))


# Arguments with which each test finds nothing in rows that do not depend on what they are said to.
CHANCE = {"table": "summary", "where": LINES, "column": "chance"}
HOW = {"values": ["none", "filter"]}
NOISE = {
    "landscape_differs": CHANCE | {"axis": "batch_size"},
    "landscape_interacts": CHANCE | {"axis": "batch_size", "across": "weight_decay"},
    "landscape_trend": CHANCE | {"axis": "batch_size"},
    "landscape_tracks": CHANCE,
    "landscape_beats": CHANCE | {"rival": RAW},
    "landscape_acts_more": CHANCE | {"where": {}, "axis": "batch_size", "how": "normalization"} | HOW,
    "landscape_mean_has_sign": CHANCE,
    "landscape_share_in_range": CHANCE | {"low": 0, "high": 10},
}


@pytest.mark.parametrize("test", NOISE)
def test_noise_is_supported_no_more_often_than_the_level(given, test):
    rows, count = given.landscape.summary.query("plane == 'random' and dimensions == 1"), 0
    for seed in range(10):
        chance = np.random.default_rng(seed).standard_normal(len(rows))
        found = with_summary(given, rows.assign(chance=chance))
        count += judged(found, test, **NOISE[test])["verdict"] == verdict.SUPPORTED
    assert count <= 2


def test_pairs_that_share_a_network_are_one_unit(given):
    """Three pairs of a chain and one of others: two independent units."""
    chain = [("a", "b"), ("c", "b"), ("c", "d"), ("x", "y")]
    height = {"train_barrier": 1.0, "train_barrier_stderr": 0.1, "dimensions": 1}
    rows = [surface(first, "path", second, "interpolation", **height) for first, second in chain]
    found = measured(with_summary(given, pd.DataFrame(rows)), "summary", {"between": "solutions"}, "barrier")
    assert found["unit"].tolist() == ["a and b and c and d"] * 3 + ["x and y"]
