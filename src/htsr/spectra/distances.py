"""Distances between two spectra, between two weight matrices, and between the spaces of their largest vectors."""

from typing import NamedTuple

import numpy as np
from scipy.linalg import svdvals
from scipy.special import betaincc


class Calibrated(NamedTuple):
    """A value, its mean and standard deviation under the null, and the one-sided p: share of the null at or beyond."""

    value: float
    null: float
    null_std: float
    p: float

    @property
    def z(self) -> float:
        return (self.value - self.null) / self.null_std if self.null_std > 0 else float("nan")


UNKNOWN = Calibrated(*[float("nan")] * 4)


def calibrate(value: float, null: np.ndarray) -> Calibrated:
    """The value among K values of its null; large values are the extreme ones, p = (1 + those at least as large)/(K+1).

    NaN where the value is; without any value of the null only the value itself.
    """
    if not np.isfinite(value):
        return UNKNOWN
    if len(null) == 0:
        return UNKNOWN._replace(value=float(value))
    equal = np.count_nonzero(null >= value - 1e-12 * abs(value))
    return Calibrated(float(value), float(null.mean()), float(null.std()), (1 + equal) / (1 + len(null)))


def log_eigenvalues(eigenvalues: np.ndarray) -> np.ndarray:
    """ln λ of the non-zero eigenvalues, ascending."""
    return np.log(np.sort(eigenvalues[eigenvalues > 0]))


def wasserstein(x: np.ndarray, y: np.ndarray) -> float:
    """W₁ = ∫|F - G| of the empirical laws of sorted samples: |ln c| for ln λ and ln cλ. NaN where one is empty."""
    if len(x) == 0 or len(y) == 0:
        return float("nan")
    both = np.sort(np.concatenate([x, y]))
    return float(np.abs(_cdf(x, both[:-1]) - _cdf(y, both[:-1])) @ np.diff(both))


def ks_distance(x: np.ndarray, y: np.ndarray) -> float:
    """Two-sample Kolmogorov-Smirnov distance max |F - G| of sorted samples; NaN where one is empty."""
    if len(x) == 0 or len(y) == 0:
        return float("nan")
    both = np.concatenate([x, y])
    return float(np.abs(_cdf(x, both) - _cdf(y, both)).max())


def _cdf(sample: np.ndarray, at: np.ndarray) -> np.ndarray:
    return np.searchsorted(sample, at, "right") / len(sample)


def spectral_distances(
    first: np.ndarray, second: np.ndarray, permutations: int, rng: np.random.Generator
) -> tuple[Calibrated, Calibrated]:
    """`wasserstein` and `ks_distance` of the logarithms of two spectra, against exchanged labels.

    first, second: eigenvalues of any order. Each permutation deals all eigenvalues out anew. Eigenvalues repel each
    other, so two spectra of one ensemble are closer than two halves of a shuffled one: the test is conservative, a
    small p is a difference and a large one says nothing.
    """
    x, y = log_eigenvalues(first), log_eigenvalues(second)
    values = wasserstein(x, y), ks_distance(x, y)
    both, null = np.concatenate([x, y]), np.empty((2, permutations))
    if not len(x) or not len(y):
        return UNKNOWN, UNKNOWN
    for k in range(permutations):
        rng.shuffle(both)
        parts = np.sort(both[: len(x)]), np.sort(both[len(x) :])
        null[:, k] = wasserstein(*parts), ks_distance(*parts)
    return calibrate(values[0], null[0]), calibrate(values[1], null[1])


def relative_distance(first: np.ndarray, second: np.ndarray) -> float:
    """‖W₂ - W₁‖_F / ‖W₁‖_F of matrices of one shape: √2 for independent ones of one norm. NaN for W₁ = 0."""
    a, b = np.asarray(first, float), np.asarray(second, float)
    norm = np.linalg.norm(a)
    return float(np.linalg.norm(b - a) / norm) if norm > 0 else float("nan")


def cosine(first: np.ndarray, second: np.ndarray) -> float:
    """<W₁, W₂>/(‖W₁‖_F ‖W₂‖_F): 0 ± 1/√(NM) for independent Gaussian matrices. NaN where one is zero."""
    a, b = np.asarray(first, float).ravel(), np.asarray(second, float).ravel()
    norm = np.linalg.norm(a) * np.linalg.norm(b)
    return float(a @ b / norm) if norm > 0 else float("nan")


def principal_angles(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Ascending principal angles (radians) between the spans of the orthonormal columns of u (n x k) and v (n x l).

    min(k, l) of them. The sine is taken for small angles, where the cosine loses digits (Björck and Golub 1973,
    Math. Comp. 27, 579).
    """
    if u.shape[1] < v.shape[1]:
        u, v = v, u
    overlap = u.T @ v
    cosines = np.clip(svdvals(overlap), 0, 1)
    sines = np.clip(svdvals(v - u @ overlap)[::-1], 0, 1)
    return np.where(cosines**2 > 0.5, np.arcsin(sines), np.arccos(cosines))


def subspace_overlap(u: np.ndarray, v: np.ndarray) -> Calibrated:
    """Mean squared cosine of the principal angles of two subspaces, against random ones: 1 equal, 0 orthogonal.

    u: n x k, v: n x l, orthonormal columns. For a random subspace ‖uᵀv‖² has mean kl/n and variance
    2kl(n - k)(n - l)/(n²(n - 1)(n + 2)); p is that of the beta law with these moments, exact for k = l = 1. NaN where
    one is empty; a subspace that is the whole space tells nothing (p = 1). Networks of independent origin may share
    the mean direction of their units, which random subspaces do not.
    """
    (n, k), l = u.shape, v.shape[1]  # noqa: E741
    least = min(k, l)
    if least == 0:
        return UNKNOWN
    value = min(float(((u.T @ v) ** 2).sum()) / least, 1.0)
    mean = k * l / n / least
    variance = 2 * k * l * (n - k) * (n - l) / (n**2 * (n - 1) * (n + 2)) / least**2 if n > 1 else 0.0
    if variance == 0:
        return Calibrated(value, mean, 0.0, 1.0)
    size = mean * (1 - mean) / variance - 1
    return Calibrated(value, mean, variance**0.5, float(betaincc(mean * size, (1 - mean) * size, value)))
