"""Trajectories of training in the plane of their first two principal components, and what a random walk shows there.

θ_0, ..., θ_T are T + 1 states of one training, as rows of length P. Li et al. 2018 (arXiv 1712.09913, section 7) take
the principal components of θ_t - θ_T. Any walk with many dimensions lies mostly in a few of them: of a long one with
equal, independent steps, 60.8 % and 15.2 % of the variance (Antognini and Sohl-Dickstein 2018, arXiv 1806.08805), or
81.1 % and 9.0 % without centring; so that an explained variance says something beside that of such a walk only.
"""

from typing import NamedTuple

import numpy as np


class Components(NamedTuple):
    """Principal components of a trajectory.

    explained: share of the variance of each, descending, of all min(T, P) (NaN where nothing moves). directions: the
    first orthonormal ones (c x P, float64), with the sign that makes the coordinate of the first state negative or 0.
    coordinates: of θ_t - θ_T along them ((T + 1) x c), 0 for the last state.
    """

    explained: np.ndarray
    directions: np.ndarray
    coordinates: np.ndarray


def components(states: np.ndarray, *, centred: bool = False, count: int = 2) -> Components:
    """The first `count` principal components of θ_t - θ_T, t < T, of states (T + 1) x P.

    centred: the mean of all θ_t, t <= T, is subtracted instead of θ_T, as a principal component analysis does that
    subtracts means; else variance means the mean squared distance from the last state.
    """
    offsets = np.asarray(states, float) - states[-1]
    rows = offsets - offsets.mean(axis=0) if centred else offsets[:-1]
    values, left = _eigen(rows @ rows.T)
    explained = _shares(values)[: min(len(states) - 1, states.shape[1])]
    count = min(count, int(np.count_nonzero(values > 1e-12 * values[:1].max(initial=0.0))))
    directions = np.linalg.qr(rows.T @ left[:, :count])[0].T  # once more orthogonal: small values lose digits
    coordinates = offsets @ directions.T
    signs = np.where(coordinates[0] > 0, -1.0, 1.0)
    return Components(explained, directions * signs[:, None], coordinates * signs + 0.0)  # no -0


def _eigen(gram: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues, descending, and vectors."""
    values, vectors = np.linalg.eigh(gram)
    return values[::-1], vectors[:, ::-1]


def _shares(values: np.ndarray) -> np.ndarray:
    """Descending values, none negative, as shares of their sum."""
    values = np.maximum(values, 0)
    total = values.sum()
    return values / total if total > 0 else np.full(len(values), np.nan)


def project(offsets: np.ndarray, directions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates (T x c) of offsets (T x P) along directions (c x P), and the share of each length outside their span.

    Least squares: the directions need be neither orthogonal nor of unit length, where inner products with each of them
    would give the coordinates of no point of the plane. The share is 0 for an offset of 0.
    """
    offsets, directions = np.asarray(offsets, float), np.asarray(directions, float)
    coordinates = np.linalg.lstsq(directions.T, offsets.T, rcond=None)[0].T
    lengths = np.linalg.norm(offsets, axis=1)
    outside = np.linalg.norm(offsets - coordinates @ directions, axis=1)
    return coordinates, np.divide(outside, lengths, out=np.zeros(len(lengths)), where=lengths > 0)


def step_lengths(states: np.ndarray) -> np.ndarray:
    """‖θ_t - θ_(t-1)‖ (T)."""
    return np.linalg.norm(np.diff(np.asarray(states, float), axis=0), axis=1)


def walk_limit(count: int, *, centred: bool = False) -> np.ndarray:
    """Explained shares of the first components of an endless random walk of equal steps in endless dimensions.

    Eigenvalues of Brownian motion on [0, 1]: less its mean 1/(πk)² (sum 1/6), from its end 1/(π(k - 1/2))² (sum 1/2).
    """
    k = np.arange(1, count + 1)
    return 6 / (np.pi * k) ** 2 if centred else 2 / (np.pi * (k - 0.5)) ** 2


def walk_shares(lengths: np.ndarray, *, centred: bool = False) -> np.ndarray:
    """Explained shares (T) of a random walk with steps of the given lengths (T) in endless dimensions.

    Its steps are orthogonal there, so that the inner product of two offsets is the sum of the squared lengths of the
    steps that both contain.
    """
    return _gram_shares(np.diag(np.asarray(lengths, float) ** 2), centred)


def walk_null(
    lengths: np.ndarray, size: int, samples: int, rng: np.random.Generator, *, centred: bool = False
) -> np.ndarray:
    """Explained shares (samples x T) of random walks with the given step lengths (T) in `size` = P dimensions.

    The Gram matrix of T Gaussian vectors is Wishart; it is drawn by its triangular factor (Bartlett 1933), so that no
    vector of length P exists.
    """
    lengths = np.asarray(lengths, float)
    t = len(lengths)
    found = np.empty((samples, t))
    for row in found:
        if size >= t:
            factor = np.tril(rng.standard_normal((t, t)), -1)
            factor[np.diag_indices(t)] = np.sqrt(rng.chisquare(size - np.arange(t)))
        else:
            factor = rng.standard_normal((t, size))
        factor *= (lengths / np.linalg.norm(factor, axis=1))[:, None]
        row[:] = _gram_shares(factor @ factor.T, centred)
    return found


def _gram_shares(steps: np.ndarray, centred: bool) -> np.ndarray:
    """Explained shares from the inner products of the steps (T x T), the last one leading to θ_T."""
    t = len(steps)
    sums = np.tril(np.ones((t + 1, t)), -1) - 1  # row s: θ_s - θ_T in steps
    rows = sums - sums.mean(axis=0) if centred else sums[:-1]
    return _shares(_eigen(rows @ steps @ rows.T)[0])[:t]
