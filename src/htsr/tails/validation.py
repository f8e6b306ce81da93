"""What each estimator makes of samples whose exponent is known: bias, spread, and how often its interval holds it.

In the laws `pareto`, `composite` and `bounded` the logarithm of x is a variable of one shape divided by α - 1. All
estimators but that of moments, and all intervals, then scale with α - 1: their errors relative to α - 1 and their
coverages are the same for every α, and `pool` averages over the exponents.
"""

import math
import zlib
from collections.abc import Iterator, Mapping, Sequence
from statistics import NormalDist

import numpy as np
import pandas as pd

from htsr.spectra.eigenvalues import eigenvalues
from htsr.spectra.windows import window_eigenvalues
from htsr.tails.bootstrap import alpha_interval, resampled_fits
from htsr.tails.bounded import fit_bounded
from htsr.tails.estimators import (
    choose_k,
    hill_index,
    hill_path,
    kernel_index,
    kernel_path,
    moments_index,
    moments_path,
    unbiased_path,
)
from htsr.tails.power_law import PowerLaw, Rule, fit_power_law, hill, usable

COLUMNS = [
    *("law", "n", "alpha", "estimator", "interval", "replicates", "failures", "bias", "median_bias", "std", "rmse"),
    *("coverage", "coverage_stderr", "width"),
]
LAWS = ("pareto", "composite", "bounded", "matrix")
# 1 + μ/2 for μ < 2; below 1.5 a Gram matrix in float64 does not resolve the smaller half of the eigenvalues.
MATRIX_EXPONENTS = (1.5, 1.75)
LARGEST_MATRIX = 500  # larger sizes are left out of the law `matrix`
FULL = 500  # sizes up to which all replicates are drawn; beyond, fewer in proportion
BEYOND = 0.05  # share of the pure law beyond the end of the bounded one
_SQUARE_ROOT = math.sqrt(2 / math.pi)
_ALTERNATIVES = ("percentile", "basic", "ratio", "normal")
_BOOTSTRAP = {
    "hill": (hill_index, hill_path),
    "moments": (moments_index, moments_path),
    "kernel": (kernel_index, kernel_path),
}


