"""Mode connectivity: a curve of low loss between two solutions."""

import copy
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from htsr.errors import InputError
from htsr.landscape.directions import bezier, difference, moved
from htsr.networks.train import LOSSES, Recipe, descend, schedule


def bezier_control(
    network: nn.Module,
    first: Mapping[str, Tensor],
    second: Mapping[str, Tensor],
    images: Tensor,
    labels: Tensor,
    rng: np.random.Generator,
    *,
    steps: int = 300,
    batch_size: int = 128,
    learning_rate: float = 0.02,
    loss: str = "cross_entropy",
) -> dict[str, Tensor]:
    """The control point θ_c of the curve (1-t)² θ_1 + 2t(1-t) θ_c + t² θ_2 whose expected loss over t is made small.

    Garipov et al. 2018, section 3.2: gradient descent (momentum 0.9, half a cosine) on the loss of random batches at
    random t, uniform in [0, 1], from the middle of the straight line on. Batch norm normalizes by its batch, so the
    running statistics on the curve mean nothing: recalibrate them. first, second: states of networks like `network`,
    which is not modified; images n x c x h x w. Returns a state, whose statistics are the mean of the two.
    Raises InputError for fewer than two images, for which batch norm has no statistics.
    """
    if len(labels) < 2:
        raise InputError("a curve between two networks: its training needs two images or more")
    along = difference(first, second)
    work = copy.deepcopy(network).train()
    parameters = dict(work.named_parameters())
    middle = moved(first, [along], [0.5])
    control = {name: middle[name].clone() for name in parameters}
    recipe = Recipe(epochs=steps, batch_size=batch_size, learning_rate=learning_rate, momentum=0.9)
    slots = [[torch.zeros_like(tensor) for tensor in control.values()]]
    for step in range(1, steps + 1):
        bend, end = bezier(rng.random())
        for name, parameter in parameters.items():
            start = first[name].double()
            point = start + bend * (control[name].double() - start) + end * along[name]
            parameter.data.copy_(point)
        batch = torch.from_numpy(rng.choice(len(labels), min(batch_size, len(labels)), replace=False))
        gradients = torch.autograd.grad(LOSSES[loss](work(images[batch]), labels[batch]), list(parameters.values()))
        own = [bend * gradient for gradient in gradients]
        descend(list(control.values()), slots, own, learning_rate * schedule(recipe, step), recipe, step)
    return middle | control


def curve(first: Mapping[str, Tensor], control: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> list[dict]:
    """The directions that `htsr.landscape.directions.bezier` gives coefficients of, from `first`."""
    return [difference(first, control), difference(first, second)]
