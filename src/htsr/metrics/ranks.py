"""Ranks and the entropy of a matrix from its ascending eigenvalues, none of which depends on the scale of W.

Sources: Martin and Mahoney 2018 (arXiv 1810.01075), section 2.
"""

import numpy as np


def stable_rank(eigenvalues: np.ndarray) -> float:
    """R_s = ‖W‖_F²/‖W‖₂² = Σλ/λmax."""
    return float(eigenvalues.sum() / eigenvalues[-1])


def matrix_rank(eigenvalues: np.ndarray, n: int) -> int:
    """Hard rank: #{λ > eps·n·λmax}, the resolution of the Gram matrix that the eigenvalues come from."""
    return int(np.count_nonzero(eigenvalues > np.finfo(float).eps * n * eigenvalues[-1]))


def entropy(eigenvalues: np.ndarray, n: int) -> float:
    """Matrix entropy S = -Σ p ln p / ln R, p = λ/Σλ over the R eigenvalues of the hard rank; 0 for R = 1."""
    rank = matrix_rank(eigenvalues, n)
    if rank == 1:
        return 0.0
    p = eigenvalues[-rank:] / eigenvalues[-rank:].sum()
    return float(-(p * np.log(p)).sum() / np.log(rank))


def log_stable_rank(log_norm: float, log_spectral_norm: float) -> float:
    """R_s^log = log10 ‖W‖_F² / log10 λmax (universality letter, eq. 6), NaN at λmax = 1.

    A quotient of logarithms: it depends on the scale of W and diverges near λmax = 1, where it says nothing of rank.
    """
    return 2 * log_norm / log_spectral_norm if log_spectral_norm else float("nan")
