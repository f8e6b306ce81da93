"""Extreme eigenvalues of a symmetric operator known by its products alone, with bounds.

The Lanczos process without restarts: one run serves both ends of the spectrum, and every vector is orthogonalized
twice against all before it, so that no eigenvalue appears twice by rounding. Where a product costs two backward passes
over a data set, as for a Hessian, this costs little beside it; memory is 8·size bytes a step.
"""

from collections.abc import Callable, Generator, Sequence
from typing import NamedTuple

import numpy as np
from scipy.linalg import eigh_tridiagonal

Matvec = Callable[[np.ndarray], np.ndarray]  # v -> Av for float64 vectors of length size
Matmat = Callable[[np.ndarray], np.ndarray]  # the same for the columns of size x r

INVARIANT = "invariant subspace"
NOT_FINITE = "a product is not finite"
NOT_CONVERGED = "not converged"

_ROUNDING = 1e-13  # of the largest product: what remains of a vector below it is rounding
_LEAST = 10  # steps before a run may end: a random vector hides an outlier from its first products
_FRESH = 0.1  # share of a random vector in a given start: what the start is orthogonal to could not be found


class Tridiagonal(NamedTuple):
    """AV = VT + β_m v eₘᵀ + E after m steps: T has the diagonal α and off the diagonal β_1, ..., β_(m-1).

    alpha, beta: m. basis: V, size x m with orthonormal columns. departure: ‖VᵀE‖_F, the rounding (or asymmetry) of the
    products as far as the orthogonalization saw it. status: "" after all steps; "invariant subspace": V spans one, the
    eigenvalues of T are eigenvalues of A; "a product is not finite": the steps before it.
    """

    alpha: np.ndarray
    beta: np.ndarray
    basis: np.ndarray
    departure: float
    status: str


def lanczos(
    matvec: Matvec,
    start: np.ndarray,
    steps: int,
    *,
    deflate: np.ndarray | None = None,
    until: Callable[[Tridiagonal], bool] | None = None,
) -> Tridiagonal:
    """Up to `steps` steps from `start` (length size), with full reorthogonalization (Golub and Van Loan, section 10.3).

    deflate: size x r, orthonormal columns to stay orthogonal to: A is replaced by PAP with the projection P onto their
    complement. until: asked after each step whether to stop. Raises ValueError where nothing of `start` is left.
    """
    return _run([_process(start, steps, deflate, until)], lambda vectors: [matvec(vectors[0])])[0]


def lanczos_together(
    matmat: Matmat, starts: Sequence[np.ndarray], steps: int, *, deflate: np.ndarray | None = None
) -> list[Tridiagonal]:
    """`lanczos` from several vectors, whose products are taken together: for operators that are costly to go through.

    All have their bases in memory at the same time.
    """
    processes = [_process(start, steps, deflate, None) for start in starts]
    return _run(processes, lambda vectors: list(matmat(np.stack(vectors, axis=1)).T))


_Process = Generator[np.ndarray, np.ndarray, Tridiagonal]  # yields v, is sent Av


def _run(processes: list[_Process], products: Callable[[list[np.ndarray]], list[np.ndarray]]) -> list[Tridiagonal]:
    """Runs of all processes, which ask for their products at the same time."""
    found: dict[int, Tridiagonal] = {}
    asked = {i: next(process) for i, process in enumerate(processes)}
    while asked:
        given = dict(zip(asked, products(list(asked.values())), strict=True))
        asked = {}
        for i, product in given.items():
            try:
                asked[i] = processes[i].send(product)
            except StopIteration as end:
                found[i] = end.value
    return [found[i] for i in range(len(processes))]


