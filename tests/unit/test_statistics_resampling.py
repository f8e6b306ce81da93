"""Resamples, permutations and the intervals made of them."""

import numpy as np
import pytest
from scipy import stats

from htsr.statistics.resampling import (
    bootstrap_weights,
    exceedance,
    generator,
    interval,
    permutations,
    sign_flips,
    two_stage_weights,
)

GROUPS = np.array([1, 0, 0, 1, 0])


def test_generators_are_keyed_by_seed_and_names():
    first = [generator(*key).random() for key in [(0, "a", "b"), (0, "b", "a"), (1, "a", "b"), (0, "ab")]]
    assert len(set(first)) == 4
    assert generator(0, "a", "b").random() == first[0]


def test_bootstrap_weights_keep_the_size_of_every_group():
    weights = bootstrap_weights(generator(0), GROUPS, 200)
    assert np.all(weights[:, GROUPS == 0].sum(1) == 3) and np.all(weights[:, GROUPS == 1].sum(1) == 2)
    assert weights.mean(0) == pytest.approx(np.ones(5), abs=0.2)
    assert len(np.unique(weights[:, GROUPS == 0], axis=0)) == 10  # all multisets of 3 out of 3


def test_two_stage_weights_draw_clusters_and_then_units_within_each_copy():
    clusters = np.repeat([0, 1, 2], [2, 5, 1])
    weights = two_stage_weights(generator(0), clusters, 500)
    copies = np.stack([weights[:, clusters == c].sum(1) / size for c, size in enumerate((2, 5, 1))], axis=1)
    assert np.all(copies.sum(1) == 3) and np.all(copies == np.round(copies)) and copies.max() == 3
    # A cluster with n copies has mean weight n a unit, drawn anew for each copy: not n times one draw.
    assert np.any(weights[copies[:, 0] == 2][:, 0] == 1)


def test_few_permutations_are_counted_out_and_stay_within_groups():
    orders, exact = permutations(generator(0), GROUPS, 7)
    assert exact and len(np.unique(orders, axis=0)) == len(orders) == 12
    assert np.all(GROUPS[orders] == GROUPS) and orders[0].tolist() == [0, 1, 2, 3, 4]
    orders, exact = permutations(generator(0), np.repeat([2, 0, 1], 6), 300)
    assert not exact and orders.shape == (300, 18)
    assert np.all(np.sort(orders, axis=1) == np.arange(18)) and np.all(orders[:, 6:12].max(1) < 12)


def test_sign_flips_are_counted_out_where_they_are_few():
    flips, exact = sign_flips(generator(0), 4, 10)
    assert exact and len(np.unique(flips, axis=0)) == 16
    flips, exact = sign_flips(generator(0), 40, 10)
    assert not exact and flips.shape == (10, 40) and set(np.unique(flips)) == {-1, 1}


def test_exceedance_counts_the_data_with_random_orders_only():
    null = np.array([1.0, 2.0, 3.0, 3.0])
    assert exceedance(null, 3.0, exact=True) == 0.5
    assert exceedance(null, 3.0, exact=False) == 0.6
    assert exceedance(null, 9.0, exact=False) == 0.2


@pytest.mark.parametrize("n", [5, 8, 20])
def test_interval_covers_the_mean_about_as_often_as_it_says(n):
    rng = generator(1)
    samples = 1 + rng.standard_normal((500, n))
    inside = 0
    for sample in samples:
        low, high = interval(bootstrap_weights(rng, np.zeros(n, int), 400) @ sample / n, n, 0.9)
        inside += low <= 1 <= high
    assert 0.86 < inside / 500 < 0.94


def test_interval_is_wider_than_the_plain_percentiles_and_wider_for_fewer():
    values = generator(2).standard_normal(20_000)
    plain = np.quantile(values, [0.025, 0.975])
    five, ten = interval(values, 5, 0.95), interval(values, 10, 0.95)
    assert five[0] < ten[0] < plain[0] < plain[1] < ten[1] < five[1]
    assert ten[1] == pytest.approx(np.sqrt(10 / 9) * stats.t.ppf(0.975, 9), abs=0.1)


def test_interval_is_not_defined_for_few_undefined_or_agreeing_values():
    values = np.linspace(0, 1, 100)
    assert np.isnan(interval(values, 4, 0.95)).all() and np.isfinite(interval(values, 5, 0.95)).all()
    assert np.isnan(interval(np.ones(100), 9, 0.95)).all()
    assert np.isnan(interval(np.where(values < 0.6, np.nan, values), 9, 0.95)).all()
    assert interval(np.where(values < 0.4, np.nan, values), 9, 0.95)[0] > 0.4
