"""The rivals of the power law against mpmath, scipy, numerical maximization and the powerlaw package."""

import warnings

import mpmath
import numpy as np
import pytest
from scipy import integrate, optimize, special

from htsr.tails.rivals import (
    BEST_FITS,
    _cut_normal,
    best_fit,
    compare,
    exponential_log_pdf,
    fit_exponential,
    fit_lognormal,
    fit_stretched_exponential,
    fit_truncated_power_law,
    log_normalizer,
    lognormal_log_pdf,
    nested,
    power_law_log_pdf,
    stretched_exponential_log_pdf,
    truncated_power_law_log_pdf,
    vuong,
)
from htsr.tails.search import tilted_moments


def pareto(rng, n, alpha):
    return (1 - rng.random(n)) ** (-1 / (alpha - 1))


def truncated(rng, n, alpha, rate):
    """Truncated power law above 1: Pareto draws, each kept with probability e^(-Λ(x-1))."""
    kept = []
    while len(kept) < n:
        x = pareto(rng, 4 * n, alpha)
        kept.extend(x[rng.random(len(x)) < np.exp(-rate * (x - 1))])
    return np.array(kept[:n])


def test_normalizer_against_mpmath():
    alphas = [0, 0.3, 0.5, 1 - 1e-9, 1, 1 + 1e-9, 1.5, 2, 2 + 1e-7, 2.5, 3, 7.3, 30, 60]
    rates = [1e-12, 1e-6, 1e-3, 0.1, 1, 3, 30, 1e3, 1e6]
    found = log_normalizer(np.array(alphas)[:, None], np.array(rates))
    expected = [[float(mpmath.log(mpmath.expint(a, x))) for x in rates] for a in alphas]
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
    assert log_normalizer(2.5, 0.0) == pytest.approx(np.log(1 / 1.5), rel=1e-13)


def test_normalizer_is_the_incomplete_gamma_function_of_negative_order():
    """By its recurrence from scipy's function of positive order, where that is well conditioned."""
    alpha, x = 3.4, np.array([0.01, 0.3, 2.0, 9.0])
    gamma = special.gamma(0.6) * special.gammaincc(0.6, x)
    for order in (-0.4, -1.4, -2.4):
        gamma = (gamma - x**order * np.exp(-x)) / order
    np.testing.assert_allclose(log_normalizer(alpha, x), np.log(x ** (alpha - 1) * gamma), rtol=1e-9)


@pytest.mark.parametrize("xmin", [0.02, 5.0])
def test_densities_integrate_to_one(xmin):
    for log_pdf in (
        lambda x: power_law_log_pdf(x, 2.4, xmin),
        lambda x: truncated_power_law_log_pdf(x, 1.4, 0.3 / xmin, xmin),
        lambda x: truncated_power_law_log_pdf(x, 0.0, 0.3 / xmin, xmin),
        lambda x: lognormal_log_pdf(x, np.log(xmin) + 0.7, 0.9, xmin),
        lambda x: lognormal_log_pdf(x, np.log(xmin) - 9, 2.0, xmin),
        lambda x: exponential_log_pdf(x, 2 / xmin, xmin),
        lambda x: stretched_exponential_log_pdf(x, 2 / xmin, 0.4, xmin),
        lambda x: stretched_exponential_log_pdf(x, 0.3 / xmin, 1.7, xmin),
    ):
        total, _ = integrate.quad(lambda t, f=log_pdf: np.exp(f(xmin * np.exp(t)) + t) * xmin, 0, 40, limit=400)
        assert total == pytest.approx(1, abs=1e-7)


@pytest.mark.parametrize(("alpha", "rate"), [(1.5, 0.05), (2.0, 0.02), (2.8, 0.3), (0.5, 0.4)])
def test_recovers_a_truncated_power_law(alpha, rate):
    rng = np.random.default_rng(19)
    x = truncated(rng, 20000, alpha, rate) if alpha > 1 else 1 + rng.gamma(1, 1 / rate, 20000)
    if alpha < 1:
        x = x[rng.random(len(x)) < x**-alpha]
    found_alpha, found_rate = fit_truncated_power_law(3e-5 * x, 3e-5)
    assert found_alpha == pytest.approx(alpha, abs=0.08) and 3e-5 * found_rate == pytest.approx(rate, rel=0.12)


