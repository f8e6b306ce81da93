"""Kolmogorov-Smirnov distance between a bulk and its Marchenko-Pastur law, with p-values for eigenvalues that repel.

Eigenvalues are rigid: the empirical CDF of m of them strays from the law by about ln(m)/m, not by 1/√m, and the p-value
of independent points would call every random matrix a perfect fit.
"""

import numpy as np

from htsr.spectra.marchenko_pastur import cdf

# m·D of Gaussian matrices whose σ² is fitted by `fit_bulk`: its mean is a + b ln m whatever Q, its standard deviation
# the third number. Simulated for m = 20 to 1000, Q = 1 to 16.
_WHOLE = (0.38, 0.405, 0.32)
_LEFT = (-0.27, 0.40, 0.39)


def left_distance(bulk: np.ndarray, q: float, sigma2: float) -> float:
    """D = sup |F - F_MP| over the lowest tenth of a bulk, where small singular values are.

    bulk: ascending eigenvalues of X = WᵀW/N without zeros and spikes, of an N x M matrix; q = N/M, M = len(bulk).
    """
    lowest = max(len(bulk) // 10, 1)
    law, steps = cdf(bulk[:lowest], q, sigma2), np.arange(lowest + 1) / len(bulk)
    return float(np.max([steps[1:] - law, law - steps[:-1]]))


def p_value(distance: float, size: int, left: bool = False) -> float:
    """p of a distance of `distances` between the bulk of one matrix, of `size` eigenvalues, and the law fitted to it.

    The excess of m·D over its mean follows a Gumbel law, which is that of maxima of such correlated noise up to a
    constant; see the tests for the rate at which Gaussian matrices are rejected.
    """
    constant, slope, std = _LEFT if left else _WHOLE
    scale = std * np.sqrt(6) / np.pi
    z = (size * distance - constant - slope * np.log(size)) / scale + np.euler_gamma
    return float(-np.expm1(-np.exp(-z)))
