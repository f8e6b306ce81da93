"""Tables and values of loss landscapes: closed-form surfaces, errors and bounds, what is not there, their stages."""

import itertools
import re

import numpy as np
import pandas as pd
import pytest
from omegaconf import OmegaConf
from synthetic_results import experiment, verdicts
from test_tables import cells, compile_tex

from htsr.files import write_table
from htsr.landscape.convexity import summarize
from htsr.tables.landscape_values import LARGE, collect
from htsr.tables.landscapes import (
    describe,
    hessians,
    measured,
    solutions,
    surfaces,
    trajectories,
    whole,
)
from htsr.tables.values import Values, render

NAN = float("nan")
RESIDUAL = {"shortcuts": ["with", "without"], "depth": [8, 20]}
BATCHES = {"optimizer": ["sgd", "adam"], "batch_size": [16, 256], "weight_decay": [0.0, 0.01]}
LABELS = {"label_noise": [0.0]}
AXES = {"depths": [*RESIDUAL], "batches": [*BATCHES], "labels": [*LABELS]}
TEXT = re.compile(r"\b(nan|None|NaN|inf)\b")


def trained():
    """Networks of three sweeps, as collect_sweep tells of them."""
    rows = []
    for sweep, over in (("depths", RESIDUAL), ("batches", BATCHES), ("labels", LABELS)):
        for values, seed in itertools.product(itertools.product(*over.values()), (0, 1) if sweep == "labels" else (0,)):
            name = f"{sweep}_{'_'.join(str(v).replace('.', 'p') for v in values)}_s{seed}"
            known = {"width": 8, "depth": 9, "batch_size": 32, "weight_decay": 0.0}
            rows.append(
                {"series": sweep, "model": name, "seed": seed, "error": 3.25}
                | known
                | dict(zip(over, values, strict=True))
            )
    return pd.DataFrame(rows)


def surface(name, network, loss, points=(5, 5), seeds=(0,), span=1.0, **known):
    """Points of a surface of a given loss(a, b) as evaluate_surface writes them."""
    axes = [np.linspace(-span, span, n) for n in points] + [np.zeros(1)] * (2 - len(points))
    rows = []
    for seed, a, b in itertools.product(seeds, *axes):
        value = float(loss(a, b)) * (1 + seed / 10)
        rows.append(
            {"surface": name, "network": network, "other": None, "third": None, "plane": "random"}
            | {"dimensions": len(points), "normalization": "filter", "batch_norm": "frozen", "seed": seed}
            | {"length_a": 12.5, "length_b": NAN, "train_examples": 64, "test_examples": 0}
            | {"a": float(a), "b": float(b), "level": 0, "train_loss": value, "train_stderr": 0.01}
            | {"test_loss": NAN, "test_stderr": NAN, "status": "ok"}
            | known
        )
    return rows


@pytest.fixture(scope="module")
def made():
    """(points, summary): bowls and saddles, lines that steepen with the batch size, and paths."""
    rows = []
    for network in trained()["model"]:
        if network.startswith("depths"):
            saddle = -1 if "without_20" in network else 1
            rows += surface("planes", network, lambda a, b, s=saddle: 0.5 + 8 * (a * a + s * b * b))
            rows += surface("lines", network, lambda a, b: 0.5 + 8 * a * a, (9,), (0, 1))
            anew = {"batch_norm": "recalibrated"}
            rows += surface("anew", network, lambda a, b: 0.5 + 2 * (a * a + b * b), (3, 3), **anew)
        if network.startswith("batches"):
            steep = 8 if "_256_" in network else 2
            rows += surface("batches", network, lambda a, b, s=steep: 0.1 + s * a * a, (9,), (0, 1))
            none = {"normalization": "none", "span": 0.1}
            rows += surface("plain", network, lambda a, b, s=steep: 0.1 + s * a * a, (9,), (0, 1), **none)
    tested = {"test_examples": 64, "plane": "interpolation", "other": "labels_0p0_s1", "normalization": None}

    def path(name, height, **known):
        rows = surface(name, "labels_0p0_s0", lambda a, b: 0.2 + height * 4 * a * (1 - a), (9,), **(tested | known))
        return [row | {"test_loss": row["train_loss"] + 0.1, "test_stderr": 0.02} for row in rows if row["a"] >= 0]

    rows += path("line", 1.5) + path("curve", 0.25, plane="bezier") + path("initial", -0.1, other="initial")
    rows += surface("broken", "unknown_net", lambda a, b: np.inf if a > 0.5 else a * a, (5, 5))
    points = pd.DataFrame(rows)
    return points, pd.DataFrame(summarize(points.astype(object).where(points.notna(), None).to_dict("records")))


