"""Eigenvalues of WᵀW from a Gram matrix that is accumulated in blocks."""

from collections.abc import Iterator

import numpy as np

_BLOCK = 1 << 21  # entries converted to float64 at a time (16 MB)


def blocks(w: np.ndarray) -> Iterator[np.ndarray]:
    """Slices of W across its longer side, at most about 2 million entries each."""
    n, m = max(w.shape), max(min(w.shape), 1)
    step = max(_BLOCK // m, 128)
    tall = w.shape[0] >= w.shape[1]
    for start in range(0, n, step):
        yield w[start : start + step] if tall else w[:, start : start + step]


def largest_entry(w: np.ndarray) -> float:
    """max |W_ij|, in one pass without a copy; 0 for an empty matrix, NaN or infinite where an entry is."""
    if w.size == 0:
        return 0.0
    extremes = [(float(block.max()), -float(block.min())) for block in blocks(w)]
    return float(np.max(extremes))


def gram(w: np.ndarray, factor: float = 1.0) -> np.ndarray:
    """Lower triangle of the Gram matrix of factor·W over its smaller side: m x m, float64, Fortran order.

    W: 2-D of any orientation and real dtype; it is converted in blocks and never exists in float64 as a whole.
    """
    from scipy.linalg.blas import dsyrk  # 0.3 s that most figures do not need

    m = min(w.shape)
    tall = w.shape[0] >= w.shape[1]
    out = np.zeros((m, m), order="F")
    for block in blocks(w):
        out = dsyrk(1.0, _double(block, factor).T, beta=1.0, c=out, trans=not tall, lower=1, overwrite_c=1)
    return out


def _double(block: np.ndarray, factor: float) -> np.ndarray:
    return np.multiply(block, factor, dtype=np.float64, order="C")


def eigenvalues(w: np.ndarray) -> np.ndarray:
    """Ascending eigenvalues of WᵀW or WWᵀ, whichever is smaller: m = min(W.shape) squared singular values, float64.

    Values below the resolution of a float64 Gram matrix, eps·n·λmax with n = max(W.shape), are set to 0. The
    entries are scaled by a power of two, so that neither their squares overflow nor a factor of 2 changes a digit.
    Raises ValueError where W holds NaN or infinite entries, numpy.linalg.LinAlgError where LAPACK fails.
    """
    from scipy.linalg import eigvalsh  # 0.3 s that most figures do not need

    top = largest_entry(w)
    if not np.isfinite(top):
        raise ValueError("NaN or infinite entries")
    m = min(w.shape)
    if top == 0 or m == 0:
        return np.zeros(m)
    exponent = int(np.frexp(top)[1])
    values = eigvalsh(gram(w, np.ldexp(1.0, -exponent)), lower=True, overwrite_a=True, check_finite=False)
    values[values < np.finfo(float).eps * max(w.shape) * values[-1]] = 0.0
    return np.ldexp(values, 2 * exponent)
