"""Wigner's semicircle law: eigenvalues of W/√N for symmetric N x N matrices W of independent entries of variance σ²."""

import numpy as np


def edges(sigma2: float = 1.0) -> tuple[float, float]:
    """±2σ (Wigner 1958)."""
    return -2 * sigma2**0.5, 2 * sigma2**0.5


def density(x: np.ndarray, sigma2: float = 1.0) -> np.ndarray:
    """ρ(x) = √(4σ² - x²)/(2πσ²) between the edges, 0 elsewhere."""
    return np.sqrt(np.maximum(4 * sigma2 - np.square(x, dtype=float), 0)) / (2 * np.pi * sigma2)


def cdf(x: np.ndarray, sigma2: float = 1.0) -> np.ndarray:
    """Integral of `density`: 1/2 + (φ + sin φ cos φ)/π with sin φ = x/2σ."""
    sine = np.clip(np.asarray(x, float) / (2 * sigma2**0.5), -1, 1)
    return 0.5 + (np.arcsin(sine) + sine * np.sqrt(1 - sine**2)) / np.pi


def quantile(p: np.ndarray, sigma2: float = 1.0) -> np.ndarray:
    """Inverse of `cdf` by bisection of φ to the precision of float64, 0 <= p <= 1."""
    target = np.pi * (np.asarray(p, float) - 0.5)
    low, high = np.full(target.shape, -np.pi / 2), np.full(target.shape, np.pi / 2)
    for _ in range(54):
        middle = (low + high) / 2
        above = middle + np.sin(2 * middle) / 2 > target
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return 2 * sigma2**0.5 * np.sin((low + high) / 2)