def tails():
    rng = np.random.default_rng(23)
    for n in (3, 12, 60, 400):
        yield pareto(rng, n, 1.6)
        yield pareto(rng, n, 3.5)
        yield 1 + rng.exponential(size=n)
        yield 1 + 1e-4 * rng.random(n)
        yield np.exp(np.abs(rng.standard_normal(n)))
        yield np.exp(5 + rng.standard_normal(n))
        yield truncated(rng, n, 1.5, 0.1)
        yield pareto(rng, n, 1.1)


def test_fits_are_maxima_of_the_likelihood():
    for x in tails():
        xmin = x.min()
        y = x / xmin

        def truncated_cost(p, y=y):
            return -truncated_power_law_log_pdf(y, abs(p[0]), np.exp(p[1]), 1.0).sum()

        alpha, rate = fit_truncated_power_law(x, xmin)
        ours = -truncated_power_law_log_pdf(x, alpha, rate, xmin).sum() - len(x) * np.log(xmin)
        for start in ((0.5, 0.0), (2.0, -3.0), (1.0, np.log(1 / (y.mean() - 1)))):
            options = {"xatol": 1e-9, "fatol": 1e-9, "maxiter": 4000}
            theirs = optimize.minimize(truncated_cost, start, method="Nelder-Mead", options=options)
            if theirs.x[1] > np.log(1e-10):
                assert -ours >= -theirs.fun - 1e-7 * (1 + abs(ours))
        mu, sigma = fit_lognormal(x, xmin)
        limit = power_law_log_pdf(x, 1 + len(x) / np.log(y).sum(), xmin).sum()
        ours = limit if np.isnan(mu) else lognormal_log_pdf(x, mu, sigma, xmin).sum()
        for m in (-30, -3, 0, 1, 5):
            for s in (1e-5, 0.1, 1, 3, 6):
                assert ours >= lognormal_log_pdf(x, np.log(xmin) + m, s, xmin).sum() - 1e-6
                if not np.isnan(mu):
                    near = lognormal_log_pdf(x, mu + 1e-3 * m * sigma, sigma * (1 + 1e-3 * (s - 1)), xmin).sum()
                    assert ours >= near - 1e-6
        rate, beta = fit_stretched_exponential(x, xmin)
        # The lognormal's condition as well: beyond it the power law is the best of both families.
        assert np.isnan(beta) == np.isnan(rate) and np.isnan(beta) >= np.isnan(mu)
        ours = limit if np.isnan(beta) else stretched_exponential_log_pdf(x, rate, beta, xmin).sum()
        assert ours >= limit - 1e-7 * abs(limit)
        for factor in (0.9, 0.999, 1.001, 1.1):
            for power in (0.9, 0.999, 1.001, 1.1):
                if not np.isnan(beta):
                    near = stretched_exponential_log_pdf(x, rate * factor ** (1 / beta), beta * power, xmin).sum()
                    assert ours >= near - 1e-7 * abs(near)
        rate = fit_exponential(x, xmin)
        assert all(
            exponential_log_pdf(x, rate, xmin).sum() >= exponential_log_pdf(x, f * rate, xmin).sum() for f in (0.9, 1.1)
        )


@pytest.mark.parametrize("z", [-40, -8, -1, 0, 0.5, 4.99, 5.01, 30, 999])
def test_moments_of_a_normal_variable_cut_off(z):
    with mpmath.workdps(60):
        h = mpmath.npdf(z) / mpmath.ncdf(-z)
        d = h - z
        expected = float(d), float((1 - z * d) / d**2)
    assert _cut_normal(z) == pytest.approx(expected, rel=1e-12)


