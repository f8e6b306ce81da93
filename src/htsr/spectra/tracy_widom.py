"""Tracy-Widom laws of the largest eigenvalue, by Fredholm determinants."""

from functools import cache

import numpy as np
from scipy.special import airy

_NODE, _WEIGHT = np.polynomial.legendre.leggauss(32)
_END = 13.0  # what lies beyond Ai(13) ~ 4e-15 does not count


def cdf(s: float, beta: int = 1) -> float:
    """P(largest eigenvalue <= s) of the Tracy-Widom law for beta = 1 (real matrices) or 2 (complex), error < 1e-12.

    Gauss-Legendre quadrature of the determinants (Bornemann 2010, Math. Comp. 79, 871): F2 = det(1 - K_Airy) on
    (s, oo) (Tracy and Widom 1994), F1 = det(1 - V), V(x, y) = Ai((x + y)/2)/2 on (s, oo) (Ferrari and Spohn 2005).
    """
    end = max(_END, s + 1) if beta == 2 else max(2 * _END - s, s + 1)
    x = s + (end - s) * (_NODE + 1) / 2
    root = np.sqrt(_WEIGHT * (end - s) / 2)
    if beta == 1:
        kernel = airy((x[:, None] + x) / 2)[0] / 2
    elif beta == 2:
        ai, slope, _, _ = airy(x)
        gap = x[:, None] - x
        np.fill_diagonal(gap, 1.0)
        kernel = (ai[:, None] * slope - slope[:, None] * ai) / gap
        np.fill_diagonal(kernel, slope**2 - x * ai**2)
    else:
        raise ValueError(f"beta = {beta}: the laws for 1 and 2 are known here")
    return float(np.linalg.det(np.eye(len(x)) - root[:, None] * kernel * root))


@cache
def quantile(p: float, beta: int = 1) -> float:
    """Inverse of `cdf` by bisection, 0 < p < 1."""
    if not 0 < p < 1:
        raise ValueError(f"p = {p}: a quantile needs 0 < p < 1")
    low, high = -12.0, 20.0
    while high - low > 1e-12:
        middle = (low + high) / 2
        low, high = (middle, high) if cdf(middle, beta) < p else (low, middle)
    return (low + high) / 2


def largest_eigenvalue(n: int, m: int) -> tuple[float, float]:
    """Centre and scale of the largest eigenvalue of WᵀW for n x m standard Gaussian W: (λ - centre)/scale ~ TW1.

    Johnstone 2001 (Ann. Statist. 29, 295), with the shifts by 1/2 that make the error O(m^(-2/3)) (Ma 2012).
    """
    a, b = np.sqrt(n - 0.5), np.sqrt(m - 0.5)
    return float((a + b) ** 2), float((a + b) * (1 / a + 1 / b) ** (1 / 3))