def sample(law: str, n: int, alpha: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(n values of a law with tail exponent α, ascending; eigenvalues of windows, empty but for matrices).

    pareto: p ∝ x^-α for x >= 1. composite: half of the values such, the others the part below 1 of a lognormal law with
    its mode in ln x at 1 and the scale √(2/π)/(α-1) that makes the density continuous there. bounded: pareto up to the
    x beyond which the share `BEYOND` of it lies. matrix: eigenvalues of WᵀW for W of 2n x n entries of random sign,
    P(|w| > x) = x^-μ, μ = 2(α-1) < 2: the density of the limit falls as x^-(1+μ/2) (Belinschi, Dembo, Guionnet 2009).
    """
    slope = alpha - 1
    if law == "pareto":
        logs = rng.exponential(size=n)
    elif law == "bounded":
        logs = -np.log1p(-(1 - BEYOND) * rng.random(n))
    elif law == "composite":
        tail = rng.random(n) < 0.5
        logs = np.where(tail, rng.exponential(size=n), -_SQUARE_ROOT * np.abs(rng.standard_normal(n)))
    elif law == "matrix":
        w = rng.choice([-1.0, 1.0], (2 * n, n)) * np.exp(rng.exponential(size=(2 * n, n)) / (2 * slope))
        return eigenvalues(w), window_eigenvalues(w, 3)
    else:
        raise ValueError(f"no law is named {law!r}")
    return np.exp(np.sort(logs) / slope), np.empty(0)


def estimates(
    x: np.ndarray, windows: np.ndarray, resamples: int, rng: np.random.Generator, level: float = 0.95
) -> Iterator[tuple[str, str, float, float, float]]:
    """(estimator, interval, α, lower end, upper end) for each way to estimate α; NaN where it fails.

    power_law: xmin by least distance (`fit_power_law`), with the interval of `alpha_interval` (bias_corrected) and,
    from the same resamples α*, with s = α - 1, `percentile`, `basic` 2s - q(s*), `ratio` s²/q(s*), and (normal)
    α ± z (α-1)/√n_tail. hill, unbiased: from the larger half. moments, kernel: from the power law's tail. hill_chosen,
    moments_chosen, kernel_chosen: from the k of `choose_k`, half as many resamples. bounded: `fit_bounded`. All of
    these: α ± z s.e. farms: Hill's estimate from the windows, without an interval.
    """
    nan, z = math.nan, NormalDist().inv_cdf((1 + level) / 2)
    fit = fit_power_law(x)
    names = ("bias_corrected", *_ALTERNATIVES)
    if fit.status == "ok":
        found = resampled_fits(x, fit, Rule(), resamples, rng)[0]
        for name, ends in zip(names, _intervals(fit, found, level, z), strict=True):
            yield "power_law", name, fit.alpha, *ends
    else:
        yield from (("power_law", name, nan, nan, nan) for name in names)

    def symmetric(name, alpha, stderr):
        return name, "normal", alpha, alpha - z * stderr, alpha + z * stderr

    half, tail = len(x) // 2, fit.n_tail - 1
    with np.errstate(invalid="ignore", over="ignore"):
        for name, path, k in (
            ("hill", hill_path, half),
            ("unbiased", unbiased_path, half),
            ("moments", moments_path, tail),
            ("kernel", kernel_path, tail),
        ):
            yield symmetric(name, *path(x).at(k)[:2])
        for name, (index, path) in _BOOTSTRAP.items():
            yield symmetric(f"{name}_chosen", *path(x).at(choose_k(x, index, max(resamples // 2, 2), rng) or 0)[:2])
    bounded = fit_bounded(x)
    yield symmetric("bounded", bounded.alpha, bounded.alpha_stderr)
    if len(windows):
        yield "farms", "", hill(windows), nan, nan


def _intervals(fit: PowerLaw, resampled: np.ndarray, level: float, z: float) -> list[tuple[float, float]]:
    alpha, slope = fit.alpha, fit.alpha - 1
    if not len(resampled):
        return [(math.nan, math.nan)] * (1 + len(_ALTERNATIVES))
    low, high = np.quantile(resampled, [(1 - level) / 2, (1 + level) / 2])
    return [
        alpha_interval(alpha, resampled, level),
        (low, high),
        (2 * alpha - high, 2 * alpha - low),
        (1 + slope**2 / (high - 1), 1 + slope**2 / (low - 1)),
        (alpha - z * fit.alpha_stderr, alpha + z * fit.alpha_stderr),
    ]


def validate(
    law: str, n: int, alpha: float, replicates: int, resamples: int, seed: int = 0
) -> list[dict[str, float | int | str]]:
    """One row of `COLUMNS` for each estimator and interval, from so many samples; seeded by (seed, law, n, alpha).

    bias, median_bias, std, rmse: of the estimates that exist (failures: the others). coverage: share of the intervals
    that hold alpha; coverage_stderr: its Monte-Carlo error; width: the mean width of the intervals.
    """
    rng = np.random.default_rng([seed, zlib.crc32(f"{law} {n} {alpha:g}".encode())])
    found: dict[tuple[str, str], list] = {}
    for _ in range(replicates):
        x, windows = sample(law, n, alpha, rng)
        x, windows = usable(x, 2 * n), usable(windows, 2 * n)
        for estimator, interval, *numbers in estimates(x, windows, resamples, rng):
            found.setdefault((estimator, interval), []).append(numbers)
    rows = []
    for (estimator, interval), numbers in found.items():
        value, low, high = np.array(numbers, float).T
        ends = np.isfinite(low) & np.isfinite(high)
        value = value[np.isfinite(value)]
        error = value - alpha
        row = {"law": law, "n": n, "alpha": alpha, "estimator": estimator, "interval": interval}
        row |= {"replicates": replicates, "failures": replicates - len(value)}
        if len(value):
            row |= {
                "bias": error.mean(),
                "median_bias": np.median(error),
                "std": value.std(ddof=1) if len(value) > 1 else math.nan,
            }
            row["rmse"] = math.sqrt(np.mean(error**2))
        if ends.any():
            row |= _coverage(np.count_nonzero((low <= alpha) & (alpha <= high) & ends), np.count_nonzero(ends))
            row["width"] = np.mean((high - low)[ends])
        rows.append(row)
    return rows


def _coverage(held: float, count: float) -> dict[str, float]:
    """The share of intervals that hold the truth, and its standard error, which is not 0 where all or none do."""
    near = (held + 0.5) / (count + 1)
    return {"coverage": held / count, "coverage_stderr": math.sqrt(near * (1 - near) / count)}


def replicates_of(n: int, replicates: int) -> int:
    """How many samples of n values are drawn where a cell has `replicates`: fewer where they are large, at least 1."""
    return max(1, math.ceil(replicates * min(1.0, FULL / n)))


def validate_all(
    sizes: Sequence[int], exponents: Sequence[float], replicates: int, matrices: int, resamples: int, seed: int = 0
) -> Iterator[dict[str, float | int | str]]:
    """Rows of `validate` for all laws, sizes and exponents; matrices have `MATRIX_EXPONENTS` and `matrices` replicates.

    replicates: of a cell, see `replicates_of`.
    """
    for law in LAWS:
        for n in sizes:
            if law == "matrix" and n > LARGEST_MATRIX:
                continue
            for alpha in MATRIX_EXPONENTS if law == "matrix" else exponents:
                count = matrices if law == "matrix" else replicates_of(n, replicates)
                if count:
                    yield from validate(law, n, alpha, count, resamples, seed)


def pool(table: pd.DataFrame, keys: Sequence[str] = ("law", "n", "estimator", "interval")) -> pd.DataFrame:
    """The table averaged over what is not in keys: errors and widths relative to α - 1, weighted by the replicates.

    table: rows of `validate`. Columns: keys, replicates, failures, bias, median_bias, std, rmse, width, coverage,
    coverage_stderr. std is the root of the mean square.
    """
    table = table.assign(interval=table["interval"].fillna(""))
    return pd.DataFrame(
        [dict(zip(keys, key, strict=True)) | _pooled(own) for key, own in table.groupby(list(keys), sort=False)]
    )


def _pooled(own: pd.DataFrame) -> Mapping[str, float]:
    slope, weight = own["alpha"] - 1, own["replicates"] - own["failures"]
    row = {"replicates": int(own["replicates"].sum()), "failures": int(own["failures"].sum())}
    used = weight > 0
    if not used.any():
        return row
    slope, weight, own = slope[used], weight[used], own[used]

    def mean(values):
        known = values.notna()  # no spread of a single sample, no interval
        return float(np.average(values[known], weights=weight[known])) if known.any() else math.nan

    row |= {key: mean(own[key] / slope) for key in ("bias", "median_bias", "width")}
    row |= {key: math.sqrt(mean((own[key] / slope) ** 2)) for key in ("std", "rmse")}
    if own["coverage"].notna().all():
        row |= _coverage(float((own["coverage"] * weight).sum()), float(weight.sum()))
    return row