def ends():
    """compute_hessian: two trained networks, one of them before training too, and one whose loss is not finite."""
    rows = []
    for network, epoch, low in (("labels_0p0_s0", 0, -2.0), ("labels_0p0_s0", 9, -0.5), ("depths_with_8_s0", 9, -0.1)):
        rows.append(
            {"network": network, "epoch": epoch, "part": "train", "layer": "all", "n_examples": 40, "loss": 0.25}
            | {"lambda_min": low, "lambda_min_bound": 0.012, "lambda_max": 10.0, "lambda_max_bound": 1e-6}
            | {"ratio": -low / 10, "ratio_bound": 0.0012, "undetected": 0.5, "trace": 61.4, "trace_stderr": 1.26}
            | {"gauss_newton_lambda_max": 9.0, "gauss_newton_lambda_max_bound": 0.003, "filter_lambda_max": 3.0}
            | {"filter_lambda_max_bound": 0.001, "fisher_rao": 7.5, "fisher_rao_stderr": 0.5, "status": "ok"}
        )
    rows.append({**rows[-1], "layer": "fc.weight", "lambda_max": 99.0})
    lost = {"network": "lost_net", "part": "train", "layer": "all", "n_examples": 40, "loss": NAN}
    return pd.DataFrame([*rows, lost | {"status": "loss or gradient is not finite"}])


def planes():
    rows = []
    ratios = (0.9, 0.2, 0.7, 0.3, 0.01, 0.3, 0.2, 0.2, NAN)
    for (a, b), share in zip(itertools.product((-1.0, 0.0, 1.0), repeat=2), ratios, strict=True):
        row = {"network": "depths_with_8_s0", "part": "train", "n_examples": 20, "batch_norm": "frozen", "a": a, "b": b}
        row |= {"lambda_min": -share, "lambda_min_bound": 0.001, "lambda_max": 1.0, "lambda_max_bound": 0.001}
        rows.append(row | {"ratio": share, "ratio_bound": 0.002, "status": "ok" if share == share else "not finite"})
    return pd.DataFrame(rows)


def curvatures():
    rows = []
    for direction, (step, value) in itertools.product(
        ("random", "top_eigenvector"), ((0.01, 3.0), (0.1, 3.2), (1.0, 9.0))
    ):
        error = 0.1 if direction == "random" else NAN
        row = {"network": "labels_0p0_s0", "epoch": 9, "direction": direction, "step": step, "n_directions": 5}
        row |= {"second_difference": value, "exact": 2.0, "gap": value - 2, "gap_stderr": error}
        rows.append(row)
    return pd.DataFrame(rows)


def explained():
    rows = []
    for network in (name for name in trained()["model"] if name.startswith("batches")):
        for component, share in ((1, 0.8), (2, 0.15 if "sgd" in network else 0.05)):
            row = {"network": network, "component": component, "n_states": 9, "status": "ok"}
            for name, value, null in (("explained", share, 0.75), ("cumulative", min(0.65 + share, 0.95), 0.9)):
                row |= {name: value, f"{name}_null": null, f"{name}_null_low": null - 0.02, f"{name}_limit": 0.811}
                row |= {f"{name}_null_high": null + 0.02, f"{name}_p": 0.001}
            if component == 2:
                row["cumulative"] = 0.8 + share
            rows.append(row)
    return pd.DataFrame([*rows, {"network": "short_net", "status": "fewer than 3 states"}])


