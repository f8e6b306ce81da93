"""The Jacobian of the softmax or the logits with respect to the parameters: the empirical neural tangent kernel.

Jacot, Gabriel, Hongler 2018 (1806.07572, section 4). As with respect to the input, all of it follows from the k - 1
gradients ∇_θ(z_c - z_r) of an example, θ all parameters in the network's order (those of batch normalization too, which
is not folded here), in evaluation mode.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, vjp, vmap

from htsr.errors import InputError
from htsr.jacobian.gradients import Block, evaluation_copy, one_thread
from htsr.jacobian.gram import LEVELS, Store, gram

BLOCK = 4  # examples: their gradients take 4 (k - 1) P bytes each
_WIDTH = 4096  # parameters whose columns are multiplied at a time


def parameter_gradients(network: nn.Module, images: np.ndarray | Tensor, *, double: bool = False) -> Iterator[Block]:
    """`gradients.logit_gradients` with respect to all P parameters: gradients b x (k-1) x P; by one thread.

    Raises InputError as it does, and where the network cannot be differentiated for many examples at once.
    """
    network, images = evaluation_copy(network, images, double)
    parameters = dict(network.named_parameters())

    def example(x: Tensor) -> tuple[Tensor, Tensor]:
        z, pull = vjp(lambda theta: functional_call(network, theta, (x[None],))[0], parameters)
        classes, r = torch.arange(len(z)), z.argmax()
        others = classes[:-1] + (classes[:-1] >= r)
        (found,) = vmap(pull)((classes == others[:, None]).to(z) - (classes == r).to(z))
        return z, torch.cat([found[name].flatten(1) for name in parameters], 1)

    def block(start: int) -> Block:
        x = images[torch.arange(start, start + BLOCK).clamp(max=len(images) - 1)]
        try:
            z, gradients = vmap(example)(x)
        except RuntimeError as error:
            raise InputError(f"the network cannot be differentiated for many examples at once: {error}") from error
        logits, b = z.double().numpy(), min(BLOCK, len(images) - start)
        return Block(start, logits[:b], logits[:b].argmax(axis=1), gradients[:b].numpy())

    with one_thread(), torch.no_grad():
        yield from map(block, range(0, len(images), BLOCK))  # torch.func does not bear several threads


def parameter_gram(
    network: nn.Module,
    images: np.ndarray | Tensor,
    *,
    level: str = "softmax",
    threads: int = 1,
    double: bool = False,
) -> tuple[np.ndarray, int]:
    """M = 𝒥𝒥ᵀ (n x n, float64), row i of 𝒥 the flattened Jacobian by the parameters at image i; and 𝒥's columns, k P.

    level: `softmax`, or `logit` for the logits less their mean. A temporary file takes 4 n (k - 1) P bytes, twice as
    much with `double`. threads: of the product. Arguments and errors as of `parameter_gradients`.
    """
    n, store, logits, reference = len(images), None, [], []
    for block in parameter_gradients(network, images, double=double):
        size = block.gradients.shape[2]
        pieces = range(0, size, _WIDTH)
        if store is None:
            store = Store(n * len(pieces), (block.gradients.shape[1], _WIDTH), block.gradients.dtype)
        for i, first in enumerate(pieces):  # zeros fill the last piece
            piece = block.gradients[:, :, first : first + _WIDTH]
            store.write(i * n + block.start, np.pad(piece, ((0, 0), (0, 0), (0, _WIDTH - piece.shape[2]))))
        logits.append(block.logits)
        reference.append(block.reference)
    logits, reference = np.concatenate(logits), np.concatenate(reference)

    def rows(piece: int, start: int, stop: int) -> np.ndarray:
        found = store.read(piece * n + start, piece * n + stop)
        return LEVELS[level](logits[start:stop], reference[start:stop], found).reshape(stop - start, -1)

    m = sum(gram(lambda *part, i=i: rows(i, *part), n, threads) for i in range(len(pieces)))
    return m, logits.shape[1] * size
