"""Training: gradient descent with momentum or Adam, group lasso on filters, early stopping, interruption and return."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import cross_entropy, one_hot, pad


@dataclass(frozen=True)
class Recipe:
    """How a network is trained; the meaning of every field is that of `htsr.config.TrainModel`."""

    epochs: int
    batch_size: int
    learning_rate: float
    loss: str = "cross_entropy"
    optimizer: str = "sgd"
    schedule: str = "cosine"
    milestones: Sequence[int] = ()
    gamma: float = 0.1
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0
    group_lasso: float = 0.0
    stop_at_loss: float | None = None
    early_stopping: int = 0
    augment: bool = False


@dataclass
class Progress:
    """Where a training stands: all that its next epoch depends on beside the network, and what it has recorded.

    slots: for each parameter its velocity (sgd) or its two moments (adam). best: the weights of the smallest validation
    loss so far, with early stopping only; best_epoch and best_loss belong to it.
    """

    epoch: int = 0
    steps: int = 0
    slots: list[list[Tensor]] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)
    best_epoch: int = 0
    best_loss: float = math.inf
    history: list[dict[str, Any]] = field(default_factory=list)
    checkpoints: dict[int, dict[str, Tensor]] = field(default_factory=dict)
    status: str = "ok"

    @property
    def final_epoch(self) -> int:
        """The epoch whose weights the network ends with: the best one, unless the training diverged."""
        return self.best_epoch if self.best and self.status == "ok" else self.epoch


def squared(scores: Tensor, labels: Tensor, reduction: str = "mean") -> Tensor:
    """Squared distance of the scores from 1 for the label and 0 for the rest, mean over the classes."""
    losses = (scores - one_hot(labels, scores.shape[1]).to(scores)).square().mean(dim=1)
    return losses.sum() if reduction == "sum" else losses.mean()


LOSSES = {"cross_entropy": cross_entropy, "squared": squared}


def evaluate(
    network: nn.Module, images: Tensor, labels: Tensor, loss: str = "cross_entropy", chunk: int = 512
) -> tuple[float, Tensor]:
    """Mean loss (nats for the cross entropy) on images n x c x h x w, with the running batch statistics, and n classes.

    The second value is the class with the highest score for each image.
    """
    network.eval()
    total, predicted = 0.0, []
    with torch.no_grad():
        for x, y in zip(images.split(chunk), labels.split(chunk), strict=True):
            scores = network(x)
            total += LOSSES[loss](scores, y, reduction="sum").item()
            predicted.append(scores.argmax(dim=1))
    return total / len(labels), torch.cat(predicted)


def percent(predicted: Tensor, labels: Tensor) -> float:
    """Share of equal entries in percent."""
    return 100 * (predicted == labels).sum().item() / len(labels)


def filters(network: nn.Module) -> list[Tensor]:
    """The weights of the convolutions, filters x channels x kernel; they share the parameters' memory."""
    return [module.weight.detach() for module in network.modules() if isinstance(module, nn.Conv2d)]


def alive(weights: Tensor) -> Tensor:
    """Which filters are not zero, of shape filters x 1 x ... x 1."""
    return weights.ne(0).any(dim=tuple(range(1, weights.ndim)), keepdim=True)


def shrink(weights: Tensor, threshold: float) -> None:
    """Shorten every filter by `threshold`, shorter ones to zero: the proximal operator of threshold · (sum of norms).

    Group lasso (Yuan, Lin 2006), its proximal operator in Parikh, Boyd 2014, section 6.5.1.
    """
    norms = torch.linalg.vector_norm(weights, dim=tuple(range(1, weights.ndim)), keepdim=True)
    weights *= torch.where(norms > threshold, 1 - threshold / norms, 0)


@torch.no_grad()
def descend(
    parameters: Sequence[Tensor],
    slots: list[list[Tensor]],
    gradients: Sequence[Tensor],
    rate: float,
    recipe: Recipe,
    step: int,
) -> None:
    """One step in place, the `step`-th from 1 on. weight_decay p is added to every gradient first.

    sgd: v <- momentum v + g, then p <- p - rate v, or with nesterov p <- p - rate (g + momentum v).
    adam: Kingma, Ba 2015, algorithm 1, with their beta_1 = .9, beta_2 = .999, epsilon = 1e-8.
    The kernels of torch.optim.SGD and torch.optim.Adam, whose classes take longer to load than a small training.
    """
    if recipe.optimizer == "adam":
        first, second = slots
        steps = [torch.tensor(float(step), device=first[0].device)] * len(parameters)
        torch._fused_adam_(
            list(parameters), list(gradients), first, second, [], steps, lr=rate, beta1=0.9, beta2=0.999,
            weight_decay=recipe.weight_decay, eps=1e-8, amsgrad=False, maximize=False,
        )  # fmt: skip
    else:
        velocities = slots[0] if recipe.momentum else []
        torch._fused_sgd_(
            list(parameters), list(gradients), velocities, weight_decay=recipe.weight_decay, momentum=recipe.momentum,
            lr=rate, dampening=0.0, nesterov=recipe.nesterov, maximize=False, is_first_step=step == 1,
        )  # fmt: skip