def pairs():
    known = {"part": "test", "n_examples": 100, "distance": 5.0, "relative_distance": 0.998, "cosine": 0.0041}
    known |= {"cosine_null": 1e-5, "cosine_null_std": 0.0032, "status": "ok"}
    for name, value in (
        ("cka_logits", 0.9),
        ("cka_features", 0.94),
        ("agreement", 0.971),
        ("expected_agreement", 0.92),
    ):
        known |= {name: value, f"{name}_stderr": 0.006, f"{name}_low": value - 0.01, f"{name}_high": value + 0.05}
    first = {"pair": "seeds", "first": "labels_0p0_s1", "second": "labels_0p0_s0"} | known
    other = {"pair": "others", "first": "depths_with_8_s0", "second": "odd_net", "part": "test", "n_examples": 100}
    return pd.DataFrame([first, other | {"status": "outputs are not finite"}])


def known():
    models = pd.DataFrame([{"series": "s", "model": "plain_net", "title": "Plain_net & more", "error": 1.5}])
    return describe(models, trained(), AXES)


def row_of(text, name, number=0):
    return [line for line in text.splitlines() if line.startswith(name)][number]


def all_values(made, **left_out):
    given = {"points": made[0], "summary": made[1], "ends": ends(), "planes": planes(), "curvatures": curvatures()}
    given |= {"explained": explained(), "pairs": pairs()}
    values = Values()
    collect(values, known(), **(given | left_out), axes=AXES)
    return values


@pytest.mark.parametrize(
    ("value", "error", "most", "bound", "expected"),
    [
        (0.02951, 0.0033, 3, False, "0.0295±0.0033"),
        (26.68514, 1.1e-5, 3, True, "26.7"),
        (-1.7687, 0.0077, 3, True, "$-1.77$±0.01"),  # the bound holds for what is printed
        (10.04, 0.08, 3, True, "10.0±0.2"),
        (130.15, 6.64, 2, False, "130±7"),
        (6.38e-4, 7.9e-5, 3, False, r"(6.38±0.79)$\times10^{-4}$"),
        (5.0, 1e-9, 3, False, "5.00±0.01"),
        (5.0, NAN, 3, False, "5.00"),
        (NAN, 1.0, 3, False, "--"),
        (np.inf, 1.0, 3, False, r"$\infty$"),
    ],
)
def test_errors_are_rounded_and_bounds_rounded_up(value, error, most, bound, expected):
    assert measured(value, error, most, bound, "±{}") == expected


def test_names_tell_settings_and_seeds_where_these_differ():
    names = known()["name"]
    assert names["depths_without_20_s0"] == "without shortcuts, depth 20"
    assert names["batches_sgd_16_0p01_s0"] == "SGD, batch 16, decay 0.01"
    assert names["labels_0p0_s1"] == "label noise 0, seed 1" and r"\&" in names["plain_net"]
    skips = trained().head(2).drop(columns="shortcuts").assign(skip=[True, False], series="skips", depth=20)
    found = describe(pd.DataFrame(columns=["model"]), skips, {"skips": ["skip", "depth"]})
    assert found["name"].tolist() == ["with shortcuts, depth 20", "without shortcuts, depth 20"]
    assert found["shortcuts"].tolist() == ["with", "without"]


