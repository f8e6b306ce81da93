"""Local statistics of eigenvalues: the ratio of consecutive spacings, which knows neither scale nor density."""

from math import erfc, log, sqrt
from typing import NamedTuple

import numpy as np

GOE = 0.5307  # real random matrices of large size (Atas, Bogomolny, Giraud, Roux 2013, PRL 110, 084101, table I)
POISSON = 2 * log(2) - 1  # independent levels, same source

# A ratio has the standard deviation 0.254; neighbours share a spacing (correlation 0.24), so that the mean of n
# scatters by more than 0.254/√n. Simulated for Wishart matrices of 20 to 1000 columns, Q = 1 to 16: 0.29 to 0.315.
_GOE_STD = 0.305
_LEAST = 10


class SpacingRatio(NamedTuple):
    """Mean ratio, its standard error, and the two-sided p of the mean under the Gaussian orthogonal ensemble."""

    mean: float
    stderr: float
    p_goe: float


def ratios(levels: np.ndarray, resolution: float = 0.0) -> np.ndarray:
    """r_i = min(s_i, s_i+1)/max(s_i, s_i+1) of the consecutive spacings s of ascending levels.

    A spacing up to `resolution` is that of a repeated level and counts as 0; between two of them there is no ratio.
    """
    s = np.diff(levels)
    s = np.where(s > resolution, s, 0.0)
    larger = np.maximum(s[1:], s[:-1])
    return np.minimum(s[1:], s[:-1])[larger > 0] / larger[larger > 0]


def spacing_ratio(eigenvalues: np.ndarray, n: int, margin: float = 0.1) -> SpacingRatio:
    """⟨r⟩ of the middle of a bulk: 0.5307 where levels repel as in real random matrices, 0.3863 for independent ones.

    eigenvalues: ascending, of one matrix W of larger dimension n, zeros and spikes left out. The share `margin` at each
    end is left out: beside the hard edge of a square matrix the ratios are smaller (0.42 for the first), at a soft edge
    the last is. The rest is free of finite-size bias within ±0.002 from 20 columns on. The standard error is that
    of data in which only neighbouring ratios depend on each other. All NaN for fewer than 10 ratios.
    """
    if not len(eigenvalues):
        return SpacingRatio(np.nan, np.nan, np.nan)
    cut = int(margin * len(eigenvalues))
    r = ratios(eigenvalues[cut : len(eigenvalues) - cut], np.finfo(float).eps * n * eigenvalues[-1])
    if len(r) < _LEAST:
        return SpacingRatio(np.nan, np.nan, np.nan)
    d = r - r.mean()
    variance = max((d @ d + 2 * d[1:] @ d[:-1]) / len(r), 0.0)
    z = (r.mean() - GOE) * sqrt(len(r)) / _GOE_STD
    return SpacingRatio(float(r.mean()), sqrt(variance / len(r)), erfc(abs(z) / sqrt(2)))
