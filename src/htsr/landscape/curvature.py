"""Curvature of the loss along directions, at scales from an infinitesimal one to that of the drawn surface.

The second difference [L(θ + hv) - 2 L(θ) + L(θ - hv)]/h² is the mean of the second derivative along v over ±h, with the
triangular weight (h - |t|)/h². Of a rectifier network that derivative has two parts: a smooth one, which is all that
autograd's vᵀHv sees, and jumps of the slope where a unit switches on or off. The gap between the two at small h is what
the kinks add, and what a Hessian of the network leaves out of the curvature of its surface.
"""

import copy
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from htsr.landscape.hessian import flatten, hessian_product, parameters_of, unflatten
from htsr.networks.train import evaluate


class Scales(NamedTuple):
    """Curvature along K directions at S steps.

    exact: vᵀHv by autograd (K). differences: second differences (K x S). rounding: what rounding alone can make of a
    second difference (S).
    """

    steps: np.ndarray
    exact: np.ndarray
    differences: np.ndarray
    rounding: np.ndarray


def curvature(
    network: nn.Module,
    images: np.ndarray,
    labels: np.ndarray,
    directions: np.ndarray,
    steps: Sequence[float],
    *,
    loss: str = "cross_entropy",
    chunk: int = 128,
) -> Scales:
    """Second differences of the mean loss at every step h > 0 along each row of `directions` (K x P), beside vᵀHv.

    All parameters, batch norm with its running statistics, everything in float64; the network is not changed.
    """
    steps = np.asarray(steps, float)
    product = hessian_product(network, images, labels, loss=loss, chunk=chunk, double=True)
    exact = np.array([v @ product(v) for v in directions])
    copied = copy.deepcopy(network).double()
    parameters = list(parameters_of(copied).values())
    origin = flatten(parameters)
    x, y = torch.from_numpy(images).to(parameters[0]), torch.from_numpy(labels).to(parameters[0].device)

    def at(offset: np.ndarray | float) -> float:
        with torch.no_grad():
            for parameter, value in zip(parameters, unflatten(origin + offset, parameters), strict=True):
                parameter.copy_(value)
        return evaluate(copied, x, y, loss, chunk)[0]

    centre = at(0.0)
    sums = np.array([[at(h * v) + at(-h * v) for h in steps] for v in directions]).reshape(len(directions), len(steps))
    rounding = 4 * np.finfo(float).eps * np.abs(sums).max(axis=0, initial=2 * abs(centre)) / steps**2
    return Scales(steps, exact, (sums - 2 * centre) / steps**2, rounding)


def across_scales(found: Scales) -> list[dict[str, float]]:
    """One row a step: means over the directions and their standard errors (NaN of a single one).

    Columns: step, n_directions; second_difference, exact and gap (the first less the second, paired by direction), each
    with _stderr; rounding.
    """
    k = len(found.exact)
    rows = []
    for j, step in enumerate(found.steps):
        row = {"step": float(step), "n_directions": k}
        own = found.differences[:, j]
        for name, values in (("second_difference", own), ("exact", found.exact), ("gap", own - found.exact)):
            row[name] = float(values.mean())
            row[f"{name}_stderr"] = float(values.std(ddof=1) / k**0.5) if k > 1 else float("nan")
        rows.append(row | {"rounding": float(found.rounding[j])})
    return rows
