"""The power law that a tail follows best: exponent, where the tail begins, and how far off it is.

p(x) = (α-1)/xmin (x/xmin)^-α for x >= xmin; α by maximum likelihood, xmin where the Kolmogorov-Smirnov distance
between the law and the tail is least (Clauset, Shalizi, Newman 2009, eqs. 3.1 and 3.9: CSN09 from here on).
"""

import warnings
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Rule:
    """How xmin is chosen.

    ks: `two_sided`, the distance to both limits of the empirical CDF's steps, or `left`, to the left one only.
    min_tail: least number of values in a tail; at least two distinct ones are always needed.
    cut_at_xmax: the distance is to the law cut off at the largest value, though α is fitted without the cut. So did
    powerlaw 1.4.6 when it was given xmax = λmax, which is behind the numbers published in 2019.
    """

    ks: str = "two_sided"
    min_tail: int = 10
    cut_at_xmax: bool = False


DEFAULT = Rule()
# What powerlaw 2.0.0 does: the largest value and the next begin no tail.
POWERLAW_PACKAGE = Rule("left", 3)


@dataclass(frozen=True)
class PowerLaw:
    """A fitted tail; where status is not "ok" it says why there is none, and the numbers are NaN and 0.

    alpha_stderr: (α-1)/√n_tail, which takes xmin for known and is therefore too small (see `bootstrap`).
    xmin, xmax: smallest and largest value of the tail, both in the sample.
    """

    alpha: float = np.nan
    alpha_stderr: float = np.nan
    xmin: float = np.nan
    xmax: float = np.nan
    ks_distance: float = np.nan
    n_tail: int = 0
    status: str = "ok"


def usable(eigenvalues: np.ndarray, n: int, drop_smallest: int = 0, min_eigenvalue: float = 0.0) -> np.ndarray:
    """The eigenvalues that a tail may contain, ascending.

    Zero to rounding is what does not exceed eps·n·λmax (n: the larger dimension of the matrix), so that nothing
    depends on the matrix's scale; eigenvalues closer than that cannot be told apart and become equal.
    drop_smallest: how many of the smallest are left out first, zeros included (a truncated SVD gives m - 1 values).
    min_eigenvalue: those not above this absolute value are left out too (not scale-invariant).
    """
    x = np.sort(np.asarray(eigenvalues, float))[drop_smallest:]
    if len(x) == 0 or not np.isfinite(x).all():
        return x
    resolution = np.finfo(float).eps * n * max(x[-1], 0.0)
    x = x[(x > resolution) & (x > min_eigenvalue)]
    group = np.cumsum(np.diff(x, prepend=-np.inf) > resolution)
    first = np.flatnonzero(np.diff(group, prepend=0))
    return x[first[group - 1]] if len(x) else x


def distinct(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """An ascending positive sample as (logs of its distinct values over the largest, counts below each, and of all)."""
    values, below = np.unique(x, return_index=True)
    return np.log(values / values[-1]), np.append(below, len(x))


def unusable(x: np.ndarray, least: int) -> str | None:
    """Why no tail of `least` values can be fitted to an ascending sample, if none can."""
    if len(x) and not (np.isfinite(x[-1]) and x[0] > 0 and x[0] / x[-1] > 0):
        return "values are not finite and positive"
    if len(x) < least:
        return f"too few values: {len(x)} where a tail needs {least}"
    return "all values are equal" if x[0] == x[-1] else None


def fit_power_law(x: np.ndarray, rule: Rule = DEFAULT, backend: str = "exact") -> PowerLaw:
    """Fit a power law to the tail of a sample, xmin by the rule of CSN09.

    x: finite positive numbers in any order and of any scale (multiplying all by a number multiplies xmin by it).
    backend: `exact`, the search of `htsr.tails.search`, or `powerlaw`, the package of that name with its range of α
    opened, which has its own rule (`POWERLAW_PACKAGE`).
    """
    x = np.sort(np.asarray(x, float))
    least = max(rule.min_tail, 2)
    if status := unusable(x, least):
        return PowerLaw(status=status)
    if backend == "powerlaw":
        alpha, xmin, distance = _fit_package(x)
    else:
        from htsr.tails.search import best_tail  # compiled, and only fits need it: figures load faster without

        logs, below = distinct(x)
        start, slope, distance = best_tail(logs, below, least, rule.ks == "left", rule.cut_at_xmax)
        alpha, xmin = 1 + slope, x[below[start]] if start >= 0 else np.nan
    if not np.isfinite([alpha, xmin, distance]).all():
        return PowerLaw(status="no tail of enough distinct values")
    n_tail = int(len(x) - np.searchsorted(x, xmin))
    return PowerLaw(
        float(alpha), float((alpha - 1) / np.sqrt(n_tail)), float(xmin), float(x[-1]), float(distance), n_tail
    )


def _fit_package(x: np.ndarray) -> tuple[float, float, float]:
    import powerlaw

    if len(np.unique(x)) < 4:  # it needs two candidates
        return np.nan, np.nan, np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = powerlaw.Fit(x, parameter_ranges={"alpha": [1, None]}, verbose=0)
    return fit.alpha, fit.xmin, fit.D


def hill(x: np.ndarray, k: int | None = None) -> float:
    """Hill's estimate of α from the k largest values: 1 + k/Σ ln(x_(n-i+1)/x_(n-k)), i = 1..k (Hill 1975).

    k: n // 2 if None (Zhou et al. 2023, arXiv 2312.00359). x: positive. NaN where there are not k + 1 values or the
    k + 1 largest are equal.
    """
    x = np.sort(np.asarray(x, float))
    k = len(x) // 2 if k is None else k
    if not 0 < k < len(x) or x[-1] == x[-k - 1]:
        return float("nan")
    return float(1 + k / np.log(x[-k:] / x[-k - 1]).sum())