def test_recovers_a_cut_off_lognormal():
    rng = np.random.default_rng(29)
    x = np.exp(0.4 + 0.8 * rng.standard_normal(40000))
    mu, sigma = fit_lognormal(1e4 * x[x >= 1], 1e4)
    assert (mu - np.log(1e4), sigma) == pytest.approx((0.4, 0.8), abs=0.03)
    mu, sigma = fit_lognormal(x, x.min())  # nothing is cut off: plain moments
    assert (mu, sigma) == pytest.approx((np.log(x).mean(), np.log(x).std()), abs=1e-3)


def test_a_lognormal_tail_that_is_a_power_law_has_no_parameters():
    x = np.exp(np.array([0.0, 0.1, 0.2, 5.0]))
    assert np.isnan(fit_lognormal(x, 1.0)).all()
    row = compare(x, 1.0, 1 + 4 / 5.3)
    assert (row["lognormal_ratio"], row["lognormal_p"]) == (0.0, 1.0)


@pytest.mark.parametrize("beta", [0.3, 0.8, 1.0, 2.5])
def test_recovers_a_stretched_exponential(beta):
    x = 2e5 * np.random.default_rng(83).weibull(beta, 40000)
    tail = x[x >= 1e5]
    rate, found = fit_stretched_exponential(tail, 1e5)
    assert (2e5 * rate, found) == pytest.approx((1.0, beta), rel=0.1)


def test_a_stretched_tail_that_is_a_power_law_has_no_parameters():
    x = np.exp(np.array([0.0, 0.1, 0.2, 5.0]))
    assert np.isnan(fit_stretched_exponential(x, 1.0)).all()
    # Just inside: so near to the power law that its scale is no number.
    assert np.isnan(fit_stretched_exponential(np.exp([0.0, 0.0, 1.0, 1.0 + 1e-9, 2 + 5**0.5]), 1.0)).all()


@pytest.mark.parametrize("beta", [0.0, 1e-6, 0.05, 0.11, 3.0, 900.0])
def test_tilted_moments(beta):
    t = np.array([0.0, 0.02, 0.3, 0.3, 1.0])

    def moment(p):
        with mpmath.workdps(40):
            parts = [mpmath.quad(lambda u: u**p * mpmath.exp(beta * (u - 1)), [0, v / 2, v]) for v in t]
            return mpmath.fsum(parts)

    expected = [float(moment(p) / moment(0)) for p in (1, 2)]
    assert tilted_moments(t, beta) == pytest.approx(expected, rel=1e-10)


def test_vuong():
    differences = np.array([0.5, -0.1, 0.3, 0.2, -0.4])
    ratio, p = vuong(differences)
    assert ratio == pytest.approx(0.5 / (np.sqrt(5) * differences.std()))
    assert p == pytest.approx(2 * special.ndtr(-abs(ratio))) and vuong(-differences) == pytest.approx((-ratio, p))
    assert vuong(np.zeros(5)) == nested(np.zeros(5)) == nested(np.full(5, -1e-17)) == (0.0, 1.0)
    assert nested(differences)[1] == pytest.approx(0.5 * special.chdtrc(1, 2 * 0.5))


