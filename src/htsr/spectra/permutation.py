"""The null of a spectrum: the same entries in random places."""

import zlib

import numpy as np

from htsr.spectra.eigenvalues import eigenvalues


def generator(seed: int, name: str) -> np.random.Generator:
    """Random numbers that depend on the seed and the name alone, not on what was drawn before."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def permuted_eigenvalues(w: np.ndarray, permutations: int, rng: np.random.Generator) -> np.ndarray:
    """Eigenvalues as of `eigenvalues` for K seeded element-wise permutations of W: K x m, float64.

    Needs one copy of W in its own precision. The first k rows do not depend on K.
    """
    null = np.empty((permutations, min(w.shape)))
    if permutations:
        entries = np.array(w).ravel()
        for row in null:
            rng.shuffle(entries)
            row[:] = eigenvalues(entries.reshape(w.shape))
    return null
