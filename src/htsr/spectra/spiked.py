"""Low-rank signals in noise: where they stand in the spectrum, how well their vectors show, how to estimate them.

W = Σ s u vᵀ + noise of independent entries of variance σ², N x M, q = N/M >= 1, X = WᵀW/N. A signal of singular
value s has the strength θ = s/(σ√N). Limits of large N at fixed q and rank: Benaych-Georges and Nadakuditi 2012, J.
Multivariate Anal. 111, 120, section 3.1.
"""

import numpy as np


def threshold(q: float) -> float:
    """The strength q^(-1/4) beyond which an eigenvalue leaves the bulk (Baik, Ben Arous, Péché 2005)."""
    return q**-0.25


def outlier(strength: np.ndarray, q: float, sigma2: float = 1.0) -> np.ndarray:
    """Its position, σ²(1/q + θ²)(1 + 1/θ²); at and below the threshold λ₊ = σ²(1 + 1/√q)², where it stays.

    With |Δ|² = Nθ² this is σ²(1/Q + |Δ|²/N)(1 + N/|Δ|²) of Martin and Mahoney 2018.
    """
    square = np.maximum(np.asarray(strength, float), threshold(q)) ** 2
    return sigma2 * (1 / q + square) * (1 + 1 / square)


def strength(outlier: np.ndarray, q: float, sigma2: float = 1.0) -> np.ndarray:
    """The strength that puts an eigenvalue there, inverse of `outlier`: NaN below λ₊.

    The eigenvalue overstates the signal, λ/σ² = θ² + 1 + 1/q + 1/(qθ²) > θ²; this takes the bias out.
    """
    rest = np.asarray(outlier, float) / sigma2 - 1 - 1 / q
    edge = 2 / np.sqrt(q)
    beyond = rest >= edge * (1 - 1e-12)  # the edge itself belongs to it, as computed
    root = np.sqrt(np.maximum(np.where(beyond, rest, edge) ** 2 - edge**2, 0))
    return np.where(beyond, np.sqrt((np.where(beyond, rest, edge) + root) / 2), np.nan)


def overlaps(strength: np.ndarray, q: float) -> tuple[np.ndarray, np.ndarray]:
    """|<u, û>|² and |<v, v̂>|² between singular vectors of signal and W, of lengths N and M; 0 up to the threshold.

    1 - (1/q + θ²)/(θ²(θ² + 1)) and 1 - (1 + θ²)/(qθ²(θ² + 1/q)): the longer vector is the harder to see.
    """
    square = np.maximum(np.asarray(strength, float), threshold(q)) ** 2
    left = 1 - (1 / q + square) / (square * (square + 1))
    right = 1 - (1 + square) / (q * square * (square + 1 / q))
    return np.maximum(left, 0.0), np.maximum(right, 0.0)


def shrink(singular_values: np.ndarray, n: int, m: int, sigma2: float, loss: str = "frobenius") -> np.ndarray:
    """Singular values of W (not of X), n x m, n >= m, shrunk so that the loss against the signal is least.

    loss: `frobenius`, `operator` or `nuclear` norm of the error. What does not exceed the bulk, or is not worth
    keeping, becomes 0. With the debiased θ and the overlaps c², c̃² they are θcc̃, θ min(c, c̃)/max(c, c̃), and
    θ(cc̃ - √(1 - c²)√(1 - c̃²)), in units of σ√N (Gavish and Donoho 2017, IEEE Trans. Inf. Theory 63, 2137, arXiv
    1405.7511; for the operator norm they give θ, which is best at n = m alone: Leeb 2020, arXiv 2005.11807).
    """
    unit = np.sqrt(n * sigma2)
    debiased = strength((np.asarray(singular_values, float) / unit) ** 2, n / m)
    beyond = ~np.isnan(debiased)
    theta = np.where(beyond, debiased, threshold(n / m))
    # At the threshold itself the ratio of overlaps is 0/0: its limit is taken.
    left, right = overlaps(np.maximum(theta, threshold(n / m) * (1 + 1e-12)), n / m)
    if loss == "frobenius":
        shrunk = theta * np.sqrt(left * right)
    elif loss == "operator":
        shrunk = theta * np.sqrt(np.minimum(left, right) / np.maximum(left, right))
    elif loss == "nuclear":
        shrunk = theta * np.maximum(np.sqrt(left * right) - np.sqrt((1 - left) * (1 - right)), 0)
    else:
        raise ValueError(f"loss = {loss!r}: it must be frobenius, operator or nuclear")
    return unit * np.where(beyond, shrunk, 0.0)


def hard_threshold(n: int, m: int, sigma2: float) -> float:
    """The singular value of W (n x m, n >= m) below which dropping it lowers the Frobenius loss: 4/√3·σ√n for n = m.

    λ* = √(2(β + 1) + 8β/(β + 1 + √(β² + 14β + 1))), β = m/n (Gavish and Donoho 2014, IEEE Trans. Inf. Theory 60,
    5040, eq. 11; known noise). For noise that is not known take σ² of `htsr.spectra.marchenko_pastur.fit_bulk`.
    """
    beta = m / n
    root = np.sqrt(beta**2 + 14 * beta + 1)
    return float(np.sqrt((2 * (beta + 1) + 8 * beta / (beta + 1 + root)) * n * sigma2))
