"""Every test of a claim can end in every verdict, and pure noise is not taken for support."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from htsr.errors import InputError
from htsr.statistics import verdict
from htsr.statistics.claims import COLUMNS, judge
from htsr.statistics.evidence import Judging, Models, Tables, least_p, number
from htsr.statistics.metrics_table import combine
from htsr.statistics.regression import Sampling, regress
from htsr.statistics.resampling import generator

JUDGING = Judging(resamples=300)
ROLES = {"dense": "d", "regularized": "r", "finetuned": "f"}
EMPTY = pd.DataFrame({"series": [], "model": [], "layer": [], "weight_layer": []})


def models_table(n=6, series=2, **columns):
    """n models a series with errors 1, 2, ...; columns: functions of (error, rng)."""
    rng, parts = generator(1), []
    for s in range(series):
        error = np.arange(1.0, n + 1)
        metrics = {name: make(error, rng) for name, make in columns.items()}
        parts.append(pd.DataFrame({"series": f"s{s}", "model": [f"m{i}" for i in range(n)], "error": error, **metrics}))
    return combine({"t": pd.concat(parts)})


def layers_table(models=6, layers=8, matrices=1, **columns):
    """columns: functions of (number of rows, rng)."""
    rng, n = generator(2), models * layers * matrices
    index = np.stack(np.unravel_index(np.arange(n), (models, layers, matrices)))
    names = {
        "series": "s",
        "model": [f"m{i}" for i in index[0]],
        "weight_layer": [f"fc{i}" for i in index[1]],
        "layer": [f"fc{i}[{j},0]" for i, j in index[1:].T],
    }
    return pd.DataFrame(names | {name: make(n, rng) for name, make in columns.items()})


def states(layers=6, matrices=6, **shifts):
    """Matrices of the dense, regularized and fine-tuned network; shifts: role -> added to each layer's noise."""
    rng, parts = generator(4), []
    for role, model in ROLES.items():
        part = layers_table(1, layers, matrices, alpha=lambda n, _: rng.standard_normal(n)).assign(model=model)
        parts.append(part.assign(alpha=part["alpha"] + np.repeat(shifts.get(role, np.zeros(layers)), matrices)))
    return pd.concat(parts, ignore_index=True)


def judged(test, models=None, layers=EMPTY, roles=ROLES, judging=JUDGING, **arguments):
    models = models_table() if models is None else models
    needs = test.startswith("tracks")
    regressions = regress(models, Sampling(100)) if needs else pd.DataFrame()
    claim = SimpleNamespace(paper="p", source="a paper, eq. 1", statement="A sentence.", test=test, arguments=arguments)
    return judge({"claim": claim}, Tables(models, layers, regressions, roles), judging).iloc[0]


def rising(slope=1.0, noise=0.0):
    return lambda error, rng: slope * error + noise * rng.standard_normal(len(error))


@pytest.mark.parametrize(
    ("metric", "expected", "found"),
    [
        (rising(), "positive", verdict.SUPPORTED),
        (rising(-1), "positive", verdict.NOT_SUPPORTED),
        (rising(-1), "negative", verdict.SUPPORTED),
        (rising(0, 1), "positive", verdict.INCONCLUSIVE),
    ],
)
def test_tracks_accuracy(metric, expected, found):
    row = judged("tracks_accuracy", models_table(x=metric), metric="x", expected=expected)
    assert row["verdict"] == found and row["n"] == 12
    assert ("is 1 (" in row["reason"]) == (row["effect"] == 1)


def test_four_models_cannot_support_a_rank_correlation_and_the_reason_says_so():
    row = judged("tracks_accuracy", models_table(4, 1, x=rising()), metric="x")
    assert row["verdict"] == verdict.INCONCLUSIVE and row["effect"] == 1 and row["p_value"] == 2 / 24
    assert row["reason"].endswith("over 4 models of 1 series; with so few models p cannot fall below 0.083")
    accuracy = judged("tracks_accuracy", models_table(4, 1, x=rising()), metric="x", target="accuracy")
    assert accuracy["effect"] == -1


