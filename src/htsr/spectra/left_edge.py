"""The lower edge of the bulk: small singular values carry information too (Staats et al. 2024, arXiv 2410.17770)."""

from math import log, sqrt

import numpy as np

from htsr.spectra import tracy_widom

# The largest scale τ of the logarithm of the smallest eigenvalue. Beyond it the edge turns into the hard edge at 0 and
# the law does not hold (the rate at 99 % is right up to 0.4, the median is off from 0.3 on).
_WIDEST = 0.5


def smallest_eigenvalue(n: int, m: int) -> tuple[float, float] | None:
    """Centre ν and scale τ of ln of the smallest eigenvalue of WᵀW for n x m standard Gaussian W: (ν - ln λ)/τ ~ TW1.

    Ma 2012, Bernoulli 18, 322 (theorem 2); soft edge: Feldheim and Sodin 2010. None where n is so near m that the edge
    is a hard one.
    """
    if n - 0.5 <= m - 0.5 or m < 1:
        return None
    a, b = sqrt(n - 0.5), sqrt(m - 0.5)
    centre, scale = (a - b) ** 2, (a - b) * (1 / b - 1 / a) ** (1 / 3)
    tau = scale / centre
    return (log(centre) + tau**2 / 8, tau) if tau < _WIDEST else None


def count_below(eigenvalues: np.ndarray, sigma2: float, n: int, n_matrices: int = 1, level: float = 0.99) -> float:
    """Number of non-zero eigenvalues of X = WᵀW/N below the Tracy-Widom quantile `level` of the lower edge.

    eigenvalues: ascending, zeros left out, of n_matrices matrices pooled, whose larger dimension is n. sigma2: of the
    bulk. NaN at a hard edge (Q = 1 or hardly more), where no eigenvalue can be too small.
    """
    law = smallest_eigenvalue(n, max(round(len(eigenvalues) / n_matrices), 1))
    if law is None:
        return np.nan
    centre, scale = law
    threshold = np.exp(centre - scale * tracy_widom.quantile(level ** (1 / n_matrices))) * sigma2 / n
    return float(np.count_nonzero(eigenvalues < threshold))