def test_surfaces_have_one_row_a_network_under_what_they_share(made):
    text = surfaces(made[1], made[0], known())
    assert cells(text) == {9} and not TEXT.search(text)
    assert r"filter-normalized, batch norm frozen, 5 $\times$ 5 points, $-1$ to 1, 64 images" in text
    assert "not normalized, batch norm frozen, 9 points, $-0.1$ to 0.1, 2 directions, 64 images" in text
    plane = row_of(text, "with shortcuts, depth 8 &").split(" & ")
    assert plane[1:3] == ["3.2", r"0.50{\scriptsize$\pm$0.01}"] and plane[4:7] == ["16.5", "0.0", "0.0"]
    assert " 100.0 " in row_of(text, "without shortcuts, depth 20 &"), "a saddle has a negative curvature everywhere"
    line = row_of(text, "with shortcuts, depth 8 &", 1).split(" & ")
    assert line[4] == r"8.9{\scriptsize$\pm$0.6}", "8.5 and 9.35: mean and standard deviation"
    assert "$>$0.10" in row_of(text, "SGD, batch 16, decay 0 &", 1)
    assert r"$^{\ast}$" in row_of(text, r"unknown\_"), "losses that are not finite are told"
    assert "images" not in surfaces(made[1], None, known()).partition(r"\bottomrule")[0]


def test_hessians_tell_bounds_states_and_what_is_missing():
    text = hessians(ends(), planes(), known())
    assert cells(text) == {9} and not TEXT.search(text) and text.count("fc.weight") == 0
    last = row_of(text, "label noise 0, seed 0 &")
    assert r"$-0.50${\scriptsize$\pm$0.02}" in last and " & 10.0 & " in last
    assert r"61{\scriptsize$\pm$1}" in last and "untrained &" in row_of(text, "label noise 0, seed 0, ")
    assert row_of(text, r"lost\_").count("& --") == 8 and r"$^{\ast}$" in row_of(text, r"lost\_")
    assert r"& 1.0{\scriptsize" in row_of(text, "with shortcuts, depth 8, at the network")
    assert r"& 90.0{\scriptsize" in row_of(text, "with shortcuts, depth 8, largest ratio")
    states = whole(ends()).set_index(["network", "epoch"])
    assert states["final"].tolist() == [False, True, True, True] and states["start"].tolist() == [True, *[False] * 3]


def test_trajectories_stand_beside_their_walks():
    text = trajectories(explained(), known())
    assert cells(text) == {9} and not TEXT.search(text) and "81.1" in text
    assert "& 9 & 80.0 & 75.0 {\\scriptsize[73.0, 77.0]} & 15.0" in row_of(text, "SGD, batch 16, decay 0 &")
    assert "fewer than 3 states" in row_of(text, r"short\_")


def test_paths_stand_beside_their_pair_in_either_order(made):
    text = solutions(pairs(), made[1], known())
    assert cells(text) == {8} and not TEXT.search(text)
    row = row_of(text, "label noise 0: seed 1 -- seed 0 &")
    assert "1.00 & 0.004 (0.000" in row and r"97.1 {\scriptsize[96.1, 100.0]}" in row, "no agreement beyond 100 %"
    assert r"1.50{\scriptsize$\pm$0.01} & 1.50{\scriptsize$\pm$0.02}" in row
    assert row_of(text, " &  & ").split(" & ")[6] == r"0.250{\scriptsize$\pm$0.012}", "the curve is below"
    assert row_of(text, "label noise 0, seed 0 -- initial").endswith(r"& 0 & 0 \\")
    assert "Other paths" not in solutions(pairs(), None, known()) and "Pairs" not in solutions(None, made[1], known())