@pytest.mark.parametrize(
    ("own", "found"), [(2, verdict.SUPPORTED), (-2, verdict.NOT_SUPPORTED), (0, verdict.INCONCLUSIVE)]
)
def test_tracks_beyond_controls(own, found):
    depth, log_norm = rising(1, 2), rising(0, 1)
    models = models_table(9, depth=depth, log_norm=log_norm, x=rising(own, 0.5))
    row = judged("tracks_beyond_controls", models, metric="x")
    assert row["verdict"] == found
    reason = judged("tracks_beyond_controls", models.drop(columns="depth"), metric="x")["reason"]
    assert reason.startswith("not measured in this experiment: partial_tau of x and error: ")
    assert reason.endswith("no partial correlation: no column depth")


@pytest.mark.parametrize(
    ("metric", "found"),
    [
        (lambda e, rng: 2 + e * rng.choice([-1, 1], len(e)), verdict.SUPPORTED),
        (lambda e, rng: 9 - e, verdict.NOT_SUPPORTED),
        (rising(0, 1), verdict.INCONCLUSIVE),
    ],
)
def test_nears_value(metric, found):
    row = judged("nears_value", models_table(x=metric), metric="x", value=2)
    assert row["verdict"] == found and "of 2 series, the best of which have x" in row["reason"]


@pytest.mark.parametrize(
    ("own", "rival", "found"),
    [
        (rising(1, 0.2), rising(0, 1), verdict.SUPPORTED),
        (rising(0, 1), rising(-1, 0.2), verdict.NOT_SUPPORTED),
        (rising(), rising(-1), verdict.INCONCLUSIVE),
        (rising(-1, 0.2), rising(0, 1), verdict.NOT_SUPPORTED),  # ranks well, but the wrong way round
    ],
)
def test_beats_rivals(own, rival, found):
    models = models_table(12, x=own, weak=rising(0, 1), rival=rival, same=lambda e, rng: 0 * e)
    row = judged("beats_rivals", models, metric="x", rivals=["weak", "rival", "same"])
    assert row["verdict"] == found and row["n"] == 24 and row["reason"].endswith("; the same for all models: same")


def test_beating_all_rivals_but_one_is_not_enough():
    models = models_table(12, x=rising(1, 0.2), weak=rising(0, 1), rival=rising(-1, 0.2))
    assert judged("beats_rivals", models, metric="x", rivals=["weak"])["verdict"] == verdict.SUPPORTED
    row = judged("beats_rivals", models, metric="x", rivals=["weak", "rival"])
    assert row["verdict"] == verdict.INCONCLUSIVE and "strongest rival rival" in row["reason"]


def uniform(low, high):
    return lambda n, rng: rng.uniform(low, high, n)


@pytest.mark.parametrize(
    ("alpha", "found"),
    [
        (uniform(2.1, 5.3), verdict.SUPPORTED),
        (uniform(4.8, 9), verdict.NOT_SUPPORTED),
        (uniform(2, 8), verdict.INCONCLUSIVE),
        (uniform(2, 5), verdict.SUPPORTED),
        (uniform(6, 7), verdict.NOT_SUPPORTED),
    ],
)
def test_share_in_range(alpha, found):
    row = judged("share_in_range", layers=layers_table(alpha=alpha), column="alpha", low=2, high=5)
    assert row["verdict"] == found and row["n"] == 48


def test_share_in_range_tells_the_share_of_the_permuted_matrices():
    layers = layers_table(alpha=uniform(2, 5))
    layers["alpha_null_all"] = ["3 4 5.5 1.9"] * (len(layers) - 12) + ["9 8"] * 6 + [None] * 6
    reason = judged("share_in_range", layers=layers, column="alpha", low=2, high=5)["reason"]
    share = 50 * (len(layers) - 12) / (len(layers) - 6)
    assert f"; of the same entries in random order {share:.0f} % do" in reason


def test_five_models_are_needed_for_a_share():
    row = judged("share_in_range", layers=layers_table(4, alpha=uniform(2, 5)), column="alpha", low=2, high=5)
    assert row["verdict"] == verdict.INCONCLUSIVE and row["effect"] == 1 and "needs 5 models" in row["reason"]


@pytest.mark.parametrize(
    ("p", "k", "found"),
    [
        (uniform(0, 0.12), 20, verdict.SUPPORTED),
        (uniform(0, 1), 20, verdict.NOT_SUPPORTED),
        (uniform(0, 0.2), 20, verdict.INCONCLUSIVE),
        (uniform(0, 0.1), 5, verdict.INCONCLUSIVE),
    ],
)
def test_share_beyond_null(p, k, found):
    layers = layers_table(alpha=uniform(2, 5), alpha_null_p=p, n_null=lambda n, rng: np.full(n, k))
    row = judged("share_beyond_null", layers=layers, column="alpha")
    assert row["verdict"] == found
    assert ("5 permutations a matrix cannot give p = 0.1" in row["reason"]) == (k == 5)


