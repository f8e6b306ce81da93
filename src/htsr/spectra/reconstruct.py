"""Matrices rebuilt from some of their singular values ("smoothing"), or from what is left without those.

W = Σ σ_i u_i v_iᵀ becomes Σ f_i σ_i u_i v_iᵀ with factors f_i between 0 and 1: 1 for what is kept, 0 for what is
dropped, less than 1 for what is shrunk. Singular values are ascending, so the last ones are the largest.
"""

from typing import NamedTuple

import numpy as np

from htsr.spectra.vectors import gram_vectors


class Decomposition(NamedTuple):
    """A matrix W (N x M, either orientation), its m = min(N, M) ascending squared singular values, and the m x m
    singular vectors (columns) of its shorter side."""

    matrix: np.ndarray
    squares: np.ndarray
    vectors: np.ndarray


def decompose(w: np.ndarray) -> Decomposition:
    """Raises ValueError where W holds NaN or infinite entries, numpy.linalg.LinAlgError where LAPACK fails."""
    return Decomposition(w, *gram_vectors(w))


def largest(size: int, count: int) -> np.ndarray:
    """Factors that keep the `count` largest of `size` singular values; all for a count beyond that."""
    return (np.arange(size) >= size - count).astype(float)


def rank_of(rank: float, size: int) -> int:
    """How many of `size` singular values a rank keeps: itself from 1 on, that share (at least one value) below 1."""
    return min(round(rank), size) if rank >= 1 else max(round(rank * size), min(size, 1))


def shrunk(squares: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Factors that turn the singular values √squares into `values`, 0 where they are 0 already."""
    original = np.sqrt(squares)
    return np.where(original > 0, values / np.where(original > 0, original, 1.0), 0.0)


def rebuild(decomposition: Decomposition, factors: np.ndarray) -> np.ndarray:
    """Σ f_i σ_i u_i v_iᵀ as W V f Vᵀ, float64, without the vectors of the longer side; W itself where all f are 1.

    factors: one for each singular value, ascending. Built from whichever are fewer, the terms that are kept or those
    that are taken away, so that the error is that of float64 beside the largest singular value.
    """
    w, _, vectors = decomposition
    w = np.asarray(w, float)
    away = np.count_nonzero(factors != 1) < np.count_nonzero(factors)
    weights = 1 - factors if away else factors
    used = vectors[:, weights != 0]
    tall = w.shape[0] >= w.shape[1]
    part = (w @ used * weights[weights != 0]) @ used.T if tall else used @ (weights[weights != 0, None] * (used.T @ w))
    return w - part if away else part
