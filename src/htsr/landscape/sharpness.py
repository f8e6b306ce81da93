"""How sharp a minimum is: the ends of its Hessian and their map over a plane, traces, and measures without a scale.

θ can be made sharp or flat without changing the function that it computes, by multiplying one layer and dividing the
next (Dinh et al. 2017, arXiv 1703.04933), so eigenvalues and trace compare networks only together with measures that do
not see it: those in units of the filters' norms, and θᵀHθ.
"""

import copy
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from htsr.landscape import hessian
from htsr.landscape.directions import moved
from htsr.landscape.hessian import Product
from htsr.landscape.surface import recalibrate
from htsr.networks.train import evaluate, filters
from htsr.spectra.lanczos import (
    INVARIANT,
    NOT_CONVERGED,
    NOT_FINITE,
    Eigenpairs,
    Ritz,
    Tridiagonal,
    both_ends,
    lanczos,
    ritz,
    top,
    undetected,
)

NAN = float("nan")


def extremes(
    product: Product, size: int, k: int, rng: np.random.Generator, *, tolerance: float = 1e-3, max_steps: int = 200
) -> Eigenpairs:
    """The lowest eigenvalue and the k highest, in ascending order, from one Lanczos run.

    As `htsr.spectra.lanczos.both_ends`: it ends when the bounds of all are within `tolerance` of the largest |value|.
    """

    def chosen(found: Ritz) -> np.ndarray:
        return np.r_[0, np.arange(max(len(found.values) - k, 1), len(found.values))]

    def within(run: Tridiagonal) -> bool:
        found = ritz(run)
        return found.bounds[chosen(found)].max() <= tolerance * np.abs(found.values).max()

    def settled(run: Tridiagonal) -> bool:
        return len(run.alpha) > k + 10 and within(run)

    run = lanczos(product, rng.standard_normal(size), max_steps, until=settled)
    if not len(run.alpha):
        return Eigenpairs(np.full(2, NAN), np.full(2, NAN), np.full((size, 2), NAN), 1, False, run.status)
    converged = run.status == INVARIANT or (run.status == "" and within(run))
    found = ritz(run)
    own = chosen(found)
    return Eigenpairs(
        values=found.values[own],
        bounds=found.bounds[own],
        vectors=run.basis @ found.coefficients[:, own],
        products=len(run.alpha) + (run.status == NOT_FINITE),
        converged=converged,
        status=run.status or ("" if converged else NOT_CONVERGED),
    )


