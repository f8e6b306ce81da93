"""The high-temperature Marchenko-Pastur law (Hodgkinson, Wang, Mahoney 2025, arXiv 2506.03470), and its fit.

λ are eigenvalues of a β-Laguerre matrix X of mean eigenvalue 1 with β = κ/M, in the limit of large M at fixed κ and
q = N/M >= 1: X = WᵀW/N would be Gaussian at β = 1, so that κ → oo gives Marchenko-Pastur. The limit is the law of the
associated Laguerre polynomials (Allez, Bouchaud, Majumdar, Vivo 2013, J. Phys. A 46, 015001; Trinh and Trinh 2021, J.
Stat. Phys. 182, 4). With a = κ(q - 1)/2 - 1, b = κ/2, y = bqλ and Tricomi's U

    ρ(λ) = bq/(Γ(b + 1)Γ(a + b + 1)) y^a e^(-y)/|U(b, -a, -y ± i0)|².

`inverse` is the law of 1/λ, whose tail is a power law.
"""

from collections.abc import Callable
from functools import lru_cache
from math import exp, log, pi, sqrt
from typing import NamedTuple

import numpy as np

# scipy's integrators and splines are loaded where they are used: most programs that know this law never solve it.

_FALL = 40.0  # the law is solved down to e^(-40) of its middle and asymptotic beyond
_KAPPA = (0.05, 200.0)  # limits of a fit: at the upper one the law is close to Marchenko-Pastur


def tail_exponent(q: float, kappa: float, inverse: bool = True) -> float:
    """α of the tail z^(-α) of the law of z = 1/λ: a + 2 = 1 + κ(q - 1)/2, as ρ(λ) ~ λ^a at 0. NaN for the law of λ
    itself, which falls off as e^(-y). At q = 1, α = 1 and the tail is 1/(z ln² z)."""
    return 1 + kappa * (q - 1) / 2 if inverse else float("nan")


def density(x: np.ndarray, q: float, kappa: float, inverse: bool = False) -> np.ndarray:
    """ρ(x) of λ or of 1/λ, relative error < 1e-6 where it is above e^(-40) of its middle, asymptotic beyond;
    0 for x <= 0."""
    x = np.asarray(x, float)
    positive = x > 0
    safe = np.where(positive, x, 1.0)
    return np.where(
        positive, np.exp(_law(float(q), float(kappa)).log_density(_log_y(safe, q, kappa, inverse))) / safe, 0.0
    )


def cdf(x: np.ndarray, q: float, kappa: float, inverse: bool = False) -> np.ndarray:
    """Integral of `density` from 0, absolute error < 1e-6."""
    x = np.asarray(x, float)
    positive = x > 0
    below = _law(float(q), float(kappa)).cdf(_log_y(np.where(positive, x, 1.0), q, kappa, inverse))
    return np.where(positive, 1 - below if inverse else below, 0.0)


class HighTemperatureFit(NamedTuple):
    """κ of the greatest likelihood; what the eigenvalues, or if inverse their inverses, are multiplied by to have the
    mean 1 of the law; and the mean log-likelihood of one eigenvalue."""

    kappa: float
    factor: float
    log_likelihood: float


def fit(eigenvalues: np.ndarray, q: float, inverse: bool = False) -> HighTemperatureFit | None:
    """κ between 0.05 and 200 of the eigenvalues of one matrix at known q = N/rank, whatever their scale; None for fewer
    than 10 positive ones, and where one is infinite or NaN. Takes the order of a second.

    κ maximizes the likelihood as if the eigenvalues were independent, which they are less the larger κ. On samples of
    the ensemble with M = 200, q = 2 its logarithm scatters by 0.1 at κ = 1 and 5, by 0.4 at κ = 20, with an upward bias
    of 0.3 there; κ beyond M/10 should not be read but as a bound, nor a κ at a limit.
    """
    values = np.asarray(eigenvalues, float)
    values = values[~(values <= 0)]
    if len(values) < 10 or not np.isfinite(values).all():
        return None
    logs = np.log(values)
    log_x = -logs if inverse else logs
    log_mean = float(log_x.max() + np.log(np.mean(np.exp(log_x - log_x.max()))))

    def loss(log_kappa: float) -> float:
        kappa = exp(log_kappa)
        return -float(np.mean(_law(q, kappa).log_density(log_x - log_mean + log(q * kappa / 2))))

    from scipy.optimize import minimize_scalar

    found = minimize_scalar(loss, bounds=np.log(_KAPPA), method="bounded", options={"xatol": 2e-3})
    return HighTemperatureFit(exp(found.x), exp(-log_mean), -float(found.fun) - float(np.mean(logs)))


