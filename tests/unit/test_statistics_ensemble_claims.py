"""Claims about random matrices and about phases and vectors of layers: every test can end in every verdict."""

import math
from functools import cache
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import test_statistics_claims
import test_statistics_jacobian_claims
import test_statistics_landscape_claims
import test_statistics_sweep_claims
from test_statistics_claims import EMPTY, layers_table, models_table

from htsr.errors import InputError
from htsr.spectra import spiked, tracy_widom
from htsr.spectra.eigenvalues import eigenvalues
from htsr.spectra.ensembles import sample
from htsr.statistics import verdict
from htsr.statistics.claims import TESTS, judge
from htsr.statistics.ensemble_claims import LAWS, THEORIES
from htsr.statistics.evidence import Judging, Tables
from htsr.statistics.resampling import generator
from htsr.statistics.samples import prepare

JUDGING = Judging(resamples=300)
GAUSSIAN = {"law": "gaussian"}
MEAN = {"column": "alpha", "value": 1, "margin": 1}
PARETO = {"law": "pareto", "signed": True, "mu": [0, 2]}


@cache
def prepared(law):
    return prepare(pd.DataFrame({"ensemble": "e", "law": law, "layer": law, "signed": True, "mu": 1.0}, index=[0]))


def matrices(count=200, seed=1, law="gaussian", n=200, m=100, **columns):
    """Rows of the table of ensembles; columns: values, or functions of (count, rng)."""
    rng = generator(seed, law)
    made = {name: make(count, rng) if callable(make) else make for name, make in columns.items()}
    table = prepared(law).loc[[0] * count].reset_index(drop=True)
    shape = {"n": n, "m": m, "q": np.divide(n, m), "expected_phase": None}
    return table.assign(layer=[f"{law}[{i}]" for i in range(count)], **(shape | made))


def tables_of(ensembles=None, layers=EMPTY, models=None):
    return Tables(models_table() if models is None else models, layers, pd.DataFrame(), {}, ensembles)


def judged(test, ensembles=None, layers=EMPTY, models=None, judging=JUDGING, **arguments):
    claim = SimpleNamespace(paper="p", source="a tutorial", statement="A sentence.", test=test, arguments=arguments)
    return judge({"claim": claim}, tables_of(ensembles, layers, models), judging).iloc[0]


def share(p):
    return lambda count, rng: rng.permutation(np.arange(count) < round(p * count)).astype(int)


def normal(mean, spread=1.0):
    return lambda count, rng: mean + spread * rng.standard_normal(count)


@pytest.mark.parametrize(
    ("true", "margin", "found"),
    [
        (0.02, 0.05, verdict.SUPPORTED),
        (0.2, 0.05, verdict.NOT_SUPPORTED),
        (0.01, 0.01, verdict.INCONCLUSIVE),
    ],
)
def test_rate_equals(true, margin, found):
    rows = matrices(n_spikes=share(true))
    row = judged("rate_equals", rows, where=GAUSSIAN, column="n_spikes", above=0, rate=0.01, margin=margin)
    assert row["verdict"] == found and row["effect"] == true and row["n"] == 200
    assert row["effect_low"] < true < row["effect_high"] and 0 < row["p_value"] <= 1


@pytest.mark.parametrize(
    ("true", "found"), [(1.0, verdict.SUPPORTED), (0.8, verdict.NOT_SUPPORTED), (0.96, verdict.INCONCLUSIVE)]
)
def test_rate_exceeds(true, found):
    rows = matrices(n_spikes=share(true), strength=[2.0, 3.0] * 100, spikes=1, law="spiked")
    where = {"law": "spiked", "strength": [1.2, 10]}
    row = judged("rate_exceeds", rows, where=where, column="n_spikes", above=0, threshold=0.95)
    assert row["verdict"] == found and ("(strength = 2)" in row["reason"]) == (true < 1)


