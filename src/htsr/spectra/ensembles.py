"""Random matrices of known law: N x M, N >= M, float64, whose spectra are those of X = WᵀW/N.

`sample` draws from a law by name; each function of `LAWS` is a law, its arguments after `rng` are its parameters.
Noise has variance 1. Each law draws from the given generator alone.
"""

import inspect
from collections.abc import Callable, Sequence

import numpy as np

_Rng = np.random.Generator


def sample(law: str, n: int, m: int, rng: np.random.Generator, **parameters) -> np.ndarray:
    """A matrix of the law: n x m, float64. Raises ValueError for an unknown law, and for an unknown, missing or
    impossible shape or parameter, in one sentence."""
    if law not in LAWS:
        raise ValueError(f"unknown law {law!r}: the laws are {', '.join(LAWS)}")
    if not (_is_count(n) and _is_count(m) and n >= m >= 1):
        raise ValueError(f"{law}: a matrix of shape {n} x {m} needs whole numbers N >= M >= 1")
    known = list(inspect.signature(LAWS[law]).parameters.values())[3:]
    for name in parameters.keys() - {p.name for p in known}:
        takes = ", ".join(p.name for p in known) or "no parameters"
        raise ValueError(f"{law}: unknown parameter {name!r}, it takes {takes}")
    for p in known:
        if p.default is p.empty and p.name not in parameters:
            raise ValueError(f"{law}: the parameter {p.name!r} is missing")
    return LAWS[law](int(n), int(m), rng, **parameters)


def gaussian(n: int, m: int, rng: _Rng) -> np.ndarray:
    """Independent standard normal entries: Marchenko-Pastur."""
    return rng.standard_normal((n, m))


def wigner(n: int, m: int, rng: _Rng) -> np.ndarray:
    """Gaussian orthogonal ensemble: symmetric, variance 1 off the diagonal and 2 on it; n = m.

    The eigenvalues of W/√N follow the semicircle on (-2, 2), those of X = WᵀW/N the law of their squares, which is
    Marchenko-Pastur at Q = 1.
    """
    if n != m:
        raise ValueError(f"wigner: a symmetric matrix is square, not {n} x {m}")
    w = rng.standard_normal((n, n))
    return (w + w.T) / np.sqrt(2)


def spiked(n: int, m: int, rng: _Rng, strength: float | Sequence[float], spikes: float = 1) -> np.ndarray:
    """Gaussian noise and rank-one signals with orthonormal Haar-random singular vectors.

    strength: singular value of a signal in multiples of the threshold of Baik, Ben Arous and Péché: one number for
    all, or a list with one for each. spikes: their number, >= 1, or below 1 their share of m (at least one spike).

    Normalization: a signal of singular value s in noise of variance σ² has |Δ| = s/(σ√N), and an eigenvalue of X
    leaves the bulk if |Δ| > Q^(-1/4), for σ²(1/Q + |Δ|²)(1 + 1/|Δ|²) (Benaych-Georges and Nadakuditi 2012, J.
    Multivariate Anal. 111, 120, section 3.1, whose θ this is). Martin and Mahoney 2018 write |Δ|²/N in the position,
    |Δ| = s/σ, but the threshold for s/(σ√N). Strength 1 is thus s = √N Q^(-1/4) = (NM)^(1/4).
    """
    if isinstance(strength, Sequence | np.ndarray) and not isinstance(strength, str):
        if spikes not in (1, len(strength)):
            raise ValueError(f"spiked: {len(strength)} strengths are given for spikes = {spikes}")
        strengths = [_number("spiked", "strength", value, 0, np.inf) for value in strength]
        if not 1 <= len(strengths) <= m:
            raise ValueError(f"spiked: {len(strengths)} strengths, but a {n} x {m} matrix takes 1 to {m}")
    else:
        strengths = [_number("spiked", "strength", strength, 0, np.inf)] * _count("spiked", "spikes", spikes, m)
    return gaussian(n, m, rng) + _signals(n, m, rng, np.array(strengths))


def graded(n: int, m: int, rng: _Rng, strength: float, share: float, slope: float = 3) -> np.ndarray:
    """Gaussian noise and many signals whose strengths decay as a power law down to the threshold: a bulk that decays.

    strength: of the strongest, > 1, in multiples of the threshold of `spiked`. share: of m that are signals, in
    (0, 1]. slope: the strengths are equidistant quantiles of a density t^(-slope) on [1, strength]; 0 is uniform.
    """
    top = _number("graded", "strength", strength, 1, np.inf)
    slope = _number("graded", "slope", slope, -np.inf, np.inf)
    p = np.linspace(0, 1, max(round(_number("graded", "share", share, 0, 1, closed=True) * m), 1))
    # Quantiles of log t, whose density is exp(-rate log t), written so that rate = 0 is an ordinary point.
    rate, span = slope - 1, np.log(top)
    if len(p) == 1:
        p = np.ones(1)
    logs = p * span if abs(rate * span) < 1e-9 else -np.log1p(p * np.expm1(-rate * span)) / rate
    return gaussian(n, m, rng) + _signals(n, m, rng, np.exp(logs[::-1]))


def pareto(n: int, m: int, rng: _Rng, mu: float, signed: bool = True) -> np.ndarray:
    """Pareto entries x >= 1 of density μx^(-1-μ), 0 < μ <= 6; signed: with random signs, so that their mean is 0."""
    return _sign(1 + rng.pareto(_number("pareto", "mu", mu, 0, 6, closed=True), (n, m)), rng, "pareto", signed)


