"""Training by stochastic gradient descent, with group lasso on filters."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import cross_entropy


def evaluate(network: nn.Module, images: Tensor, labels: Tensor, chunk: int = 512) -> tuple[float, float]:
    """Mean cross entropy (nats) and accuracy (percent) on images n x c x h x w, with the running batch statistics."""
    network.eval()
    loss = correct = 0.0
    with torch.no_grad():
        for x, y in zip(images.split(chunk), labels.split(chunk), strict=True):
            scores = network(x)
            loss += cross_entropy(scores, y, reduction="sum").item()
            correct += (scores.argmax(dim=1) == y).sum().item()
    return loss / len(labels), 100 * correct / len(labels)


def filters(network: nn.Module) -> list[Tensor]:
    """The weights of the convolutions, each as a view filters x (channels · kernel) of the parameter itself."""
    return [module.weight.detach().flatten(1) for module in network.modules() if isinstance(module, nn.Conv2d)]


def shrink(weights: Tensor, threshold: float) -> None:
    """Shorten every row by `threshold`, shorter rows to zero: the proximal operator of threshold · (sum of row norms).

    Group lasso (Yuan, Lin 2006), its proximal operator in Parikh, Boyd 2014, section 6.5.1.
    """
    norms = weights.norm(dim=1, keepdim=True)
    weights *= torch.where(norms > threshold, 1 - threshold / norms, 0)


@torch.no_grad()
def descend(
    parameters: Sequence[Tensor],
    velocities: Sequence[Tensor],
    gradients: Sequence[Tensor],
    rate: float,
    momentum: float,
    weight_decay: float,
) -> None:
    """One step in place with heavy-ball momentum: v <- momentum v + g + weight_decay p, then p <- p - rate v.

    The update of torch.optim.SGD, whose import takes longer than training a small network.
    """
    for parameter, velocity, gradient in zip(parameters, velocities, gradients, strict=True):
        velocity.mul_(momentum).add_(gradient).add_(parameter, alpha=weight_decay)
        parameter.sub_(velocity, alpha=rate)


def cosine(epoch: int, epochs: int) -> float:
    """Factor of the learning rate in epochs 1 to `epochs`: half a cosine from 1 towards 0 (Loshchilov, Hutter 2017)."""
    return (1 + math.cos(math.pi * (epoch - 1) / epochs)) / 2


def train(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    momentum: float,
    weight_decay: float,
    group_lasso: float,
    generator: Generator,
    after_epoch: Callable[[int, float], None],
) -> None:
    """Train in place on the cross entropy of images n x c x h x w.

    after_epoch is called with the epoch and its learning rate when the epoch is over. The generator orders the images
    anew in every epoch. The rate follows `cosine`, weight decay acts on all parameters.
    group_lasso: coefficient of the sum of filter norms (Wen et al. 2016, eq. 4), as a proximal step after each gradient
    step. A filter that is zero, initially or by that step, is pruned: it stays zero.
    """
    parameters = list(network.parameters())
    velocities = [torch.zeros_like(parameter) for parameter in parameters]
    rows = filters(network)
    kept = [weights.any(dim=1, keepdim=True) for weights in rows]
    for epoch in range(1, epochs + 1):
        rate = learning_rate * cosine(epoch, epochs)
        network.train()
        for batch in torch.randperm(len(labels), generator=generator).split(batch_size):
            gradients = torch.autograd.grad(cross_entropy(network(images[batch]), labels[batch]), parameters)
            descend(parameters, velocities, gradients, rate, momentum, weight_decay)
            for i, weights in enumerate(rows):
                weights *= kept[i]
                if group_lasso:
                    shrink(weights, rate * group_lasso)
                    kept[i] = weights.any(dim=1, keepdim=True)
        after_epoch(epoch, rate)