@pytest.mark.parametrize(
    ("true", "margin", "found"),
    [(4, 0.5, verdict.SUPPORTED), (6, 0.5, verdict.NOT_SUPPORTED), (4, 0.01, verdict.INCONCLUSIVE)],
)
def test_mean_equals(true, margin, found):
    row = judged("mean_equals", matrices(alpha=normal(true)), where=GAUSSIAN, column="alpha", value=4, margin=margin)
    assert row["verdict"] == found and row["effect"] == pytest.approx(true, abs=0.3)


def test_few_matrices_give_no_interval():
    row = judged("mean_equals", matrices(4, alpha=normal(4)), where=GAUSSIAN, column="alpha", value=4, margin=9)
    assert row["verdict"] == verdict.INCONCLUSIVE and row["reason"].endswith("an interval needs 5 matrices")


@pytest.mark.parametrize(
    ("factor", "margin", "found"),
    [(1.0, 0.05, verdict.SUPPORTED), (1.2, 0.05, verdict.NOT_SUPPORTED), (1.0, 0.001, verdict.INCONCLUSIVE)],
)
def test_agrees_with_theory(factor, margin, found):
    rows = matrices(law="pareto", mu=[0.5, 1.0, 1.5, 1.75] * 50, alpha=normal(0, 0.02))
    rows["alpha"] = factor * (1 + rows["mu"] / 2) * (1 + rows["alpha"])
    row = judged("agrees_with_theory", rows, where=PARETO, column="alpha", theory="heavy_tail", margin=margin)
    assert row["verdict"] == found and row["effect"] == pytest.approx(factor - 1, abs=0.01)
    assert "farthest where mu = " in row["reason"]


def test_theories_are_the_closed_forms():
    rows = matrices(2, law="spiked", n=[400, 900], m=100, strength=[2.0, 0.5], spikes=1, mu=1.5, signed=False)
    np.testing.assert_allclose(THEORIES["marchenko_pastur_edge"](rows), [1.5**2, (4 / 3) ** 2])
    strong = (2 * 4**-0.25) ** 2  # |Δ|²/N
    np.testing.assert_allclose(THEORIES["spike"](rows), [(1 / 4 + strong) * (1 + 1 / strong), (4 / 3) ** 2])
    assert spiked.threshold(4) == 4**-0.25
    assert THEORIES["spike"](rows.assign(spikes=3)).isna().all()
    np.testing.assert_allclose(THEORIES["heavy_tail"](rows.assign(law="lomax")), 1.75)


def test_the_largest_eigenvalue_has_the_quantiles_of_its_law():
    where = [("gaussian", {}, "tracy_widom"), ("pareto", {"mu": 0.8}, "frechet")]
    for law, parameters, named in where:
        drawn = [sample(law, 60, 30, generator(i, law), **parameters) for i in range(150)]
        rows = matrices(150, law=law, n=60, m=30, mu=0.8, lambda_max=[eigenvalues(w)[-1] / 60 for w in drawn])
        uniform = LAWS[named](rows)
        assert uniform.mean() == pytest.approx(0.5, abs=0.09)
        row = judged("follows_law", rows, where={"law": law}, law=named, margin=0.25)
        assert row["verdict"] == verdict.SUPPORTED and row["p_value"] > 0.01
        assert judged("follows_law", rows, where={"law": law}, law=named, margin=0.01)["effect_low"] == 0
        wrong = rows.assign(lambda_max=9 * rows["lambda_max"])
        assert judged("follows_law", wrong, where={"law": law}, law=named, margin=0.05)["verdict"] == (
            verdict.NOT_SUPPORTED
        )
    other = judged("follows_law", rows, where={"law": "pareto"}, law="tracy_widom", margin=0.1)
    assert "no law tracy_widom of matrices (pareto" in other["reason"]


