"""The loss at any state of a network's weights, on fixed examples."""

import copy
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from math import ceil
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot
from torch.nn.modules.batchnorm import _BatchNorm

from htsr.errors import InputError
from htsr.networks.folding import fold, fold_batch_norm, folding_plan
from htsr.networks.train import filters

POLICIES = ("frozen", "recalibrated")
# Examples of one forward pass hold so many pixels together: what they become fits the caches of a core.
_PIXELS = 32768
# Images of one batch by which statistics are estimated anew, about: as in training.
_BATCH = 128


class Loss(NamedTuple):
    """Mean loss over n examples, its standard error over them, and the accuracy in percent.

    Not finite where the loss of one example is not; the standard error is then NaN.
    """

    loss: float
    stderr: float
    accuracy: float


def evaluator(
    network: nn.Module,
    examples: Mapping[str, tuple[Tensor, Tensor]],
    *,
    batch_norm: str = "frozen",
    calibration: Tensor | None = None,
    loss: str = "cross_entropy",
    threads: int = 1,
) -> Callable[[Mapping[str, Tensor]], dict[str, Loss]]:
    """A function of a state of the network: its losses on each of several named sets of examples.

    examples: images (n x c x h x w) and n classes by name. batch_norm: `frozen` normalizes by the running statistics in
    the state, `recalibrated` by statistics estimated anew at every state on the images `calibration`: equal means of
    those of batches of about 128 images, in one pass, everything but batch normalization in evaluation mode. Each of k
    batches takes every k-th image, so that classes are mixed where images are ordered by class.
    The network is copied, its batch normalization folded for evaluation. Examples go through it in chunks of a fixed
    number, summed in float64 example by example, so that losses depend neither on `threads` nor on what was evaluated
    before. torch should have one thread of its own. Raises InputError for another policy, for fewer than two images to
    calibrate by, and as `htsr.networks.folding`.
    """
    if batch_norm not in POLICIES:
        raise InputError(f"batch_norm {batch_norm!r}: choose one of {', '.join(POLICIES)}")
    recalibrated = batch_norm == "recalibrated" and any(isinstance(m, _BatchNorm) for m in network.modules())
    if recalibrated and (calibration is None or len(calibration) < 2):
        raise InputError("recalibrated batch norm needs two training images or more: raise train_examples")
    layout = torch.channels_last if filters(network) else torch.contiguous_format
    first = next(iter(examples.values()))[0][:2]
    plan = folding_plan(network, first)
    folded = fold_batch_norm(network, first, plan).to(memory_format=layout)
    unfolded = copy.deepcopy(network).eval().to(memory_format=layout) if recalibrated else None
    batches = []
    if recalibrated:
        count = ceil(len(calibration) / _BATCH)
        batches = [calibration[i::count].contiguous(memory_format=layout) for i in range(count)]
    chunk = max(1, _PIXELS // first[0, 0].numel())
    chunks = {
        name: [(x.contiguous(memory_format=layout), y) for x, y in zip(*(t.split(chunk) for t in pair), strict=True)]
        for name, pair in examples.items()
    }

    @torch.no_grad()
    def losses(pair: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        scores = folded(pair[0])
        right = (scores.argmax(dim=1) == pair[1]) & ~scores.isnan().any(dim=1)
        return example_losses(scores, pair[1], loss), right

    @torch.no_grad()
    def evaluate(state: Mapping[str, Tensor]) -> dict[str, Loss]:
        if recalibrated:
            unfolded.load_state_dict(state)
            recalibrate(unfolded, batches)
            state = unfolded.state_dict()
        folded.load_state_dict(fold(state, plan))
        found = {}
        for name, pairs in chunks.items():
            if threads > 1:
                with ThreadPoolExecutor(threads) as pool:
                    parts = list(pool.map(losses, pairs))
            else:
                parts = [losses(pair) for pair in pairs]
            found[name] = _summary(*(torch.cat(part) for part in zip(*parts, strict=True)))
        return found

    return evaluate


def example_losses(scores: Tensor, labels: Tensor, loss: str) -> Tensor:
    """The loss of each example in float64, from scores n x k; of the name `htsr.networks.train.LOSSES` has it under."""
    scores = scores.double()
    if loss == "squared":
        return (scores - one_hot(labels, scores.shape[1])).square().mean(dim=1)
    return cross_entropy(scores, labels, reduction="none")


def _summary(losses: Tensor, right: Tensor) -> Loss:
    n = len(losses)
    stderr = (losses.std() / n**0.5).item() if n > 1 else float("nan")
    return Loss(losses.mean().item(), stderr, 100 * right.sum().item() / n)


@torch.no_grad()
def recalibrate(network: nn.Module, batches: list[Tensor]) -> None:
    """Estimate the running statistics of batch normalization anew: means of those of the batches, in place.

    The network stays in evaluation mode elsewhere, and is in it at the end.
    """
    network.eval()
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    kept = [module.momentum for module in norms]
    for module in norms:
        module.reset_running_stats()
        module.momentum = None  # equal weights
        module.train()
    for batch in batches:
        network(batch)
    for module, momentum in zip(norms, kept, strict=True):
        module.momentum = momentum
        module.eval()
