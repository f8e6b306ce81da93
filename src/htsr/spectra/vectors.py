"""Singular vectors of a matrix, how localized they are, and whether they are those of a random matrix.

A vector of n components is measured against Haar vectors, uniform on the unit sphere in n dimensions: those of a matrix
of independent Gaussian entries. No measure depends on the sign of a vector.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.linalg import cholesky, eigh, solve_triangular, svd
from scipy.special import entr, ndtr, stdtr

from htsr.spectra.eigenvalues import gram, largest_entry
from htsr.spectra.permutation import generator

MEASURES = ("entropy", "localization", "participation", "ipr")
LEAST = 8  # components of a vector that a distribution can be tested on

_GRADED = 1e-8  # λ/λmax below which W v/σ is no singular vector any more, and the Gram matrix is not enough
_HAAR = (400, 4000, 4_000_000)  # least and most Haar vectors to compare with, and components of all of them


class SingularVectors(NamedTuple):
    """W = Σ values_i left_i right_iᵀ for W of N x M, m = min(N, M).

    values: m singular values, ascending. left: N x m, right: M x m, unit columns. determined: m, whether the vectors of
    a value are known: it is not zero, and no other is equal to it within the resolution of float64. Columns of the
    longer side that belong to a value of zero are zero.
    """

    values: np.ndarray
    left: np.ndarray
    right: np.ndarray
    determined: np.ndarray


def gram_vectors(w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ascending eigenvalues and eigenvectors (columns) of WᵀW or WWᵀ, whichever is smaller: m and m x m, float64.

    Values below eps·n·λmax, n = max(W.shape), are 0, as in `htsr.spectra.eigenvalues`. Raises ValueError where W holds
    NaN or infinite entries, numpy.linalg.LinAlgError where LAPACK fails.
    """
    top, m = largest_entry(w), min(w.shape)
    if not np.isfinite(top):
        raise ValueError("NaN or infinite entries")
    if top == 0 or m == 0:
        return np.zeros(m), np.eye(m)
    exponent = int(np.frexp(top)[1])  # a power of two, so that no square overflows and no digit changes
    values, vectors = eigh(
        gram(w, np.ldexp(1.0, -exponent)), lower=True, overwrite_a=True, check_finite=False, driver="evd"
    )
    values[values < np.finfo(float).eps * max(w.shape) * values[-1]] = 0.0
    return np.ldexp(values, 2 * exponent), vectors


def singular_vectors(w: np.ndarray) -> SingularVectors:
    """All singular vectors of W, from the symmetric eigenproblem of the smaller side; the other side is W v/σ.

    Where the non-zero σ² span more than eight decades, W v/σ would amplify the error of v, and LAPACK's SVD of W in
    float64 is taken instead. Raises as `gram_vectors` does.
    """
    squares, short = gram_vectors(w)
    n, eps, tall = max(w.shape), np.finfo(float).eps, w.shape[0] >= w.shape[1]
    positive = squares > 0
    if positive.any() and squares[positive][0] < _GRADED * squares[-1]:
        exponent = int(np.frexp(largest_entry(w))[1])
        left, values, right = svd(np.ldexp(w.astype(float), -exponent), full_matrices=False, check_finite=False)
        left, values, right = left[:, ::-1], np.ldexp(values[::-1], exponent), right[::-1].T
        squares = np.where(positive, squares, 0.0)
        if tall:
            left = left * positive
        else:
            right = right * positive
        values = np.where(positive, values, 0.0)
    else:
        values = np.sqrt(squares)
        long = np.asarray(w if tall else w.T, float) @ (short / np.where(positive, values, np.inf))
        norms = np.linalg.norm(long, axis=0)
        long /= np.where(norms > 0, norms, 1.0)
        left, right = (long, short) if tall else (short, long)
    gaps = np.diff(squares, prepend=-np.inf, append=np.inf) > eps * n * (squares[-1] if len(squares) else 0.0)
    return SingularVectors(values, left, right, positive & gaps[:-1] & gaps[1:])


def measures(v: np.ndarray) -> dict[str, np.ndarray]:
    """Four measures of every column of v (n x k, not zero), each of length k.

    entropy: vector entropy -Σ v_i² ln v_i² / ln n, 0 for one component to 1 for equal ones (NaN for n = 1);
    localization: localization ratio ‖v‖₁/‖v‖∞, 1 to n; participation: participation ratio ‖v‖₂/‖v‖₄, 1 to n^(1/4)
    (Martin and Mahoney 2018, arXiv 1810.01075, section 5); ipr: inverse participation ratio n Σ v_i⁴ of the unit
    vector, n for one component, 3n/(n+2) in the mean of Haar vectors, 1 for equal ones.
    """
    n = len(v)
    size = np.abs(v) / np.abs(v).max(axis=0)
    squares = (size / np.linalg.norm(size, axis=0)) ** 2
    fourth = (squares**2).sum(axis=0)
    entropy = entr(squares).sum(axis=0) / np.log(n) if n > 1 else np.full(v.shape[1], np.nan)
    return {
        "entropy": entropy,
        "localization": size.sum(axis=0),
        "participation": fourth**-0.25,
        "ipr": n * fourth,
    }


def ks_distances(v: np.ndarray) -> np.ndarray:
    """Kolmogorov-Smirnov distance of √n v_i/‖v‖ from the standard normal law, for every column of v (n x k)."""
    n = len(v)
    law = ndtr(np.sort(np.sqrt(n) * v / np.linalg.norm(v, axis=0), axis=0))
    steps = np.arange(n)[:, None] / n
    return np.maximum((law - steps).max(axis=0), (steps + 1 / n - law).max(axis=0))


