"""Rank correlations within groups against scipy on the samples written out."""

import numpy as np
import pytest
from scipy import stats

from htsr.statistics.correlation import kendall, kendall_rows, permutation_p, spearman
from htsr.statistics.resampling import bootstrap_weights, generator

ONE = np.zeros(12, int)


@pytest.fixture
def tied():
    rng = generator(3)
    return rng.integers(0, 6, 12).astype(float), rng.integers(0, 5, 12).astype(float)


def test_one_group_gives_the_ordinary_coefficients_with_ties(tied):
    assert kendall(*tied, ONE)[0] == pytest.approx(stats.kendalltau(*tied).statistic, abs=1e-12)
    assert spearman(*tied, ONE)[0] == pytest.approx(stats.spearmanr(*tied).statistic, abs=1e-12)


def test_weights_stand_for_repeated_units(tied):
    weights = bootstrap_weights(generator(4), ONE, 20)
    taus, rhos = kendall(*tied, ONE, weights), spearman(*tied, ONE, weights)
    for weight, tau, rho in zip(weights, taus, rhos, strict=True):
        sample = [np.repeat(v, weight.astype(int)) for v in tied]
        assert tau == pytest.approx(stats.kendalltau(*sample).statistic, abs=1e-12)
        assert rho == pytest.approx(stats.spearmanr(*sample).statistic, abs=1e-12)


def test_rows_with_their_own_data_agree_with_fixed_data(tied):
    groups = np.repeat([0, 1, 2], [5, 4, 3])
    weights = bootstrap_weights(generator(5), groups, 30)
    rows = kendall_rows(np.tile(tied[0], (30, 1)), np.tile(tied[1], (30, 1)), groups, weights)
    assert rows == pytest.approx(kendall(*tied, groups, weights), abs=1e-12)


def test_groups_are_not_compared_with_each_other():
    # Within each group x and y rise together; over the groups y falls with x.
    x, groups = np.array([1.0, 2, 3, 11, 12, 13]), np.repeat([0, 1], 3)
    y = np.array([21.0, 22, 23, 1, 2, 3])
    assert stats.kendalltau(x, y).statistic < 0
    assert kendall(x, y, groups)[0] == 1 and spearman(x, y, groups)[0] == 1


def test_what_is_constant_has_no_rank_correlation():
    x, y = np.ones(4), np.arange(4.0)
    assert np.isnan(kendall(x, y, ONE[:4])[0]) and np.isnan(spearman(x, y, ONE[:4])[0])


def test_p_of_a_perfect_order_is_two_of_all_orders():
    x = np.arange(4.0)
    assert permutation_p(x, x, ONE[:4], generator(0), 99) == (2 / 24, 2 / 24)
    assert permutation_p(np.arange(6.0), -np.arange(6.0), np.repeat([0, 1], 3), generator(0), 99) == (2 / 36, 2 / 36)


def test_p_is_scipys_exact_one_where_all_orders_are_counted():
    x, y = generator(6).random((2, 7))
    p, _ = permutation_p(x, y, ONE[:7], generator(0), 99)
    assert p == pytest.approx(stats.kendalltau(x, y, method="exact").pvalue, abs=1e-12)


def test_p_from_random_orders_is_near_the_exact_one():
    x, noise = generator(7).random((2, 12))
    y = x + 1.5 * noise
    p, rank_p = permutation_p(x, y, ONE, generator(0), 4000)
    exact = stats.kendalltau(x, y, method="exact").pvalue
    assert 0.005 < exact < 0.2 and p == pytest.approx(exact, abs=0.015)
    assert rank_p == pytest.approx(stats.spearmanr(x, y).pvalue, abs=0.03)
