"""Local statistics of the bulk: spacings, the lower edge, and the distance from Marchenko-Pastur."""

import numpy as np
import pytest

from htsr.spectra import rigidity
from htsr.spectra.left_edge import count_below, smallest_eigenvalue
from htsr.spectra.marchenko_pastur import fit_bulk, quantile
from htsr.spectra.spacings import GOE, POISSON, ratios, spacing_ratio


def eigenvalues(rng, n, m):
    return np.linalg.svd(rng.standard_normal((n, m)), compute_uv=False)[::-1] ** 2 / n


def rate(hits, low, high):
    assert low <= np.mean(hits) <= high, np.mean(hits)


def test_ratios_by_hand():
    assert ratios(np.array([0.0, 1, 3, 4])).tolist() == [0.5, 0.5]
    assert ratios(np.array([0.0, 1, 1, 3])).tolist() == [0, 0]  # a repeated level
    assert ratios(np.array([0.0, 1, 1, 1, 3])).tolist() == [0, 0]  # a triple one: 0/0 is left out
    assert ratios(np.array([0.0, 1, 1 + 1e-9, 3]), 1e-8).tolist() == [0, 0]
    assert len(ratios(np.ones(9))) == len(ratios(np.ones(2))) == len(ratios(np.empty(0))) == 0


def test_noise_repels_and_independent_levels_do_not():
    rng = np.random.default_rng(0)
    noise = [spacing_ratio(eigenvalues(rng, 75, 50), 75) for _ in range(300)]
    means = np.array([found.mean for found in noise])
    assert means.mean() == pytest.approx(GOE, abs=4 * means.std() / 300**0.5)
    assert np.mean([found.stderr for found in noise]) == pytest.approx(means.std(), rel=0.15)
    rate([found.p_goe < 0.05 for found in noise], 0.02, 0.09)
    poisson = spacing_ratio(np.sort(rng.uniform(size=4000)), 4000)
    assert poisson.mean == pytest.approx(POISSON, abs=4 * poisson.stderr)
    assert poisson.p_goe < 1e-6


def test_spacings_of_degenerate_spectra():
    assert np.isnan(spacing_ratio(np.ones(50), 50)).all()
    assert np.isnan(spacing_ratio(np.arange(8.0), 50)).all()
    assert np.isnan(spacing_ratio(np.empty(0), 50)).all()
    doubled = spacing_ratio(np.repeat(np.arange(1.0, 41), 2), 80)
    assert (doubled.mean, doubled.stderr) == (0, 0)


def test_spacings_know_neither_scale_nor_density():
    values = eigenvalues(np.random.default_rng(1), 120, 60)
    assert spacing_ratio(values * 1e-6, 120) == pytest.approx(spacing_ratio(values, 120))


@pytest.mark.parametrize(("n", "m"), [(60, 30), (40, 30), (200, 20)])
def test_lower_edge_is_tracy_widom(n, m):
    """The share beyond the quantile 90 % is 10 % within Monte-Carlo error (3.5 standard errors)."""
    rng = np.random.default_rng(2)
    below = [count_below(eigenvalues(rng, n, m), 1.0, n, level=0.9) > 0 for _ in range(400)]
    rate(below, 0.1 - 0.053, 0.1 + 0.053)


def test_eigenvalues_below_the_edge_are_counted():
    values = quantile((np.arange(100) + 0.5) / 100, 2.0)
    assert count_below(values, 1.0, 200) == 0
    values[:3] *= 0.3
    assert count_below(values, 1.0, 200) == 3 == count_below(values * 1e6, 1e6, 200)


def test_a_hard_edge_has_no_lower_edge():
    assert smallest_eigenvalue(60, 60) is None is smallest_eigenvalue(61, 60)
    assert np.isnan(count_below(np.linspace(0.01, 4, 60), 1.0, 60))


@pytest.mark.parametrize(("n", "m"), [(50, 25), (64, 64), (120, 50)])
def test_p_of_the_distance_is_that_of_rigid_eigenvalues(n, m):
    """Gaussian matrices are rejected at 5 % in 3 to 5 % of cases: at most 8 % here (300 matrices)."""
    rng = np.random.default_rng(3)
    whole, left = [], []
    for _ in range(300):
        values = eigenvalues(rng, n, m)
        bulk = fit_bulk(values, n)
        whole.append(rigidity.p_value(bulk.ks_distance, m))
        left.append(rigidity.p_value(rigidity.left_distance(values, n / m, bulk.sigma2), m, left=True))
    rate(np.array(whole) < 0.05, 0.015, 0.08)
    rate(np.array(left) < 0.05, 0.0, 0.08)
    rate(np.array(whole) < 0.5, 0.4, 0.65)
    rate(np.array(left) < 0.5, 0.4, 0.65)


def test_other_bulks_are_rejected():
    """Independent values of the same density are not rigid; neither is a bulk of another aspect ratio the same."""
    rng = np.random.default_rng(4)
    independent = np.sort(quantile(rng.uniform(size=300), 2.0))
    assert rigidity.p_value(fit_bulk(independent, 600).ks_distance, 300) < 1e-4
    assert rigidity.p_value(fit_bulk(eigenvalues(rng, 400, 300), 600).ks_distance, 300) < 1e-4
    values = eigenvalues(rng, 600, 300)
    values[:30] *= np.linspace(0.5, 1, 30)
    distance = rigidity.left_distance(values, 2.0, 1.0)
    assert rigidity.p_value(distance, 300, left=True) < 1e-3