@pytest.mark.parametrize(
    ("true", "margin", "found"),
    [(0.5, 0.2, verdict.SUPPORTED), (2.0, 0.2, verdict.NOT_SUPPORTED), (0.5, 0.01, verdict.INCONCLUSIVE)],
)
def test_slopes_within_shapes(true, margin, found):
    mu = np.tile([0.5, 1.0, 1.5, 1.9], 50)
    shape = np.repeat([0, 1], 100)
    rows = matrices(law="pareto", mu=mu, n=np.where(shape, 400, 200), alpha=normal(0, 0.3))
    rows["alpha"] += true * mu + 5 * shape  # shapes differ by more than mu does
    arguments = {"where": PARETO, "x": "mu", "y": "alpha", "value": 0.5}
    row = judged("slope_equals", rows, **arguments, margin=margin)
    assert row["verdict"] == found and row["effect"] == pytest.approx(true, abs=0.1) and "of 2 shapes" in row["reason"]
    steeper = judged("slope_exceeds", rows, **arguments)
    assert (steeper["verdict"] == verdict.SUPPORTED) == (true == 2)
    flatter = judged("slope_exceeds", rows.assign(alpha=-rows["alpha"]), **arguments)
    assert flatter["verdict"] == verdict.NOT_SUPPORTED


@pytest.mark.parametrize(
    ("true", "found"), [(0.7, verdict.SUPPORTED), (0.2, verdict.NOT_SUPPORTED), (0.5, verdict.INCONCLUSIVE)]
)
def test_pl_norm_relation(true, found):
    rows = matrices(law="pareto", alpha=share(true), log_norm=1.5, lambda_max=10.0)
    rows["alpha"] = np.where(rows["alpha"] == 1, 3.2, 4.0)  # log ||W||²/log λmax = 3
    row = judged("pl_norm_relation", rows, where=PARETO, tolerance=0.5)
    assert row["verdict"] == found and row["effect"] == true


def test_the_pl_norm_relation_depends_on_the_scale():
    rows = matrices(law="pareto", alpha=3.2, log_norm=1.5, lambda_max=10.0)
    row = judged("pl_norm_relation", rows, where=PARETO, tolerance=0.5, scale=0.1)  # (3 - 2)/(1 - 2)
    assert row["effect"] == 0 and row["verdict"] == verdict.NOT_SUPPORTED
    scaled = rows.assign(log_norm=rows["log_norm"] - 1, lambda_max=rows["lambda_max"] / 100)
    again = judged("pl_norm_relation", scaled, where=PARETO, tolerance=0.5)
    assert again["effect"] == 0 and "for 0 % the answer is another" in again["reason"]
    with pytest.raises(InputError, match="scale: -1"):
        judged("pl_norm_relation", rows, where=PARETO, tolerance=0.5, scale=-1)


@pytest.mark.parametrize(
    ("true", "found"), [(1.0, verdict.SUPPORTED), (0.8, verdict.NOT_SUPPORTED), (0.96, verdict.INCONCLUSIVE)]
)
def test_phases_told_apart(true, found):
    rows = matrices(expected_phase=["A", "B"] * 100, phase=share(true))
    rows["phase"] = np.where(rows["phase"] == 1, rows["expected_phase"], "C")
    rows.loc[len(rows)] = rows.iloc[0].to_dict() | {"expected_phase": None}
    row = judged("phases_told_apart", rows, threshold=0.95)
    assert row["verdict"] == found and row["n"] == 200 and "A " in row["reason"] and "B " in row["reason"]


@pytest.mark.parametrize(
    ("true", "found"), [(0.9, verdict.SUPPORTED), (0.1, verdict.NOT_SUPPORTED), (0.5, verdict.INCONCLUSIVE)]
)
def test_share_among(true, found):
    layers = layers_table(phase=lambda n, rng: np.where(share(true)(n, rng), "BULK+SPIKES", "HEAVY-TAILED"))
    layers["kind"] = np.where(layers["weight_layer"] == "fc0", "conv2d", "linear")
    models = models_table(series=1).assign(series="s", n_parameters=[1000 * i for i in range(1, 7)])
    arguments = {"column": "phase", "values": ["BULK+SPIKES", "RANDOM-LIKE"]}
    row = judged("share_among", layers=layers, models=models, **arguments)
    assert row["verdict"] == found and row["n"] == 48
    assert row["reason"].endswith("; in networks of 1 000 to 6 000 parameters")
    assert judged("share_among", layers=layers, **arguments, kind="linear")["n"] == 42
    assert "no layer of kind none" in judged("share_among", layers=layers, **arguments, kind="none")["reason"]