@pytest.mark.parametrize(
    ("width", "found"), [(0.6, verdict.SUPPORTED), (3, verdict.NOT_SUPPORTED), (1, verdict.INCONCLUSIVE)]
)
def test_share_close(width, found):
    layers = layers_table(x=uniform(3, 4))
    layers["y"] = layers["x"] + generator(5).uniform(-width, width, len(layers))
    row = judged("share_close", layers=layers, first="x", second="y", tolerance=0.5)
    assert row["verdict"] == found and "median difference" in row["reason"]


@pytest.mark.parametrize(
    ("slope", "found"), [(1, verdict.SUPPORTED), (-1, verdict.NOT_SUPPORTED), (0, verdict.INCONCLUSIVE)]
)
def test_layers_ranked_alike(slope, found):
    layers = layers_table(matrices=3, x=uniform(0, 1))
    layers["y"] = slope * layers["x"] + generator(6).uniform(0, 0.5, len(layers))
    row = judged("layers_ranked_alike", layers=layers, first="x", second="y")
    assert row["verdict"] == found and row["n"] == 48


@pytest.mark.parametrize(
    ("shift", "found"),
    [
        ([4, 4, 0, 0, 0, 0], verdict.SUPPORTED),
        ([4, 0, 0, 0, 0, 0], verdict.INCONCLUSIVE),
        ([0, 0, 0, 0, 0, 0], verdict.INCONCLUSIVE),
        ([-9, -9, -9, -9, -9, -9], verdict.NOT_SUPPORTED),
    ],
)
def test_larger_in_layers(shift, found):
    layers = states(6, 9, finetuned=np.array(shift))
    row = judged("larger_in_layers", layers=layers, column="alpha", baseline="regularized", changed="finetuned")
    assert row["verdict"] == found and row["effect_low"] <= row["effect"] <= row["effect_high"] and row["n"] == 6


@pytest.mark.parametrize("at_least", [1, 3, 6])
def test_the_bounds_and_p_of_larger_layers_agree(at_least):
    layers = states(6, 9, finetuned=np.array([5, 5, 5, 1, 0, -5]))
    arguments = {"column": "alpha", "baseline": "dense", "changed": "finetuned", "at_least": at_least}
    row = judged("larger_in_layers", layers=layers, **arguments)
    assert row["effect_low"] == 3 and row["effect_high"] == 5
    assert row["verdict"] == {1: verdict.SUPPORTED, 3: verdict.SUPPORTED, 6: verdict.NOT_SUPPORTED}[at_least]
    assert (row["p_value"] < 0.05) == (row["verdict"] == verdict.SUPPORTED)


@pytest.mark.parametrize(
    ("shift", "margin", "found"),
    [(0, 2.0, verdict.SUPPORTED), (0, 0.05, verdict.INCONCLUSIVE), (2, 0.5, verdict.NOT_SUPPORTED)],
)
def test_mean_unchanged(shift, margin, found):
    layers = states(8, finetuned=np.full(8, shift))
    arguments = {"column": "alpha", "baseline": "regularized", "changed": "finetuned", "margin": margin}
    row = judged("mean_unchanged", layers=layers, **arguments)
    assert row["verdict"] == found and row["effect"] == pytest.approx(shift, abs=0.5) and row["n"] == 8


@pytest.mark.parametrize(
    ("shift", "expected", "found"),
    [
        (2, "larger", verdict.SUPPORTED),
        (2, "smaller", verdict.NOT_SUPPORTED),
        (-2, "smaller", verdict.SUPPORTED),
        (0, "larger", verdict.INCONCLUSIVE),
    ],
)
def test_mean_differs(shift, expected, found):
    layers = states(8, finetuned=np.full(8, shift))
    row = judged(
        "mean_differs", layers=layers, column="alpha", baseline="regularized", changed="finetuned", expected=expected
    )
    assert row["verdict"] == found
    if shift:
        assert row["p_value"] == 2 / 2**8 and ("as claimed" in row["reason"]) == (found == verdict.NOT_SUPPORTED)