def certified(vectors: np.ndarray, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rayleigh quotients of unit columns v (P x r) from their products Av, and the norms of the residuals Av - θv.

    An eigenvalue of A lies within each (Parlett 1998, section 4.5), however v was found: in float32, for example.
    """
    values = (vectors * images).sum(axis=0)
    return values, np.linalg.norm(images - values * vectors, axis=0)


def ratio(low: float, low_bound: float, high: float, high_bound: float) -> tuple[float, float]:
    """|λmin/λmax| and the most that it can be wrong by; NaN where λmax may be 0."""
    least = abs(high) - high_bound
    if not least > 0:
        return NAN, NAN
    found = float(abs(low / high))
    return found, float(low_bound + found * high_bound) / float(least)


class Traces(NamedTuple):
    values: np.ndarray
    stderrs: np.ndarray


def weighted_traces(
    product: Product,
    weights: np.ndarray,
    probes: int,
    rng: np.random.Generator,
    values: np.ndarray,
    vectors: np.ndarray,
) -> Traces:
    """Σ_i w_i A_ii for each row of weights (m x P), with standard errors over the probes (NaN of a single one).

    A = UΛUᵀ + R with r known values and vectors (P x r), which need not be exact: the first part is taken exactly, the
    diagonal of R from z ∘ Rz with vectors z of random signs (Bekas, Kokiopoulou, Saad 2007, Appl. Numer. Math. 57,
    1214), whose scatter is that of the entries off R's diagonal. One product a probe serves all weights.
    """
    known = weights @ (vectors**2 @ values)
    samples = []
    for _ in range(probes):
        z = rng.choice([-1.0, 1.0], weights.shape[1])
        samples.append(weights @ (z * (product(z) - vectors @ (values * (vectors.T @ z)))))
    samples = np.array(samples)
    stderrs = samples.std(axis=0, ddof=1) / probes**0.5 if probes > 1 else np.full(len(weights), NAN)
    return Traces(known + samples.mean(axis=0), stderrs)


class Found(NamedTuple):
    """row: the measures. values, vectors (P x r): extreme eigenpairs, for deflation. product: of the Hessian."""

    row: dict[str, Any]
    values: np.ndarray
    vectors: np.ndarray
    product: Product | None


def measure(
    network: nn.Module,
    images: np.ndarray,
    labels: np.ndarray,
    rng: np.random.Generator,
    *,
    loss: str = "cross_entropy",
    layer: str | None = None,
    highest: int = 5,
    probes: int = 20,
    tolerance: float = 1e-3,
    max_steps: int = 200,
    chunk: int = 128,
    memory: float = 4e9,
) -> Found:
    """Measures of sharpness of the mean loss on given examples, with respect to all parameters or those of one layer.

    n_parameters, loss, gradient_norm.
    lambda_min, lambda_max, ratio = |λmin/λmax|, lambda_1 ... lambda_k: eigenvalues of H, each with _bound: an
    eigenvalue lies within it. Those of the first three are residuals in float64; to all others the share `rounding` of
    the value is added, by which products in float32 and float64 differ at the two ends. undetected: how far an end may
    lie beyond its value with a chance of 1 %, since the start may have missed it (`htsr.spectra.lanczos.undetected`).
    trace, filter_curvature, with _stderr: tr H; the mean of δᵀHδ over filter-normalized random directions δ, which is
    the curvature of a drawn surface at its centre, Σ_f ‖θ_f‖² tr H_ff/d_f over filters f of d_f entries.
    filter_lambda_max, with _bound: largest eigenvalue of DHD, D the norm of each entry's filter (biases and batch norm
    fixed): the curvature along the worst direction whose filters are measured in units of their own norms.
    gauss_newton_lambda_max, with _bound. theta_h_theta = θᵀHθ; fisher_rao = θᵀGθ, its _stderr over examples.
    n_products: Hessian products in all, hessian_steps of them for both ends. status: ok, or why numbers are missing.
    """
    given = {"loss": loss, "layer": layer, "chunk": chunk}
    size = sum(p.numel() for p in hessian.parameters_of(network, layer).values())
    row: dict[str, Any] = {"n_parameters": size, "n_examples": len(labels)}
    row["loss"], gradient = hessian.loss_and_gradient(network, images, labels, **given)
    row["gradient_norm"] = float(np.linalg.norm(gradient))
    if not np.isfinite([row["loss"], row["gradient_norm"]]).all():
        return Found(row | {"status": "loss or gradient is not finite"}, np.empty(0), np.empty((size, 0)), None)
    product = hessian.hessian_product(network, images, labels, memory=memory, **given)
    exact = hessian.hessian_product(network, images, labels, double=True, memory=0, **given)
    pairs = extremes(product, size, highest, rng, tolerance=tolerance, max_steps=max_steps)
    row["hessian_steps"] = pairs.products
    if not np.isfinite(pairs.values).all():
        return Found(row | {"status": pairs.status}, np.empty(0), np.empty((size, 0)), None)
    outer = pairs.vectors[:, [0, -1]]
    images64 = np.stack([exact(v) for v in outer.T], axis=1)
    ends, bounds = certified(outer, images64)
    images32 = np.stack([product(v) for v in outer.T], axis=1)
    row["rounding"] = float(np.linalg.norm(images64 - images32, axis=0).max() / np.abs(ends).max())
    for name, value, bound in zip(("lambda_min", "lambda_max"), ends, bounds, strict=True):
        row |= {name: float(value), f"{name}_bound": float(bound)}
    row["ratio"], row["ratio_bound"] = ratio(ends[0], bounds[0], ends[1], bounds[1])
    row["undetected"] = undetected(pairs.products, size) * float(ends[1] - ends[0]) if pairs.status == "" else 0.0
    for i, (value, bound) in enumerate(zip(pairs.values[:0:-1], pairs.bounds[:0:-1], strict=True), 1):
        row |= {f"lambda_{i}": float(value), f"lambda_{i}_bound": float(bound + row["rounding"] * abs(ends).max())}
    norms, sizes = hessian.filter_norms(network, layer)
    weights = np.stack([np.ones(size), norms**2 / sizes])
    traces = weighted_traces(product, weights, probes, rng, pairs.values, pairs.vectors)
    for name, value, stderr in zip(("trace", "filter_curvature"), *traces, strict=True):
        row |= {name: float(value), f"{name}_stderr": float(stderr)}
    worst = top(hessian.scaled(product, norms), size, 1, rng, tolerance=tolerance, max_steps=max_steps)
    gauss_newton = hessian.gauss_newton_product(network, images, memory=memory, **given)
    largest = top(gauss_newton, size, 1, rng, tolerance=tolerance, max_steps=max_steps)
    for name, single in (("filter_lambda_max", worst), ("gauss_newton_lambda_max", largest)):
        value, bound = float(single.values[0]), float(single.bounds[0])
        row |= {name: value, f"{name}_bound": bound + row["rounding"] * abs(value)}
    theta = hessian.flatten(list(hessian.parameters_of(network, layer).values()))
    row["theta_h_theta"] = float(theta @ product(theta))
    forms = hessian.fisher_rao(network, images, **given)
    row |= {"fisher_rao": float(forms.mean()), "fisher_rao_stderr": float(forms.std(ddof=1) / len(forms) ** 0.5)}
    row["n_products"] = pairs.products + 2 * len(ends) + probes + worst.products + 1
    status = next((p.status for p in (pairs, worst, largest) if p.status not in ("", INVARIANT)), "ok")
    return Found(row | {"status": status}, pairs.values, pairs.vectors, product)


def ends_over_plane(
    network: nn.Module,
    images: np.ndarray,
    labels: np.ndarray,
    directions: Sequence[Mapping[str, Tensor]],
    axes: Sequence[np.ndarray],
    rng: np.random.Generator,
    *,
    batch_norm: str = "frozen",
    loss: str = "cross_entropy",
    tolerance: float = 3e-3,
    max_steps: int = 200,
    chunk: int = 128,
    memory: float = 4e9,
) -> list[dict[str, Any]]:
    """λmin, λmax and |λmin/λmax| at every point θ + aδ + bη of a grid (Li et al. 2018, section 6.1), with their bounds.

    Row by row, every second one backwards, so that each run starts from the vectors of a neighbour, whose ends are
    near. axes: the values of a and b. batch_norm: `frozen` or `recalibrated`, on the given images in batches of 128.
    Columns: a, b, loss (nats); lambda_min, lambda_max, ratio, each with _bound; n_products; status: ok, or why not.
    """
    network = copy.deepcopy(network).eval()
    if filters(network):
        network.to(memory_format=torch.channels_last)
    origin = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    rows, start = [], None
    for i, b in enumerate(axes[1]):
        for a in axes[0][:: -1 if i % 2 else 1]:
            network.load_state_dict(moved(origin, directions, [a, b]))
            if batch_norm == "recalibrated":
                recalibrate(network, list(torch.from_numpy(images).split(128)))
            product = hessian.hessian_product(network, images, labels, loss=loss, chunk=chunk, memory=memory)
            size = sum(p.numel() for p in network.parameters())
            found = both_ends(product, size, rng, tolerance=tolerance, max_steps=max_steps, start=start)
            mean, _ = evaluate(network, torch.from_numpy(images), torch.from_numpy(labels), loss, chunk)
            row = {"a": float(a), "b": float(b), "loss": mean}
            for name, value, bound in zip(("lambda_min", "lambda_max"), found.values, found.bounds, strict=True):
                row |= {name: float(value), f"{name}_bound": float(bound)}
            share, bound = ratio(found.values[0], found.bounds[0], found.values[1], found.bounds[1])
            row |= {"ratio": share, "ratio_bound": bound, "n_products": found.products}
            rows.append(row | {"status": "ok" if found.converged else found.status})
            start = found.vectors if found.status != NOT_FINITE else None
    return sorted(rows, key=lambda row: (row["b"], row["a"]))
