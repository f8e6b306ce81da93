"""Similarity of two representations of the same n examples: debiased linear CKA, and canonical correlations.

X is n x p and Y n x q, a row an example. Weights have no examples of their own: their rows are the input units of the
layer, which two models share where they see the same inputs (a first layer) or start from the same weights. Units of
models that were initialized independently are in no common order, and every similarity is then that of chance.
"""

from typing import NamedTuple

import numpy as np

from htsr.spectra.distances import UNKNOWN, Calibrated, calibrate

_NAN = float("nan")


def centred_gram(x: np.ndarray) -> np.ndarray:
    """XXᵀ without its diagonal and U-centred, n x n: its inner product with another is the unbiased HSIC of Song et al.

    K̃_ij = K_ij - (r_i + r_j)/(n - 2) + s/((n - 1)(n - 2)) off the diagonal, r the row sums and s the sum of K without
    its diagonal (Székely and Rizzo 2014, Ann. Statist. 42, 2382, whose product is eq. 4 of Song et al. 2012, J. Mach.
    Learn. Res. 13, 1393, up to a factor). n >= 4.
    """
    n = len(x)
    gram = x @ x.T
    np.fill_diagonal(gram, 0.0)
    rows = gram.sum(axis=0)
    gram -= (rows[:, None] + rows) / (n - 2)
    gram += rows.sum() / ((n - 1) * (n - 2))
    np.fill_diagonal(gram, 0.0)
    return gram


def hsic(x: np.ndarray, y: np.ndarray) -> float:
    """Unbiased HSIC with linear kernels, Σ K̃_ij L̃_ij/(n(n - 3)), 0 in the mean of independent X and Y; needs n >= 4."""
    n = len(x)
    return float((centred_gram(x) * centred_gram(y)).sum() / (n * (n - 3)))


def _cka(k: np.ndarray, l: np.ndarray) -> float:  # noqa: E741
    norms = (k * k).sum() * (l * l).sum()
    return float((k * l).sum() / np.sqrt(norms)) if norms > 0 else _NAN


def cka(x: np.ndarray, y: np.ndarray) -> float:
    """Debiased linear CKA, HSIC(X, Y)/√(HSIC(X, X) HSIC(Y, Y)): 1 where Y = cXQ, near 0 for independent X and Y.

    Kornblith et al. 2019 (arXiv 1905.00414) with the unbiased HSIC; -1 to 1. NaN for n < 4 or where one is constant.
    """
    if len(x) < 4:
        return _NAN
    return _cka(centred_gram(_scaled(x)), centred_gram(_scaled(y)))


def _scaled(x: np.ndarray) -> np.ndarray:
    """Columns with mean 0, all entries divided by the largest, float64."""
    x = np.asarray(x, float)
    x = x - x.mean(axis=0)
    top = np.abs(x).max(initial=0.0)
    return x / top if top > 0 else x


class Basis(NamedTuple):
    """Orthonormal basis (n x r) of the centred columns of X, largest value first, and X's coordinates in it."""

    vectors: np.ndarray
    loads: np.ndarray


def basis(x: np.ndarray, variance: float = 1.0) -> Basis:
    """variance: share of ‖X‖_F² that the kept directions explain at least (SVCCA: 0.99; 1 keeps the rank of X)."""
    u, s, vt = np.linalg.svd(_scaled(x), full_matrices=False)
    rank = int(np.count_nonzero(s > np.finfo(float).eps * max(x.shape) * s.max(initial=0.0)))
    if variance < 1 and rank:
        rank = min(rank, 1 + int(np.searchsorted(np.cumsum(s**2), variance * (s**2).sum() * (1 - 1e-12))))
    return Basis(u[:, :rank], s[:rank, None] * vt[:rank])


def canonical_correlations(x: Basis, y: Basis) -> np.ndarray:
    """Descending canonical correlations, min(rank X, rank Y) of them (Hotelling 1936)."""
    return np.clip(np.linalg.svd(x.vectors.T @ y.vectors, compute_uv=False), 0, 1)


def _degenerate(x: Basis, y: Basis) -> bool:
    """No canonical correlations, or one of the spans is all that n centred examples have: then all are 1."""
    least, most = sorted((x.vectors.shape[1], y.vectors.shape[1]))
    return least == 0 or most >= len(x.vectors) - 1


def mean_cca(x: Basis, y: Basis) -> float:
    """Mean canonical correlation, invariant under invertible maps of X and Y; of `basis(variance=0.99)` it is SVCCA.

    SVCCA: Raghu et al. 2017 (arXiv 1706.05806). NaN where the features of one span all n - 1 dimensions of the examples
    (p >= n - 1): every correlation is then 1 whatever Y is.
    """
    return _NAN if _degenerate(x, y) else float(canonical_correlations(x, y).mean())


def pwcca(x: Basis, y: Basis) -> float:
    """Projection-weighted CCA (Morcos, Raghu, Bengio 2018, arXiv 1806.05759): Σ α_i ρ_i/Σ α_i, α_i = Σ_j |<h_i, x_j>|.

    h_i: canonical variates in the span of X, x_j: its columns, so that X and Y are not exchangeable. NaN as `mean_cca`.
    """
    if _degenerate(x, y):
        return _NAN
    left, rho, _ = np.linalg.svd(x.vectors.T @ y.vectors, full_matrices=False)
    weights = np.abs(left.T @ x.loads).sum(axis=1)
    return float(weights @ np.clip(rho, 0, 1) / weights.sum())


def similarities(
    x: np.ndarray, y: np.ndarray, permutations: int, rng: np.random.Generator, variance: float = 0.99
) -> dict[str, Calibrated]:
    """`cka`, `cca`, `svcca`, `pwcca` of X (n x p) and Y (n x q), each against K permutations of the rows of Y.

    z and p say whether the examples correspond; the mean under permutation is the value of chance, which for CCA is far
    from 0 where p + q is not small beside n. NaN where a similarity does not exist (see each).
    """
    if len(x) != len(y):
        raise ValueError(f"{len(x)} and {len(y)} examples")
    found = dict.fromkeys(("cka", "cca", "svcca", "pwcca"), UNKNOWN)
    orders = [rng.permutation(len(x)) for _ in range(permutations)]
    if len(x) >= 4:
        k, l = centred_gram(_scaled(x)), centred_gram(_scaled(y))  # noqa: E741
        found["cka"] = calibrate(_cka(k, l), np.array([_cka(k, l[np.ix_(order, order)]) for order in orders]))
    whole, cut = (basis(x), basis(y)), (basis(x, variance), basis(y, variance))
    for name, measure, (a, b) in (("cca", mean_cca, whole), ("svcca", mean_cca, cut), ("pwcca", pwcca, whole)):
        if not _degenerate(a, b):
            null = np.array([measure(a, Basis(b.vectors[order], b.loads)) for order in orders])
            found[name] = calibrate(measure(a, b), null)
    return found