def test_few_layers_are_named_as_the_reason():
    row = judged(
        "mean_differs", layers=states(5, finetuned=np.full(5, 9)), column="alpha", baseline="dense", changed="finetuned"
    )
    assert row["verdict"] == verdict.INCONCLUSIVE and row["reason"].endswith("layers p cannot fall below 0.062")


def test_removed_layers_are_left_out_of_a_comparison():
    layers = states(6)
    layers.loc[(layers["model"] == "r") & (layers["weight_layer"] == "fc2"), "alpha"] = np.nan
    row = judged("mean_unchanged", layers=layers, column="alpha", baseline="regularized", changed="finetuned", margin=1)
    assert row["n"] == 5 and "30 matrices" in row["reason"]


@pytest.mark.parametrize(
    ("test", "arguments", "reason"),
    [
        ("share_in_range", {"column": "alpha", "low": 2, "high": 5}, "no column alpha"),
        ("tracks_accuracy", {"metric": "nothing"}, "no regression of error on nothing"),
        ("beats_rivals", {"metric": "x", "rivals": ["depth"]}, "no column x, depth"),
        ("mean_differs", {"column": "alpha", "baseline": "dense", "changed": "finetuned"}, "no dense model to compare"),
    ],
)
def test_what_an_experiment_does_not_have_is_inconclusive(test, arguments, reason):
    row = judged(test, models_table(w=rising()), roles={"dense": None}, **arguments)
    assert row["verdict"] == verdict.INCONCLUSIVE and row["reason"].startswith("not measured in this experiment: ")
    assert reason in row["reason"] and pd.isna(row[["effect", "effect_low", "p_value", "n"]]).all()


def test_one_matrix_a_layer_cannot_tell_which_layers_grew():
    row = judged("larger_in_layers", layers=states(6, 1), column="alpha", baseline="dense", changed="finetuned")
    assert "0 layers of 5 or more matrices" in row["reason"]


@pytest.mark.parametrize(
    ("test", "arguments", "message"),
    [
        ("beats_all", {}, "no test is named 'beats_all'; there are tracks_accuracy, "),
        ("tracks_accuracy", {}, "missing a required argument: 'metric'"),
        ("tracks_accuracy", {"metric": "x", "size": 3}, "unexpected keyword argument 'size'"),
        ("share_in_range", {"column": "x", "low": "two", "high": 5}, "low: 'two' is no float"),
        ("beats_rivals", {"metric": "x", "rivals": "depth"}, "rivals: 'depth' is no list"),
        ("tracks_accuracy", {"metric": "x", "expected": "up"}, "expected: 'up' is neither positive nor negative"),
    ],
)
def test_a_claim_that_makes_no_sense_is_refused(test, arguments, message):
    with pytest.raises(InputError, match="claim 'claim'") as error:
        judged(test, models_table(x=rising()), **arguments)
    assert message in str(error.value)


def test_the_table_has_its_columns_also_without_claims():
    assert list(judge({}, Tables(models_table(x=rising()), EMPTY, EMPTY), JUDGING)) == COLUMNS


def test_numbers_in_reasons():
    assert [number(v) for v in (0.0, 1.0, -0.25, 0.0004, 12.34567)] == ["0", "1", "-0.25", "0.0004", "12.346"]
    assert least_p(24, 0.05) and not least_p(120, 0.05)