def _log_y(x: np.ndarray, q: float, kappa: float, inverse: bool) -> np.ndarray:
    return log(q * kappa / 2) + (-np.log(x) if inverse else np.log(x))


class _Law(NamedTuple):
    """Functions of ln y: the logarithm of its density, and its cdf."""

    log_density: Callable[[np.ndarray], np.ndarray]
    cdf: Callable[[np.ndarray], np.ndarray]


@lru_cache(maxsize=64)
def _law(q: float, kappa: float) -> _Law:
    """The law by way of the differential equation of w(y) = U(b, -a, -y + i0).

    With d ln w/d ln y = P + iE =: R Kummer's equation reads dR/d ln y = -R² + (1 + a - y)R - by. The Wronskian of w and
    its conjugate being y^a e^(-y) up to a factor, the density of ln y is E/(πb). At a point in the middle of the bulk
    R/y is the mean of t under the weight e^(yt) t^(b-1) (1 + t)^(-a-b-1) on a ray through its saddle; from there the
    equation is stable to both sides.
    """
    from scipy.integrate import solve_ivp
    from scipy.interpolate import CubicHermiteSpline

    a, b = kappa * (q - 1) / 2 - 1, kappa / 2
    # The saddle √(b/y) e^(iφ) lies at φ = 3π/4 for y - √(2by) = 1 + a.
    y = ((sqrt(2 * b) + sqrt(2 * b + 4 * (a + 1))) / 2) ** 2
    log_t, step = np.linspace(-36, 3 + max(log(60 / sqrt(b * y)), 0), 4001, retstep=True)
    log_t = log_t + log(b / y) / 2 + 0.75j * pi
    t = np.exp(log_t)
    exponent = y * t + b * log_t - (a + b + 1) * np.log1p(t)
    weight = np.exp(exponent - exponent.real.max())
    below = weight[0] * (1 / b - step / 2)  # of t^b from 0 to the first node
    start = y * np.sum(weight * t) * step / (np.sum(weight) * step + below)
    origin, log_start = log(y), log(start.imag)

    def slope(log_y: float, state: np.ndarray) -> tuple[float, float, float]:
        p, log_e, _ = state
        y, e = exp(log_y), exp(min(log_e, log_start + 20))  # beyond lie only attempts of the solver
        return e * e - p * p + (1 + a - y) * p - b * y, 1 + a - y - 2 * p, e / (pi * b)

    def fallen(log_y: float, state: np.ndarray) -> float:
        return state[1] - log_start + _FALL

    fallen.terminal = True
    nodes, states = [], []
    for end in (origin - 600, origin + 15):
        run = solve_ivp(
            slope, (origin, end), (start.real, log_start, 0.0), "LSODA",
            events=fallen, dense_output=True, rtol=1e-9, atol=1e-10,
        )  # fmt: skip
        at = origin + (run.t[-1] - origin) * np.linspace(0, 1, 1500) ** 2
        nodes.append(at), states.append(run.sol(at))
    x = np.concatenate([nodes[0][:0:-1], nodes[1]])
    state = np.concatenate([states[0][:, :0:-1], states[1]], axis=1)
    slopes = np.array([slope(*pair) for pair in zip(x, state.T, strict=True)])
    log_density = CubicHermiteSpline(x, state[1] - log(pi * b), slopes[:, 1])
    integral = CubicHermiteSpline(x, state[2] + 1 - state[2, -1], slopes[:, 2])
    left, right = slopes[0, 1] - (1 + a), slopes[-1, 1] + exp(x[-1])

    def log_density_of(log_y: np.ndarray) -> np.ndarray:
        inside = np.clip(log_y, x[0], x[-1])
        below, beyond = np.minimum(log_y - x[0], 0), np.maximum(log_y - x[-1], 0)
        # Up to the next order the slope is 1 + a plus a multiple of y at 0, and a constant minus y at infinity.
        return log_density(inside) + (
            (1 + a) * below + left * np.expm1(below) + right * beyond - exp(x[-1]) * np.expm1(beyond)
        )

    return _Law(log_density_of, lambda log_y: np.clip(integral(np.clip(log_y, x[0], x[-1])), 0.0, 1.0))
