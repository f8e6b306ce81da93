"""From matrices to the spectrum record."""

from collections.abc import Mapping

import numpy as np

from htsr.spectra.eigenvalues import eigenvalues
from htsr.spectra.permutation import generator, permuted_eigenvalues
from htsr.spectra.spectrum import Spectrum
from htsr.spectra.windows import window_eigenvalues, window_shape


def gram_factor(normalization: str, n: int, kind: str) -> float:
    """What the eigenvalues of WᵀW are multiplied by.

    `one_over_n`: 1/n, X = WᵀW/N as in Martin and Mahoney 2018 (arXiv 1810.01075, eq. 3); `none`: 1;
    `weightwatcher`: 1/2 for conv2d, 1 otherwise, as weightwatcher 0.7.7 does by default for pooled spectra.
    """
    if normalization == "one_over_n":
        return 1 / n if n else 1.0
    return 0.5 if normalization == "weightwatcher" and kind == "conv2d" else 1.0


def compute_spectrum(
    name: str,
    layer: str,
    kind: str,
    matrices: Mapping[str, np.ndarray],
    normalization: str = "one_over_n",
    permutations: int = 0,
    seed: int = 0,
    windows: int = 0,
) -> Spectrum:
    """The spectrum of one matrix, or of several of one shape with their eigenvalues pooled, with its null.

    matrices: 2-D arrays of either orientation by name. Each is permuted by itself, seeded by (seed, its name).
    windows: places along each axis for square windows (`htsr.spectra.windows`), whose larger side is the n of their
    normalization; 0: none.
    A matrix without usable numbers gives a spectrum whose status says why. Raises ValueError on unequal shapes.
    """
    n, m = (extreme(next(iter(matrices.values())).shape) for extreme in (max, min))
    record = {
        "name": name,
        "layer": layer,
        "kind": kind,
        "n": n,
        "m": m,
        "q": n / m if m else float("nan"),
        "normalization": normalization,
        "n_matrices": len(matrices),
    }
    if m == 0:
        return Spectrum(**record, status="empty matrix")
    values, null, cut = [], [], []
    for key, w in matrices.items():
        if sorted(w.shape) != [m, n]:
            raise ValueError(f"{key}: shape {w.shape} in a pool of {n} x {m} matrices")
        try:
            values.append(eigenvalues(w))
            null.append(permuted_eigenvalues(w, permutations, generator(seed, key)))
            cut.append(window_eigenvalues(w, windows))
        except (ValueError, np.linalg.LinAlgError) as error:
            return Spectrum(**record, status=str(error))
    factor = gram_factor(normalization, n, kind)
    return Spectrum(
        **record,
        eigenvalues=factor * np.sort(np.concatenate(values)),
        null=factor * np.sort(np.concatenate(null, axis=1), axis=1),
        windows=gram_factor(normalization, window_shape(n, m)[0], kind) * np.sort(np.concatenate(cut)),
    )
