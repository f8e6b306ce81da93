"""Tracy-Widom laws of the largest eigenvalue, by Fredholm determinants."""

from functools import cache
from itertools import pairwise

import numpy as np
from numpy.polynomial import Chebyshev

_NODE, _WEIGHT = np.polynomial.legendre.leggauss(32)
_PIECES = (-10, -4, 1, 10, 60)  # on each, a polynomial of this degree stands for the logarithm of the survival
_DEGREE = 28


def cdf(s: float, beta: int = 1) -> float:
    """P(largest eigenvalue <= s) of the Tracy-Widom law for beta = 1 (real matrices) or 2 (complex), error < 1e-12.

    Gauss-Legendre quadrature of the determinants (Bornemann 2010, Math. Comp. 79, 871): F2 = det(1 - K_Airy) on
    (s, oo) (Tracy and Widom 1994), F1 = det(1 - V), V(x, y) = Ai((x + y)/2)/2 on (s, oo) (Ferrari and Spohn 2005).
    """
    return float(np.linalg.det(np.eye(len(_NODE)) - _kernel(s, beta)))


def survival(s: np.ndarray, beta: int = 1) -> np.ndarray:
    """P(largest eigenvalue > s) for arrays, interpolated: relative error < 1e-8; 1 below -10, 0 beyond 60 (NaN at NaN).

    The p-value of a largest eigenvalue; 1 - survival is `cdf` with an error < 1e-8.
    """
    s = np.asarray(s, float)
    piece = np.digitize(s, _PIECES[1:-1])
    logs = np.choose(piece, [law(np.clip(s, *law.domain)) for law in _log_survival(beta)])
    return np.where(s < _PIECES[0], 1.0, np.where(s > _PIECES[-1], 0.0, np.exp(np.minimum(logs, 0.0))))


@cache
def _log_survival(beta: int) -> list[Chebyshev]:
    """The polynomials of `_PIECES` through the logarithms at Chebyshev's nodes (scipy's splines take 0.3 s to load)."""

    def log_survival(s: float) -> float:
        if s < 0:
            return np.log1p(-cdf(s, beta))
        # 1 - det by the eigenvalues of the kernel, which do not lose the small probabilities
        return np.log(-np.expm1(np.log1p(-np.linalg.eigvalsh(_kernel(s, beta))).sum()))

    return [Chebyshev.interpolate(np.vectorize(log_survival), _DEGREE, ends) for ends in pairwise(_PIECES)]


def _kernel(s: float, beta: int) -> np.ndarray:
    """The operator on (s, oo) at the nodes of the quadrature; what lies beyond `end` is below 1e-14 of the whole."""
    from scipy.special import airy  # 0.3 s that most figures do not need

    end = max(13.0, s + 6) if beta == 2 else max(26 - s, s + 12)
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
    return root[:, None] * kernel * root


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


def largest_wigner_eigenvalue(n: int) -> tuple[float, float]:
    """Centre and scale of the largest eigenvalue of an n x n matrix of the Gaussian orthogonal ensemble with variance
    1 off the diagonal and 2 on it: (λ - centre)/scale ~ TW1.

    Tracy and Widom 1996, with the shift by 1/2 that makes the error O(n^(-2/3)) (Johnstone and Ma 2012, Ann. Appl.
    Probab. 22, 1962, who write √(2n - 1) for the centre of λ/√2).
    """
    return float(2 * np.sqrt(n - 0.5)), float((n - 0.5) ** (-1 / 6))
