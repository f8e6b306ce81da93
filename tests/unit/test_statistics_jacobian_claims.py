"""Claims about Jacobians: states as one row each, exact distances, views of series and sweeps, every claim judged."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml
from omegaconf import OmegaConf
from synthetic_jacobians import CLASSES, EXAMPLES, jacobians, state
from synthetic_results import measured
from synthetic_sweeps import sweep

from htsr.files import read_table, write_arrays, write_table
from htsr.metrics.columns import COLUMNS
from htsr.metrics.jacobians import COLUMNS as OF_NETWORKS
from htsr.metrics.jacobians import of_networks
from htsr.spectra.distances import wasserstein
from htsr.stages.judge_claims import main
from htsr.statistics import verdict
from htsr.statistics.claims import judge
from htsr.statistics.evidence import JacobianTables, Judging, Tables, Training
from htsr.statistics.jacobian_claims import of_series, of_sweeps
from htsr.statistics.jacobian_states import (
    DERIVED,
    DISTANCES,
    OF_STATES,
    concentrations,
    random_concentration,
    states,
    with_distances,
)
from htsr.statistics.metrics_table import average_seeds, combine
from htsr.statistics.regression import Sampling, regress

EMPTY = pd.DataFrame()
LABELS = {"label_noise": [0.0, 0.5, 1.0]}
BATCHES = {"batch_size": [2, 32, 512]}
JUDGING = Judging(resamples=200)


def of_sweep(networks, strength):
    """Untrained and final states of the networks of a sweep. strength: of a final state, by its row."""
    made = []
    for row in networks.to_dict("records"):
        made.append(state(row["series"], row["model"], 0.5, "0", 0))
        made.append(state(row["series"], row["model"], strength(row)))
    return made


@pytest.fixture(scope="module")
def made():
    """(table, eigenvalues, patterns, training): eight networks of a series, two sweeps of three seeds."""
    series = [state("mlp", f"mlp_{i}", 1 + i / 10) for i in range(8)] + [state("mlp", "mlp_0", 0.5, "pixels")]
    swept = {"labels": sweep("l", LABELS), "batch_size": sweep("b", BATCHES), "epochs": sweep("e", {})}
    strengths = {
        "labels": lambda row: 2 - row["label_noise"],
        "batch_size": lambda row: 2 - np.log2(row["batch_size"]) / 9,
        "epochs": lambda row: 2.0,
    }
    for part, (_, networks, _) in swept.items():
        series += of_sweep(networks, strengths[part])
    layers, networks = (pd.concat([found[i] for found in swept.values()], ignore_index=True) for i in (0, 1))
    axes = {"l": ["label_noise"], "b": ["batch_size"], "e": []}
    training = Training(layers, networks, {"labels": "l", "batch_size": "b", "epochs": "e"}, axes, EMPTY)
    return *jacobians(series), training


def tables(made, training=True):
    table, eigenvalues, patterns, trained = made
    found = JacobianTables(with_distances(states(table), eigenvalues), eigenvalues, patterns)
    return Tables(EMPTY, EMPTY, EMPTY, training=trained if training else None, jacobians=found)


def judged(given, test, **arguments):
    claim = SimpleNamespace(paper="p", source="s", statement="A sentence.", test=test, arguments=arguments)
    return judge({"claim": claim}, given, JUDGING).iloc[0]


def test_a_state_is_one_row_with_its_spectra_side_by_side(made):
    table = states(made[0])
    assert len(table) == 9 + 2 * (9 + 9 + 3) and not table.duplicated(["network", "state"]).any()
    assert {*OF_STATES, *DERIVED, "logit_alpha", "diagonal_best_fit", "parameters_alpha"} <= set(table)
    row = table.iloc[0]
    assert row["softmax_alpha"] + 0.6 == pytest.approx(row["diagonal_alpha"]) and np.isnan(row["parameters_alpha"])
    assert row["log_top_ratio"] == pytest.approx(np.log10(row["softmax_lambda_max"] / row["largest_diagonal"]))
    assert row["log_equal_norms"] == pytest.approx(np.log10(row["mean_diagonal"]))


def test_a_state_without_a_spectrum_is_kept_with_missing_numbers(made):
    table = made[0].head(2).copy()
    table.loc[0, ["spectrum", "norm", "alpha"]] = None
    table.loc[0, "network"] = "broken"
    found = states(table).set_index("network")
    assert len(found) == 2 and np.isnan(found.loc["broken", "softmax_alpha"])
    assert np.isnan(found.loc["broken", "log_jacobian_norm"])


def test_distances_of_a_diagonal_matrix_and_of_a_scaled_one():
    values = np.array([1.0, 2.0, 4.0])
    given = {"a/final/softmax": values, "a/final/diagonal": values, "b/final/softmax": 3 * values}
    given |= {"b/final/diagonal": values, "null/b/final/softmax": np.array([values, 3 * values])}
    table = pd.DataFrame({"network": ["a", "b", "c"], "state": "final"})
    found = with_distances(table, given).set_index("network")
    assert found.loc["a", ["diagonal_energy", "diagonal_distance"]].tolist() == [1.0, 0.0]
    assert np.isnan(found.loc["a", "null_distance"]) and found.loc["c", list(DISTANCES)].isna().all()
    assert found.loc["b", "diagonal_energy"] == pytest.approx(1 / 9)
    assert found.loc["b", "diagonal_distance"] == pytest.approx(np.log(3))
    assert found.loc["b", "null_distance"] == pytest.approx(np.log(3) / 2)
    assert found.loc["b", "null_excess"] == pytest.approx(-np.log(3) / 2)


def test_a_diagonally_dominant_matrix_has_most_of_its_squares_on_its_diagonal():
    rng = np.random.default_rng(0)
    for _ in range(20):
        matrix = rng.standard_normal((8, 8))
        matrix = matrix + matrix.T
        np.fill_diagonal(matrix, 0)
        np.fill_diagonal(matrix, np.abs(matrix).sum(axis=1) * 1.001)
        given = {"a/s/softmax": np.linalg.eigvalsh(matrix), "a/s/diagonal": np.sort(matrix.diagonal())}
        found = with_distances(pd.DataFrame({"network": ["a"], "state": ["s"]}), given)
        assert found["diagonal_energy"].iloc[0] > 0.5


def test_concentration_of_patterns():
    assert concentrations(np.array([[1.0, -1, 0, 0], [1, 1, 1, 1], [0, 0, 3, 0]])).tolist() == [0.5, 0.25, 1.0]
    random = np.random.default_rng(0).standard_normal((100_000, 6))
    random -= random.mean(axis=1, keepdims=True)
    assert concentrations(random).mean() == pytest.approx(random_concentration(6), abs=0.002)
    assert random_concentration(2) == pytest.approx(0.5), "one class can only gain what the other loses"


def test_series_are_judged_on_final_states_and_sweeps_without_other_images(made):
    given = tables(made)
    assert of_series(given).layers["model"].tolist() == [f"mlp_{i}" for i in range(8)]
    rows = of_sweeps(given).training.layers
    assert set(rows["sweep"]) == {"l", "b", "e"} and set(rows["epoch"]) == {0, 5}
    assert rows.groupby("network").size().eq(2).all()


def test_shares_and_differences_over_the_networks_of_series(made):
    given = tables(made)
    row = judged(given, "jacobian_share_in_range", column="softmax_alpha", low=1.0, high=5.0)
    assert row["verdict"] == verdict.SUPPORTED and row["n"] == 8 and row["effect"] == 1
    row = judged(given, "jacobian_mean_has_sign", column="softmax_alpha", reference="softmax_alpha_null")
    assert row["verdict"] == verdict.NOT_SUPPORTED and row["effect"] == pytest.approx(-3.35, abs=0.02)
    alphas = {"first": "softmax_alpha", "second": "diagonal_alpha"}
    assert judged(given, "jacobian_share_close", **alphas, tolerance=0.1)["verdict"] == verdict.NOT_SUPPORTED
    assert judged(given, "jacobian_share_close", **alphas, tolerance=0.7)["verdict"] == verdict.SUPPORTED
    row = judged(given, "jacobian_share_among", column="softmax_best_fit", values=["PL"])
    assert row["verdict"] == verdict.NOT_SUPPORTED and "TPL 100 %" in row["reason"]


def test_sweeps_are_judged_over_seeds(made):
    given = tables(made)
    labels = {"part": "labels", "axis": "label_noise", "column": "softmax_alpha"}
    row = judged(given, "jacobian_differs_along", **labels, expected="larger")
    assert row["verdict"] == verdict.SUPPORTED and row["n"] == 3 and row["effect"] == pytest.approx(1, abs=0.05)
    assert judged(given, "jacobian_differs_along", **labels, expected="smaller")["verdict"] == verdict.NOT_SUPPORTED
    row = judged(given, "jacobian_trend", part="batch_size", axis="batch_size", column="softmax_alpha")
    assert row["verdict"] == verdict.SUPPORTED and row["n"] == 9 and "within layers" not in row["reason"]
    row = judged(given, "jacobian_changes_in_training", part="epochs", column="softmax_alpha", expected="smaller")
    assert row["verdict"] == verdict.SUPPORTED and row["effect"] == pytest.approx(-1.5, abs=0.05)


def test_spectra_between_labels_against_between_seeds(made):
    given = tables(made)
    row = judged(given, "jacobian_spectra_differ", part="labels", axis="label_noise", spectrum="softmax")
    eigenvalues = made[1]
    between = [
        wasserstein(*(np.log(eigenvalues[f"l_{noise}_s{seed}/final/softmax"]) for noise, seed in pair))
        for pair in [((0.0, i), (1.0, j)) for i in range(3) for j in range(3) if i != j]
    ]
    assert row["n"] == 3 and row["reason"].startswith("softmax: ")
    assert f"is {np.mean(between):.3f} between" in row["reason"]
    row = judged(given, "jacobian_spectra_differ", part="labels", axis="label_noise", spectrum="parameters")
    assert row["reason"].startswith("not measured")


def test_directions_that_exchange_two_classes_are_concentrated(made):
    given = tables(made)
    row = judged(given, "directions_act_on_few_classes")
    assert row["verdict"] == verdict.SUPPORTED and f"{row['n']} directions of" in row["reason"]
    assert row["effect"] == pytest.approx(0.5 - random_concentration(CLASSES), abs=0.02)
    random = np.random.default_rng(1).standard_normal((60, CLASSES))
    random -= random.mean(axis=1, keepdims=True)
    other = JacobianTables(given.jacobians.states, {}, {"x/final/patterns": random})
    row = judged(Tables(EMPTY, EMPTY, EMPTY, jacobians=other), "directions_act_on_few_classes")
    assert row["verdict"] == verdict.INCONCLUSIVE and "60 directions of 1 network)" in row["reason"]


@pytest.mark.parametrize(
    ("test", "arguments", "why"),
    [
        ("jacobian_share_in_range", {"column": "softmax_alpha", "low": 1, "high": 5}, "no Jacobians"),
        ("jacobian_trend", {"part": "labels", "axis": "label_noise", "column": "rank"}, "no Jacobians"),
        ("directions_act_on_few_classes", {"state": "final"}, "no directions"),
    ],
)
def test_what_is_not_there_is_not_measured(test, arguments, why):
    row = judged(Tables(EMPTY, EMPTY, EMPTY), test, **arguments)
    assert row["verdict"] == verdict.INCONCLUSIVE and f"not measured in this experiment: {why}" in row["reason"]


def test_published_networks_are_judged_without_sweeps(made):
    published = [state("resnet", f"resnet{i}", 1.0, epoch=np.nan) for i in range(5)]
    published += [state("resnet", "resnet0", 0.5, name, np.nan) for name in ("pixels", "untrained")]
    given = tables((*jacobians(published), None), training=False)
    assert judged(given, "jacobian_share_in_range", column="softmax_alpha", low=1, high=5)["n"] == 5
    row = judged(given, "jacobian_changes_in_training", part="epochs", column="softmax_alpha")
    assert row["reason"] == "not measured in this experiment: no sweeps of trained networks"
    row = judged(tables(made), "jacobian_trend", part="plane", axis="batch_size", column="rank")
    assert row["reason"] == "not measured in this experiment: no sweep plays the part plane"


def test_columns_of_networks_have_a_symbol():
    assert {name for name in OF_NETWORKS if not name.endswith("_stderr")} | {*DERIVED, *DISTANCES} <= set(COLUMNS)


def test_every_claim_of_both_papers_is_judged(made, tmp_path, request):
    table, eigenvalues, patterns, training = made
    papers = ("funneled_landscapes", "jacobian_correlation")
    claims = {}
    for paper in papers:
        text = (request.config.rootpath / f"config/claims/{paper}.yaml").read_text(encoding="utf-8")
        claims |= {name: claim | {"paper": paper} for name, claim in yaml.safe_load(text).items()}
    metrics, layers = measured({"mlp": 8})
    metrics = metrics.join(of_networks(table), on="model")
    networks = training.networks.join(of_networks(table), on="model")
    write_table(tmp_path / "jacobians.csv", table)
    write_table(tmp_path / "metrics.csv", metrics)
    write_table(tmp_path / "layers.csv", layers)
    write_table(tmp_path / "swept.csv", training.layers)
    write_table(tmp_path / "networks.csv", networks)
    chosen = ["series", "model", "error", "alpha", "jacobian_alpha", "jacobian_log_norm"]
    chosen += ["jacobian_log_lambda_max", "jacobian_effective_rank"]
    write_table(tmp_path / "regressions.csv", regress(combine({"t": metrics[chosen]}), Sampling(20)))
    of_sweeps = average_seeds(combine({"t": networks[[*chosen, "seed", "gap"]]}))
    write_table(tmp_path / "sweeps.csv", regress(of_sweeps, Sampling(20)))
    write_arrays(tmp_path / "spectra.safetensors", eigenvalues.items(), {})
    write_arrays(tmp_path / "detail.safetensors", patterns.items(), {})
    job = {
        "claims": claims,
        "metrics": [str(tmp_path / "metrics.csv")],
        "layers": [str(tmp_path / "layers.csv")],
        "regressions": str(tmp_path / "regressions.csv"),
        "sweeps": [str(tmp_path / "swept.csv")],
        "networks": [str(tmp_path / "networks.csv")],
        "sweep_regressions": str(tmp_path / "sweeps.csv"),
        "axes": dict(training.axes),
        "shown_sweeps": dict(training.parts),
        "jacobians": str(tmp_path / "jacobians.csv"),
        "jacobian_spectra": [str(tmp_path / "spectra.safetensors")],
        "jacobian_details": [str(tmp_path / "detail.safetensors")],
        "resamples": 40,
        "verdicts": str(tmp_path / "claims.csv"),
    }
    main(OmegaConf.create(job))
    found = read_table(tmp_path / "claims.csv").set_index("claim")
    assert set(found["paper"]) == set(papers) and len(found) == len(claims) >= 40
    assert not found["reason"].str.startswith("not measured").any(), found["reason"].to_dict()
    assert set(found["verdict"]) == {"supported", "not supported", "inconclusive"}
    with pytest.raises(SystemExit, match="no column collection"):
        main(OmegaConf.create(job | {"jacobians": job["regressions"]}))
    one = {name: claims[name] for name in ("jacobian_heavy", "jacobian_labels_alpha", "jacobian_flow")}
    without = {key: value for key, value in job.items() if not key.startswith("jacobian")}
    main(OmegaConf.create(without | {"claims": one}))
    found = read_table(tmp_path / "claims.csv")
    assert found["reason"].str.startswith("not measured in this experiment: no ").all()


# Arguments with which each test finds nothing in states that do not depend on what they are said to.
NOISE = {
    "jacobian_share_in_range": {"column": "chance", "low": 0.5, "high": 1.0},
    "jacobian_share_among": {"column": "chance_word", "values": ["heads"]},
    "jacobian_share_close": {"first": "chance", "second": "null", "tolerance": 0.5},
    "jacobian_mean_has_sign": {"column": "centred_chance"},
    "jacobian_trend": {"part": "batch_size", "axis": "batch_size", "column": "chance"},
    "jacobian_changes_in_training": {"part": "epochs", "column": "chance"},
    "jacobian_differs_along": {"part": "labels", "axis": "label_noise", "column": "chance"},
    "jacobian_spectra_differ": {"part": "labels", "axis": "label_noise", "spectrum": "softmax"},
    "directions_act_on_few_classes": {"state": "final"},
}


@pytest.mark.parametrize("test", NOISE)
def test_noise_is_supported_no_more_often_than_the_level(made, test):
    given, count = tables(made), 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        rows = given.jacobians.states
        chance = rng.random(len(rows))
        rows = rows.assign(chance=chance, null=0.0, centred_chance=chance - 0.5)
        rows["chance_word"] = np.where(chance < 0.5, "heads", "tails")
        spectra = {name: np.exp(rng.standard_normal(EXAMPLES)) for name in made[1]}
        random = rng.standard_normal((6, CLASSES))
        patterns = {"x/final/patterns": random - random.mean(axis=1, keepdims=True)}
        chosen = Tables(EMPTY, EMPTY, EMPTY, training=made[3], jacobians=JacobianTables(rows, spectra, patterns))
        count += judged(chosen, test, **NOISE[test])["verdict"] == verdict.SUPPORTED
    assert count <= 4
