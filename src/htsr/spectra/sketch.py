"""Largest singular values and vectors of a matrix that exists only in blocks of rows, by random projection.

Randomized range finder and SVD (Halko, Martinsson, Tropp 2011, SIAM Review 53, 217, algorithms 4.4 and 5.1), with the
error measured, not assumed: Q being an orthonormal basis of a sample of the range, A = QQᵀA + E with orthogonal parts.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.linalg import eigh, qr, svd

from htsr.spectra.lanczos import undetected
from htsr.spectra.quadrature import Quadrature, cumulative, quadrature, trace_of

NOT_FINITE = "NaN or infinite entries"

Rows = Callable[[int, int], np.ndarray]  # (start, stop) -> (stop - start) x D


class Sketch(NamedTuple):
    """QQᵀA = Σ values_i left_i rightᵢᵀ.

    values: r approximate singular values, largest first, none above that of A. left: n x r, right: D x r, orthonormal
    columns. frobenius2: ‖A‖_F². residual2: ‖E‖_F², exact but for rounding, eps·‖A‖_F² at least. spectral: a bound of
    ‖E‖₂ that fails with the probability 10^(-tests). status: "", or why the numbers are NaN.
    """

    values: np.ndarray
    left: np.ndarray
    right: np.ndarray
    frobenius2: float
    residual2: float
    spectral: float
    status: str


def range_sketch(
    rows: Rows,
    n: int,
    size: int,
    rank: int,
    rng: np.random.Generator,
    *,
    power: int = 0,
    block: int = 256,
    tests: int = 10,
) -> Sketch:
    """Sketch of rank min(rank, n, size) of the n x size matrix A whose rows start:stop are rows(start, stop).

    It reads all rows 2 + 2·power times, `block` rows at a time, and holds four matrices of rank + tests columns. rank
    includes the oversampling: the last ten or so values are poor, see `brackets`. power: power iterations, each of
    which narrows the error of slowly falling spectra. tests: random vectors for the bound of ‖E‖₂,
    10·√(2/π)·max ‖Eω‖ (lemma 4.1), multiplied together with the others.
    """
    rank = min(rank, n, size)
    omega = rng.standard_normal((size, rank + tests))
    sample, frobenius2 = times(rows, omega, n, block)
    if not np.isfinite(frobenius2):
        nan = float("nan")
        empty = np.full(rank, nan), np.full((n, rank), nan), np.full((size, rank), nan)
        return Sketch(*empty, nan, nan, nan, NOT_FINITE)
    q = _orthonormal(sample[:, :rank])
    for _ in range(power):
        q = _orthonormal(times(rows, _orthonormal(transposed(rows, q, size, block)), n, block)[0])
    right, values, left = svd(transposed(rows, q, size, block), full_matrices=False, check_finite=False)
    trial = sample[:, rank:]
    missed = np.linalg.norm(trial - q @ (q.T @ trial), axis=0)
    return Sketch(
        values=values,
        left=q @ left.T,
        right=right,
        frobenius2=frobenius2,
        residual2=max(frobenius2 - float(values @ values), np.finfo(float).eps * frobenius2),
        spectral=float(10 * np.sqrt(2 / np.pi) * missed.max()) if tests else float("inf"),
        status="",
    )


def brackets(sketch: Sketch) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper bounds of the r largest eigenvalues of AAᵀ, largest first.

    σ̂_i² <= λ_i <= σ̂_i² + ‖E‖₂² (Weyl, from AᵀA = AᵀQQᵀA + EᵀE), with the smaller bound of ‖E‖₂².
    """
    low = sketch.values**2
    return low, low + min(sketch.residual2, sketch.spectral**2)


class Largest(NamedTuple):
    """The largest eigenvalues of X = AᵀA (and of AAᵀ), and what is known of all others.

    values: r, largest first, none above its eigenvalue. errors: r, how far above its value an eigenvalue may be, but
    for the probability `UNDETECTED`. vectors: size x r, orthonormal, of these values. rest: no further eigenvalue is
    larger, but for the same. total: Σλ, exact but for rounding. squares, squares_stderr: Σλ², estimated where the
    sketch does not reach. spectrum: quadrature with all values of the sketch as atoms, of a matrix that differs from X
    by `coupling` in the spectral norm, see `counts`. status: "", or why there are no numbers.
    """

    values: np.ndarray
    errors: np.ndarray
    vectors: np.ndarray
    rest: float
    total: float
    squares: float
    squares_stderr: float
    spectrum: Quadrature
    coupling: float
    status: str


UNDETECTED = 0.01


