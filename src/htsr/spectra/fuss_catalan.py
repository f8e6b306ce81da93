"""The law of the squared singular values of a product of L square Gaussian matrices, with or without ReLU between.

λ are eigenvalues of JJᵀ for J = D_L W_L ... D_1 W_1 in the limit of large n: W_l is n x n with independent entries of
variance σ_w²/n, D_l a diagonal of random zeros and ones, a share p of them ones. p = 1 is a linear network, and the law
Fuss-Catalan (Penson and Życzkowski 2011, Phys. Rev. E 83, 061118), Marchenko-Pastur with q = 1 at L = 1. p = 1/2 is a
ReLU network (Pennington, Schoenholz, Ganguli 2018, arXiv 1802.09979). The mean of λ is (σ_w² p)^L, 1 at criticality.

With z = x·G(x) - 1, G the resolvent, the S-transform ((z + p)/p)^(-L) of the law of mean 1 reads

    x = (1 + z)(1 + z/p)^L / z.

On the support z = -p + s e^(iβ), and x is real where arg z = arg(1 + z) + Lβ: z sees the segment from -1 to 0 under the
angle Lβ, a circle, which the ray from -p at the angle β meets at

    s² + s((1 - 2p) cos β - cot(Lβ) sin β) = p(1 - p).

β goes from 0 at the upper edge to π/L at the lower, to π/(L + 1) for p = 1, where s = sin((L + 1)β)/sin(Lβ) (the
parametrization of Forrester and Liu 2015, J. Stat. Phys. 158, 1051). The density is Im z/(πx), and because of
(1 + z) d ln x = d(L z - ln z + L(1 - p) ln(z + p)) its integral is as explicit.
"""

from math import comb, pi, sqrt

import numpy as np

_STEPS = 100  # bisections: the angle is known to its last digit even where it is small


def edges(depth: int, active: float = 1.0, mean: float = 1.0) -> tuple[float, float]:
    """Ends of the continuous part: 0 (for L = 1 (1 - √p)²/p) and, for p = 1, (L + 1)^(L + 1)/L^L, times the mean.

    depth: L >= 1. active: p, 0 < p <= 1. dx/dz = 0 at L z² + (L - 1)z = p.
    """
    z = (1 - depth + sqrt((depth - 1) ** 2 + 4 * depth * active)) / (2 * depth)
    low = (1 - sqrt(active)) ** 2 / active if depth == 1 else 0.0
    return mean * low, mean * (1 + z) * (1 + z / active) ** depth / z


def moment(k: int, depth: int, active: float = 1.0) -> float:
    """E λ^k at mean 1, k >= 1: (1/k) [w^(k-1)] ((1 + w)(1 + w/p)^L)^k by Lagrange's inversion.

    For p = 1 the Fuss-Catalan numbers C((L + 1)k, k)/(Lk + 1): 1, 2, 5; 1, 3, 12; 1, 4, 22. The variance is L/p.
    """
    return sum(comb(depth * k, j) * comb(k, k - 1 - j) * active**-j for j in range(k)) / k


def density(x: np.ndarray, depth: int, active: float = 1.0, mean: float = 1.0) -> np.ndarray:
    """ρ(λ) of the continuous part, which has the mass p; 0 outside of it. An atom of mass 1 - p stands at 0.

    At 0 it diverges as λ^(-L/(L + 1)) for p = 1, as λ^(1/L - 1) for p < 1 and L > 1.
    """
    x = np.asarray(x, float) / mean
    low, high = edges(depth, active)
    inside = (x > low) & (x < high)
    safe = np.where(inside, x, (low + high) / 2)
    z = _z(_angle(safe, depth, active), depth, active)[0]
    return np.where(inside, z.imag / (pi * safe * mean), 0.0)


def cdf(x: np.ndarray, depth: int, active: float = 1.0, mean: float = 1.0) -> np.ndarray:
    """Share of eigenvalues <= x, the atom at 0 included; error about 1e-15."""
    x = np.asarray(x, float) / mean
    low, high = edges(depth, active)
    inside = (x > low) & (x < high)
    below = _cdf(_angle(np.where(inside, x, (low + high) / 2), depth, active), depth, active)
    return np.where(inside, below, np.where(x >= high, 1.0, np.where(x >= 0, 1 - active, 0.0)))


def quantile(p: np.ndarray, depth: int, active: float = 1.0, mean: float = 1.0) -> np.ndarray:
    """Inverse of `cdf`, 0 <= p <= 1: 0 up to the mass of the atom."""
    p = np.asarray(p, float)
    atom = p <= 1 - active
    angle = _bisect(lambda angle: _cdf(angle, depth, active), np.where(atom, 1.0, p), depth, active)
    return np.where(atom, 0.0, mean * _x(angle, depth, active))


def _end(depth: int, active: float) -> float:
    return pi / (depth + 1) if active == 1 else pi / depth


def _z(angle: np.ndarray, depth: int, active: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """z, s and β on the support; angle: what β lacks to its value at the lower edge, so that s is precise there."""
    end = _end(depth, active)
    beta = np.clip(end - angle, 1e-150, end)
    if active == 1:
        s = np.sin((depth + 1) * np.minimum(beta, angle)) / np.sin(depth * beta)
    else:
        small = beta < end / 2
        turn = depth * np.where(small, beta, np.maximum(angle, 1e-150))
        cotangent = np.where(small, 1, -1) / np.tan(turn)
        half = ((1 - 2 * active) * np.cos(beta) - cotangent * np.sin(beta)) / 2
        root = np.hypot(half, sqrt(active * (1 - active)))
        s = np.where(half > 0, active * (1 - active) / (np.abs(half) + root), root - half)
    return s * np.exp(1j * beta) - active, s, beta


def _x(angle: np.ndarray, depth: int, active: float) -> np.ndarray:
    z, s, _ = _z(angle, depth, active)
    return np.abs(1 + z) * (s / active) ** depth / np.abs(z)


def _cdf(angle: np.ndarray, depth: int, active: float) -> np.ndarray:
    z, s, beta = _z(angle, depth, active)
    beyond = np.angle(z) - depth * (1 - active) * beta - depth * s * np.sin(beta)
    return 1 - beyond / pi


def _angle(x: np.ndarray, depth: int, active: float) -> np.ndarray:
    return _bisect(lambda angle: _x(angle, depth, active), x, depth, active)


def _bisect(function, target: np.ndarray, depth: int, active: float) -> np.ndarray:
    """The angle at which an increasing function of it reaches the target."""
    low, high = np.zeros(target.shape), np.full(target.shape, _end(depth, active))
    for _ in range(_STEPS):
        middle = (low + high) / 2
        above = function(middle) > target
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return (low + high) / 2