def _process(
    start: np.ndarray, steps: int, deflate: np.ndarray | None, until: Callable[[Tridiagonal], bool] | None
) -> _Process:
    w = np.array(start, float)
    size = len(w)
    known = np.empty((size, 0)) if deflate is None else np.asarray(deflate, float)
    steps = min(steps, size - known.shape[1])
    given = float(np.linalg.norm(w))
    for _ in range(2):
        w -= known @ (known.T @ w)
    beta_before = float(np.linalg.norm(w))
    if steps < 1 or not beta_before > _ROUNDING * given:
        raise ValueError("the start vector is zero, not finite, or in the span of the deflated vectors")
    alpha, beta, basis = np.empty(steps), np.empty(steps), np.empty((size, steps), order="F")
    largest = departure = 0.0
    tridiagonal = Tridiagonal(alpha[:0], beta[:0], basis[:, :0], 0.0, "")
    for j in range(steps):
        np.divide(w, beta_before, out=basis[:, j])
        span = basis[:, : j + 1]
        w = np.array((yield basis[:, j]), float)
        if not np.isfinite(w).all():
            return tridiagonal._replace(status=NOT_FINITE)
        coefficients = np.zeros(j + 1)
        for _ in range(2):
            w -= known @ (known.T @ w)
            part = span.T @ w
            w -= span @ part
            coefficients += part
        alpha[j], beta[j] = coefficients[j], np.linalg.norm(w)
        largest = max(largest, float(np.hypot(np.linalg.norm(coefficients), beta[j])))
        if j:
            coefficients[j - 1] -= beta_before
        departure = float(np.hypot(departure, np.linalg.norm(coefficients[:j])))
        ended = j + 1 == size - known.shape[1] or beta[j] <= _ROUNDING * largest
        tridiagonal = Tridiagonal(alpha[: j + 1], beta[: j + 1], span, departure, INVARIANT if ended else "")
        if ended or (until is not None and until(tridiagonal)):
            break
        beta_before = float(beta[j])
    return tridiagonal


class Ritz(NamedTuple):
    """values: m, ascending. coefficients: m x m, columns; basis @ coefficients are the Ritz vectors. bounds: m."""

    values: np.ndarray
    coefficients: np.ndarray
    bounds: np.ndarray


def ritz(tridiagonal: Tridiagonal) -> Ritz:
    """Ritz values θ of a run of at least one step; an eigenvalue of A (of PAP) lies within each bound.

    The bound is the norm of the residual, |λ - θ| <= ‖Ay - θy‖ = β_m|s_m| (Parlett 1998, The Symmetric Eigenvalue
    Problem, section 13.2), plus the departure and the rounding of T's own eigenvalues.
    """
    values, coefficients = eigh_tridiagonal(tridiagonal.alpha, tridiagonal.beta[:-1])
    rounding = np.finfo(float).eps * len(values) * np.abs(values).max()
    bounds = tridiagonal.beta[-1] * np.abs(coefficients[-1]) + tridiagonal.departure + rounding
    return Ritz(values, coefficients, bounds)


class Eigenpairs(NamedTuple):
    """values: k eigenvalues. bounds: k, an eigenvalue lies within each. vectors: size x k, unit columns.

    products: how many of the operator were taken. converged: all bounds are within the tolerance. status: "", or why
    not. Without a single finite product values, bounds and vectors are NaN.
    """

    values: np.ndarray
    bounds: np.ndarray
    vectors: np.ndarray
    products: int
    converged: bool
    status: str


def both_ends(
    matvec: Matvec,
    size: int,
    rng: np.random.Generator,
    *,
    tolerance: float = 1e-3,
    max_steps: int = 200,
    start: np.ndarray | None = None,
    deflate: np.ndarray | None = None,
) -> Eigenpairs:
    """Lowest and highest eigenvalue, in this order, from one Lanczos run from a random vector.

    The run ends when both bounds are at most `tolerance` times the larger |value|. A Ritz value never lies beyond the
    end of the spectrum, so that λmin is in [value - bound, value] unless the start hides it: see `undetected`. start:
    size or size x k, vectors to begin with, such as those of a neighbouring operator; a tenth of a random vector is
    added to their sum. deflate: as in `lanczos`.
    """

    def ends(values: np.ndarray) -> np.ndarray:
        return np.array([0, len(values) - 1])

    return _converge(matvec, size, rng, 2, ends, tolerance, max_steps, start, deflate)


