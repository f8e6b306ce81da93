"""Correlation traps: eigenvalues beyond the edge that stay when the elements of W are permuted.

What survives a permutation is no correlation between rows or columns: it stems from single elements that are too large.
"""

from typing import NamedTuple

import numpy as np

from htsr.spectra import tracy_widom
from htsr.spectra.marchenko_pastur import fit_bulk


class Traps(NamedTuple):
    """Mean number of traps of a permuted matrix, and a p-value."""

    number: float
    p: float


def correlation_traps(null: np.ndarray, n: int, n_matrices: int = 1, level: float = 0.99) -> Traps:
    """Traps in the spectra of K permuted matrices; NaN for K = 0 or where no bulk can be fitted.

    null: K x (m n_matrices), each row ascending, eigenvalues of X = WᵀW/N of n_matrices matrices pooled, whose larger
    dimension is n. Traps of a row are its eigenvalues beyond the Tracy-Widom quantile `level` of the edge. All
    permutations have the same entries, so that one σ² serves all, fitted to their mean spectrum.

    p: twice the median of the Tracy-Widom p-values of the K largest eigenvalues, at most 1. Twice the median of
    p-values is a p-value however they depend on each other (Rüger 1978, Metrika 25, 171), and permutations share
    their entries. It asks whether a typical permutation has a trap, so that Gaussian entries reach p < 0.05 far less
    often than in 5 of 100 cases. The exact law of the median of independent p-values would reject 11 of 100 square
    Gaussian matrices of size 64 at 5 %, and entries of which one permutation in four has a trap always.
    """
    bulk = fit_bulk(null.mean(axis=0), n, n_matrices, level) if len(null) else None
    if bulk is None:
        return Traps(np.nan, np.nan)
    rank = max(round(np.count_nonzero(null[0]) / n_matrices), 1)
    centre, scale = tracy_widom.largest_eigenvalue(n, rank)
    single = tracy_widom.survival((null[:, -1] * n / bulk.sigma2 - centre) / scale)
    median = float(np.median(-np.expm1(n_matrices * np.log1p(-single))))
    threshold = bulk.sigma2 * (centre + scale * tracy_widom.quantile(level ** (1 / n_matrices))) / n
    return Traps(float(np.count_nonzero(null > threshold)) / len(null), min(1.0, 2 * median))
