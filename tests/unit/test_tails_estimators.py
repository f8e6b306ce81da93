"""Estimators of the exponent from the k largest values, the bounded law, plateaus, and their validation."""

import math
import warnings

import mpmath
import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

from htsr.tails.bounded import bounded_log_pdf, fit_bounded, fit_bounded_tail
from htsr.tails.estimators import (
    Path,
    choose_k,
    hill_index,
    hill_path,
    kernel_index,
    kernel_path,
    moments_index,
    moments_path,
    unbiased_path,
)
from htsr.tails.power_law import Rule, fit_power_law, hill
from htsr.tails.search import bounded_slope
from htsr.tails.stability import LEAST, paths, plateau
from htsr.tails.validation import COLUMNS, LAWS, pool, sample, validate, validate_all

PATHS = {"hill": hill_path, "unbiased": unbiased_path, "moments": moments_path, "kernel": kernel_path}
INDICES = {"hill": hill_index, "moments": moments_index, "kernel": kernel_index}


def pareto(rng, n, alpha):
    return np.sort((1 - rng.random(n)) ** (-1 / (alpha - 1)))


@pytest.mark.parametrize("k", [2, 7, 38])
def test_indices_are_their_definitions(k):
    x = np.sort(np.exp(np.random.default_rng(3).standard_normal(39)))
    logs = np.log(x[::-1])
    excess = logs[:k] - logs[k]
    first, second = excess.mean(), np.mean(excess**2)
    z = np.arange(1, 39) * (logs[:-1] - logs[1:])
    w = 1 - (np.arange(1, k + 1) / (k + 1)) ** 2
    assert hill_index(x)[k - 1] == pytest.approx(first, rel=1e-12)
    assert moments_index(x)[k - 1] == pytest.approx(first + 1 - 0.5 / (1 - first**2 / second), rel=1e-10)
    assert kernel_index(x)[k - 1] == pytest.approx(w @ z[:k] / w.sum(), rel=1e-11)
    assert hill_path(x).at(k).alpha == pytest.approx(hill(x, k), rel=1e-12)
    both = np.stack([x, x**2])
    for index in INDICES.values():
        np.testing.assert_allclose(index(both)[0], index(x), rtol=1e-12)


@pytest.mark.parametrize("name", PATHS)
def test_standard_errors_are_those_of_simulation(name):
    rng, k = np.random.default_rng(5), 400
    found = [PATHS[name](pareto(rng, 600, 2.5)).at(k) for _ in range(300)]
    alphas, stderrs = np.array([(e.alpha, e.stderr) for e in found]).T
    assert alphas.std() == pytest.approx(np.median(stderrs), rel=0.15)
    assert alphas.mean() == pytest.approx(2.5, abs=0.03 if name == "moments" else 0.015)


def test_the_corrected_estimate_has_no_bias_for_few_values():
    rng = np.random.default_rng(7)
    found = np.array(
        [[path(pareto(rng, 6, 3.0)).at(5).alpha for path in (unbiased_path, hill_path)] for _ in range(2500)]
    )
    assert found[:, 0].mean() == pytest.approx(3.0, abs=0.07) and found[:, 1].mean() == pytest.approx(3.5, abs=0.09)


@pytest.mark.parametrize("name", PATHS)
def test_paths_do_not_depend_on_the_scale(name):
    x = np.sort(np.exp(np.random.default_rng(11).standard_normal(60)))
    for scale in (1e-3, 1e3, 1e150):
        np.testing.assert_allclose(PATHS[name](scale * x).alpha, PATHS[name](x).alpha, rtol=1e-9)


def test_a_tail_that_is_no_power_law_has_no_moments_exponent():
    path = moments_path(np.arange(1.0, 200))  # uniform: ξ = -1
    assert np.isnan(path.at(100).alpha) and moments_index(np.arange(1.0, 200))[99] == pytest.approx(-1, abs=0.1)
    assert np.isnan(path.at(0).alpha) and np.isnan(path.at(199).alpha) and path.at(0).k == 0