def noise_models(rng):
    """Random metrics; the rival is as good as the metric, neither is any good."""
    parts = []
    for s, n in enumerate((4, 9)):
        columns = {name: rng.standard_normal(n) for name in ("error", "x", "rival", "log_norm")}
        parts.append(pd.DataFrame({"series": f"s{s}", "model": np.arange(n), "depth": np.arange(n) // 2, **columns}))
    return combine({"t": pd.concat(parts)})


def noise_layers(rng):
    """Six models whose layers are in range half of the time, each model with a share of its own."""
    layers = layers_table(6, 6, 2, x=lambda n, _: rng.standard_normal(n), y=lambda n, _: rng.standard_normal(n))
    layers["alpha"] = 5 + np.repeat(rng.uniform(-0.3, 0.3, 6), 12) + rng.uniform(-1, 1, 72)
    return layers.assign(n_null=19, alpha_null_p=(1 + rng.integers(0, 10, 72)) / 10)


def noise_states(rng, shift=0.0):
    """Three states of one network: random matrices in random layers."""
    layers = layers_table(3, 6, 5, alpha=lambda n, _: rng.standard_normal(n))
    layers["alpha"] += np.repeat(rng.standard_normal(18), 5) / 2
    layers["model"] = np.repeat(list(ROLES.values()), 30)
    layers.loc[layers["model"] == "f", "alpha"] += shift
    return layers


PAIR = {"column": "alpha", "baseline": "regularized", "changed": "finetuned"}
NOISE = {
    "tracks_accuracy": (noise_models, {"metric": "x"}),
    "tracks_beyond_controls": (noise_models, {"metric": "x"}),
    "nears_value": (noise_models, {"metric": "x", "value": 1.0}),
    "beats_rivals": (noise_models, {"metric": "x", "rivals": ["rival"]}),
    "share_in_range": (noise_layers, {"column": "alpha", "low": 2, "high": 5}),
    "share_beyond_null": (noise_layers, {"column": "alpha"}),
    "share_close": (noise_layers, {"first": "alpha", "second": "n_null", "tolerance": 14}),
    "layers_ranked_alike": (noise_layers, {"first": "x", "second": "y"}),
    "larger_in_layers": (partial(noise_states), PAIR),
    "mean_unchanged": (partial(noise_states, shift=0.5), {**PAIR, "margin": 0.5}),
    "mean_differs": (noise_states, PAIR),
}


def supported_by_noise(test, repetitions, resamples=99):
    """How often noise supports a claim. Of "unchanged", noise is a true difference that is just the margin."""
    make, arguments = NOISE[test]
    claim = SimpleNamespace(paper="p", source="", statement="", test=test, arguments=arguments)
    count = 0
    for repetition in range(repetitions):
        made = make(generator(repetition, test))
        models, layers = (made, EMPTY) if make is noise_models else (noise_models(generator(0)), made)
        regressions = pd.DataFrame()
        if test.startswith("tracks"):
            models = models[models["series"] == "s1"]
            regressions = regress(
                models[["series", "model", "error", "accuracy", "x", "depth", "log_norm"]], Sampling(resamples)
            )
        tables = Tables(models, layers, regressions, ROLES)
        count += judge({"c": claim}, tables, Judging(resamples, seed=repetition))["verdict"][0] == verdict.SUPPORTED
    return count


@pytest.mark.parametrize("test", NOISE)
def test_noise_is_supported_no_more_often_than_the_level(test):
    # With a level of 5 % more than 4 of 20 come with probability 0.3 % only.
    assert supported_by_noise(test, 20) <= 4


OF_PUBLISHED = {
    "tracks_accuracy": {"metric": "good"},
    "tracks_beyond_controls": {"metric": "good"},
    "nears_value": {"metric": "good", "value": 0.0},
    "beats_rivals": {"metric": "good", "rivals": ["noise"]},
}


@pytest.mark.parametrize("test", OF_PUBLISHED)
def test_the_results_of_others_are_judged_by_themselves(test):
    columns = {"noise": lambda e, rng: rng.standard_normal(len(e)), "depth": lambda e, rng: rng.random(len(e))}
    columns["log_norm"] = columns["noise"]
    bad, good = (
        models_table(12, 3, good=lambda e, rng, sign=sign: sign * e + 0.01 * rng.random(len(e)), **columns)
        for sign in (-1, 1)
    )
    regressions = [regress(table, Sampling(100)) for table in (bad, good)]

    def decided(**more):
        claim = SimpleNamespace(paper="p", source="s", statement="t", test=test, arguments=OF_PUBLISHED[test] | more)
        published = Models(good, regressions[1]) if with_published else None
        tables = Tables(bad, EMPTY, regressions[0], ROLES, published=published)
        return judge({"claim": claim}, tables, JUDGING).iloc[0]

    with_published = True
    assert decided(of="published")["verdict"] == verdict.SUPPORTED
    if test != "nears_value":  # of which the sign does not matter
        assert decided()["verdict"] == decided(of="experiment")["verdict"] == verdict.NOT_SUPPORTED
    with pytest.raises(InputError, match="of: 'nobody'"):
        decided(of="nobody")
    with_published = False
    row = decided(of="published")
    assert row["verdict"] == verdict.INCONCLUSIVE and "choose `published_results`" in row["reason"]