def largest(
    rows: Rows,
    n: int,
    size: int,
    rank: int,
    rng: np.random.Generator,
    *,
    power: int = 1,
    probes: int = 5,
    steps: int = 50,
    block: int = 256,
) -> Largest:
    """The eigenvalues of X = AᵀA that stand above what a sketch of this rank leaves, each with a bound of its error.

    V, the right singular vectors of `range_sketch`, and its complement make X = [[T, Cᵀ], [C, S]]. The values are those
    of T that exceed λmax(S), which stochastic Lanczos quadrature on S finds together with its density. With g the
    distance of a value from λmax(S), its error is at most 2‖C‖²/(g + √(g² + 4‖C‖²)) (Li and Li 2005, Linear Algebra
    Appl. 395, 183). Unlike `brackets` this bound does not add up all that is left, so that it serves where the
    eigenvalues fall slowly. All rows are read 3 + 2·power + steps times.
    """
    found = range_sketch(rows, n, size, rank, rng, power=power, block=block, tests=0)
    if found.status:
        nothing = Quadrature(*np.empty((3, 0, 0)), np.empty(0), size, 0, found.status)
        nan, none = float("nan"), np.empty(0)
        return Largest(none, none, np.empty((size, 0)), nan, nan, nan, nan, nothing, nan, found.status)

    def product(x: np.ndarray) -> np.ndarray:
        return gram_times(rows, x, n, block)

    image = product(found.right)
    values, turn = eigh(found.right.T @ image, check_finite=False)
    vectors = found.right @ turn
    coupling = image @ turn - vectors * values
    spectrum = quadrature(product, size, probes=probes, steps=steps, rng=rng, deflated=(values, vectors), together=True)
    rest, eps = 0.0, np.finfo(float).eps * max(n, size)
    if spectrum.nodes.size:
        rest = max(float(spectrum.nodes.max()), 0.0)
        if not spectrum.exact.all():
            rest /= max(1 - undetected(spectrum.nodes.shape[1], size - len(values), UNDETECTED), eps)
    values, vectors, coupling = values[::-1], vectors[:, ::-1], coupling[:, ::-1]
    rounding = eps * found.values[0] ** 2
    above = int(np.sum(values > rest + rounding))
    squares, stderr = trace_of(spectrum._replace(atoms=np.empty(0)), np.square)
    errors, off = _errors(values, coupling, rest)
    return Largest(
        values=values[:above],
        errors=errors[:above] + rounding,
        vectors=vectors[:, :above],
        rest=rest + off,
        total=found.frobenius2,
        squares=squares + float(np.sum(values**2)) + 2 * float(np.vdot(coupling, coupling)),
        squares_stderr=stderr,
        spectrum=spectrum,
        coupling=off,
        status="",
    )


def _errors(values: np.ndarray, coupling: np.ndarray, rest: float) -> tuple[np.ndarray, float]:
    """The bound of `largest` for each value at its best cut, some of them in T and all after them in S, and ‖C‖₂.

    values: r, descending; coupling: size x r, C in the same order; rest: λmax of S without any of them.
    """
    inner, r = coupling.T @ coupling, len(values)
    inside = np.sqrt([np.linalg.norm(inner[:j, :j], 2) for j in range(1, r + 1)])  # ‖C‖₂ for a cut after j values
    after = np.maximum(np.append(values[1:], 0.0), rest) + np.append(np.full(r - 1, inside[-1]), 0.0)  # λmax(S) by Weyl
    gap = values[:, None] - after
    usable = (gap > 0) & np.triu(np.ones((r, r), bool))
    c, g = np.broadcast_to(inside, gap.shape)[usable], gap[usable]
    bounds = np.full(gap.shape, np.inf)
    bounds[usable] = 2 * c**2 / (g + np.sqrt(g**2 + 4 * c**2))
    return bounds.min(axis=1), float(inside[-1])


class Counts(NamedTuple):
    """Number of eigenvalues above each of `places`: low to high for the probes of the quadrature, and their scatter."""

    places: np.ndarray
    low: np.ndarray
    high: np.ndarray
    stderr: np.ndarray


def counts(found: Largest, n: int, number: int = 200, decades: float = 12.0) -> Counts:
    """The distribution of the non-zero eigenvalues of n rows, at places evenly spaced in the logarithm up to the top.

    Above `rest` from the values and their errors. Below, the quadrature is of the blocks T and S of `largest`: their
    eigenvalues are moved by C by its norm at most, and S alone has r fewer at most, never more, than X. Up to the size
    of X and of AAᵀ, where the quadrature cannot tell small eigenvalues from zeros.
    """
    blocks, c = found.spectrum, found.coupling
    r, size = len(blocks.atoms), blocks.size
    places = max(float(found.values.max(initial=0.0)), found.rest) * np.geomspace(10.0**-decades, 1.0, number)
    inner = cumulative(blocks._replace(atoms=blocks.atoms[:0]), places)
    right, left = (cumulative(blocks, places + shift) for shift in (c, -c))
    low = size * np.maximum(1 - right.high, 1 - inner.high - r / size)
    high = size * np.minimum(1 - left.low, 1 - inner.low)
    stderr = size * np.max([part.stderr for part in (inner, right, left)], axis=0)
    at_least, at_most = (
        np.sum(found.values[:, None] + errors > places, axis=0, dtype=float) for errors in (0, found.errors[:, None])
    )
    low, high = np.maximum(low, at_least), np.minimum(high, min(n, size))
    sure = places >= found.rest
    return Counts(places, np.where(sure, at_least, low), np.where(sure, at_most, high), np.where(sure, 0.0, stderr))


def times(rows: Rows, x: np.ndarray, n: int, block: int) -> tuple[np.ndarray, float]:
    """Ax, n x r, and ‖A‖_F²."""
    out, squares = np.empty((n, x.shape[1])), 0.0
    for start in range(0, n, block):
        part = np.asarray(rows(start, min(start + block, n)), float)
        out[start : start + block] = part @ x
        squares += float(np.vdot(part, part))
    return out, squares


def transposed(rows: Rows, y: np.ndarray, size: int, block: int) -> np.ndarray:
    """Aᵀy, size x r."""
    out = np.zeros((size, y.shape[1]))
    for start in range(0, len(y), block):
        part = np.asarray(rows(start, min(start + block, len(y))), float)
        out += part.T @ y[start : start + block]
    return out


def gram_times(rows: Rows, x: np.ndarray, n: int, block: int) -> np.ndarray:
    """AᵀAx, size x r, with the rows read once."""
    out = np.zeros_like(x)
    for start in range(0, n, block):
        part = np.asarray(rows(start, min(start + block, n)), float)
        out += part.T @ (part @ x)
    return out


def _orthonormal(y: np.ndarray) -> np.ndarray:
    return qr(y, mode="economic", check_finite=False)[0]
