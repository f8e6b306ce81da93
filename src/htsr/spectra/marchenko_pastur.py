"""The Marchenko-Pastur law of random matrices, and its fit to the bulk of a spectrum.

λ are eigenvalues of X = WᵀW/N for N x M matrices W with independent entries of variance σ²; q = N/M >= 1.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from htsr.spectra import tracy_widom


def edges(q: float, sigma2: float = 1.0) -> tuple[float, float]:
    """λ₋, λ₊ = σ²(1 ± 1/√q)² (Marchenko and Pastur 1967)."""
    return sigma2 * (1 - q**-0.5) ** 2, sigma2 * (1 + q**-0.5) ** 2


def density(x: np.ndarray, q: float, sigma2: float = 1.0) -> np.ndarray:
    """ρ(λ) = q/(2πσ²λ) √((λ₊ - λ)(λ - λ₋)) between the edges, 0 elsewhere; at q = 1 it diverges as λ^(-1/2) at 0."""
    low, high = edges(q, sigma2)
    x = np.asarray(x, float)
    inside = (x > low) & (x < high)
    safe = np.where(inside, x, high)
    return np.where(inside, q / (2 * np.pi * sigma2 * safe) * np.sqrt(np.maximum((high - x) * (x - low), 0)), 0.0)


def cdf(x: np.ndarray, q: float, sigma2: float = 1.0) -> np.ndarray:
    """Integral of `density` in closed form."""
    low, high = edges(q)
    x = np.clip(np.asarray(x, float) / sigma2, low, high)
    c = 1 / q
    up, down = high - x, x - low
    # Angles of √((λ₊-λ)/(λ-λ₋)), written so that both edges and q = 1 are ordinary points.
    first = np.arctan2(up - down, 2 * np.sqrt(up * down))
    second = np.arctan2(low * up - high * down, 2 * (1 - c) * np.sqrt(up * down))
    return (np.pi * c + np.sqrt(up * down) - (1 + c) * first + (1 - c) * second) / (2 * np.pi * c)


def quantile(p: np.ndarray, q: float, sigma2: float = 1.0) -> np.ndarray:
    """Inverse of `cdf` by bisection of the singular values to the precision of float64, 0 <= p <= 1."""
    p = np.asarray(p, float)
    low, high = (np.full(p.shape, edge**0.5) for edge in edges(q))
    for _ in range(54):
        middle = (low + high) / 2
        above = cdf(middle**2, q) > p
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return sigma2 * ((low + high) / 2) ** 2


class Bulk(NamedTuple):
    """Fit of the law to a bulk: σ² and its standard error, λ₊, and the number of eigenvalues beyond `threshold`."""

    sigma2: float
    sigma2_stderr: float
    lambda_plus: float
    threshold: float
    n_spikes: int


@lru_cache(maxsize=256)
def _middle(q: float) -> tuple[np.ndarray, np.ndarray]:
    """The law's middle for interpolation (relative error below 1e-5)."""
    p = np.linspace(0.15, 0.85, 701)
    return p, quantile(p, q)


def fit_bulk(eigenvalues: np.ndarray, n: int, n_matrices: int = 1, level: float = 0.99) -> Bulk | None:
    """Fit σ² to the middle of a spectrum, leaving out the spikes beyond its edge; None for fewer than 10 eigenvalues.

    eigenvalues: ascending, of X = WᵀW/N for n_matrices matrices, pooled, whose larger dimension is n. Zeros are left
    out: the law is that of n x rank matrices, q = n/rank. σ² is the least-squares slope of the middle 60 % of the
    eigenvalues against the law's quantiles (bulk eigenvalue matching: Ke, Ma, Lin 2023, JASA 118, 374). What exceeds
    the Tracy-Widom quantile `level` of the edge (of the largest among n_matrices) is a spike; spikes are removed and
    σ² fitted anew until their number stays. The standard error joins the sampling error of a variance with the
    disagreement of five parts of the bulk: on Gaussian matrices it is the scatter of σ² within 15 %.
    """
    values = eigenvalues[eigenvalues > 0]
    if len(values) < 10:
        return None
    rank = max(round(len(values) / n_matrices), 1)
    q = n / rank
    centre, scale = tracy_widom.largest_eigenvalue(n, rank)
    edge = (centre + scale * tracy_widom.quantile(level ** (1 / n_matrices))) / n
    n_spikes, settled = 0, False
    while not settled:
        size = len(values) - n_spikes
        middle = np.arange(int(0.2 * size), int(np.ceil(0.8 * size)))
        bulk, law = values[middle], np.interp((middle + 0.5) / size, *_middle(q))
        sigma2 = float(law @ bulk / (law @ law))
        beyond = int(np.count_nonzero(values > sigma2 * edge))
        settled = beyond <= n_spikes or len(values) - beyond < 10
        n_spikes = beyond
    parts = [(x @ y) / (x @ x) for x, y in zip(np.array_split(law, 5), np.array_split(bulk, 5), strict=True)]
    stderr = np.hypot(np.std(parts, ddof=1) / np.sqrt(5), sigma2 * np.sqrt(2 / (n * len(values))))
    return Bulk(sigma2, float(stderr), edges(q, sigma2)[1], sigma2 * edge, n_spikes)
