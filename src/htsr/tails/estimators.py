"""Estimators of a tail's exponent from the k largest values, for all k at once, and the choice of k.

With ξ the extreme-value index of the sample, α = 1 + 1/ξ is the exponent of its density. Everything is a sum over
Z_i = i ln(x_(n-i+1)/x_(n-i)), i = 1 for the largest, which are independent and exponential with mean ξ where the tail
is a pure power law (Rényi 1953). Nothing but the ratios of the values counts.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

LEAST = 4  # values that a choice of k uses at least


class Estimate(NamedTuple):
    """α from the k largest values and its standard error, k taken for given."""

    alpha: float
    stderr: float
    k: int


class Path(NamedTuple):
    """α and its standard error for each number k of values used: three arrays of n - 1; NaN where there is none."""

    k: np.ndarray
    alpha: np.ndarray
    stderr: np.ndarray

    def at(self, k: int) -> Estimate:
        """The estimate from the k largest values; NaN where k is out of range."""
        if not 0 < k <= len(self.k):
            return Estimate(math.nan, math.nan, k)
        return Estimate(float(self.alpha[k - 1]), float(self.stderr[k - 1]), k)


def hill_index(x: np.ndarray) -> np.ndarray:
    """ξ(k) = mean of Z_1 .. Z_k (Hill 1975).

    x: positive, ascending along the last axis. As all functions of this name: k = 1 .. n - 1 along that axis.
    """
    return np.cumsum(_z(x), -1) / _k(x)


def moments_index(x: np.ndarray) -> np.ndarray:
    """ξ(k) = M₁ + 1 - ½/(1 - M₁²/M₂), M_p the mean of ln(x_(n-i+1)/x_(n-k))^p (Dekkers, Einmahl, de Haan 1989).

    It estimates every ξ; ξ <= 0 says that the tail falls faster than any power. NaN where M₂ = M₁² (k = 1, ties).
    """
    z, k = _z(x), _k(x)
    sums = np.cumsum(z, -1)  # k M₁
    gaps = z / k
    squares = k * gaps**2
    squares[..., 1:] += 2 * gaps[..., 1:] * sums[..., :-1]
    ratio = sums**2 / (k * _positive(np.cumsum(squares, -1)))
    return sums / k + 1 - 0.5 / _positive(np.where(k > 1, 1 - ratio, 0.0))


def kernel_index(x: np.ndarray) -> np.ndarray:
    """ξ(k) = Σ w_i Z_i/Σ w_i with w_i = 1 - (i/(k+1))² (Csörgő, Deheuvels, Mason 1985, with Epanechnikov's kernel).

    The weights end smoothly at k, so that ξ(k) does, too.
    """
    z, k = _z(x), _k(x)
    return (np.cumsum(z, -1) - np.cumsum(k**2 * z, -1) / (k + 1) ** 2) / _weights(k)[0]


def hill_path(x: np.ndarray) -> Path:
    """Hill's estimate 1 + 1/ξ(k); standard error (α-1)/√k."""
    alpha, k = _exponent(hill_index(x)), _k(x)
    return Path(_k(x).astype(int), alpha, (alpha - 1) / np.sqrt(k))


def unbiased_path(x: np.ndarray) -> Path:
    """Hill's estimate times (k-1)/k in α - 1: unbiased for a pure power law, where k ξ(k) has a gamma distribution.

    Standard error (α-1)/√(k-2), exact there too. NaN for k < 3.
    """
    k = _k(x)
    alpha = 1 + (_exponent(hill_index(x)) - 1) * (k - 1) / k
    alpha[:2] = np.nan
    return Path(k.astype(int), alpha, (alpha - 1) / np.sqrt(np.maximum(k - 2, 1)))


def moments_path(x: np.ndarray) -> Path:
    """1 + 1/ξ(k) of `moments_index`, NaN where ξ(k) <= 0; standard error √(1 + ξ²)/(ξ² √k) from that of ξ."""
    xi, k = moments_index(x), _k(x)
    alpha = _exponent(xi)
    return Path(k.astype(int), alpha, np.sqrt(1 + xi**2) * (alpha - 1) ** 2 / np.sqrt(k))


def kernel_path(x: np.ndarray) -> Path:
    """1 + 1/ξ(k) of `kernel_index`; standard error (α-1) √(Σw²)/Σw, about (α-1) √(1.2/k)."""
    alpha, k = _exponent(kernel_index(x)), _k(x)
    total, squares = _weights(k)
    return Path(k.astype(int), alpha, (alpha - 1) * np.sqrt(squares) / total)


def choose_k(
    x: np.ndarray, index: Callable[[np.ndarray], np.ndarray], resamples: int, rng: np.random.Generator
) -> int | None:
    """k of least mean squared error of ξ(k), by the double bootstrap of Gomes and Oliveira 2001 (Extremes 4, 331).

    x: positive, ascending. index: `hill_index`, `moments_index` or `kernel_index`. T(k) = ξ(k/2) - ξ(k) is near 0 and
    has its least mean square at a k that is a known multiple of the best one, for each size of sample. With k₁ and k₂
    those of resamples of n₁ = n^0.9 and n₂ = n₁²/n values, and ρ = ln k₁/(2 ln(k₁/n₁)) the decay of the bias,
    k = k₁²/k₂ ((1 - 2^ρ)²/v)^(1/(1-2ρ)), v = k var T(k)/(k var ξ(k)): 1 for Hill's estimator, 0.625 for the kernel,
    1 - 2ξ ln 2/(1 + ξ²) for the moments. Voitalov et al. 2019 (arXiv 1811.02071) choose k likewise with
    other differences. None where there are too few values.
    """
    n = len(x)
    sizes = round(n**0.9), round(n**0.8)
    if sizes[1] <= LEAST or x[0] == x[-1]:
        return None
    with np.errstate(invalid="ignore"):
        k1, k2 = (_least_difference(x, index, size, resamples, rng) for size in sizes)
        if k1 is None or k2 is None:
            return None
        rho = math.log(k1) / (2 * math.log(k1 / sizes[0]))
        xi = float(index(x)[k1 - 1])
    v = {hill_index: 1.0, kernel_index: 0.625}.get(index, 1 - 2 * math.log(2) * xi / (1 + xi**2))
    best = k1**2 / k2 * ((1 - 2**rho) ** 2 / v) ** (1 / (1 - 2 * rho))
    return int(np.clip(round(best), LEAST, n - 1)) if math.isfinite(best) else None


def _least_difference(x, index, size, resamples, rng):
    draws = np.sort(rng.integers(len(x), size=(resamples, size)), -1)
    xi = index(x[draws])
    k = np.arange(LEAST, size)
    squares = (xi[:, k // 2 - 1] - xi[:, k - 1]) ** 2
    known = np.isfinite(squares)
    means = np.where(known, squares, 0.0).sum(0) / np.maximum(known.sum(0), 1)
    means[2 * known.sum(0) < resamples] = np.inf  # ties
    return int(k[np.argmin(means)]) if np.isfinite(means).any() else None


def _z(x: np.ndarray) -> np.ndarray:
    logs = np.log(x / x[..., -1:])
    return -np.diff(logs[..., ::-1], axis=-1) * _k(x)


def _k(x: np.ndarray) -> np.ndarray:
    return np.arange(1.0, x.shape[-1])


def _weights(k: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Σ w_i and Σ w_i² over i = 1 .. k."""
    second, fourth = np.cumsum(k**2) / (k + 1) ** 2, np.cumsum(k**4) / (k + 1) ** 4
    return k - second, k - 2 * second + fourth


def _positive(values: np.ndarray) -> np.ndarray:
    return np.where(values > 0, values, np.nan)


def _exponent(xi: np.ndarray) -> np.ndarray:
    return 1 + 1 / _positive(xi)
