"""The one record of a spectrum, and its form in a file of named arrays."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

_ENTRY = ("layer", "kind", "n", "m", "q", "n_matrices", "status")


@dataclass(frozen=True)
class Spectrum:
    """Eigenvalues of one matrix, or of several of one shape pooled.

    n >= m: dimensions of each matrix W after transposition; q = n/m (NaN for an empty matrix).
    eigenvalues: float64, ascending, all of them: m * n_matrices, in the given normalization:
    `one_over_n` WᵀW/n, `none` WᵀW, `weightwatcher` WᵀW with convolutions halved.
    null: K x m * n_matrices, the same for K element-wise permutations of W; K may be 0.
    windows: eigenvalues of windows of one aspect ratio (`htsr.spectra.windows`), concatenated, ascending; may be empty.
    status: "ok", or why there are no eigenvalues (all arrays are empty then).
    """

    name: str
    layer: str
    kind: str
    n: int
    m: int
    q: float
    normalization: str
    n_matrices: int = 1
    eigenvalues: np.ndarray = field(default_factory=lambda: np.empty(0))
    null: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))
    windows: np.ndarray = field(default_factory=lambda: np.empty(0))
    status: str = "ok"


def to_arrays(spectra: Iterable[Spectrum]) -> Iterator[tuple[str, np.ndarray]]:
    """Pairs (name, eigenvalues), (null/name, K x len) and (windows/name, values) of the spectra that have them."""
    for spectrum in spectra:
        if spectrum.status == "ok":
            yield spectrum.name, spectrum.eigenvalues
            if len(spectrum.null):
                yield f"null/{spectrum.name}", spectrum.null
            if len(spectrum.windows):
                yield f"windows/{spectrum.name}", spectrum.windows


def to_header(spectra: Iterable[Spectrum]) -> dict[str, Any]:
    """What the arrays do not say: the normalization (null where there are no spectra) and one entry a spectrum."""
    spectra = list(spectra)
    return {
        "normalization": spectra[0].normalization if spectra else None,
        "spectra": {s.name: {key: getattr(s, key) for key in _ENTRY} for s in spectra},
    }


def from_arrays(arrays: Mapping[str, np.ndarray], header: Mapping[str, Any]) -> Iterator[Spectrum]:
    """The spectra of a file, one at a time, in the order of its header."""
    for name, entry in header["spectra"].items():
        found = {}
        if entry["status"] == "ok":
            found["eigenvalues"] = np.asarray(arrays[name])
            for key in ("null", "windows"):
                if f"{key}/{name}" in arrays:
                    found[key] = np.asarray(arrays[f"{key}/{name}"])
        yield Spectrum(name=name, normalization=header["normalization"], **entry, **found)
