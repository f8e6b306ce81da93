"""The tail of a spectrum whose eigenvalues multiply to one: the ERG condition, also called detX."""

from typing import NamedTuple

import numpy as np


class Erg(NamedTuple):
    """Number of eigenvalues in the tail, and the smallest of them."""

    number: int
    smallest: float


def erg_tail(eigenvalues: np.ndarray) -> Erg:
    """The tail λ'_1 >= λ'_2 >= ... of λ' = λ/mean, down to the first eigenvalue that makes its Σ ln λ' negative.

    eigenvalues: ascending, all of them, not all zero. Trace-log condition of SETOL (Martin and Hinrichs 2025, arXiv
    2507.17912), in logarithms, so that neither a product of thousands of eigenvalues nor an extreme λ overflows. A zero
    ends the tail: of a matrix of low rank it may be the first zero. Equal eigenvalues are all in the tail. The tail
    follows from the spectrum without fit and without chance; its end is off by one eigenvalue at most.
    """
    top = eigenvalues[::-1] / eigenvalues[-1]
    with np.errstate(divide="ignore"):
        sums = np.cumsum(np.log(top) - np.log(top.mean()))
    # Equal eigenvalues sum to 0 up to rounding, which is no reason to stop.
    negative = sums < -1e-12 * np.arange(1, len(top) + 1)
    number = int(np.argmax(negative)) + 1 if negative.any() else len(top)
    return Erg(number, float(eigenvalues[len(top) - number]))


def erg_gap(xmin: float, smallest: float) -> float:
    """(λ_PL - λ_ERG)/λ_PL: how far the tail of the power law begins above the ERG tail; NaN without a fit.

    SETOL's Δλmin = λ_PL - λ_ERG depends on the scale of W; divided by λ_PL it does not. 0 is SETOL's ideal.
    """
    return (xmin - smallest) / xmin if xmin > 0 else float("nan")
