"""Derivatives of a classifier's outputs with respect to its input, example by example.

x: an example of d pixels (channels x height x width, flattened in this order); z(x): its k logits; p = softmax(z).
J_p = (diag p - p pᵀ) J_z has rank k - 1 at most, so all of it, and of the Jacobian of the centred logits, follows from
the k - 1 gradients ∇(z_c - z_r) with r the class of the largest logit: one forward pass and k - 1 backward passes for a
whole block of examples. Examples must not influence each other, which is checked.

Networks are copied, put into evaluation mode, and their batch normalizations folded; the given ones are not touched.
Examples are worked on in blocks of `BLOCK`, the last one filled up, each by one thread of torch: numbers do not depend
on how many examples there are, nor on how many blocks are worked on side by side, to the last bit.
"""

import copy
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from htsr.errors import InputError
from htsr.networks.folding import check_batch_norm, fold_batch_norm

BLOCK = 32
_PROBED = 4  # examples that a network is tried on
_A, _B = TypeVar("_A"), TypeVar("_B")


class Block(NamedTuple):
    """Consecutive examples: the first one's number, logits (b x k, float64), reference (b), gradients (b x (k-1) x d).

    reference: the class r of the largest logit. gradients[i, j] = ∇(z_c - z_r), c the j-th of `other_classes`.
    """

    start: int
    logits: np.ndarray
    reference: np.ndarray
    gradients: np.ndarray


def other_classes(reference: np.ndarray, classes: int) -> np.ndarray:
    """The classes but the reference (b), ascending: b x (k-1)."""
    c = np.arange(classes - 1)
    return c + (c >= reference[:, None])


def logit_gradients(
    network: nn.Module, images: np.ndarray | Tensor, *, threads: int = 1, double: bool = False
) -> Iterator[Block]:
    """The blocks of all examples, in order: k - 1 backward passes over each.

    images: n x c x h x w, as the network takes them. threads: blocks worked on side by side. double: the passes in
    float64 instead of float32; the gradients have this precision. In float32 they are right to about 1e-6 and J_p, by
    the rounding of the logits, to 1e-6 of the largest logit; the few examples (under 2 % on digits) where a rectifier's
    input is zero within rounding have derivatives of its other side. In float64 nothing of that is left.
    Raises InputError as `prepared` (at the first block).
    """
    network, images = prepared(network, images, double)
    yield from differences(network, images, threads)


def differences(network: nn.Module, images: Tensor, threads: int) -> Iterator[Block]:
    """`logit_gradients` of a prepared network."""

    @torch.enable_grad()  # of each thread, whatever the caller's mode
    def block(start: int) -> Block:
        x = _examples(images, start)
        z = network(x.clone())  # a network may write into its input
        logits = z.detach().double().numpy()
        reference = logits.argmax(axis=1)
        others, every = other_classes(reference, logits.shape[1]), torch.arange(len(x))
        gradients = np.empty((*others.shape, x[0].numel()), np.dtype(str(x.dtype).removeprefix("torch.")))
        for j, c in enumerate(others.T):
            seed = torch.zeros_like(z)
            seed[every, torch.from_numpy(c)], seed[every, torch.from_numpy(reference)] = 1, -1
            (found,) = torch.autograd.grad(z, x, seed, retain_graph=j + 1 < others.shape[1])
            gradients[:, j] = found.flatten(1).numpy()
        b = min(BLOCK, len(images) - start)
        return Block(start, logits[:b], reference[:b], gradients[:b])

    with one_thread():
        yield from in_order(block, range(0, len(images), BLOCK), threads)


def output_jacobian(
    network: nn.Module, images: np.ndarray | Tensor, *, threads: int = 1, double: bool = False
) -> np.ndarray:
    """∂f/∂x of all k >= 1 outputs f as they are, by k backward passes: n x k x d, float64.

    Arguments and errors as of `logit_gradients`, but for outputs that need not be a classifier's.
    """
    network, images = prepared(network, images, double, classes=1)

    @torch.enable_grad()
    def block(start: int) -> np.ndarray:
        x = _examples(images, start)
        f = network(x.clone())
        rows = []
        for c in range(f.shape[1]):
            seed = torch.zeros_like(f)
            seed[:, c] = 1
            rows += torch.autograd.grad(f, x, seed, retain_graph=c + 1 < f.shape[1])
        return torch.stack([row.flatten(1) for row in rows], 1)[: len(images) - start].double().numpy()

    with one_thread():
        return np.concatenate(list(in_order(block, range(0, len(images), BLOCK), threads)))


