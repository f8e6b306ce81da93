"""The ERG tail against known cases, and correlation traps of Gaussian, contaminated and heavy-tailed entries."""

import numpy as np
import pytest

from htsr.metrics.erg import erg_gap, erg_tail
from htsr.metrics.traps import correlation_traps
from htsr.spectra.ensembles import sample
from htsr.spectra.permutation import permuted_eigenvalues


def test_tail_by_hand():
    """λ' = 8, 1/2, 1/4 and so on: ln sums 3, 2, 0, -2 in units of ln 2."""
    values = np.array([0.25, 0.25, 0.5, 8.0])
    values = np.append(values, 0.0)[[4, 0, 1, 2, 3]]
    mean = 9 / 5
    sums = np.cumsum(np.log(np.array([8, 0.5, 0.25]) / mean))
    assert (sums[1] > 0) and (sums[2] < 0)
    assert erg_tail(values) == (3, 0.25)


def test_zeros_end_the_tail_and_equal_eigenvalues_do_not():
    assert erg_tail(np.repeat([0.0, 1.0], [90, 10])) == (11, 0.0)  # weightwatcher's detX_constraint: (11, 89)
    assert erg_tail(np.full(7, 0.3)) == (7, 0.3)
    assert erg_tail(np.array([5.0])) == (1, 5.0)


@pytest.mark.parametrize(("sigma", "number"), [(1.0, 2856), (1.5, 2218), (2.0, 1677)])
def test_many_eigenvalues_do_not_overflow(sigma, number):
    """Known numbers in log space; products of the eigenvalues overflow (2838, 2329, 1681 in weightwatcher)."""
    values = np.sort(np.random.default_rng(0).lognormal(0, sigma, 4096))
    assert erg_tail(values).number == number
    assert erg_tail(values * 1e250).number == erg_tail(values * 1e-250).number == number


def test_same_tail_as_weightwatcher():
    w = np.random.RandomState(42).randn(200, 100).astype(np.float32).astype(float)
    tail = erg_tail(np.linalg.eigvalsh(w.T @ w))
    assert tail.number == 82
    assert tail.smallest == pytest.approx(60.277517, rel=1e-6)


def test_gap_is_relative():
    assert erg_gap(2.0, 1.0) == 0.5 == erg_gap(2e9, 1e9)
    assert np.isnan(erg_gap(np.nan, 1.0)) and np.isnan(erg_gap(0.0, 0.0))


def null(w, k, rng):
    return permuted_eigenvalues(w, k, rng) / max(w.shape)


def test_gaussian_entries_have_no_traps():
    """A matrix without traps is called one with traps at 5 % in at most 5 % of cases (40 matrices)."""
    rng = np.random.default_rng(1)
    traps = [correlation_traps(null(rng.standard_normal((50, 30)), 7, rng), 50) for _ in range(40)]
    assert sum(trap.p < 0.05 for trap in traps) <= 3
    assert np.mean([trap.number for trap in traps]) < 0.05  # 0.01 expected


def test_large_elements_and_heavy_tails_are_traps_and_correlations_are_not():
    rng = np.random.default_rng(2)
    w = rng.standard_normal((120, 80))
    w[[3, 50], [4, 60]] = 2 * (120 * 80) ** 0.25  # each beyond the threshold of a spike
    planted = correlation_traps(null(w, 9, rng), 120)
    assert planted.number == pytest.approx(2, abs=0.25) and planted.p < 1e-4
    assert correlation_traps(null(sample("student_t", 120, 80, rng, mu=3.0), 9, rng), 120).p < 1e-3
    signal = correlation_traps(null(sample("spiked", 120, 80, rng, strength=4.0, spikes=2), 9, rng), 120)
    assert signal.number < 0.5 and signal.p > 0.05


def test_traps_of_pooled_matrices_and_of_none():
    rng = np.random.default_rng(3)
    rows = [null(rng.standard_normal((60, 40)), 9, rng) for _ in range(4)]
    pooled = correlation_traps(np.sort(np.concatenate(rows, axis=1), axis=1), 60, n_matrices=4)
    assert pooled.p > 0.05 and pooled.number < 0.5
    assert np.isnan(correlation_traps(np.empty((0, 0)), 60)).all()
    assert np.isnan(correlation_traps(np.zeros((3, 20)), 60)).all()