def test_chosen_k_is_near_the_best():
    """The whole sample of a pure power law, and about the half of it that lies above a body."""
    rng = np.random.default_rng(13)
    for name, index in INDICES.items():
        pure = [choose_k(pareto(rng, 400, 2.5), index, 60, rng) for _ in range(9)]
        assert np.median(pure) >= 250, name
        if name != "moments":
            mixed = [choose_k(np.sort(np.r_[rng.random(400), pareto(rng, 400, 4.0)]), index, 60, rng) for _ in range(9)]
            assert 200 <= np.median(mixed) <= 620, name


def test_choice_of_k_is_reproducible_and_scale_free():
    x = np.sort(np.exp(np.random.default_rng(17).standard_normal(150)))
    for index in INDICES.values():
        k = choose_k(x, index, 40, np.random.default_rng(1))
        assert choose_k(1e-3 * x, index, 40, np.random.default_rng(1)) == k and 4 <= k < 150


@pytest.mark.parametrize(
    "x", [[1.0, 2.0], np.ones(50), np.r_[np.ones(49), 2.0], np.r_[1.0, np.full(49, 2.0)], np.arange(1.0, 9), [1, 1e300]]
)
def test_degenerate_samples_give_no_numbers_rather_than_errors(x):
    x = np.asarray(x, float)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for index in INDICES.values():
            k = choose_k(x, index, 20, np.random.default_rng(0))
            assert k is None or 1 <= k < len(x)
        fit = fit_bounded(x)
        assert fit.status == "ok" or math.isnan(fit.alpha)
        for path in paths(x).values():
            assert len(path.alpha) == len(x) - 1
            first, last, score = plateau(path)
            assert 0 <= score <= 1 and first <= last


# -------------------------------------------------------------------------------- bounded


@pytest.mark.parametrize("share", [1e-4, 0.01, 0.2, 0.4999999, 0.5, 0.55, 0.9])
def test_slope_of_the_bounded_law(share):
    slope, variance = bounded_slope(3 * share, 3.0)
    with mpmath.workdps(40):
        s, end = mpmath.mpf(slope), mpmath.mpf(3)
        mean = 1 / s - end / mpmath.expm1(s * end)
        var = 1 / s**2 - end**2 * mpmath.exp(s * end) / mpmath.expm1(s * end) ** 2
    assert float(mean) == pytest.approx(3 * share, rel=1e-8) and variance == pytest.approx(float(var), rel=1e-8)


def test_bounded_fit_has_the_greatest_likelihood_and_its_standard_error():
    rng = np.random.default_rng(19)
    x = np.sort(np.exp(-np.log1p(-0.9 * rng.random(2000)) / 1.5))
    alpha, stderr = fit_bounded_tail(7 * x, 7.0)

    def cost(a):
        return -bounded_log_pdf(7 * x[:-1], a, 7.0, 7 * x[-1]).sum()

    best = optimize.minimize_scalar(cost, bounds=(0.5, 6), method="bounded", options={"xatol": 1e-9}).x
    step = 1e-3
    curvature = (cost(best + step) - 2 * cost(best) + cost(best - step)) / step**2
    assert alpha == pytest.approx(best, abs=1e-6) and stderr == pytest.approx(1 / math.sqrt(curvature), rel=1e-3)
    assert abs(alpha - 2.5) < 4 * stderr
    density = np.exp(bounded_log_pdf(np.linspace(7, 7 * x[-1], 20001), alpha, 7.0, 7 * x[-1]))
    assert np.trapezoid(density, np.linspace(7, 7 * x[-1], 20001)) == pytest.approx(1, abs=1e-5)
    assert bounded_log_pdf(2.0, 1.0, 1.0, np.e) == pytest.approx(-math.log(2))


