"""Spectral density, distribution and traces of a symmetric operator known by its products alone.

Stochastic Lanczos quadrature (Ubaru, Chen, Saad 2017, SIAM J. Matrix Anal. Appl. 38, 1075; Ghorbani, Krishnan, Xiao
2019, arXiv 1901.10159): m Lanczos steps from a random unit vector u give the m-point Gauss quadrature of the measure
Σ (uᵀv_i)² δ(λ - λ_i), whose mean over u is the spectrum. Eigenvectors that are known already are deflated: the random
vectors are orthogonal to them and their eigenvalues are added exactly, which leaves the steps to the bulk.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from htsr.spectra.lanczos import INVARIANT, NOT_FINITE, Matmat, Matvec, lanczos, lanczos_together, ritz

Pairs = tuple[np.ndarray, np.ndarray]  # r values, and size x r orthonormal vectors

_WIDTHS = 4.0  # of the kernel that a default grid reaches beyond the outermost nodes


class Quadrature(NamedTuple):
    """The spectrum as atoms/size + the mean over probes of Σ_j weights_j δ(λ - nodes_j).

    nodes, weights: probes x steps; a row sums to 1 - len(atoms)/size, and ends in weights of 0 where its process ended
    early. exact: probes, whether a row is its probe's measure itself and no approximation of it. atoms: the known
    eigenvalues. products: of the operator. status: "", or why nodes and weights are NaN.
    """

    nodes: np.ndarray
    weights: np.ndarray
    exact: np.ndarray
    atoms: np.ndarray
    size: int
    products: int
    status: str


def quadrature(
    matvec: Matvec | Matmat,
    size: int,
    *,
    probes: int,
    steps: int,
    rng: np.random.Generator,
    deflated: Pairs | None = None,
    together: bool = False,
) -> Quadrature:
    """Nodes and weights from `probes` runs of `steps` Lanczos steps each, probes·steps products in all.

    deflated: values and vectors of known eigenpairs; Ritz pairs may be used, with errors of the order of their
    residuals squared. together: the runs go side by side and `matvec` is given the vectors of all as columns. A product
    that is not finite ends the whole, with a status.
    """
    atoms, known = (np.empty(0), np.empty((size, 0))) if deflated is None else map(np.asarray, deflated)
    steps = min(steps, size - len(atoms))
    nodes, weights, exact = np.zeros((probes, steps)), np.zeros((probes, steps)), np.ones(probes, bool)
    products, probes = 0, probes if steps else 0
    # Uniform on the sphere of the complement: each probe alone is unbiased, its weights without scatter.
    starts = (rng.standard_normal(size) for _ in range(probes))
    if together:
        runs = lanczos_together(matvec, list(starts), steps, deflate=known)
    else:
        runs = (lanczos(matvec, start, steps, deflate=known) for start in starts)
    for k, run in enumerate(runs):
        done = len(run.alpha)
        products += done
        if run.status == NOT_FINITE:
            nodes[:], weights[:] = np.nan, np.nan
            return Quadrature(nodes, weights, exact & False, atoms, size, products + 1, NOT_FINITE)
        found = ritz(run)
        nodes[k], weights[k, :done] = found.values[-1], found.coefficients[0] ** 2 * (1 - len(atoms) / size)
        nodes[k, :done] = found.values
        exact[k] = run.status == INVARIANT
    return Quadrature(nodes, weights, exact, atoms, size, products, "")


class Density(NamedTuple):
    """grid: g. density: g, of all eigenvalues, integral 1. stderr: g, over probes. width: of the Gaussian kernel."""

    grid: np.ndarray
    density: np.ndarray
    stderr: np.ndarray
    width: float


def density(spectrum: Quadrature, grid: np.ndarray | None = None, width: float | None = None) -> Density:
    """The density smoothed by a Gaussian kernel of standard deviation `width`, atoms too.

    width: by default the span of the nodes over the number of steps, below which the quadrature of the kernel is not
    exact any more and peaks appear at the nodes: the standard error does not know of them. (Its error falls off as
    e^(-2(steps·width/half the span)²), the degree 2·steps - 1 of the quadrature being that of the kernel's Chebyshev
    series.) grid: by default 1024 points over all nodes and atoms and four widths beyond. NaN where the nodes are.
    """
    span = float(np.ptp(spectrum.nodes)) if spectrum.nodes.size else 0.0
    if width is None:
        width = span / max(spectrum.nodes.shape[1], 1)
        width = width or np.finfo(float).eps ** 0.5 * max(float(np.abs(_places(spectrum)).max(initial=0)), 1e-300)
    if grid is None:
        places = _places(spectrum)
        low, high = (places.min(), places.max()) if len(places) else (np.nan, np.nan)
        grid = np.linspace(low - _WIDTHS * width, high + _WIDTHS * width, 1024)
    grid = np.asarray(grid, float)

    def smoothed(nodes: np.ndarray) -> np.ndarray:
        return np.exp(-(((grid[:, None] - nodes) / width) ** 2) / 2) / (width * np.sqrt(2 * np.pi))

    rows = np.array([smoothed(n) @ w for n, w in zip(spectrum.nodes, spectrum.weights, strict=True)])
    mean, stderr = _mean(rows)
    return Density(grid, mean + smoothed(spectrum.atoms).sum(axis=1) / spectrum.size, stderr, width)


class Cumulative(NamedTuple):
    """low, high: what the quadrature says of the distribution function of its probes, a strict enclosure.

    stderr: over probes, of the middle. The distribution function of the spectrum is in low - z·stderr to
    high + z·stderr as far as z standard errors go.
    """

    low: np.ndarray
    high: np.ndarray
    stderr: np.ndarray


def cumulative(spectrum: Quadrature, grid: np.ndarray) -> Cumulative:
    """Share of eigenvalues <= x for the x of `grid`.

    By the separation theorem of Chebyshev, Markov and Stieltjes (Szegő, Orthogonal Polynomials, section 3.41) the
    distribution function of a probe's measure up to the node θ_i is at least the weights before it, and at most those
    up to it: between two nodes it is known within their two weights. NaN where nodes are NaN.
    """
    grid = np.asarray(grid, float)
    if spectrum.status:
        return Cumulative(*np.full((3, len(grid)), np.nan))
    low, high = np.empty((2, len(spectrum.nodes), len(grid)))
    for k, (nodes, weights) in enumerate(zip(spectrum.nodes, spectrum.weights, strict=True)):
        sums = np.concatenate([[0.0], np.cumsum(weights)])
        upto, before = np.searchsorted(nodes, grid, "right"), np.searchsorted(nodes, grid, "left")
        if spectrum.exact[k]:
            low[k] = high[k] = sums[upto]
        else:
            low[k], high[k] = sums[np.maximum(upto - 1, 0)], sums[np.minimum(before + 1, len(nodes))]
    known = np.searchsorted(np.sort(spectrum.atoms), grid, "right") / spectrum.size
    return Cumulative(low.mean(axis=0) + known, high.mean(axis=0) + known, _mean((low + high) / 2)[1])


def trace_of(spectrum: Quadrature, function: Callable[[np.ndarray], np.ndarray]) -> tuple[float, float]:
    """tr f(A) and its standard error over probes; exact in the quadrature for polynomials of degree < 2·steps.

    function: f, of arrays. NaN where nodes are NaN.
    """
    rows = (np.where(spectrum.weights > 0, function(spectrum.nodes), 0.0) * spectrum.weights).sum(axis=1)
    if spectrum.status:
        return float("nan"), float("nan")
    mean, stderr = _mean(rows)
    return float(spectrum.size * mean + np.sum(function(spectrum.atoms))), float(spectrum.size * stderr)


def trace(
    matvec: Matvec, size: int, probes: int, rng: np.random.Generator, deflated: Pairs | None = None
) -> tuple[float, float]:
    """tr A and its standard error from zᵀAz for `probes` vectors z of random signs (Hutchinson 1990).

    The variance of one is 2 Σ_(i≠j) A_ij². deflated: values and vectors of known eigenpairs, or the Rayleigh quotients
    uᵀAu of any orthonormal u; z is made orthogonal to them, which takes their part out of the variance (as Hutch++ of
    Meyer, Musco, Musco, Woodruff 2021, arXiv 2010.09649, does with a sketch). NaN where a product is not finite, and
    the standard error of a single probe.
    """
    values, known = (np.empty(0), np.empty((size, 0))) if deflated is None else map(np.asarray, deflated)
    samples = np.empty(probes)
    for k in range(probes):
        z = rng.choice([-1.0, 1.0], size)
        z -= known @ (known.T @ z)
        product = np.asarray(matvec(z), float)
        samples[k] = z @ product if np.isfinite(product).all() else np.nan
    mean, stderr = _mean(samples)
    return float(mean + np.sum(values)), float(stderr)


def _places(spectrum: Quadrature) -> np.ndarray:
    return np.concatenate([spectrum.nodes.ravel(), spectrum.atoms])


def _mean(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean over the first axis, and its standard error (NaN for one row)."""
    spread = rows.std(axis=0, ddof=1) if len(rows) > 1 else np.full(rows.shape[1:], np.nan)
    return rows.mean(axis=0), spread / len(rows) ** 0.5
