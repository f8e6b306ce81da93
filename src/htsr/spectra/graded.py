"""All eigenvalues of a graded positive semidefinite matrix to relative accuracy, and its rank.

M = DCD with D = √diag M and C of unit diagonal. Errors of M_ij relative to √(M_ii M_jj), such as those of a Gram matrix
in floating point, change an eigenvalue of M by a relative amount that only C's condition enlarges, whatever the
decades that D spans (Demmel and Veselić 1992, SIAM J. Matrix Anal. Appl. 13, 1204). A symmetric eigensolver loses all
below eps·λmax; Cholesky and a one-sided Jacobi SVD of the factor (Drmač and Veselić 2008, SIAM J. Matrix Anal. Appl.
29, 1322) do not.
"""

from typing import NamedTuple

import numpy as np
from scipy.linalg import svdvals
from scipy.linalg.lapack import dgejsv, dpstrf

NOT_FINITE = "NaN or infinite entries"
NOT_POSITIVE = "not positive semidefinite"
NOT_CONVERGED = "the Jacobi iteration did not converge"


class Graded(NamedTuple):
    """values: n eigenvalues, ascending; zeros for the missing rank. rank: of C within the tolerance.

    accuracy: estimated relative error of the non-zero values, tolerance/λmin of the part of C that was kept: an upper
    bound by its order of magnitude. status: "", or why there are only NaN.
    """

    values: np.ndarray
    rank: int
    accuracy: float
    status: str


def graded_eigenvalues(m: np.ndarray, tolerance: float | None = None) -> Graded:
    """Eigenvalues of the symmetric positive semidefinite n x n matrix M; only its lower triangle is read.

    tolerance: errors of M_ij relative to √(M_ii M_jj), by default n·eps; what the rows of C leave of each other's unit
    length (squared) up to it is rounding, and counts as rank that is missing. For entries known to float32, such as
    products of float32 rows, give 1e-7. Zero rows are zero eigenvalues. `not positive semidefinite` is a negative or
    zero diagonal entry whose row is not zero, or an entry beyond its bound √(M_ii M_jj).
    """
    m = np.asarray(m, float)
    n = len(m)
    lower = np.tril(m)
    diagonal = m.diagonal()
    used = np.flatnonzero(diagonal)
    tolerance = n * np.finfo(float).eps if tolerance is None else tolerance
    if not np.isfinite(lower).all():
        return _failed(n, NOT_FINITE)
    if len(used) == 0 and not lower.any():
        return Graded(np.zeros(n), 0, 0.0, "")
    if diagonal.min() < 0:
        return _failed(n, NOT_POSITIVE)
    scale = np.sqrt(diagonal[used])
    c = lower[np.ix_(used, used)] / scale[:, None] / scale
    np.fill_diagonal(c, 1.0)
    outside = np.count_nonzero(lower) > np.count_nonzero(lower[np.ix_(used, used)])
    if outside or np.abs(c).max() > 1 + tolerance:
        return _failed(n, NOT_POSITIVE)
    factor, pivots, rank, _ = dpstrf(c, tol=tolerance, lower=1)
    factor = np.tril(factor)[:, :rank]
    # Scaled to 1, so that no square under- or overflows.
    exponent = int(np.frexp(scale.max())[1])
    rows = np.ldexp(scale[pivots - 1], -exponent)[:, None] * factor
    sigma, _, _, work, _, info = dgejsv(rows, joba=2, jobu=3, jobv=3)
    if info:
        return _failed(n, NOT_CONVERGED)
    values = np.zeros(n)
    values[n - rank :] = np.sort(np.ldexp(sigma * (work[0] / work[1]), exponent) ** 2)
    return Graded(values, int(rank), float(tolerance / svdvals(factor)[-1] ** 2), "")


def _failed(n: int, status: str) -> Graded:
    return Graded(np.full(n, np.nan), 0, float("nan"), status)
