"""Claims about sweeps end in every verdict, noise is not taken for support, and repetitions are not counted twice."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from synthetic_sweeps import PHASES, sweep

from htsr.errors import InputError
from htsr.statistics import verdict
from htsr.statistics.claims import judge
from htsr.statistics.evidence import Judging, Tables, Training
from htsr.statistics.metrics_table import average_seeds, combine
from htsr.statistics.regression import Sampling, regress

EMPTY = pd.DataFrame()
BATCHES = {"batch_size": [2, 8, 32, 128, 512]}
LABELS = {"label_noise": [0.0, 1.0]}


def falling(batch_size):
    """From 4 for the smallest batch to 0 for the largest."""
    return 4 - np.log2(batch_size / 2) / 2


def nothing(**axes):
    return 1.0


JUDGING = Judging(resamples=300)


def judged(parts, test, judging=JUDGING, **arguments):
    """parts: (layers, networks, spectra, axes) by part."""
    layers, networks = (pd.concat([made[i] for made in parts.values()], ignore_index=True) for i in (0, 1))
    names = {part: made[1]["series"].iloc[0] for part, made in parts.items()}
    axes = {names[part]: list(made[3]) for part, made in parts.items()}
    regressions = EMPTY
    if test == "tracks_in_sweeps":
        few = networks[["series", "model", "seed", "error", "gap", "alpha", "batch_size"]]
        regressions = regress(average_seeds(combine({"t": few})), Sampling(60))
    training = Training(layers, networks, names, axes, regressions, parts["labels"][2] if "labels" in parts else {})
    claim = SimpleNamespace(paper="p", source="s", statement="A sentence.", test=test, arguments=arguments)
    tables = Tables(EMPTY, EMPTY, EMPTY, training=training)
    return judge({"claim": claim}, tables, judging).iloc[0]


def made(name, over, **settings):
    return *sweep(name, over, **settings), over


@pytest.mark.parametrize(
    ("effect", "expected", "found"),
    [
        (falling, "positive", verdict.SUPPORTED),
        (falling, "negative", verdict.NOT_SUPPORTED),
        (nothing, "positive", verdict.INCONCLUSIVE),
    ],
)
def test_trend_along_an_axis(effect, expected, found):
    parts = {"batch_size": made("b", BATCHES, effect=effect)}
    row = judged(parts, "trend", part="batch_size", axis="batch_size", column="stable_rank", expected=expected)
    assert row["verdict"] == found and row["n"] == 15
    if effect is falling:
        assert row["effect"] == pytest.approx(90 / np.sqrt(105 * 90)) and row["p_value"] < 0.01  # ties of the axis
        assert "mean 26.047 at 2 and 29.971 at 512" in row["reason"] and "within layers" in row["reason"]


def test_a_network_counts_once_however_many_layers_it_has():
    """Layers that repeat each other change neither tau nor p."""
    layers, networks, spectra = sweep("b", BATCHES, effect=lambda batch_size: 0.0, layers=("fc1",))
    copies = [layers.assign(layer=name, weight_layer=name) for name in ("fc1", "fc2", "fc3", "fc4")]
    arguments = {"part": "batch_size", "axis": "batch_size", "column": "stable_rank"}
    one = judged({"batch_size": (layers, networks, spectra, BATCHES)}, "trend", **arguments)
    four = judged({"batch_size": (pd.concat(copies), networks, spectra, BATCHES)}, "trend", **arguments)
    assert one[["effect", "p_value", "n"]].equals(four[["effect", "p_value", "n"]])


def test_networks_are_ranked_within_the_other_axes():
    over = BATCHES | LABELS
    parts = {"plane": made("p", over, effect=lambda batch_size, label_noise: falling(batch_size) - 40 * label_noise)}
    row = judged(parts, "trend", part="plane", axis="batch_size", column="stable_rank")
    assert row["effect"] == pytest.approx(90 / np.sqrt(105 * 90)) and row["n"] == 30


def test_accuracies_are_one_number_a_network():
    parts = {"batch_size": made("b", BATCHES, effect=falling, layers=("a", "b", "c"))}
    arguments = {"part": "batch_size", "axis": "batch_size", "expected": "negative"}
    row = judged(parts, "trend", column="test_accuracy", **arguments)
    assert row["verdict"] == verdict.SUPPORTED and "within layers" not in row["reason"]
    assert judged(parts, "trend", column="gap", **arguments)["verdict"] == verdict.NOT_SUPPORTED


def test_diverged_networks_are_left_out_and_counted():
    parts = {"batch_size": made("b", BATCHES, effect=falling, diverged=(0, 7))}
    row = judged(parts, "trend", part="batch_size", axis="batch_size", column="alpha")
    assert row["n"] == 13 and "2 of 15 networks diverged and are left out" in row["reason"]
    gone = {"batch_size": made("b", BATCHES, diverged=range(15))}
    row = judged(gone, "trend", part="batch_size", axis="batch_size", column="alpha")
    assert row["verdict"] == verdict.INCONCLUSIVE and "all 15 networks of the sweep b diverged" in row["reason"]


@pytest.mark.parametrize(("expected", "found"), [("smaller", verdict.SUPPORTED), ("larger", verdict.NOT_SUPPORTED)])
def test_changes_in_training(expected, found):
    parts = {"epochs": made("e", {"width": [8]}, effect=lambda width: 2.0)}
    row = judged(parts, "changes_in_training", part="epochs", column="stable_rank", expected=expected)
    assert row["verdict"] == found and row["n"] == 3 and row["effect"] == pytest.approx(-2, abs=0.4)


def test_networks_of_one_seed_are_no_repetitions():
    """Ten trainings from one seed say nothing of another seed."""
    parts = {"epochs": made("e", {"width": list(range(10))}, seeds=1, effect=lambda width: 2.0)}
    row = judged(parts, "changes_in_training", part="epochs", column="stable_rank", expected="smaller")
    assert row["verdict"] == verdict.INCONCLUSIVE and row["n"] == 1 and "no interval" in row["reason"]


@pytest.mark.parametrize(
    ("size", "expected", "found"),
    [
        (2, "smaller", verdict.SUPPORTED),
        (-2, "smaller", verdict.NOT_SUPPORTED),
        (0, "smaller", verdict.INCONCLUSIVE),
    ],
)
def test_difference_between_two_values(size, expected, found):
    parts = {"labels": made("l", LABELS, effect=lambda label_noise: 2 + size * label_noise)}
    arguments = {"part": "labels", "axis": "label_noise", "column": "alpha", "expected": expected}
    row = judged(parts, "differs_along", **arguments)
    assert row["verdict"] == found and row["effect"] == pytest.approx(-size, abs=0.4)
    assert ("as claimed" in row["reason"]) == (row["effect"] > 0)


def test_difference_between_two_labels():
    parts = {"regularization": made("r", {"kind": ["none", "dropout"]}, effect=lambda kind: 3.0 * (kind == "dropout"))}
    arguments = {"part": "regularization", "axis": "kind", "column": "log_norm", "first": "none", "second": "dropout"}
    assert judged(parts, "differs_along", **arguments)["verdict"] == verdict.SUPPORTED
    absent = judged(parts, "differs_along", **(arguments | {"second": "decay"}))
    assert "no seed has networks at kind none and decay" in absent["reason"]
    with pytest.raises(InputError, match="the axis kind has labels, not numbers"):
        judged(parts, "trend", part="regularization", axis="kind", column="alpha")


@pytest.mark.parametrize(
    ("threshold", "found"), [(95, verdict.SUPPORTED), (101, verdict.NOT_SUPPORTED), (99.25, verdict.INCONCLUSIVE)]
)
def test_mean_exceeds(threshold, found):
    parts = {"labels": made("l", LABELS)}
    arguments = {"part": "labels", "axis": "label_noise", "column": "train_accuracy", "threshold": float(threshold)}
    assert judged(parts, "mean_exceeds", **arguments)["verdict"] == found


@pytest.mark.parametrize(
    ("effect", "at_least", "found"),
    [
        (falling, 5, verdict.SUPPORTED),
        (nothing, 5, verdict.NOT_SUPPORTED),
        (nothing, 1, verdict.SUPPORTED),
    ],
)
def test_phases_seen(effect, at_least, found):
    parts = {"batch_size": made("b", BATCHES, effect=effect)}
    row = judged(parts, "phases_seen", part="batch_size", axis="batch_size", at_least=at_least)
    assert row["verdict"] == found
    order = judged(parts, "trend", part="batch_size", axis="batch_size", column="phase", expected="negative")
    if effect is falling:
        assert order["verdict"] == verdict.SUPPORTED and "4 (HEAVY-TAILED) at 2" in order["reason"]
    else:
        assert "BLEEDING-OUT" in order["reason"] or "not measured" in order["reason"]


@pytest.mark.parametrize(("size", "found"), [(2, verdict.SUPPORTED), (0, verdict.INCONCLUSIVE)])
def test_spectra_differ_only_beyond_seeds(size, found):
    parts = {"labels": made("l", LABELS, seeds=5, effect=lambda label_noise: size * label_noise)}
    row = judged(parts, "spectra_differ", part="labels", axis="label_noise")
    assert row["verdict"] == found and row["n"] == 5
    few = {"labels": made("l", LABELS, seeds=2)}
    assert "needs three" in judged(few, "spectra_differ", part="labels", axis="label_noise")["reason"]


def test_one_measure_moves_more_than_another():
    layers, networks, spectra = sweep("l", LABELS, seeds=6, effect=lambda label_noise: 2 * label_noise)
    layers["log_norm"] += 3 * layers["label_noise"] * layers["final"]
    parts = {"labels": (layers, networks, spectra, LABELS)}
    arguments = {"part": "labels", "axis": "label_noise"}
    assert judged(parts, "acts_more", column="log_norm", than="alpha", **arguments)["verdict"] == verdict.SUPPORTED
    assert judged(parts, "acts_more", column="alpha", than="log_norm", **arguments)["verdict"] == verdict.NOT_SUPPORTED
    row = judged(parts, "acts_more", column="alpha", than="stable_rank", **arguments)
    assert row["effect"] == pytest.approx(0, abs=1e-9) and row["verdict"] == verdict.INCONCLUSIVE, "the same numbers"
    few = {"labels": made("l", LABELS, seeds=2)}
    assert "2 seeds: " in judged(few, "acts_more", column="log_norm", than="alpha", **arguments)["reason"]


@pytest.mark.parametrize(("size", "found"), [(1, verdict.SUPPORTED), (9, verdict.NOT_SUPPORTED)])
def test_batch_size_against_regularizers(size, found):
    kinds = {"kind": ["none", "decay", "dropout"]}
    parts = {
        "batch_size": made("b", BATCHES, effect=falling),
        "regularization": made("r", kinds, effect=lambda kind: size * (kind == "dropout")),
    }
    arguments = {"part": "batch_size", "axis": "batch_size", "other_part": "regularization", "other_axis": "kind"}
    row = judged(parts, "acts_more_than_labels", reference="none", column="stable_rank", **arguments)
    assert row["verdict"] == found and "from none to dropout, the strongest of 2," in row["reason"]


def test_what_tracks_the_gap_counts_trainings_not_seeds():
    parts = {
        "batch_size": made("b", BATCHES, effect=falling, seeds=4),
        "labels": made("l", {"label_noise": [0.0, 0.3, 0.6, 1.0]}, effect=lambda label_noise: 3 * label_noise),
    }
    row = judged(parts, "tracks_in_sweeps", metric="alpha", target="gap", expected="positive")
    assert row["verdict"] == verdict.SUPPORTED and row["n"] == 9 and row["effect"] == 1
    row = judged(parts, "tracks_in_sweeps", metric="batch_size")
    assert "no regression of gap on batch_size" in row["reason"], "a setting is no metric"


@pytest.mark.parametrize(
    ("test", "arguments", "reason"),
    [
        ("trend", {"part": "plane", "axis": "batch_size", "column": "alpha"}, "no sweep plays the part plane"),
        ("trend", {"part": "labels", "axis": "batch_size", "column": "alpha"}, "no axis batch_size, only label_noise"),
        ("trend", {"part": "labels", "axis": "label_noise", "column": "beta"}, "has no column beta"),
        ("changes_in_training", {"part": "labels", "column": "alpha"}, "both at epoch 0 and at the end"),
    ],
)
def test_what_the_sweeps_do_not_have_is_inconclusive(test, arguments, reason):
    row = judged({"labels": made("l", LABELS, epochs=(5,))}, test, **arguments)
    assert row["verdict"] == verdict.INCONCLUSIVE and reason in row["reason"]
    assert row["reason"].startswith("not measured in this experiment: ")
    assert pd.isna(row[["effect", "p_value", "n"]]).all()


def test_without_sweeps_nothing_is_measured():
    claim = SimpleNamespace(
        paper="p",
        source="s",
        statement="A.",
        test="phases_seen",
        arguments={"part": "batch_size", "axis": "batch_size"},
    )
    row = judge({"claim": claim}, Tables(EMPTY, EMPTY, EMPTY), Judging(100)).iloc[0]
    assert "not measured in this experiment: no sweep plays the part batch_size" in row["reason"]
    claim.test, claim.arguments = "tracks_in_sweeps", {"metric": "alpha"}
    row = judge({"claim": claim}, Tables(EMPTY, EMPTY, EMPTY), Judging(100)).iloc[0]
    assert "no sweeps of trained networks" in row["reason"]


def noise(test, seed):
    """(parts, arguments) where the claim is false by a hair: nothing happens, or just what is the threshold."""
    rng = np.random.default_rng([seed, len(test)])

    def parts(name, over, column, seeds=3, values=None):
        layers, networks, spectra = sweep(name, over, seeds, nothing, layers=("fc1",))
        layers[column] = rng.normal(size=len(layers)) + 100 if values is None else values(layers)
        networks["gap"] = networks["alpha"] = rng.normal(size=len(networks))
        networks["gap"] = rng.normal(size=len(networks))
        spectra = {key: np.sort(rng.lognormal(size=30)) for key in spectra}
        return {name: (layers, networks, spectra, over)}

    def wrong_now_and_then(layers):
        phases = layers["batch_size"].map(dict(zip(BATCHES["batch_size"], [*PHASES[:4], PHASES[0]], strict=True)))
        return phases.where(rng.random(len(layers)) > 0.1, PHASES[4])

    along = {"axis": "label_noise", "part": "labels"}
    if test == "phases_seen":
        made = parts("batch_size", BATCHES, "phase", values=wrong_now_and_then)
        return made, {"part": "batch_size", "axis": "batch_size"}
    if test == "tracks_in_sweeps":
        return parts("batch_size", BATCHES, "alpha", 1), {"metric": "alpha"}
    if test == "changes_in_training":
        return parts("epochs", {"width": [8]}, "alpha", 5), {"part": "epochs", "column": "alpha"}
    if test == "acts_more_than_labels":
        made = parts("labels", LABELS, "alpha") | parts("regularization", {"kind": ["none", "dropout"]}, "alpha")
        other = {"other_part": "regularization", "other_axis": "kind", "reference": "none"}
        return made, along | other | {"column": "alpha"}
    more = {
        "trend": {"column": "alpha"},
        "differs_along": {"column": "alpha"},
        "mean_exceeds": {"column": "alpha", "threshold": 100.0},
        "spectra_differ": {},
        "acts_more": {"column": "alpha", "than": "log_norm"},
    }[test]
    return parts("labels", LABELS, "alpha", 5 if test == "trend" else 4), along | more


NOISE = (
    *("trend", "changes_in_training", "differs_along", "mean_exceeds", "phases_seen", "spectra_differ"),
    *("acts_more", "acts_more_than_labels", "tracks_in_sweeps"),
)


@pytest.mark.parametrize("test", NOISE)
def test_noise_is_supported_no_more_often_than_the_level(test):
    count = 0
    for seed in range(20):
        parts, arguments = noise(test, seed)
        count += judged(parts, test, judging=Judging(99, seed=seed), **arguments)["verdict"] == verdict.SUPPORTED
    assert count <= 4
