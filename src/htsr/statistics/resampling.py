"""Seeded resampling: bootstrap weights, permutations within groups, sign flips, and the intervals that follow.

A bootstrap sample is written as weights: how often each unit was drawn, one row a resample. A statistic of the data
and of all its resamples is then one matrix product, and the data themselves are the row of ones.
"""

import itertools
import math
import zlib
from functools import cache

import numpy as np
from scipy.special import ndtr, stdtrit

from htsr.errors import InputError

FEWEST = 5
"""Fewer resampled units than this give no bootstrap interval: there are too few different resamples."""

EXACT = 20_000
"""Up to this number of permutations or sign flips, all of them are counted instead of a random sample."""


def check(resamples: int, level: float) -> None:
    """Raise InputError for settings that no resampling can follow."""
    if resamples < 1:
        raise InputError(f"resamples: {resamples} is less than 1")
    if not 0 < level < 1:
        raise InputError(f"level of an interval (1 - significance): {level:g} is not between 0 and 1")


def generator(seed: int, *names: str) -> np.random.Generator:
    """Random generator keyed by (seed, names): what else is computed, and in which order, does not matter."""
    return np.random.default_rng([seed, *(zlib.crc32(name.encode()) for name in names)])


def blocks(groups: np.ndarray) -> list[np.ndarray]:
    """Indices of the units of each group, in order of the group's code."""
    return [np.flatnonzero(groups == code) for code in np.unique(groups)]


def bootstrap_weights(rng: np.random.Generator, groups: np.ndarray, resamples: int) -> np.ndarray:
    """(resamples, n) counts: each group keeps its size, its units are drawn with replacement."""
    weights = np.empty((resamples, len(groups)))
    for block in blocks(groups):
        weights[:, block] = rng.multinomial(len(block), np.full(len(block), 1 / len(block)), resamples)
    return weights


def two_stage_weights(rng: np.random.Generator, clusters: np.ndarray, resamples: int) -> np.ndarray:
    """(resamples, n) counts: clusters are drawn with replacement, then units anew within each drawn cluster."""
    members = blocks(clusters)
    copies = rng.multinomial(len(members), np.full(len(members), 1 / len(members)), resamples)
    weights = np.empty((resamples, len(clusters)))
    for block, drawn in zip(members, copies.T, strict=True):
        weights[:, block] = rng.multinomial(drawn * len(block), np.full(len(block), 1 / len(block)))
    return weights


def permutations(rng: np.random.Generator, groups: np.ndarray, resamples: int) -> tuple[np.ndarray, bool]:
    """Orders of n units that keep every unit within its group: (orders, n) indices, and whether these are all orders.

    All of them where there are at most EXACT, else `resamples` random ones.
    """
    members = blocks(groups)
    if math.prod(math.factorial(len(block)) for block in members) <= EXACT:
        orders = np.zeros((1, len(groups)), int)
        for block in members:
            own = block[_orders(len(block))]
            repeats = len(orders)
            orders = np.repeat(orders, len(own), axis=0)
            orders[:, block] = np.tile(own, (repeats, 1))
        return orders, True
    orders = np.empty((resamples, len(groups)), int)
    for block in members:
        orders[:, block] = block[np.argsort(rng.random((resamples, len(block))), axis=1)]
    return orders, False


@cache
def _orders(n: int) -> np.ndarray:
    return np.array(list(itertools.permutations(range(n))))


def sign_flips(rng: np.random.Generator, n: int, resamples: int) -> tuple[np.ndarray, bool]:
    """(flips, n) signs ±1, and whether these are all 2^n (where at most EXACT) or `resamples` random ones."""
    if 2**n <= EXACT:
        return np.array(list(itertools.product((1.0, -1.0), repeat=n))), True
    return rng.choice((1.0, -1.0), (resamples, n)), False


def exceedance(null: np.ndarray, observed: float, exact: bool) -> float:
    """p value: share of null values that are at least the observed one (of all orders, or with the data counted in)."""
    reached = np.count_nonzero(null >= observed - 1e-9 * max(1.0, abs(observed)))
    return reached / len(null) if exact else (1 + reached) / (1 + len(null))


def interval(values: np.ndarray, n: int, level: float) -> tuple[float, float]:
    """Expanded percentile interval of bootstrap values of a statistic of n units.

    The percentiles are moved outwards, Φ(-√(n/(n-1)) t_{n-1}) in place of (1 - level)/2, since the plain ones are too
    narrow for small n (Hesterberg 2015, The American Statistician 69, expanded percentile interval). Undefined
    values (NaN) are left out. (NaN, NaN) where n < FEWEST, where half of the resamples are undefined, or where all
    agree (a perfect order stays perfect in every resample, which says nothing of its uncertainty).
    """
    defined = values[np.isfinite(values)]
    if n < FEWEST or 2 * len(defined) < len(values) or np.ptp(defined) < 1e-12:
        return math.nan, math.nan
    tail = float(ndtr(math.sqrt(n / (n - 1)) * stdtrit(n - 1, (1 - level) / 2)))
    low, high = np.quantile(defined, [tail, 1 - tail])
    return float(low), float(high)
