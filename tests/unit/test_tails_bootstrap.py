"""Bootstrap interval and goodness of fit: exactness of the resamples, coverage, level and power."""

import numpy as np
import pytest
from scipy import stats

from htsr.tails.bootstrap import alpha_interval, goodness_of_fit, resampled_fits
from htsr.tails.power_law import DEFAULT, Rule, distinct, fit_power_law
from htsr.tails.search import refit


def pareto(rng, n, alpha):
    return np.sort((1 - rng.random(n)) ** (-1 / (alpha - 1)))


def interval(x, rng, rule=DEFAULT, resamples=200):
    fit = fit_power_law(x, rule)
    return alpha_interval(fit.alpha, resampled_fits(x, fit, rule, resamples, rng)[0])


def p_value(x, rule, resamples, rng):
    fit = fit_power_law(x, rule)
    return goodness_of_fit(fit.ks_distance, resampled_fits(x, fit, rule, resamples, rng)[1])


@pytest.mark.parametrize("rule", [Rule(), Rule("left", 2), Rule("left", 2, True)])
@pytest.mark.parametrize("ties", [False, True])
def test_resamples_are_fitted_as_samples_are(rule, ties):
    """The compiled resampling against the same draws written out, sorted and fitted one by one."""
    rng = np.random.default_rng(43)
    x = np.sort(np.exp(rng.standard_normal(90)))
    x = np.ceil(x * 5) if ties else x
    fit = fit_power_law(x, rule)
    u, n_tail = rng.random((20, len(x))), rng.binomial(len(x), fit.n_tail / len(x), 20)
    n_tail[0] = 0
    body = np.count_nonzero(x < fit.xmin)
    for draws, below in ((np.zeros(20, int), len(x)), (n_tail, body)):
        logs, smaller = distinct(x)
        where = (fit.alpha - 1, np.log(fit.xmin / x[-1]))
        slopes, distances = refit(
            logs, smaller, u, draws, below, *where, rule.min_tail, rule.ks == "left", rule.cut_at_xmax
        )
        for row, k, slope, distance in zip(u, draws, slopes, distances, strict=True):
            gaps = -np.log1p(-row[:k]) / np.arange(k, 0, -1)
            tail = fit.xmin * np.exp(np.cumsum(gaps) / (fit.alpha - 1))
            expected = fit_power_law(np.concatenate([x[(row[k:] * below).astype(int)], tail]), rule)
            assert 1 + slope == pytest.approx(expected.alpha, rel=1e-9)
            assert distance == pytest.approx(expected.ks_distance, abs=1e-12)


def test_resampled_tails_follow_the_law():
    """All data from the power law: their logs are exponential, with mean 1/(α-1) beyond that of xmin."""
    rng = np.random.default_rng(47)
    x = pareto(rng, 500, 3.0)
    logs, below = distinct(x)
    whole = Rule(min_tail=500)  # no choice of xmin: α is that of all data
    slopes, _ = refit(logs, below, rng.random((400, 500)), np.full(400, 500), 0, 2.0, 0.0, whole.min_tail, False, False)
    assert slopes.mean() == pytest.approx(2.0, abs=0.03) and slopes.std() == pytest.approx(2 / np.sqrt(500), rel=0.15)


def test_the_interval_corrects_the_bias_of_the_resamples():
    """Resamples f(z) of an estimate f(0.3) with f increasing and z normal: Efron's interval is f(0.6 ± 1.96)."""
    z = stats.norm.ppf((np.arange(20000) + 0.5) / 20000)
    low, high = alpha_interval(2 + np.exp(0.3), 2 + np.exp(z))
    assert (low, high) == pytest.approx((2 + np.exp(0.6 - 1.96), 2 + np.exp(0.6 + 1.96)), rel=2e-3)
    middle = alpha_interval(3.0, 2 + np.exp(z))  # no bias: the percentiles
    assert middle == pytest.approx(tuple(2 + np.exp([-1.96, 1.96])), rel=2e-3)
    low, high = alpha_interval(9.0, np.linspace(2, 4, 101))  # beyond all resamples: their upper end
    assert 3.9 < low < high <= 4


def test_intervals_cover_the_truth():
    """By simulation 92 to 97 % of the 95 % intervals hold the exponent; with a body as sharp as this one 95 %."""
    rng, held, widths = np.random.default_rng(53), 0, []
    for _ in range(100):
        x = np.sort(np.concatenate([rng.random(100), pareto(rng, 100, 3.0)]))
        low, high = interval(x, rng)
        held += low <= 3.0 <= high
        widths.append(high - low)
    assert 88 <= held < 100
    fit = fit_power_law(x)
    assert np.median(widths) > 2 * 1.96 * fit.alpha_stderr  # wider than with xmin known


def test_goodness_of_fit_has_its_level_and_power():
    rng = np.random.default_rng(59)

    def p_values(draw, rule, count=80):
        return np.array([p_value(np.sort(draw()), rule, 99, rng) for _ in range(count)])

    p = p_values(lambda: pareto(rng, 150, 2.5), Rule())
    assert np.mean(p <= 0.1) <= 0.2 and 0.4 <= p.mean() <= 0.75 and p.max() > 0.95
    long_tails = Rule(min_tail=250)
    assert np.mean(p_values(lambda: pareto(rng, 300, 2.5), long_tails) <= 0.1) <= 0.2
    assert np.mean(p_values(lambda: rng.exponential(size=300), long_tails) <= 0.05) >= 0.9


def test_p_value_counts_itself():
    rng = np.random.default_rng(61)
    x = np.sort(rng.exponential(size=400))
    assert p_value(x, Rule(min_tail=350), 49, rng) == pytest.approx(1 / 50)
    assert goodness_of_fit(0.2, np.array([0.1, 0.2, 0.3])) == 3 / 4


def test_no_resamples_no_numbers():
    x = pareto(np.random.default_rng(67), 100, 2.5)
    rng = np.random.default_rng(0)
    assert np.isnan(interval(x, rng, resamples=0)).all()
    assert np.isnan(p_value(x, Rule(), 0, rng))


def test_blocks_do_not_change_the_answer(monkeypatch):
    x = pareto(np.random.default_rng(71), 100, 2.5)
    one = interval(x, np.random.default_rng(1), resamples=30)
    monkeypatch.setattr("htsr.tails.bootstrap._BLOCK", 700)
    assert interval(x, np.random.default_rng(1), resamples=30) == one
