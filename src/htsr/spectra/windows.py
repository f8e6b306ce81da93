"""Eigenvalues of windows of one aspect ratio: spectra whose shape the aspect ratio of the matrix does not change.

Fixed-aspect-ratio matrix subsampling (FARMS) of Hu et al. 2025 (arXiv 2506.06280): overlapping submatrices, their
eigenvalues concatenated. What a window holds of the whole matrix's correlations is less than the matrix does: a spike
that is spread over all rows is weaker by the window's share of them.
"""

from collections.abc import Iterator

import numpy as np

from htsr.spectra.eigenvalues import eigenvalues

SHARE = 0.5  # of the matrix's smaller side that a window's smaller side spans


def window_shape(n: int, m: int, q: float = 1.0) -> tuple[int, int]:
    """(larger, smaller) side of the windows of an n x m matrix, n >= m: the smaller is half of m, or of what fits.

    q >= 1: aspect ratio of the windows. (0, 0) where the matrix has no room for a 2 x 2 window.
    """
    smaller = int(SHARE * min(m, n / q))
    larger = min(round(q * smaller), n)
    return (larger, smaller) if smaller >= 2 else (0, 0)


def windows(w: np.ndarray, steps: int, q: float = 1.0) -> Iterator[np.ndarray]:
    """Views of W in the shape of `window_shape`, at up to `steps` evenly spaced places along each axis.

    W: 2-D of either orientation; the longer side of a window lies along W's. The first and the last window touch the
    ends (steps = 1: one window in the middle); places that coincide are used once.
    """
    larger, smaller = window_shape(max(w.shape), min(w.shape), q)
    if smaller == 0:
        return
    shape = (larger, smaller) if w.shape[0] >= w.shape[1] else (smaller, larger)
    rows, columns = (_places(total - size, steps) for total, size in zip(w.shape, shape, strict=True))
    for i in rows:
        for j in columns:
            yield w[i : i + shape[0], j : j + shape[1]]


def window_eigenvalues(w: np.ndarray, steps: int, q: float = 1.0) -> np.ndarray:
    """Eigenvalues of WᵀW over all `windows`, ascending, float64; empty without steps or room.

    Raises as `eigenvalues` does.
    """
    values = [eigenvalues(window) for window in windows(w, steps, q)] if steps else []
    return np.sort(np.concatenate([np.empty(0), *values]))


def _places(room: int, steps: int) -> np.ndarray:
    return np.unique(np.linspace(0, room, steps).round().astype(int)) if steps > 1 else np.array([room // 2])