def probabilities(logits: np.ndarray) -> np.ndarray:
    """softmax of n x k logits, float64, from their differences to the largest: the small ones to full precision."""
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


def softmax_jacobian(logits: np.ndarray, reference: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    """J_p of the examples of a `Block`: b x k x d, float64; its rows sum to 0.

    J_c = p_c Σ_j p_j (∇z_c - ∇z_j) is, with g_j = ∇(z_j - z_r), p_c (g_c - Σ_j p_j g_j) for c ≠ r and -p_r Σ_j p_j g_j
    for the reference. 1 - p_r, zero in a saturated network's arithmetic, is nowhere needed.
    """
    p = probabilities(logits)
    others = other_classes(reference, p.shape[1])
    q = np.take_along_axis(p, others, axis=1)
    factors = -p[:, :, None] * q[:, None, :]
    rows, columns = np.arange(len(p))[:, None], np.arange(others.shape[1])
    factors[rows, others, columns] += q
    return factors @ gradients.astype(np.float64)


def logit_jacobian(logits: np.ndarray, reference: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    """Jacobian of the logits less their mean over the classes, of the examples of a `Block`: b x k x d, float64.

    The probabilities do not depend on that mean, so neither training nor any prediction determines its gradient; its
    rows sum to 0 as those of J_p do.
    """
    k = logits.shape[1]
    others = other_classes(reference, k)
    factors = np.full((len(logits), k, k - 1), -1 / k)
    factors[np.arange(len(logits))[:, None], others, np.arange(k - 1)] += 1
    return factors @ gradients.astype(np.float64)


class FirstLayer(NamedTuple):
    """A fully connected first layer x -> W x + b with fewer units u than pixels d, taken off its network.

    layer: images -> pre-activations. rest: pre-activations -> outputs. W = factor @ back with the rows of `back` (u x
    d) orthonormal, both float64: the derivatives A by the pre-activations give those by the pixels as A @ factor @
    back, and A @ factor has the same inner products.
    """

    layer: nn.Module
    rest: nn.Module
    factor: np.ndarray
    back: np.ndarray


def first_layer(network: nn.Module) -> FirstLayer | None:
    """The first layer of a chain that begins [flatten,] fully connected, with fewer units than pixels; None otherwise.

    W Wᵀ = factor factorᵀ by a QR decomposition of Wᵀ, which does not square W's condition.
    """
    if not isinstance(network, nn.Sequential):
        return None
    modules = list(network)
    at = next((i for i, module in enumerate(modules) if not isinstance(module, nn.Flatten | nn.Identity)), len(modules))
    flattens = (module for module in modules[:at] if isinstance(module, nn.Flatten))
    if any((module.start_dim, module.end_dim) != (1, -1) for module in flattens):
        return None
    if at == len(modules) or not isinstance(modules[at], nn.Linear):
        return None
    layer = modules[at]
    if not layer.out_features < layer.in_features:
        return None
    q, r = np.linalg.qr(layer.weight.detach().double().numpy().T)
    return FirstLayer(nn.Sequential(*modules[: at + 1]), nn.Sequential(*modules[at + 1 :]), r.T, q.T)


def preactivations(first: FirstLayer, images: Tensor) -> Tensor:
    """What the first layer gives for prepared images: n x u, in the network's precision."""
    with one_thread(), torch.no_grad():
        blocks = [first.layer(_examples(images, start)) for start in range(0, len(images), BLOCK)]
    return torch.cat(blocks)[: len(images)]


def prepared(
    network: nn.Module, images: np.ndarray | Tensor, double: bool = False, classes: int = 2
) -> tuple[nn.Module, Tensor]:
    """A copy of the network to differentiate, folded and without gradients for its parameters, and the images.

    Both on the CPU and in float32, or float64; with the channels of a pixel side by side where there are convolutions,
    which are faster then.
    Raises InputError for images that are no finite floating-point numbers, and where the network is no classifier (n x
    k outputs, k >= classes) that can be differentiated example by example: its forward pass fails, outputs do not
    depend on the input in autograd's sense, batch normalization without running statistics, examples that influence
    each other.
    """
    network, images = evaluation_copy(network, images, double, classes)
    network = fold_batch_norm(network, images[_probe(images)])
    if any(isinstance(module, nn.Conv2d) for module in network.modules()) and images.ndim == 4:
        network, images = (part.to(memory_format=torch.channels_last) for part in (network, images))
    return network, images


def evaluation_copy(
    network: nn.Module, images: np.ndarray | Tensor, double: bool, classes: int = 2
) -> tuple[nn.Module, Tensor]:
    """`prepared` before anything is folded or laid out anew, with the same errors."""
    check_batch_norm(network)
    dtype = torch.float64 if double else torch.float32
    images = torch.as_tensor(images).detach()
    if images.ndim < 2 or not len(images):
        raise InputError(f"images of shape {tuple(images.shape)}: n x channels x height x width are needed, n >= 1")
    if not images.is_floating_point():
        raise InputError(f"images of {images.dtype}: they must be floating-point numbers, normalized as for training")
    bad = ~images.isfinite().flatten(1).all(dim=1)
    if bad.any():
        raise InputError(f"{int(bad.sum())} of {len(images)} images have NaN or infinite pixels: leave them out")
    network, images = copy.deepcopy(network).eval().to("cpu", dtype), images.to("cpu", dtype)
    _check_outputs(network.requires_grad_(False), images[_probe(images)], classes)
    return network, images


def _probe(images: Tensor) -> Tensor:
    """Numbers of a few examples, two at least: of a single one, the same twice."""
    return torch.arange(min(max(len(images), 2), _PROBED)) % len(images)


@torch.enable_grad()
def _check_outputs(network: nn.Module, images: Tensor, classes: int) -> None:
    x = images.clone().requires_grad_()
    n, half = len(x), len(x) // 2
    try:
        z = network(x.clone())
    except RuntimeError as error:
        shape = " x ".join(map(str, x.shape[1:]))
        raise InputError(f"the network does not run on images of {shape}: {_first_line(error)}") from error
    if not isinstance(z, Tensor) or z.ndim != 2 or len(z) != n or z.shape[1] < classes:
        given = f"a tensor of shape {tuple(z.shape)}" if isinstance(z, Tensor) else f"a {type(z).__name__}"
        raise InputError(
            f"the network is no classifier: for {n} images it gives {given} instead of {n} x k numbers, k >= {classes}"
        )
    if not z.requires_grad:
        raise InputError(
            "the network cannot be differentiated: its outputs do not depend on the input in autograd's sense "
            "(integer or detached operations)"
        )
    weights = torch.arange(1, z.shape[1] + 1, dtype=z.dtype)  # probabilities, unweighted, have a constant sum
    try:
        by_first, by_second = (
            torch.autograd.grad((part * weights).sum(), x, retain_graph=True)[0] for part in (z[:half], z[half:])
        )
    except RuntimeError as error:
        raise InputError(f"the network cannot be differentiated: {_first_line(error)}") from error
    if by_first[half:].nan_to_num().any() or by_second[:half].nan_to_num().any():
        raise InputError(
            "an example's outputs depend on the other examples of its batch, in evaluation mode too: there is no "
            "Jacobian by example"
        )


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _examples(images: Tensor, start: int) -> Tensor:
    """A block of always `BLOCK` examples, the last one again where there are no more; a leaf to differentiate by."""
    which = torch.arange(start, start + BLOCK).clamp(max=len(images) - 1)
    return images[which].requires_grad_()


@contextmanager
def one_thread() -> Iterator[None]:
    """torch with one thread an operation: how a sum is split, and so its last bits, depends on their number."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def in_order(work: Callable[[_A], _B], items: Iterable[_A], threads: int) -> Iterator[_B]:
    """`map` by so many threads, results in the order of the items; few more than asked for are made ahead."""
    if threads < 2:
        yield from map(work, items)
        return
    with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        waiting: deque = deque()
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