def test_values_of_surfaces(made):
    values = all_values(made)
    texts, flags = values.texts, values.flags
    assert not TEXT.search(render(values))
    assert all(flags[f"landscape.{name}"] for name in ("depth", "depth.lines", "batch_size", "recalibrated", "both"))
    assert flags["landscape.batch_size.unnormalized"] and not flags["landscape.batch_size.recalibrated"]
    assert not flags["landscape.width"], "one width"
    prefix = "landscape.depth."
    assert [texts[prefix + name] for name in ("least", "greatest", "fixed")] == ["8", "20", "8"]
    assert texts[f"{prefix}with.share_negative_greatest"] == "0.0"
    assert texts[f"{prefix}without.share_negative_greatest"] == "100.0"
    assert texts[f"{prefix}with.loss_center_least"] == r"0.500 $\pm$ 0.010"
    assert r"$\pm$" in texts[f"{prefix}with.lines.width_nat_least"]
    batch = {end: texts[f"landscape.batch_size.filter.width_nat_{end}_plain"] for end in ("least", "greatest")}
    assert float(batch["least"].split()[0]) > float(batch["greatest"].split()[0])
    assert texts["landscape.batch_size.unnormalized.width_nat_least_decayed"].startswith("$>$0.1")
    assert texts["landscape.batch_size.decayed"] == "0.01" and texts["landscape.batch_size.optimizer"] == "SGD"
    assert texts["landscape.recalibrated.n"] == "4" and texts["landscape.recalibrated.points"] == str(4 * 9)
    assert texts["landscape.recalibrated.ratio"] == texts["landscape.recalibrated.ratio_greatest"] == "3.67"
    assert texts["landscape.paths.n"] == texts["landscape.paths.n_barrier"] == texts["landscape.curves.n"] == "1"
    assert (
        texts["landscape.paths.train_greatest"] == r"1.500 $\pm$ 0.012" and texts["landscape.initial.n_barrier"] == "0"
    )
    assert texts["landscape.both.curve_test"] == r"0.250 $\pm$ 0.024"
    assert texts["landscape.both.names"] == "label noise 0: seed 0 -- seed 1"
    assert texts["landscape.n_points"] == rf"{len(made[0])}" and texts["landscape.n_nonfinite"] == "5"
    assert texts["landscape.lines.grid"] == "9" and texts["landscape.lines.range"] == "$-1$ to 1 and $-0.1$ to 0.1"


def test_values_of_hessians_trajectories_and_pairs(made):
    values = all_values(made)
    texts, flags = values.texts, values.flags
    assert flags["landscape.hessian"] and flags["landscape.hessian.start"] and flags["landscape.curvature.top"]
    assert texts["landscape.n_hessians"] == "4" and texts["landscape.hessian.n"] == "2"
    assert (
        texts["landscape.hessian.ratio_greatest"] == r"0.0500 $\pm$ 0.0012"
        and texts["landscape.hessian.n_negative"] == "2"
    )
    assert texts["landscape.hessian.start.ratio_greatest"].startswith("0.2000")
    assert texts["landscape.hessian.share_least"] == "0.90" and texts["landscape.hessian.undetected"] == "0.050"
    ratios = planes()["ratio"].dropna()
    assert texts["landscape.map.share_large"] == f"{100 * (ratios > LARGE).mean():.1f}"
    assert texts["landscape.map.n_failed"] == "1" and texts["landscape.map.edge_greatest"].startswith("0.900")
    assert texts["landscape.map.center_least"].startswith("0.0100")
    assert texts["landscape.curvature.random.small_least"] == "1.50" and texts["landscape.curvature.large"] == "1"
    assert (
        texts["landscape.curvature.random.small_n_gap"] == "1" and texts["landscape.curvature.top.small_n_gap"] == "--"
    )
    assert texts["landscape.trajectory.both_least"] == "85.0" and texts["landscape.trajectory.both_greatest"] == "95.0"
    told = [texts[f"landscape.trajectory.{name}"] for name in ("n_beyond", "n_within", "n_below")]
    assert told == ["4", "0", "4"] and flags["landscape.trajectory.optimizers"]
    assert texts["landscape.trajectory.each_optimizer"] == r"95.0\,\% (SGD) and 85.0\,\% (Adam)"
    assert texts["landscape.solutions.each_cosine"] == "0.00410 (seeds)", "only what was measured"
    assert texts["landscape.solutions.seeds.agreement"] == r"97.10 $\pm$ 0.60" and texts["landscape.n_pairs"] == "2"


