"""Largest singular values and vectors of a matrix that exists only in blocks of rows, by random projection.

Randomized range finder and SVD (Halko, Martinsson, Tropp 2011, SIAM Review 53, 217, algorithms 4.4 and 5.1), with the
error measured, not assumed: Q being an orthonormal basis of a sample of the range, A = QQᵀA + E with orthogonal parts.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.linalg import qr, svd

NOT_FINITE = "NaN or infinite entries"

Rows = Callable[[int, int], np.ndarray]  # (start, stop) -> (stop - start) x D


class Sketch(NamedTuple):
    """QQᵀA = Σ values_i left_i rightᵢᵀ.

    values: r approximate singular values, largest first, none above that of A. left: n x r, right: D x r, orthonormal
    columns. frobenius2: ‖A‖_F². residual2: ‖E‖_F², exact but for rounding, eps·‖A‖_F² at least. spectral: a bound of
    ‖E‖₂ that fails with the probability 10^(-tests). status: "", or why the numbers are NaN.
    """

    values: np.ndarray
    left: np.ndarray
    right: np.ndarray
    frobenius2: float
    residual2: float
    spectral: float
    status: str


def range_sketch(
    rows: Rows,
    n: int,
    size: int,
    rank: int,
    rng: np.random.Generator,
    *,
    power: int = 0,
    block: int = 256,
    tests: int = 10,
) -> Sketch:
    """Sketch of rank min(rank, n, size) of the n x size matrix A whose rows start:stop are rows(start, stop).

    It reads all rows 2 + 2·power times, `block` rows at a time, and holds four matrices of rank + tests columns. rank
    includes the oversampling: the last ten or so values are poor, see `brackets`. power: power iterations, each of
    which narrows the error of slowly falling spectra. tests: random vectors for the bound of ‖E‖₂,
    10·√(2/π)·max ‖Eω‖ (lemma 4.1), multiplied together with the others.
    """
    rank = min(rank, n, size)
    omega = rng.standard_normal((size, rank + tests))
    sample, frobenius2 = _times(rows, omega, n, block)
    if not np.isfinite(frobenius2):
        nan = float("nan")
        empty = np.full(rank, nan), np.full((n, rank), nan), np.full((size, rank), nan)
        return Sketch(*empty, nan, nan, nan, NOT_FINITE)
    q = _orthonormal(sample[:, :rank])
    for _ in range(power):
        q = _orthonormal(_times(rows, _orthonormal(_transposed(rows, q, size, block)), n, block)[0])
    right, values, left = svd(_transposed(rows, q, size, block), full_matrices=False, check_finite=False)
    trial = sample[:, rank:]
    missed = np.linalg.norm(trial - q @ (q.T @ trial), axis=0)
    return Sketch(
        values=values,
        left=q @ left.T,
        right=right,
        frobenius2=frobenius2,
        residual2=max(frobenius2 - float(values @ values), np.finfo(float).eps * frobenius2),
        spectral=float(10 * np.sqrt(2 / np.pi) * missed.max()) if tests else float("inf"),
        status="",
    )


def brackets(sketch: Sketch) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper bounds of the r largest eigenvalues of AAᵀ, largest first.

    σ̂_i² <= λ_i <= σ̂_i² + ‖E‖₂² (Weyl, from AᵀA = AᵀQQᵀA + EᵀE), with the smaller bound of ‖E‖₂².
    """
    low = sketch.values**2
    return low, low + min(sketch.residual2, sketch.spectral**2)


def _times(rows: Rows, x: np.ndarray, n: int, block: int) -> tuple[np.ndarray, float]:
    """Ax and ‖A‖_F²."""
    out, squares = np.empty((n, x.shape[1])), 0.0
    for start in range(0, n, block):
        part = np.asarray(rows(start, min(start + block, n)), float)
        out[start : start + block] = part @ x
        squares += float(np.vdot(part, part))
    return out, squares


def _transposed(rows: Rows, y: np.ndarray, size: int, block: int) -> np.ndarray:
    out = np.zeros((size, y.shape[1]))
    for start in range(0, len(y), block):
        part = np.asarray(rows(start, min(start + block, len(y))), float)
        out += part.T @ y[start : start + block]
    return out


def _orthonormal(y: np.ndarray) -> np.ndarray:
    return qr(y, mode="economic", check_finite=False)[0]
