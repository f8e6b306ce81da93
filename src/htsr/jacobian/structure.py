"""What the n x n matrix of inner products of per-example Jacobians is like: diagonal, correlations, classes, nulls.

M = 𝒥𝒥ᵀ, row i of 𝒥 the flattened Jacobian of example i. Everything here is numpy on M and the examples' classes.
"""

from typing import NamedTuple

import numpy as np

from htsr.spectra.permutation import generator


def correlation(m: np.ndarray) -> np.ndarray:
    """D^(-1/2) M D^(-1/2), D the diagonal of M: cosines between the rows of 𝒥. A row of zeros stays one."""
    diagonal = m.diagonal()
    scale = np.divide(1.0, np.sqrt(diagonal), out=np.zeros_like(diagonal), where=diagonal > 0)
    return m * scale[:, None] * scale


def centred(m: np.ndarray) -> np.ndarray:
    """The matrix of the rows less their mean row: HMH with H = 1 - 11ᵀ/n."""
    mean = m.mean(axis=0)
    out = m - mean
    out -= mean[:, None]
    out += mean.mean()
    return out


def random_directions(norms: np.ndarray, dimension: int, rng: np.random.Generator) -> np.ndarray:
    """M of n rows of the given norms with independent, uniformly random directions in so many dimensions.

    Where there are as many dimensions as rows, GGᵀ of a Gaussian G is drawn by its Cholesky factor (Bartlett 1933),
    which needs n² numbers however many dimensions there are.
    """
    n = len(norms)
    if dimension >= n:
        factor = np.tril(rng.standard_normal((n, n)), -1)
        factor[np.diag_indices(n)] = np.sqrt(rng.chisquare(dimension - np.arange(n)))
    else:
        factor = rng.standard_normal((n, dimension))
    factor *= (norms / np.linalg.norm(factor, axis=1))[:, None]
    return factor @ factor.T


class Alignment(NamedTuple):
    """Centred kernel alignment with the classes, and its mean and standard deviation over permuted classes."""

    value: float
    null: float
    null_std: float


def alignment(m: np.ndarray, labels: np.ndarray, seed: int, permutations: int = 39) -> Alignment:
    """⟨HMH, HYH⟩/(‖HMH‖ ‖HYH‖), Y_ij = 1 where i and j are of one class (Cortes, Mohri, Rostamizadeh 2012, eq. 4).

    NaN for a matrix of zeros or a single class.
    """
    inner = centred(m)
    classes = np.eye(labels.max() + 1)[labels]
    own = classes - classes.mean(axis=0)
    size = np.linalg.norm(inner) * np.linalg.norm(own.T @ own)
    if not size > 0:
        return Alignment(np.nan, np.nan, np.nan)
    rng = generator(seed, "alignment")
    drawn = [_inner(inner, rng.permutation(own)) for _ in range(permutations)]
    std = float(np.std(drawn, ddof=1) / size) if permutations > 1 else np.nan
    return Alignment(_inner(inner, own) / size, float(np.mean(drawn) / size) if drawn else np.nan, std)


def _inner(m: np.ndarray, classes: np.ndarray) -> float:
    return float(np.sum((m @ classes) * classes))


def block_means(m: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Mean entry of M between every two classes, k x k; pairs of an example with itself left out. NaN without pairs."""
    classes = np.eye(labels.max() + 1)[labels]
    off = m - np.diag(m.diagonal())
    counts = classes.sum(axis=0)
    pairs = np.outer(counts, counts) - np.diag(counts)
    return np.divide(classes.T @ off @ classes, pairs, out=np.full_like(pairs, np.nan), where=pairs > 0)


class Blocks(NamedTuple):
    """Mean entry within classes and between them, with the standard deviation of the blocks' means."""

    within: float
    between: float
    within_std: float
    between_std: float


def within_and_between(blocks: np.ndarray) -> Blocks:
    """Means over the blocks of `block_means`: of the diagonal ones, and of the others."""
    same = np.eye(len(blocks), dtype=bool)
    parts = [values[np.isfinite(values)] for values in (blocks[same], blocks[~same])]
    means = [float(values.mean()) if len(values) else np.nan for values in parts]
    stds = [float(values.std(ddof=1)) if len(values) > 1 else np.nan for values in parts]
    return Blocks(*means, *stds)


def class_shares(vectors: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Share of each unit vector (columns, n x r) that is the same for all examples of a class; k/n for a random one."""
    classes = np.eye(labels.max() + 1)[labels]
    counts = np.maximum(classes.sum(axis=0), 1)
    return (((classes / np.sqrt(counts)).T @ vectors) ** 2).sum(axis=0)


def participation(vectors: np.ndarray) -> np.ndarray:
    """1/(n Σ v_i⁴) of each unit vector (columns): 1 where all examples take part alike, 1/n where one does."""
    return 1 / (len(vectors) * (vectors**4).sum(axis=0))


def numerical_rank(correlation: np.ndarray, tolerance: float) -> int:
    """Rank of `correlation(M)` by Cholesky with pivots: what rows leave of each other's unit length (squared) up to the
    tolerance is rounding. The rank of `htsr.spectra.graded`, without its eigenvalues.
    """
    from scipy.linalg.lapack import dpstrf  # 0.3 s that figures do not need

    used = np.flatnonzero(correlation.diagonal())
    part = correlation if len(used) == len(correlation) else correlation[np.ix_(used, used)]
    return int(dpstrf(part, tol=tolerance, lower=1)[2]) if len(used) else 0


def effective_rank(eigenvalues: np.ndarray) -> float:
    """(Σλ)²/Σλ²: the number of equal eigenvalues that would give as much of both; NaN where all are zero."""
    top = eigenvalues.max(initial=0.0)
    if not top > 0:
        return np.nan
    shares = eigenvalues / top
    return float(shares.sum() ** 2 / (shares**2).sum())


def class_pattern(direction: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """A right singular vector of 𝒥 (k x d) as one image direction and its effect on the classes.

    The best approximation by an outer product: (pattern over the k classes and unit direction over the d pixels, the
    share of the vector's square that it holds). The sign makes the largest entry of the pattern positive.
    """
    u, s, vt = np.linalg.svd(direction, full_matrices=False)
    sign = np.sign(u[np.abs(u[:, 0]).argmax(), 0]) or 1.0
    return sign * u[:, 0] * s[0], sign * vt[0], float(s[0] ** 2 / (s**2).sum())