class Haar(NamedTuple):
    """Simulated Haar vectors of n components: K sorted values of each measure, and of the distance from N(0, 1)."""

    n: int
    measures: dict[str, np.ndarray]
    ks_distances: np.ndarray

    def band(self, measure: str) -> tuple[float, float, float]:
        """Mean, and the quantiles 2.5 % and 97.5 %, of a measure."""
        values = self.measures[measure]
        return float(values.mean()), *map(float, np.quantile(values, [0.025, 0.975]))


@lru_cache(maxsize=32)
def haar(n: int) -> Haar:
    """400 to 4000 seeded Haar vectors of n >= 2 components; the same for the same n."""
    rng, count = generator(0, f"haar {n}"), int(np.clip(_HAAR[2] // n, *_HAAR[:2]))
    found: dict[str, list[np.ndarray]] = {name: [] for name in (*MEASURES, "ks")}
    for start in range(0, count, 256):
        v = rng.standard_normal((n, min(256, count - start)))
        for name, values in (*measures(v).items(), ("ks", ks_distances(v))):
            found[name].append(values)
    joined = {name: np.sort(np.concatenate(values)) for name, values in found.items()}
    return Haar(n, {name: joined[name] for name in MEASURES}, joined["ks"])


def porter_thomas_p(distances: np.ndarray, n: int) -> np.ndarray:
    """p of each `ks_distances` of vectors of n components: share of simulated Haar vectors as far from N(0, 1).

    The Porter-Thomas law says that the components of a random matrix's vectors are Gaussian (Thamm, Staats, Rosenow
    2022, arXiv 2203.14661). The simulation holds ‖v‖ = 1, as the data do. NaN for n < 8.
    """
    if n < LEAST:
        return np.full(len(distances), np.nan)
    null = haar(n).ks_distances
    return (1 + len(null) - np.searchsorted(null, distances, "left")) / (1 + len(null))


def departures(
    bulk: np.ndarray, spikes: np.ndarray, rng: np.random.Generator, replicates: int = 39, most: int = 128
) -> np.ndarray:
    """Summed `ks_distances` of a matrix's bulk vectors (n x k), then of `replicates` simulated frames: 1 + replicates.

    A frame holds k Haar vectors orthogonal to each other and to the spikes (n x s): what the bulk vectors are where the
    bulk is noise. Orthogonality matters: the mean over all vectors of a Haar matrix has half the variance of
    independent ones, and beside a spike such as the mean direction of a layer behind a ReLU every other vector is more
    Gaussian than by chance. Of more than `most` bulk vectors, as many at equal steps are tested.
    """
    n, k = bulk.shape
    if k > most:
        bulk, k = bulk[:, np.linspace(0, k - 1, most).astype(int)], most
    sums = [ks_distances(bulk).sum()]
    for _ in range(replicates):
        frame = rng.standard_normal((n, k))
        frame -= spikes @ (spikes.T @ frame)
        upper = cholesky(frame.T @ frame, check_finite=False)  # QR by Cholesky: exact enough, and several times faster
        frame = solve_triangular(upper, frame.T, trans=1, check_finite=False).T
        sums.append(ks_distances(frame).sum())
    return np.array(sums)


def departure_p(sums: np.ndarray) -> float:
    """One-sided p that bulk vectors are no less Gaussian than those of noise: Student's t of the first of `departures`.

    sums: those of one matrix, or added over several matrices. A t, so that 39 replicates tell a small p.
    """
    observed, null = sums[0], sums[1:]
    spread = null.std(ddof=1) * np.sqrt(1 + 1 / len(null))
    return float(stdtr(len(null) - 1, (null.mean() - observed) / spread))


def difference_p(first: np.ndarray, second: np.ndarray) -> float:
    """Two-sided p of the Mann-Whitney test that two samples are from one law; NaN where one is empty or has NaN.

    Exact where one sample has at most 8 values and none are equal, else the normal law, with its corrections for ties
    and continuity (Mann and Whitney 1947).
    """
    n, m = len(first), len(second)
    pooled = np.concatenate((first, second))
    if n == 0 or m == 0 or np.isnan(pooled).any():
        return float("nan")
    _, place, ties = np.unique(pooled, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(ties) - (ties - 1) / 2)[place]
    u = ranks[:n].sum() - n * (n + 1) / 2
    u = max(u, n * m - u)
    if min(n, m) <= 8 and ties.max() == 1:
        ways = _rank_sums(min(n, m), max(n, m))
        return min(1.0, 2 * (sum(ways[int(u) :]) / sum(ways)))
    variance = n * m / 12 * (n + m + 1 - (ties**3 - ties).sum() / ((n + m) * (n + m - 1)))
    return float(min(1.0, 2 * ndtr((n * m / 2 + 0.5 - u) / np.sqrt(variance)))) if variance > 0 else 1.0


def _rank_sums(n: int, m: int) -> np.ndarray:
    """In how many of the orders of n and m values is U = 0, ..., nm: Gauss's binomial coefficient, exact integers."""
    ways = np.zeros(n * m + 1, object)
    ways[0] = 1
    for i in range(1, n + 1):  # times (1 - x^(m+i)) / (1 - x^i)
        ways[m + i :] -= ways[: -(m + i)].copy() if m + i <= n * m else 0
        for start in range(i):
            ways[start::i] = np.cumsum(ways[start::i])
    return ways