def top(
    matvec: Matvec,
    size: int,
    k: int,
    rng: np.random.Generator,
    *,
    by: str = "algebraic",
    repeated: bool = False,
    tolerance: float = 1e-3,
    max_steps: int = 200,
    start: np.ndarray | None = None,
    deflate: np.ndarray | None = None,
) -> Eigenpairs:
    """The k largest eigenvalues, largest first: by value (`algebraic`) or by absolute value (`modulus`).

    k is cut to the size of the operator. One run from one vector finds an eigenvalue of any multiplicity once; with
    repeated = True further runs, orthogonal to what was found, look for its other vectors until one finds nothing
    that belongs to the k, which at least doubles the products. Other arguments as in `both_ends`; the tolerance is
    relative to the largest absolute value.
    """
    if by not in ("algebraic", "modulus"):
        raise ValueError(f"by={by!r}: expected 'algebraic' or 'modulus'")
    key = np.abs if by == "modulus" else np.asarray
    known = np.empty((size, 0)) if deflate is None else np.asarray(deflate, float)
    k = min(k, size - known.shape[1])

    def run(count: int, known: np.ndarray, start: np.ndarray | None) -> Eigenpairs:
        def largest(values: np.ndarray) -> np.ndarray:
            return np.argsort(-key(values), kind="stable")[:count]

        return _converge(matvec, size, rng, count, largest, tolerance, max_steps, start, known)

    pairs = run(k, known, start)
    while repeated and pairs.status in ("", INVARIANT) and known.shape[1] + len(pairs.values) < size:
        more = run(1, np.hstack([known, pairs.vectors]), None)
        values = np.concatenate([pairs.values, more.values])
        # Of A itself the residual is larger by what the deflated vectors lack to be eigenvectors.
        bounds = np.concatenate([pairs.bounds, np.hypot(more.bounds, np.linalg.norm(pairs.bounds))])
        order = np.argsort(-key(values), kind="stable")[:k]
        new = len(pairs.values) in order
        pairs = Eigenpairs(
            values=values[order],
            bounds=bounds[order],
            vectors=np.hstack([pairs.vectors, more.vectors])[:, order],
            products=pairs.products + more.products,
            converged=more.converged and len(order) == k,
            status=more.status,
        )
        if not new:
            break
    return pairs


def undetected(steps: int, size: int, probability: float = 0.01) -> float:
    """Share of λmax - λmin by which λmax may exceed its Ritz value after `steps` steps from a random start.

    More happens with less than the probability, whatever the spectrum: 1.648 √size e^(-√ε (2 steps - 1)) (Kuczyński
    and Woźniakowski 1992, SIAM J. Matrix Anal. Appl. 13, 1094, theorem 4.1); likewise for λmin. It is what the residual
    cannot tell: an end that the start is all but orthogonal to.
    """
    return min(1.0, float(np.log(1.648 * size**0.5 / probability) / (2 * steps - 1)) ** 2)


def _converge(
    matvec: Matvec,
    size: int,
    rng: np.random.Generator,
    count: int,
    choose: Callable[[np.ndarray], np.ndarray],
    tolerance: float,
    max_steps: int,
    start: np.ndarray | None,
    deflate: np.ndarray | None,
) -> Eigenpairs:
    """A run until the bounds of the `count` Ritz values that `choose` picks are within the tolerance."""

    def within(found: Ritz, chosen: np.ndarray) -> bool:
        return len(chosen) == count and found.bounds[chosen].max() <= tolerance * np.abs(found.values).max()

    def settled(tridiagonal: Tridiagonal) -> bool:
        if len(tridiagonal.alpha) < _LEAST:
            return False
        found = ritz(tridiagonal)
        return within(found, choose(found.values))

    tridiagonal = lanczos(matvec, _start(size, rng, start), max_steps, deflate=deflate, until=settled)
    products, lost = len(tridiagonal.alpha), tridiagonal.status == NOT_FINITE
    if products == 0:
        nothing = np.full(count, np.nan)
        return Eigenpairs(nothing, nothing, np.full((size, count), np.nan), 1, False, NOT_FINITE)
    found = ritz(tridiagonal)
    chosen = choose(found.values)
    # An invariant subspace holds every eigenvalue: one that is missing is a repetition of another.
    converged = not lost and (within(found, chosen) or tridiagonal.status == INVARIANT)
    return Eigenpairs(
        values=found.values[chosen],
        bounds=found.bounds[chosen],
        vectors=tridiagonal.basis @ found.coefficients[:, chosen],
        products=products + lost,
        converged=converged,
        status=tridiagonal.status or ("" if converged else NOT_CONVERGED),
    )


def _start(size: int, rng: np.random.Generator, given: np.ndarray | None) -> np.ndarray:
    fresh = rng.standard_normal(size)
    if given is None:
        return fresh
    given = np.asarray(given, float).reshape(size, -1)
    total = (given / np.linalg.norm(given, axis=0)).sum(axis=1)
    return total / np.linalg.norm(total) + _FRESH * fresh / np.linalg.norm(fresh)
