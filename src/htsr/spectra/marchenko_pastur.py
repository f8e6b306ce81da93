"""The Marchenko-Pastur law of random matrices, and its fit to the bulk of a spectrum.

λ are eigenvalues of X = WᵀW/N for N x M matrices W with independent entries of variance σ²; q = N/M >= 1.
"""

from functools import lru_cache
from math import ceil, expm1, log1p, sqrt
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
    """Integral of `density` in closed form, error about 1e-16·√q.

    (θ + δ - q(δ - sin θ/√q))/π with λ = σ²(1 + 1/q - (2/√q) cos θ), δ = arg(1 - e^(-iθ)/√q).
    """
    low, high = edges(q)
    x = np.clip(np.asarray(x, float) / sigma2, low, high)
    theta = 2 * np.arctan2(np.sqrt(x - low), np.sqrt(high - x))
    sine = q**-0.5 * np.sin(theta)
    delta = np.arctan2(sine, 1 - q**-0.5 * np.cos(theta))
    return (theta + delta - q * (delta - sine)) / np.pi


def quantile(p: np.ndarray, q: float, sigma2: float = 1.0) -> np.ndarray:
    """Inverse of `cdf` by bisection of the singular values to the precision of float64, 0 <= p <= 1."""
    p = np.asarray(p, float)
    low, high = (np.full(p.shape, edge**0.5) for edge in edges(q))
    for _ in range(54):
        middle = (low + high) / 2
        above = cdf(middle**2, q) > p
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return sigma2 * ((low + high) / 2) ** 2


_LOW, _HIGH = 0.2, 0.8  # quantiles between which eigenvalues are of the bulk, whatever stands at its edges
_LEAST = 10  # eigenvalues that a bulk has at least
_TW_MEAN, _TW_VARIANCE = -1.2065335745820, 1.607781034581  # of TW1 (Bornemann 2010)


class Bulk(NamedTuple):
    """Fit of the law to a bulk.

    sigma2, lambda_plus, each with a standard error: σ² and λ₊. threshold: an eigenvalue beyond it is a spike.
    edge_p: p-value of the largest eigenvalue in noise. ks_distance: of the eigenvalues that are no spikes from the
    law. share_beyond: how many of the non-zero eigenvalues exceed λ₊, as a share.
    """

    sigma2: float
    sigma2_stderr: float
    lambda_plus: float
    threshold: float
    n_spikes: int
    lambda_plus_stderr: float
    edge_p: float
    ks_distance: float
    share_beyond: float


def fit_bulk(eigenvalues: np.ndarray, n: int, n_matrices: int = 1, level: float = 0.99) -> Bulk | None:
    """Fit σ² to the middle of a spectrum, leaving out the spikes beyond its edge; None for fewer than 10 eigenvalues
    above 0, and where one is infinite or NaN.

    eigenvalues: ascending, of X = WᵀW/N for n_matrices matrices, pooled, whose larger dimension is n. Zeros are left
    out: the law is that of n x rank matrices, q = n/rank. σ² is the least-squares slope of the middle 60 % of the
    eigenvalues against the law's quantiles (bulk eigenvalue matching: Ke, Ma, Lin 2023, JASA 118, 374), less its bias
    of order 1/rank. What exceeds the Tracy-Widom quantile `level` of the edge (of the largest among n_matrices) is a
    spike; k spikes are removed, which leaves the bulk of an (n - k) x (rank - k) matrix, and σ² is fitted anew until
    their number stays. Threshold and edge_p allow for the scatter of σ² and its covariance with the largest
    eigenvalue. The standard error of σ² is its scatter in Gaussian noise, or the disagreement of five parts of the
    bulk where that is larger.
    """
    values = np.asarray(eigenvalues, float)
    values = values[~(values <= 0)]
    if len(values) < _LEAST or not np.isfinite(values).all():
        return None
    limit = tracy_widom.quantile(level ** (1 / n_matrices))
    n_spikes, settled = 0, False
    while not settled:
        middle = _fit_middle(values, n_spikes, n, n_matrices)
        threshold = middle.sigma2 * (middle.centre + middle.scale * limit)
        beyond = int(np.count_nonzero(values > threshold))
        settled = beyond <= n_spikes or len(values) - beyond < _LEAST
        n_spikes = beyond
    # The largest is judged in the noise of which it would be the largest: all other spikes are removed.
    noise = _fit_middle(values, min(max(n_spikes - 1, 0), len(values) - _LEAST), n, n_matrices)
    p = float(tracy_widom.survival((float(values[-1]) / noise.sigma2 - noise.centre) / noise.scale))
    lambda_plus = edges(n / max(len(values) / n_matrices, 1), middle.sigma2)[1]
    bulk = values[: len(values) - n_spikes]
    law, ranks = cdf(bulk / middle.unit, middle.q, middle.sigma2), np.arange(len(bulk) + 1) / max(len(bulk), 1)
    return Bulk(
        sigma2=middle.sigma2,
        sigma2_stderr=middle.sigma2 * middle.error,
        lambda_plus=lambda_plus,
        threshold=threshold,
        n_spikes=n_spikes,
        lambda_plus_stderr=lambda_plus * middle.error,
        edge_p=-expm1(n_matrices * log1p(-p)) if p < 1 else 1.0,
        ks_distance=float(np.max([law - ranks[:-1], ranks[1:] - law], initial=0.0)),
        share_beyond=float(np.mean(values > lambda_plus)),
    )