def lomax(n: int, m: int, rng: _Rng, mu: float, signed: bool = True) -> np.ndarray:
    """Lomax entries, `pareto` shifted to start at 0: density μ(1 + x)^(-1-μ), 0 < μ <= 6.

    This is what numpy.random.pareto draws; Martin and Mahoney 2018 took it without signs, with a mean 1/(μ - 1).
    """
    return _sign(rng.pareto(_number("lomax", "mu", mu, 0, 6, closed=True), (n, m)), rng, "lomax", signed)


def student_t(n: int, m: int, rng: _Rng, mu: float) -> np.ndarray:
    """Student's t of μ > 0 degrees of freedom: tail |x|^(-1-μ), variance μ/(μ - 2) for μ > 2."""
    return rng.standard_t(_number("student_t", "mu", mu, 0, np.inf), (n, m))


def low_rank(n: int, m: int, rng: _Rng, rank: float) -> np.ndarray:
    """Rank collapse: a product of Gaussian n x r and r x m matrices, entries of variance 1.

    rank: r as a share of m in (0, 1]; r is at least 1.
    """
    r = max(round(_number("low_rank", "rank", rank, 0, 1, closed=True) * m), 1)
    return rng.standard_normal((n, r)) @ rng.standard_normal((r, m)) / np.sqrt(r)


def htmp(n: int, m: int, rng: _Rng, kappa: float, inverse: bool = False) -> np.ndarray:
    """High-temperature Marchenko-Pastur ensemble (Hodgkinson, Wang, Mahoney 2025, arXiv 2506.03470).

    X has the eigenvalues of a β-Laguerre matrix at β = κ/m, scaled to mean 1 (law: `htsr.spectra.high_temperature`),
    and Haar-random vectors; κ > 0, and κ = m is the law of `gaussian`. inverse: the eigenvalues of X are 1/x, whose
    tail is a power law. The eigenvalues are squared singular values of the bidiagonal matrix of χ variables (Dumitriu
    and Edelman 2002, J. Math. Phys. 43, 5830). At n = m, and for κ below about 1, they span more decades than a
    float64 Gram matrix resolves, and `htsr.spectra.eigenvalues` sets the smallest to 0: with `inverse` then most of
    them. Before the inversion singular values are raised to the resolution of the largest.
    """
    kappa, inverse = _number("htmp", "kappa", kappa, 0, np.inf), _flag("htmp", "inverse", inverse)
    s = laguerre_singular_values(n, m, kappa / m, rng)
    if inverse:
        s = 1 / np.maximum(s, np.finfo(float).eps * s[0])
    return (np.sqrt(n) * s * _haar(n, m, rng)) @ _haar(m, m, rng).T


def laguerre_singular_values(n: int, m: int, beta: float, rng: _Rng) -> np.ndarray:
    """Descending square roots, length m, of the eigenvalues of the β-Laguerre ensemble, scaled to mean eigenvalue 1.

    For beta = 1 they are the singular values of an n x m Gaussian matrix, divided by √n.
    """
    from scipy.linalg import svdvals  # 0.3 s that most figures do not need

    steps = np.arange(m)
    diagonal = np.sqrt(rng.chisquare(beta * (n - steps)))
    below = np.sqrt(rng.chisquare(beta * (m - steps[1:])))
    return svdvals(np.diag(diagonal) + np.diag(below, -1)) / np.sqrt(beta * n)


def _signals(n: int, m: int, rng: _Rng, strengths: np.ndarray) -> np.ndarray:
    """Σ s_i u_i v_iᵀ with s = strengths·(nm)^(1/4) and orthonormal u, v."""
    k = len(strengths)
    return ((n * m) ** 0.25 * strengths * _haar(n, k, rng)) @ _haar(m, k, rng).T


def _haar(n: int, k: int, rng: _Rng) -> np.ndarray:
    """k orthonormal columns of length n, uniform on the Stiefel manifold."""
    from scipy.linalg import qr  # 0.3 s that most figures do not need

    vectors, triangle = qr(rng.standard_normal((n, k)), mode="economic", overwrite_a=True, check_finite=False)
    return vectors * np.where(np.diag(triangle) < 0, -1.0, 1.0)


def _sign(x: np.ndarray, rng: _Rng, law: str, signed: bool) -> np.ndarray:
    return np.where(rng.random(x.shape) < 0.5, -x, x) if _flag(law, "signed", signed) else x


def _is_count(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _number(law: str, name: str, value: object, low: float, high: float, closed: bool = False) -> float:
    """The value as a float, low < value < high (closed: value <= high)."""
    real = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    if not real or not (low < value < high or (closed and value == high)):
        limits = f"{low:g} < {name} {'<=' if closed else '<'} {high:g}"
        raise ValueError(f"{law}: {name} = {value!r}, it must be a number with {limits}")
    return float(value)


def _count(law: str, name: str, value: float, m: int) -> int:
    """A number of things among m: a whole number from 1 to m, or a share of m below 1."""
    value = _number(law, name, value, 0, np.inf)
    if value < 1:
        return max(round(value * m), 1)
    if value != round(value) or value > m:
        raise ValueError(f"{law}: {name} = {value:g}, it must be a whole number from 1 to {m}, or a share below 1")
    return int(value)


def _flag(law: str, name: str, value: object) -> bool:
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{law}: {name} = {value!r}, it must be true or false")
    return bool(value)


LAWS: dict[str, Callable[..., np.ndarray]] = {
    law.__name__: law for law in (gaussian, wigner, spiked, graded, pareto, lomax, student_t, low_rank, htmp)
}