def shifted(images: Tensor, generator: Generator, most: int = 4) -> Tensor:
    """Images (n x c x h x w), each shifted by up to `most` pixels on both axes, zeros moving in, half of them mirrored.

    He et al. 2016, section 4.2. On normalized images zero is the mean of the channel. The generator is on the CPU.
    """
    n, _, height, width = images.shape
    tops, lefts = torch.randint(0, 2 * most + 1, (2, n, 1), generator=generator)
    rows, columns = tops + torch.arange(height), lefts + torch.arange(width)
    mirrored = torch.rand(n, 1, generator=generator) < 0.5
    columns = torch.where(mirrored, columns.flip(1), columns)
    padded = pad(images, [most] * 4)
    which = (torch.arange(n)[:, None, None], slice(None), rows[:, :, None], columns[:, None, :])
    which = tuple(i.to(images.device) if isinstance(i, Tensor) else i for i in which)
    return padded[which].permute(0, 3, 1, 2)  # n x h x w x c in memory: channels last


def schedule(recipe: Recipe, epoch: int) -> float:
    """Factor of the learning rate in epochs 1 to `epochs`.

    cosine: half a cosine from 1 towards 0 (Loshchilov, Hutter 2017, eq. 5). step: gamma to the number of milestones
    that are over, a milestone being the last epoch at the old rate. constant: 1.
    """
    if recipe.schedule == "cosine":
        return (1 + math.cos(math.pi * (epoch - 1) / recipe.epochs)) / 2
    if recipe.schedule == "step":
        return recipe.gamma ** sum(epoch > milestone for milestone in recipe.milestones)
    return 1.0


def log_spaced(count: int, epochs: int) -> list[int]:
    """`count` epochs from 1 to `epochs` at equal distances of log epoch, rounded; fewer where they coincide."""
    if count < 1 or epochs < 1:
        return []
    steps = max(count - 1, 1)
    return sorted({round(epochs ** (i / steps)) for i in range(count)})


def train(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    recipe: Recipe,
    generator: Generator,
    measure: Callable[[int, float | None], dict[str, Any] | None],
    *,
    kept_epochs: Iterable[int] = (),
    validation: tuple[Tensor, Tensor] | None = None,
    progress: Progress | None = None,
    after_epoch: Callable[[Progress], None] = lambda progress: None,
) -> Progress:
    """Train in place on images n x c x h x w, and say where the training ended.

    measure(epoch, rate) gives a row of the history, with `loss`, or None to record nothing; it is asked at epoch 0,
    before training (rate None), and after every epoch. The generator (on the CPU) orders the images anew every epoch.
    Weight decay acts on all parameters. group_lasso: coefficient of the sum of filter norms (Wen et al. 2016, eq. 4),
    as a proximal step after each gradient step. A filter that is zero, initially or by that step, is pruned: it stays
    zero. validation: images and labels for early stopping. progress: where an interrupted training stood; network and
    generator must be as they were. after_epoch is called when an epoch is over and recorded.
    The weights at kept_epochs, at 0 and at the end are kept. A training whose loss or weights are no longer finite ends
    at that epoch with a `status` that says so.
    """
    parameters = list(network.parameters())
    if progress is None:
        slots = 2 if recipe.optimizer == "adam" else 1
        progress = Progress(slots=[[torch.zeros_like(p) for p in parameters] for _ in range(slots)])
        progress.checkpoints[0] = state_of(network)
        _record(progress, measure(0, None))
    rows = filters(network)
    kept = [alive(weights) for weights in rows]
    pruning = recipe.group_lasso or not all(mask.all() for mask in kept)
    wanted = set(kept_epochs)
    loss_of = LOSSES[recipe.loss]
    while progress.epoch < recipe.epochs and progress.status == "ok" and not _enough(progress, recipe):
        epoch = progress.epoch = progress.epoch + 1
        rate = recipe.learning_rate * schedule(recipe, epoch)
        network.train()
        for batch in torch.randperm(len(labels), generator=generator).to(labels.device).split(recipe.batch_size):
            x = shifted(images[batch], generator) if recipe.augment else images[batch]
            gradients = torch.autograd.grad(loss_of(network(x), labels[batch]), parameters)
            progress.steps += 1
            descend(parameters, progress.slots, gradients, rate, recipe, progress.steps)
            if pruning:
                for i, weights in enumerate(rows):
                    weights *= kept[i]
                    if recipe.group_lasso:
                        shrink(weights, rate * recipe.group_lasso)
                        kept[i] = alive(weights)
        _record(progress, measure(epoch, rate))
        if not all(parameter.isfinite().all() for parameter in parameters):
            progress.status = f"diverged in epoch {epoch}"
        if validation is not None and progress.status == "ok":
            loss, _ = evaluate(network, *validation, recipe.loss)
            if loss < progress.best_loss:
                progress.best, progress.best_epoch, progress.best_loss = state_of(network), epoch, loss
        if epoch in wanted:
            progress.checkpoints[epoch] = state_of(network)
        after_epoch(progress)
    if progress.best and progress.status == "ok":
        network.load_state_dict(progress.best)
    progress.checkpoints[progress.final_epoch] = state_of(network)
    return progress


def state_of(network: nn.Module) -> dict[str, Tensor]:
    """A copy of the weights and of what batch norm keeps beside them, on the CPU."""
    return {key: tensor.detach().to("cpu", copy=True).contiguous() for key, tensor in network.state_dict().items()}


def _record(progress: Progress, row: dict[str, Any] | None) -> None:
    if row is not None:
        progress.history.append(row)
        if not math.isfinite(row["loss"]):
            progress.status = f"diverged in epoch {progress.epoch}"


def _enough(progress: Progress, recipe: Recipe) -> bool:
    last = progress.history[-1] if progress.history else None
    small = recipe.stop_at_loss is not None and last and last["loss"] <= recipe.stop_at_loss
    patient = recipe.early_stopping and progress.epoch - progress.best_epoch >= recipe.early_stopping
    return bool(small or patient)
