"""Claims about two states of one network, `baseline` and `changed` (roles: dense, regularized, finetuned).

Matrices are paired by name; matrices that one of the two does not have (layers that were removed) are left out.
"""

import math

import numpy as np
from scipy import stats

from htsr.errors import InputError
from htsr.statistics import verdict
from htsr.statistics.evidence import Judging, NotMeasured, Tables, bounds, comparison_pair, least_p, number
from htsr.statistics.resampling import FEWEST, exceedance, interval, sign_flips, two_stage_weights
from htsr.statistics.verdict import Evidence


def larger_in_layers(
    tables: Tables, judging: Judging, column: str, baseline: str, changed: str, at_least: int = 2
) -> Evidence:
    """Column is larger in the changed model in at least so many layers (means over a layer's matrices).

    Some layers are always larger by chance. So each layer gets the exact p of its matrices' mean difference under
    flips of their signs, and the number of layers that truly grew lies between the bounds at which the partial
    conjunction p, (K - u + 1) p_(u), passes (Benjamini, Heller 2008, Biometrics 64). supported: the lower bound reaches
    `at_least`; not supported: the upper bound is less. p: of the claim, two-sided. Layers of fewer than FEWEST matrices
    have no such p and are left out.
    """
    pairs = comparison_pair(tables, column, baseline, changed)
    layers = {name: rows for name, rows in pairs.groupby("weight_layer", sort=False) if len(rows) >= FEWEST}
    total = len(layers)
    if total < at_least:
        raise NotMeasured(f"{total} layers of {FEWEST} or more matrices each, the claim needs {at_least}")
    means = {name: (rows["baseline"].mean(), rows["changed"].mean()) for name, rows in layers.items()}
    grown = [name for name, (before, after) in means.items() if after > before]
    one_sided = {}
    for side in (1, -1):
        differences = (side * rows["difference"].to_numpy() for rows in layers.values())
        one_sided[side] = np.sort([_flip_p(d, judging) for d in differences])
    larger, smaller = (_partial_conjunction(one_sided[side]) for side in (1, -1))
    low = int(np.count_nonzero(2 * larger < judging.significance))
    high = total - int(np.count_nonzero(2 * smaller < judging.significance))
    p = min(1.0, 2 * larger[at_least - 1])
    decided = verdict.SUPPORTED if low >= at_least else verdict.INCONCLUSIVE
    decided = verdict.NOT_SUPPORTED if high < at_least else decided
    named = sorted(grown, key=lambda name: means[name][0] - means[name][1])[:at_least]
    examples = ", ".join(f"{name} {number(means[name][0])} to {number(means[name][1])}" for name in named)
    reason = (
        f"{column} is larger in the {changed} than in the {baseline} model in {len(grown)} of {total} layers"
        f"{f' (most in {examples})' if examples else ''}; beyond chance in {low} to {high} "
        f"(p of at least {at_least}: {number(p)})"
    )
    return Evidence(decided, reason, len(grown), low, high, p, total)


def mean_unchanged(
    tables: Tables, judging: Judging, column: str, baseline: str, changed: str, margin: float
) -> Evidence:
    """Equality: the mean difference of column, changed less baseline, is smaller than the margin.

    Interval: layers resampled, then matrices within layers; p: signs of whole layers flipped. The reason adds
    Wilcoxon's p over single matrices, which takes those of one layer as independent.
    """
    effect, low, high, p, n, text = _mean_difference(tables, judging, column, baseline, changed)
    decided = verdict.equality(low, high, margin)
    return Evidence(decided, f"{text}; margin {number(margin)}", effect, low, high, p, n)


def mean_differs(
    tables: Tables, judging: Judging, column: str, baseline: str, changed: str, expected: str = "larger"
) -> Evidence:
    """Direction: the mean of column is larger (smaller) in the changed model; statistics as in `mean_unchanged`."""
    if expected not in ("larger", "smaller"):
        raise InputError(f"expected: {expected!r} is neither larger nor smaller")
    effect, low, high, p, n, text = _mean_difference(tables, judging, column, baseline, changed)
    side = 1 if expected == "larger" else -1
    decided = verdict.direction(side * effect, *sorted((side * low, side * high)), p, judging.significance)
    against = "" if side * effect > 0 else f", not {expected} as claimed"
    few = least_p(2**n, judging.significance, "layers")
    return Evidence(decided, f"{text}{against}{few}", effect, low, high, p, n)


def _mean_difference(tables: Tables, judging: Judging, column: str, baseline: str, changed: str):
    """Mean difference over all paired matrices, its interval and p over layers, number of layers, and a sentence."""
    pairs = comparison_pair(tables, column, baseline, changed)
    difference = pairs["difference"].to_numpy()
    layers = pairs.groupby("weight_layer", sort=False).ngroup().to_numpy()
    n, effect = int(layers.max()) + 1, float(difference.mean())
    rng = judging.rng(column, baseline, changed)
    weights = two_stage_weights(rng, layers, judging.resamples)
    low, high = interval((weights @ difference) / weights.sum(1), n, judging.level)
    sums = np.bincount(layers, difference)
    flips, exact = sign_flips(rng, n, judging.resamples)
    p = exceedance(np.abs(flips @ sums), abs(sums.sum()), exact)
    wilcoxon = float(stats.wilcoxon(difference).pvalue) if np.any(difference) else math.nan
    text = (
        f"mean {column} is {number(pairs['baseline'].mean())} in the {baseline} and "
        f"{number(pairs['changed'].mean())} in the {changed} model: "
        f"difference {number(effect)} ({bounds(low, high, judging.level)}, p = {number(p)} over "
        f"{n} layers; Wilcoxon p = {number(wilcoxon)} over {len(pairs)} matrices)"
    )
    return effect, low, high, p, n, text


def _flip_p(difference: np.ndarray, judging: Judging) -> float:
    """One-sided p of a positive mean under flips of the signs."""
    flips, exact = sign_flips(judging.rng("flips"), len(difference), judging.resamples)
    return exceedance(flips @ difference, float(difference.sum()), exact)


def _partial_conjunction(p_values: np.ndarray) -> np.ndarray:
    """p of "at least u of K are true" for u = 1..K, from K sorted p values, made monotone in u."""
    k = len(p_values)
    return np.maximum.accumulate(np.minimum(1.0, p_values * np.arange(k, 0, -1)))