class _Middle(NamedTuple):
    """σ² from the middle of a bulk, its relative standard error, the bulk's q and scale, and its edge."""

    sigma2: float
    error: float
    q: float
    unit: float  # the bulk is `unit` times that of X for its own shape
    centre: float  # the largest eigenvalue in units of the fitted σ² is centre + scale·TW1
    scale: float


def _fit_middle(values: np.ndarray, n_spikes: int, n: int, n_matrices: int) -> _Middle:
    size = len(values) - n_spikes
    rows, rank = n - n_spikes / n_matrices, max(size / n_matrices, 1)
    q, unit = rows / rank, rows / n
    p, x, slope = _law(q)
    middle = np.arange(int(_LOW * size), ceil(_HIGH * size))
    law = np.interp((middle + 0.5) / size, p, x)
    bulk, top = values[middle], float(values[middle[-1]])  # scaled by its top, so that no sum overflows
    bias = 1 + slope.bias / rank
    sigma2 = float(law @ (bulk / top) / (law @ law)) * top / unit / bias
    parts = [(x @ y) / (x @ x) for x, y in zip(np.array_split(law, 5), np.array_split(bulk / top, 5), strict=True)]
    disagreement = float(np.std(parts, ddof=1) / np.mean(parts)) / sqrt(5)
    variance = 1 / (n_matrices * rows * rank)
    centre, scale = tracy_widom.largest_eigenvalue(rows, rank)
    # In units of the fitted σ² the largest eigenvalue scatters more with σ², and less as far as σ² goes with it. Both
    # are small beside its own scatter: they stretch the Tracy-Widom law about its mean.
    excess = (slope.variance - 2 * slope.covariance) * variance * (centre / scale) ** 2
    stretch = sqrt(1 + excess / _TW_VARIANCE)
    return _Middle(
        sigma2=sigma2,
        error=max(sqrt(slope.variance * variance), disagreement),
        q=q,
        unit=unit,
        centre=(centre + scale * _TW_MEAN * (1 - stretch)) / n,
        scale=scale * stretch / n,
    )


class _Slope(NamedTuple):
    """Of σ²'s relative error δ in Gaussian noise: Var(δ)·n·rank, E(δ)·rank, and Cov(δ, λmax/λ₊)·n·rank."""

    variance: float
    bias: float
    covariance: float


@lru_cache(maxsize=256)
def _law(q: float) -> tuple[np.ndarray, np.ndarray, _Slope]:
    """The law's cdf and quantiles for interpolation, and what a least-squares slope of its middle does in noise.

    A weighted sum of ordered eigenvalues, Σ w_i λ_i, moves like the sum Σ f(λ_i) with f' = w. With λ = 1 + 1/q -
    (2/√q) cos θ and f = Σ a_k cos kθ the fluctuations of such a sum in real Gaussian noise have the variance Σ k a_k²/2
    and the mean (f(λ₋) + f(λ₊))/4 - a_0/2 (Bai and Silverstein 2004, Ann. Probab. 32, 553), a_0 the mean over θ. Its
    covariance with λmax is what λ₊ moves by when f is added to the potential: (2λ₊/n) times the mean over θ of
    w(1 - cos θ), which for the trace is the covariance that follows from its independence of λmax/trace.
    """
    from scipy.fft import dct  # 0.3 s that most figures do not need

    steps = 1024
    theta = (np.arange(steps) + 0.5) * (np.pi / steps)
    x = 1 + 1 / q - 2 / sqrt(q) * np.cos(theta)
    p = cdf(x, q)
    w = np.where((p > _LOW) & (p < _HIGH), x, 0.0)
    dx = 2 / sqrt(q) * np.sin(theta) * (np.pi / steps)
    f = np.cumsum(w * dx) - w * dx / 2
    a = dct(f) / steps
    whole = float(np.sum(w * x * density(x, q) * dx))  # Σ w_i λ_i / rank
    slope = _Slope(
        variance=float(np.sum(np.arange(steps) * a**2)) / 2 * q / whole**2,
        bias=float(np.sum(w * dx) - a[0]) / 4 / whole,
        covariance=2 * float(np.mean(w * (1 - np.cos(theta)))) / whole,
    )
    return p, x, slope