@pytest.mark.parametrize(
    ("shift", "expected", "found"),
    [
        (-2, "negative", verdict.SUPPORTED),
        (-2, "positive", verdict.NOT_SUPPORTED),
        (0, "negative", verdict.INCONCLUSIVE),
    ],
)
def test_mean_has_sign(shift, expected, found):
    layers = layers_table(x=normal(5 + shift, 0.5), y=normal(5, 0.5))
    row = judged("mean_has_sign", layers=layers, column="x", reference="y", expected=expected)
    assert row["verdict"] == found and row["effect"] == pytest.approx(shift, abs=0.3)
    assert row["effect_low"] < row["effect"] < row["effect_high"]
    if shift:
        assert row["p_value"] == 2 / 2**6
    alone = judged("mean_has_sign", layers=layers.assign(x=layers["x"] - layers["y"]), column="x", expected=expected)
    assert alone["effect"] == pytest.approx(row["effect"])
    few = judged("mean_has_sign", layers=layers[layers["model"] < "m4"], column="x")
    assert few["verdict"] == verdict.INCONCLUSIVE and few["reason"].endswith("models p cannot fall below 0.125")


def test_a_model_with_many_layers_weighs_no_more_than_one_with_few():
    layers = pd.concat([layers_table(1, 20), *(layers_table(1, 2).assign(model=f"m{i}") for i in range(1, 6))])
    layers["x"] = np.where(layers["model"] == "m0", 10.0, 1.0)
    assert judged("mean_has_sign", layers=layers, column="x")["effect"] == pytest.approx(15 / 6)


@pytest.mark.parametrize(
    ("ensembles", "where", "reason"),
    [
        (None, GAUSSIAN, "no ensembles of random matrices"),
        (matrices(3, alpha=2.0), {"law": "spiked"}, "no random matrix has alpha (spiked)"),
        (matrices(3, alpha=math.nan), GAUSSIAN, "no random matrix has alpha (gaussian)"),
        (matrices(3), {"colour": 1}, "the table of ensembles has no column colour, alpha"),
    ],
)
def test_what_the_ensembles_do_not_have_is_inconclusive(ensembles, where, reason):
    row = judged("mean_equals", ensembles, where=where, column="alpha", value=1, margin=1)
    assert row["verdict"] == verdict.INCONCLUSIVE and reason in row["reason"] and pd.isna(row["effect"])


@pytest.mark.parametrize(
    ("test", "arguments", "message"),
    [
        ("mean_equals", {**MEAN, "where": {"mu": [1, 2, 3]}}, "nor a pair of numbers"),
        ("mean_equals", {**MEAN, "where": "pareto"}, "'pareto' is no dict"),
        ("follows_law", {"where": GAUSSIAN, "law": "weibull", "margin": 1}, "is none of tracy_widom, frechet"),
        ("agrees_with_theory", {"where": GAUSSIAN, "column": "alpha", "theory": "x", "margin": 1}, "none of marchenko"),
        ("mean_has_sign", {"column": "alpha", "expected": "up"}, "neither positive nor negative"),
    ],
)
def test_a_claim_that_makes_no_sense_is_refused(test, arguments, message):
    with pytest.raises(InputError, match="claim 'claim'") as error:
        judged(test, matrices(3, alpha=2.0), **arguments)
    assert message in str(error.value)


def drawn(rate):
    return lambda count, rng: (rng.random(count) < rate).astype(int)


