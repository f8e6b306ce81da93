"""Directions in the space of weights, and the points that they lead to.

A direction is a mapping from names of a state dict to float64 tensors; a tensor that it does not name stays as it is.
All arithmetic is in float64 and rounded once, so that the ends of an interpolation are the networks themselves.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from htsr.errors import InputError
from htsr.models.weights import count_parameters
from htsr.spectra.permutation import generator

NORMALIZATIONS = ("filter", "layer", "none")


def random_direction(
    state: Mapping[str, Tensor], seed: int, normalization: str = "filter", axis: int = 0
) -> dict[str, Tensor]:
    """A Gaussian direction for every tensor of two or more dimensions; those of one (biases, batch norm) stay fixed.

    normalization: `filter` gives the part of every output filter (row of a matrix) the norm of that filter of `state`,
    `layer` that of every tensor the norm of the tensor (Li et al. 2018, section 4 and its supplement), `none` leaves
    unit variance. A filter of zeros stays zero. Entries depend on seed, axis and the tensor's name alone, so directions
    of two axes are independent. Raises InputError for another normalization.
    """
    if normalization not in NORMALIZATIONS:
        raise InputError(f"normalization {normalization!r}: choose one of {', '.join(NORMALIZATIONS)}")
    found = {}
    for name, weights in state.items():
        if weights.ndim < 2:
            continue
        entries = generator(seed, f"{axis} {name}").standard_normal(tuple(weights.shape))
        direction = torch.from_numpy(entries)
        if normalization != "none":
            first = 1 if normalization == "filter" else 0
            over = tuple(range(first, weights.ndim))
            sizes = [torch.linalg.vector_norm(t, dim=over, keepdim=True) for t in (weights.double().cpu(), direction)]
            direction *= sizes[0] / sizes[1]
        found[name] = direction
    return found


def difference(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The direction from one state to another: weights and, beside them, the running statistics of batch norm.

    Raises InputError where the two do not have the same tensors.
    """
    shapes = [{name: tuple(tensor.shape) for name, tensor in state.items()} for state in (first, second)]
    for name in shapes[0] | shapes[1]:
        if shapes[0].get(name) != shapes[1].get(name):
            raise InputError(
                f"{name} has shape {shapes[0].get(name, 'none')} in one network and {shapes[1].get(name, 'none')} in "
                "the other: choose networks of one architecture"
            )
    return {
        name: second[name].double() - tensor.double() for name, tensor in first.items() if tensor.is_floating_point()
    }


def inner(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> float:
    """Inner product of two directions, over parameters alone: running statistics are none."""
    return sum(
        torch.dot(tensor.ravel(), second[name].ravel()).item()
        for name, tensor in first.items()
        if name in second and count_parameters({name: tensor})
    )


def norm(direction: Mapping[str, Tensor]) -> float:
    """Euclidean length of a direction, over parameters alone."""
    return inner(direction, direction) ** 0.5


def combined(directions: Sequence[Mapping[str, Tensor]], coefficients: Sequence[float]) -> dict[str, Tensor]:
    """The sum of directions, each times its coefficient."""
    found: dict[str, Tensor] = {}
    for direction, coefficient in zip(directions, coefficients, strict=True):
        for name, tensor in direction.items():
            found[name] = found.get(name, 0) + coefficient * tensor
    return found


def plane_through(
    first: Mapping[str, Tensor], second: Mapping[str, Tensor], third: Mapping[str, Tensor]
) -> tuple[list[dict[str, Tensor]], list[tuple[float, float]]]:
    """Two orthogonal directions of the plane through three states, and the coordinates of the states in it.

    `first` is the origin and `second` lies at (1, 0); the second direction is as long as the first one, so that the
    plane is drawn without distortion (Garipov et al. 2018, their supplement). Raises InputError where the states lie
    on a line or are of different architectures.
    """
    along, to_third = difference(first, second), difference(first, third)
    length = norm(along)
    if length == 0:
        raise InputError("a plane through three networks: the first two are the same")
    x = inner(along, to_third) / length**2
    across = combined([to_third, along], [1.0, -x])
    y = norm(across) / length
    if y < 1e-6:
        raise InputError("a plane through three networks: the third lies on the line through the other two")
    return [along, combined([across], [1 / y])], [(0.0, 0.0), (1.0, 0.0), (x, y)]


def moved(
    state: Mapping[str, Tensor], directions: Sequence[Mapping[str, Tensor]], coefficients: Sequence[float]
) -> dict[str, Tensor]:
    """The state at θ + Σ coefficient · direction, new tensors where something moves. At coefficients 0 it is θ."""
    found = dict(state)
    for direction, coefficient in zip(directions, coefficients, strict=True):
        if coefficient:
            for name, tensor in direction.items():
                found[name] = found[name].double() + coefficient * tensor
    return {name: tensor.to(state[name].dtype) for name, tensor in found.items()}


def bezier(t: float) -> tuple[float, float]:
    """Coefficients of (control - first) and (second - first) at t on the quadratic curve between first and second."""
    return 2 * t * (1 - t), t * t
