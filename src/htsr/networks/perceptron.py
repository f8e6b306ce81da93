"""Multilayer perceptrons."""

from collections import OrderedDict
from itertools import pairwise
from math import prod

from torch import nn


def mlp(width: int, depth: int, shape: tuple[int, int, int], classes: int) -> nn.Sequential:
    """fc1 ... fc{depth} with rectifiers between them: depth - 1 hidden layers of `width` units (Rumelhart et al. 1986).

    fc1 is width x pixels, fc{depth} classes x width, all others width x width.
    """
    sizes = [prod(shape), *[width] * (depth - 1), classes]
    layers: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
    for i, (inputs, outputs) in enumerate(pairwise(sizes), 1):
        layers[f"fc{i}"] = nn.Linear(inputs, outputs)
        if i < depth:
            layers[f"relu{i}"] = nn.ReLU()
    return nn.Sequential(layers)
