"""Multilayer perceptrons."""

from collections import OrderedDict
from itertools import pairwise
from math import prod

from torch import nn


def mlp(width: int, depth: int, shape: tuple[int, int, int], classes: int, dropout: float = 0.0) -> nn.Sequential:
    """fc1 ... fc{depth} with rectifiers between them: depth - 1 hidden layers of `width` units (Rumelhart et al. 1986).

    fc1 is width x pixels, fc{depth} classes x width, all others width x width. Dropout acts on every hidden layer.
    """
    sizes = [prod(shape), *[width] * (depth - 1)]
    layers: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
    for i, (inputs, outputs) in enumerate(pairwise(sizes), 1):
        layers |= dense(f"fc{i}", inputs, outputs, f"relu{i}", dropout)
    layers[f"fc{depth}"] = nn.Linear(sizes[-1], classes)
    return nn.Sequential(layers)


def dense(name: str, inputs: int, outputs: int, rectifier: str, dropout: float) -> dict[str, nn.Module]:
    """A fully connected layer, its rectifier and, above 0, its dropout, by their names in a network."""
    layers: dict[str, nn.Module] = {name: nn.Linear(inputs, outputs), rectifier: nn.ReLU()}
    return layers | ({f"dropout_{name}": nn.Dropout(dropout)} if dropout else {})