def test_comparisons_agree_with_the_powerlaw_package():
    powerlaw = pytest.importorskip("powerlaw")
    rng = np.random.default_rng(31)
    x = 2 * truncated(rng, 300, 2.0, 0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = powerlaw.Fit(x, xmin=2.0, parameter_ranges={"alpha": [1, None]}, verbose=0)
        theirs = {
            rival: fit.distribution_compare(name, "power_law", normalized_ratio=True, nested=False)
            for rival, name in (
                ("exponential", "exponential"),
                ("stretched", "stretched_exponential"),
                ("lognormal", "lognormal"),
            )
        }
        their_truncated = fit.truncated_power_law
    ours = compare(x, 2.0, fit.power_law.alpha)
    for rival, (ratio, p) in theirs.items():
        assert ours[f"{rival}_ratio"] == pytest.approx(ratio, abs=5e-3)
        assert ours[f"{rival}_p"] == pytest.approx(p, abs=5e-3)
    assert ours["exponential_lambda"] == pytest.approx(fit.exponential.Lambda, rel=1e-3)
    stretched = fit.stretched_exponential
    assert ours["stretched_beta"] == pytest.approx(stretched.beta, rel=2e-3)
    likelihood = stretched_exponential_log_pdf(x, stretched.Lambda, stretched.beta, 2.0)
    np.testing.assert_allclose(likelihood, stretched.loglikelihoods(x), rtol=1e-9)
    best = stretched_exponential_log_pdf(x, ours["stretched_lambda"], ours["stretched_beta"], 2.0)
    assert best.sum() >= likelihood.sum()
    # Its optimizer stops at the edge of α's range; its density is the same.
    alpha, rate = their_truncated.alpha, their_truncated.Lambda
    likelihood = truncated_power_law_log_pdf(x, alpha, rate, 2.0)
    np.testing.assert_allclose(likelihood, their_truncated.loglikelihoods(x), rtol=1e-9)
    assert truncated_power_law_log_pdf(x, ours["tpl_alpha"], ours["tpl_lambda"], 2.0).sum() >= likelihood.sum()


def test_the_nested_test_errs_as_often_as_it_says():
    """Power-law samples of known xmin: p <= 0.05 in about 5 %, and no better than the power law in about half."""
    rng = np.random.default_rng(37)
    p = []
    for _ in range(600):
        x = pareto(rng, 300, 6.0)
        p.append(compare(x, 1.0, 1 + len(x) / np.log(x).sum())["tpl_p"])
    p = np.array(p)
    assert 0.025 <= np.mean(p <= 0.05) <= 0.08
    assert 0.45 <= np.mean(p < 0.5) <= 0.65 and np.all((p <= 0.5) | (p == 1))


@pytest.mark.parametrize(
    ("tests", "expected"),
    [
        (((2, 0.05), (9, 0.001), (9, 0.001), (9, 0.001)), "TPL"),
        (((2, 0.051), (2, 0.05), (9, 0.001), (9, 0.001)), "exponential"),
        (((2, 0.051), (-2, 0.04), (2, 0.05), (9, 0.001)), "stretched exponential"),
        (((2, 0.051), (-2, 0.04), (2, 0.051), (1.97, 0.049)), "lognormal"),
        (((0, 1.0), (-3, 0.001), (-3, 0.001), (-3, 0.001)), "PL"),
        (((1, 0.1), (1, 0.3), (1, 0.3), (1, 0.3)), "PL"),
    ],
)
def test_rule_of_the_best_fit(tests, expected):
    assert best_fit(dict(zip(("tpl", "exponential", "stretched", "lognormal"), tests, strict=True))) == expected


def test_best_fit_of_samples():
    rng = np.random.default_rng(41)

    def best(x):
        x = x[x >= 1]
        return compare(x, 1.0, 1 + len(x) / np.log(x).sum())["best_fit"]

    assert best(pareto(rng, 2000, 2.5)) == "PL"
    assert best(truncated(rng, 2000, 1.5, 0.1)) == "TPL"
    assert best(1 + rng.exponential(size=2000)) == "TPL"  # which contains the exponential, and comes first


def test_ratios_do_not_depend_on_the_scale():
    for x in tails():
        alpha = 1 + len(x) / np.log(x / x.min()).sum()
        one, other = compare(x, x.min(), alpha), compare(x * 2.0**30, x.min() * 2.0**30, alpha)
        assert one["best_fit"] == other["best_fit"] and one["tpl_alpha"] == pytest.approx(other["tpl_alpha"], abs=1e-9)
        for key in (f"{rival}_{what}" for rival in BEST_FITS for what in ("ratio", "p")):
            assert one[key] == pytest.approx(other[key], rel=1e-6, abs=1e-6)


def test_nothing_warns():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for x in [*tails(), np.array([1.0, 1 + 1e-12]), np.array([1.0, 1e12]), np.array([1.0] * 50 + [2.0])]:
            compare(x, x.min(), 1 + len(x) / np.log(x / x.min()).sum())
