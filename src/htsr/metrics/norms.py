"""Logarithmic norms of a matrix from its eigenvalues. log is log10."""

import numpy as np

from htsr.spectra.spectrum import Spectrum


def per_gram(spectrum: Spectrum) -> float:
    """What turns the spectrum's eigenvalues into those of WᵀW; the W of `weightwatcher` keeps its factor √½."""
    return spectrum.n if spectrum.normalization == "one_over_n" else 1


def log_norm(eigenvalues: np.ndarray, per_gram: float = 1) -> float:
    """log10 ‖W‖_F = log10(Σλ · per_gram)/2; of all matrices together where the eigenvalues are pooled."""
    return float(np.log10(eigenvalues.sum()) + np.log10(per_gram)) / 2


def log_spectral_norm(eigenvalues: np.ndarray) -> float:
    """log10 λmax, in the normalization of the eigenvalues."""
    return float(np.log10(eigenvalues[-1]))


def log_alpha_norm(eigenvalues: np.ndarray, alpha: float) -> float:
    """log10 Σ λ^α (Martin, Peng, Mahoney 2021), without overflow; NaN where α is."""
    powers = alpha * np.log10(eigenvalues[eigenvalues > 0])
    return float(powers.max() + np.log10(np.sum(10 ** (powers - powers.max()))))