def test_several_seeds_give_means_with_intervals(made):
    networks = trained()
    own = networks[networks["series"] == "depths"]
    more = [own.assign(seed=seed, model=own["model"].str.replace("_s0", f"_s{seed}")) for seed in (0, 1, 2)]
    described = describe(pd.DataFrame(columns=["model"]), pd.concat(more), AXES)
    rows = made[1][made[1]["network"].str.startswith("depths")]
    summary = pd.concat(
        rows.assign(network=rows["network"].str.replace("_s0", f"_s{seed}"), loss_max=rows["loss_max"] + seed)
        for seed in (0, 1, 2)
    )
    values = Values()
    collect(values, described, summary=summary, axes=AXES)
    assert values.texts["landscape.depth.with.loss_max_least"] == r"17.5 $\pm$ 2.5", "t = 4.30, s = 1, n = 3"
    assert described["name"]["depths_with_8_s1"] == "with shortcuts, depth 8, seed 1"


def test_flags_are_there_without_landscapes_and_parts_may_be_missing(made):
    empty = Values()
    collect(empty, known(), axes={})
    assert not any(empty.flags.values()) and "landscape.depth.lines" in empty.flags
    names = ("points", "summary", "ends", "planes", "curvatures", "explained", "pairs")
    for name in names:
        alone = all_values(made, **dict.fromkeys(set(names) - {name, "points"}))
        assert not TEXT.search(render(alone)) and set(alone.flags) == set(empty.flags)
        without = all_values(made, **{name: None})
        assert not TEXT.search(render(without)) and set(without.flags) == set(empty.flags)
    broken = made[1].assign(**dict.fromkeys(("share_negative", "width_nat", "loss_max", "train_barrier"), NAN))
    text = surfaces(broken, made[0], known()) + solutions(pairs(), broken, known())
    assert not TEXT.search(text + render(all_values(made, summary=broken)))
    lost = ends().iloc[[-1]]
    assert not TEXT.search(hessians(lost, None, known()) + render(all_values(made, ends=lost)))
    assert not TEXT.search(trajectories(explained().iloc[[-1]][["network", "status"]], known()))


def test_stages_write_tables_that_fit_the_page_and_values(made, tmp_path):
    from htsr.stages import make_tables, make_values

    metrics, layers, regressions = experiment({"mlp": 2})
    frames = {"metrics": metrics, "layers": layers, "regressions": regressions, "claims": verdicts()}
    frames |= {"points": made[0], "summary": made[1], "ends": ends(), "planes": planes(), "curvatures": curvatures()}
    frames |= {"explained": explained(), "pairs": pairs(), "empty": pd.DataFrame(columns=["network"])}
    for name, frame in frames.items():
        write_table(tmp_path / f"{name}.csv", frame)
    of = {name: str(tmp_path / f"{name}.csv") for name in frames}
    job = {
        "metrics": [of["metrics"]],
        "layers": [of["layers"]],
        "regressions": of["regressions"],
        "claims": of["claims"],
    }
    job |= {"points": of["points"], "surface_summary": of["summary"], "hessian_ends": [of["ends"]]}
    job |= {"hessian_planes": [of["empty"], of["planes"]], "hessian_curvatures": [of["curvatures"], of["empty"]]}
    job |= {"explained": [of["explained"]], "solutions": of["pairs"]}
    wanted = {name: str(tmp_path / f"{name}.tex") for name in ("surfaces", "hessians", "trajectories", "solutions")}
    make_tables.main(OmegaConf.create(job | {"esds": [], "normalization": "none", "tables": wanted}))
    make_values.main(OmegaConf.create(job | {"values": str(tmp_path / "values.tex")}))
    body = r"\input{values.tex}\ifhas{landscape.map}{\val{landscape.map.edge_greatest}}{none}" + "\n\n"
    texts = [(tmp_path / f"{name}.tex").read_text() for name in wanted]
    status, log = compile_tex(tmp_path, body + "\n\n".join(texts))
    assert status == 0, log[-2000:]
    assert "Overfull" not in log
    without = {name: value for name, value in job.items() if name not in ("surface_summary", "solutions")}
    with pytest.raises(SystemExit, match="no table 'surfaces'"):
        make_tables.main(OmegaConf.create(without | {"esds": [], "normalization": "none", "tables": wanted}))