def test_bounded_intervals_cover_where_the_unbounded_law_fails():
    rng, held = np.random.default_rng(23), np.zeros(2)
    for _ in range(200):
        x = np.sort(np.exp(-np.log1p(-0.8 * rng.random(300)) / 2))
        alpha, stderr = fit_bounded_tail(x, 1.0)
        pure = 1 + len(x) / np.log(x).sum()
        held += [abs(alpha - 3) < 1.96 * stderr, abs(pure - 3) < 1.96 * (pure - 1) / math.sqrt(len(x))]
    assert 0.9 <= held[0] / 200 <= 0.99 and held[1] == 0


def test_bounded_search_takes_the_least_distance():
    """Against the search written out."""
    rng = np.random.default_rng(29)
    x = np.sort(np.exp(rng.standard_normal(80)))
    found = fit_bounded(x, Rule(min_tail=5))
    best = (np.inf,)
    for i in range(len(x) - 4):
        tail = x[i:]
        s = fit_bounded_tail(tail, tail[0])[0] - 1
        cdf = np.expm1(-s * np.log(tail / tail[0])) / np.expm1(-s * np.log(tail[-1] / tail[0]))
        steps = np.arange(len(tail) + 1) / len(tail)
        best = min(
            best, (max(np.abs(cdf - steps[:-1]).max(), np.abs(cdf - steps[1:]).max()), 1 + s, tail[0], len(tail))
        )
    assert (found.ks_distance, found.alpha, found.xmin, found.n_tail) == pytest.approx(best, rel=1e-9)
    scaled = fit_bounded(1e-3 * x, Rule(min_tail=5))
    assert (scaled.alpha, scaled.xmin) == pytest.approx((found.alpha, 1e-3 * found.xmin), rel=1e-9)


# ------------------------------------------------------------------------------ stability


def test_plateau_is_the_longest_run_of_overlapping_bands():
    rng = np.random.default_rng(31)
    for _ in range(20):
        n = 60
        alpha, stderr = rng.uniform(2, 4, n), rng.uniform(0.05, 0.6, n)
        alpha[rng.integers(n, size=3)] = np.nan
        path = Path(np.arange(1, n + 1), alpha, stderr)
        low, high = alpha - 1.96 * stderr, alpha + 1.96 * stderr
        best = 0.0
        for i in range(LEAST - 1, n):
            for j in range(i, n):
                if not np.isfinite(low[i : j + 1]).all() or low[i : j + 1].max() > high[i : j + 1].min():
                    break
                best = max(best, math.log((j + 1) / (i + 1)))
        first, last, score = plateau(path)
        assert math.log(last / first) == pytest.approx(best) and score == pytest.approx(best / math.log(n / LEAST))


def test_plateaus_tell_a_power_law_from_noise():
    rng = np.random.default_rng(37)
    noise = np.linalg.eigvalsh(np.cov(rng.standard_normal((200, 400))))
    assert plateau(hill_path(pareto(rng, 200, 3.0)))[2] > 0.9 > 0.7 > plateau(hill_path(noise))[2]


# ----------------------------------------------------------------------------- validation


@pytest.mark.parametrize("law", LAWS)
def test_samples_have_the_tail_that_they_claim(law):
    rng, alpha = np.random.default_rng(41), 1.5
    if law == "matrix":
        x = np.sort(np.concatenate([sample(law, 150, alpha, rng)[0] for _ in range(8)]))
        assert hill(x, 100) == pytest.approx(alpha, abs=0.15)
        return
    x = sample(law, 40000, alpha, rng)[0]
    tail = np.log(x[x >= 1])
    assert len(tail) / len(x) == pytest.approx(0.5 if law == "composite" else 1, abs=0.01)
    if law == "bounded":
        assert tail.max() == pytest.approx(-math.log(0.05) / 0.5, rel=1e-3)
        assert stats.kstest(tail, lambda t: -np.expm1(-0.5 * t) / 0.95).pvalue > 1e-3
    else:
        assert stats.kstest(tail, stats.expon(scale=2).cdf).pvalue > 1e-3
    if law == "composite":  # as dense below 1 as above
        logs = np.log(x)
        assert np.mean((logs > -0.1) & (logs < 0)) == pytest.approx(np.mean((logs >= 0) & (logs < 0.1)), rel=0.1)