def off_tracy_widom(count, rng):
    """Largest eigenvalues whose distribution function is 0.1 from Tracy and Widom's."""
    centre, scale = tracy_widom.largest_eigenvalue(200, 100)
    grid = np.linspace(-8, 8, 400)
    edge = np.interp(0.1 + 0.9 * rng.random(count), 1 - tracy_widom.survival(grid), grid)
    return (centre + scale * edge) / 200


def tails(count, rng, slope):
    mu = np.tile([0.5, 1.0, 1.5, 1.9], count // 4)
    return {"law": "pareto", "mu": mu, "alpha": slope * mu + 0.3 * rng.standard_normal(count)}


def noise(test, seed):
    """(ensembles, layers, arguments) where the claim is false by a hair: it holds just at its margin or threshold."""
    rng = generator(seed, "noise", test)
    slope = {"where": PARETO, "x": "mu", "y": "alpha", "value": 0.5}
    models = np.repeat(rng.standard_normal(6), 8)
    layers = layers_table(6, 8, x=lambda n, _: models + rng.standard_normal(n))
    layers["phase"] = np.where(rng.random(48) < 0.5, "A", "B")
    rate = {"where": GAUSSIAN, "column": "n_spikes", "above": 0}
    deviation = {"where": PARETO, "column": "alpha", "theory": "heavy_tail", "margin": 0.1}
    right = np.where(rng.random(200) < 0.8, "A", "B")
    return {
        "rate_equals": ({"n_spikes": drawn(0.11)}, rate | {"rate": 0.01, "margin": 0.1}),
        "rate_exceeds": ({"n_spikes": drawn(0.9)}, rate | {"threshold": 0.9}),
        "mean_equals": ({"alpha": normal(4.5)}, {"where": GAUSSIAN, "column": "alpha", "value": 4, "margin": 0.5}),
        "agrees_with_theory": ({"law": "pareto", "mu": 1.0, "alpha": normal(1.65, 0.1)}, deviation),
        "follows_law": ({"lambda_max": off_tracy_widom}, {"where": GAUSSIAN, "law": "tracy_widom", "margin": 0.1}),
        "slope_equals": (tails(200, rng, 0.7), slope | {"margin": 0.2}),
        "slope_exceeds": (tails(200, rng, 0.5), slope),
        "pl_norm_relation": (
            {"law": "pareto", "log_norm": 1.5, "lambda_max": 10.0, "alpha": lambda n, r: 3 + drawn(0.5)(n, r)},
            {"where": PARETO, "tolerance": 0.5},
        ),
        "phases_told_apart": ({"expected_phase": "A", "phase": right}, {"threshold": 0.8}),
        "share_among": (layers, {"column": "phase", "values": ["A"]}),
        "mean_has_sign": (layers, {"column": "x"}),
    }[test]  # fmt: skip


NOISE = (
    *("rate_equals", "rate_exceeds", "mean_equals", "agrees_with_theory", "follows_law", "slope_equals"),
    *("slope_exceeds", "pl_norm_relation", "phases_told_apart", "share_among", "mean_has_sign"),
)


def test_every_test_of_a_claim_is_tried_on_noise():
    others = (
        test_statistics_claims,
        test_statistics_jacobian_claims,
        test_statistics_landscape_claims,
        test_statistics_sweep_claims,
    )
    assert {*NOISE, *(test for module in others for test in module.NOISE)} == set(TESTS)


@pytest.mark.parametrize("test", NOISE)
def test_noise_is_supported_no_more_often_than_the_level(test):
    count = 0
    for seed in range(20):
        made, arguments = noise(test, seed)
        ensembles, layers = (None, made) if isinstance(made, pd.DataFrame) else (matrices(seed=seed, **made), EMPTY)
        row = judged(test, ensembles, layers, judging=Judging(99, seed=seed), **arguments)
        count += row["verdict"] == verdict.SUPPORTED
    assert count <= 4