def test_errors_scale_with_alpha_minus_one():
    """The same draws with another exponent: everything but the estimator of moments scales exactly."""
    rng = np.random.default_rng(43)
    one, other = np.sort(rng.exponential(size=150)), None
    one, other = np.exp(one / 0.5), np.exp(one / 4)
    for estimate in (
        lambda x: fit_power_law(x).alpha,
        lambda x: fit_bounded(x).alpha,
        lambda x: kernel_path(x).at(60).alpha,
        lambda x: hill(x),
        lambda x: hill_path(x).at(choose_k(x, hill_index, 30, np.random.default_rng(0))).alpha,
    ):
        assert (estimate(one) - 1) / 0.5 == pytest.approx((estimate(other) - 1) / 4, rel=1e-9)


def test_rows_of_validation():
    rows = pd.DataFrame(validate("pareto", 60, 3.0, 20, 20, seed=3), columns=COLUMNS)
    assert rows.equals(pd.DataFrame(validate("pareto", 60, 3.0, 20, 20, seed=3), columns=COLUMNS))
    assert not rows.equals(pd.DataFrame(validate("pareto", 60, 3.0, 20, 20, seed=4), columns=COLUMNS))
    assert not rows.duplicated(["estimator", "interval"]).any() and "farms" not in set(rows.estimator)
    hill_row = rows[rows.estimator == "hill"].iloc[0]
    assert abs(hill_row.bias) < 0.6 and hill_row["std"] == pytest.approx(2 / math.sqrt(30), rel=0.6)
    assert hill_row.rmse == pytest.approx(math.hypot(hill_row.bias, hill_row["std"] * math.sqrt(19 / 20)))
    assert math.isnan(validate("pareto", 60, 3.0, 1, 20)[0]["std"])
    normal = rows[(rows.estimator == "power_law") & (rows.interval == "normal")].iloc[0]
    assert 0.6 <= normal.coverage <= 1 and 0 < normal.coverage_stderr < 0.12 and normal.failures == 0


def test_pooling_is_relative_to_alpha_minus_one():
    row = {"law": "pareto", "n": 50, "estimator": "hill", "interval": "normal", "failures": 0, "rmse": 1.0}
    table = pd.DataFrame(
        [
            row
            | {"alpha": 2.0, "replicates": 10, "bias": 0.1, "median_bias": 0, "std": 0.3, "coverage": 1.0, "width": 1},
            row
            | {"alpha": 5.0, "replicates": 30, "bias": 0.8, "median_bias": 0, "std": 1.6, "coverage": 0.9, "width": 4},
        ]
    )
    pooled = pool(table).iloc[0]
    assert pooled.bias == pytest.approx((10 * 0.1 + 30 * 0.2) / 40) and pooled.width == pytest.approx(1.0)
    assert pooled["std"] == pytest.approx(math.sqrt((10 * 0.3**2 + 30 * 0.4**2) / 40))
    assert pooled.coverage == pytest.approx(37 / 40) and pooled.replicates == 40


def test_all_laws_are_validated_and_matrices_have_windows():
    rows = pd.DataFrame(list(validate_all([20, 600], [2.5], 1, 1, 4)), columns=COLUMNS)
    assert list(rows.law.unique()) == list(LAWS)
    assert set(rows[rows.law == "matrix"].n) == {20} and "farms" in set(rows[rows.law == "matrix"].estimator)
    assert rows[rows.estimator == "farms"].coverage.isna().all()
    with pytest.raises(ValueError, match="no law is named"):
        sample("gauss", 5, 2.0, np.random.default_rng(0))
