"""Products of a vector with the Hessian and the Gauss-Newton matrix of a mean loss, and what follows from them.

L(θ) = (1/n) Σ ℓ(f(x_i; θ), y_i) over n given examples, in evaluation mode: batch norm uses its running statistics,
which are constants here, and dropout is off. θ are all parameters, or those of one layer, flattened in the network's
order. Rectifiers have no curvature of their own: the products are those of the loss without its kinks (almost
everywhere exact; `htsr.landscape.curvature` measures what the kinks add).

The network runs in float32, or in float64 with `double`; the loss of its outputs is always taken in float64, since a
float32 softmax is saturated on well-learned examples, whose p(1 - p) is their whole contribution. Chunks are weighted
by their size and added in float64, so that their number does not matter (a sum of batch means would multiply the
Hessian by it). Networks are copied, never changed.
"""

import copy
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd import grad
from torch.func import functional_call, vjp, vmap

from htsr.errors import InputError
from htsr.networks.train import LOSSES, filters

Product = Callable[[np.ndarray], np.ndarray]
"""v -> A v for a symmetric matrix A: float64 vectors of length P in and out."""

# What the graph of a Hessian product holds, in multiples of what the forward pass alone holds.
_GRAPH = 4


def layers(network: nn.Module) -> list[str]:
    """The names of the modules that have a weight with two or more dimensions."""
    return [name.rpartition(".")[0] for name, p in network.named_parameters() if p.ndim > 1]


def parameters_of(network: nn.Module, layer: str | None = None) -> dict[str, Tensor]:
    """The parameters of one layer (a module's name), or all, by name; θ is these, flattened, one after the other.

    Raises InputError for a layer without parameters.
    """
    found = {name: p for name, p in network.named_parameters() if layer in (None, name.rpartition(".")[0])}
    if not found:
        raise InputError(f"layer {layer!r} has no parameters: choose one of {', '.join(layers(network))}")
    return found


def flatten(tensors: Sequence[Tensor]) -> np.ndarray:
    """One float64 vector of all entries."""
    return torch.cat([t.detach().reshape(-1).double() for t in tensors]).cpu().numpy()


def unflatten(vector: np.ndarray, like: Sequence[Tensor]) -> list[Tensor]:
    """The inverse of `flatten`, with the shapes and precision of `like`."""
    parts = torch.from_numpy(np.asarray(vector)).split([t.numel() for t in like])
    return [part.to(t).view(t.shape) for part, t in zip(parts, like, strict=True)]


def _prepared(network: nn.Module, layer: str | None, double: bool) -> tuple[nn.Module, list[Tensor]]:
    """A copy in evaluation mode where only the chosen parameters take part in derivatives, and these."""
    network = copy.deepcopy(network).eval()
    if double:
        network.double()
    if filters(network):
        network.to(memory_format=torch.channels_last)
    network.requires_grad_(False)
    chosen = list(parameters_of(network, layer).values())
    for parameter in chosen:
        parameter.requires_grad_(True)
    return network, chosen


def _chunks(network: nn.Module, images: np.ndarray, labels: np.ndarray, chunk: int) -> Iterator[tuple[Tensor, Tensor]]:
    like = next(network.parameters())
    for first in range(0, len(labels), chunk):
        x, y = (torch.from_numpy(np.ascontiguousarray(a[first : first + chunk])) for a in (images, labels))
        yield x.to(like), y.to(like.device)


def loss_and_gradient(
    network: nn.Module,
    images: np.ndarray,
    labels: np.ndarray,
    *,
    loss: str = "cross_entropy",
    layer: str | None = None,
    chunk: int = 128,
    double: bool = False,
) -> tuple[float, np.ndarray]:
    """L and ∇L (P) over images n x c x h x w and n labels; `loss` is a name of `htsr.networks.train.LOSSES`."""
    network, chosen = _prepared(network, layer, double)
    total, gradient = 0.0, 0.0
    for x, y in _chunks(network, images, labels, chunk):
        value = LOSSES[loss](network(x).double(), y, reduction="sum") / len(labels)
        total += value.item()
        gradient = gradient + flatten(grad(value, chosen, materialize_grads=True))
    return total, gradient


def hessian_product(
    network: nn.Module,
    images: np.ndarray,
    labels: np.ndarray,
    *,
    loss: str = "cross_entropy",
    layer: str | None = None,
    chunk: int = 128,
    double: bool = False,
    memory: float = 4e9,
) -> Product:
    """v -> H v, H = ∇²L (P x P), by two reverse passes (Pearlmutter 1994, Neural Comput. 6, 147).

    The graph of the gradient is kept from one product to the next where it is expected to fit into `memory` bytes,
    which leaves of a product only the second reverse pass; otherwise it is made anew. Both give the same values.
    """
    network, chosen = _prepared(network, layer, double)

    def graph(x: Tensor, y: Tensor) -> tuple[Tensor, ...]:
        value = LOSSES[loss](network(x).double(), y, reduction="sum") / len(labels)
        return grad(value, chosen, create_graph=True, materialize_grads=True)

    def apply(gradients: tuple[Tensor, ...], parts: list[Tensor]) -> tuple[Tensor, ...]:
        pairs = [(g, v) for g, v in zip(gradients, parts, strict=True) if g.requires_grad]
        if not pairs:
            return tuple(map(torch.zeros_like, chosen))
        gradients, parts = zip(*pairs, strict=True)
        return grad(gradients, chosen, parts, retain_graph=True, materialize_grads=True)

    return _product(network, chosen, list(_chunks(network, images, labels, chunk)), graph, apply, memory)


def gauss_newton_product(
    network: nn.Module,
    images: np.ndarray,
    *,
    loss: str = "cross_entropy",
    layer: str | None = None,
    chunk: int = 128,
    double: bool = False,
    memory: float = 4e9,
) -> Product:
    """v -> G v, G = (1/n) Σ JᵢᵀHᵢJᵢ (Schraudolph 2002, Neural Comput. 14, 1723): H without the curvature of f.

    Jᵢ: outputs of example i with respect to θ; Hᵢ: second derivative of its loss with respect to them, which does not
    depend on the labels. Jv is the derivative of Jᵀu, linear in u, with respect to u. memory: see `hessian_product`.
    """
    network, chosen = _prepared(network, layer, double)

    def graph(x: Tensor, _: Tensor) -> tuple[Tensor, ...]:
        z = network(x)
        u = torch.zeros_like(z, requires_grad=True)
        return z, u, *grad(z, chosen, u, create_graph=True, materialize_grads=True)

    def apply(built: tuple[Tensor, ...], parts: list[Tensor]) -> tuple[Tensor, ...]:
        z, u, *pulled = built
        pulled, parts = zip(*[(g, v) for g, v in zip(pulled, parts, strict=True) if g.requires_grad], strict=True)
        (pushed,) = grad(pulled, u, parts, retain_graph=True)
        curved = output_curvature(z.detach().double(), pushed.double(), loss) / len(images)
        return grad(z, chosen, curved.to(z), retain_graph=True, materialize_grads=True)

    pieces = list(_chunks(network, images, np.zeros(len(images), np.int64), chunk))
    return _product(network, chosen, pieces, graph, apply, memory)


def output_curvature(z: Tensor, u: Tensor, loss: str) -> Tensor:
    """Hᵢuᵢ for outputs z and vectors u, both n x k in float64: (diag p - ppᵀ)u with p = softmax(z), or 2u/k."""
    if loss == "squared":
        return 2 * u / z.shape[1]
    top = z.argmax(dim=1, keepdim=True)
    p, rest = z.softmax(dim=1), u - u.gather(1, top)  # rest is 0 where p is near 1: nothing cancels
    return p * (rest - (p * rest).sum(dim=1, keepdim=True))


def _product(network, chosen, pieces, graph, apply, memory: float) -> Product:
    """The sum over pieces of `apply(graph(x, y), v)`, with as many graphs kept as are expected to fit into memory."""
    fits = int(memory / max(_GRAPH * _forward_bytes(network, pieces[0][0]), 1))
    kept = [graph(x, y) for x, y in pieces[:fits]]

    def product(vector: np.ndarray) -> np.ndarray:
        parts = unflatten(vector, chosen)
        total = np.zeros(len(vector))
        for i, (x, y) in enumerate(pieces):
            total += flatten(apply(kept[i] if i < len(kept) else graph(x, y), parts))
        return total

    return product


def _forward_bytes(network: nn.Module, x: Tensor) -> int:
    """What a forward pass keeps for its derivatives, each storage once."""
    sizes = {}

    def pack(tensor: Tensor) -> Tensor:
        sizes[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor.detach()

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        network(x)
    return sum(sizes.values())


def dense(product: Product, size: int) -> np.ndarray:
    """The matrix (size x size) of a product, its rounding errors made symmetric; for small networks."""
    matrix = np.stack([product(unit) for unit in np.eye(size)])
    return (matrix + matrix.T) / 2


def _factor(z: Tensor, loss: str) -> Tensor:
    """S (n x r x k, float64) with SᵢᵀSᵢ = Hᵢ, rows of r = k - 1 (cross entropy) or k (squared) per example.

    With the most probable class t as reference, diag p - ppᵀ = EᵀΣE with rows e_c - e_t of E and Σ = D(I - aaᵀ)D,
    D = diag a, a = √p of the others; and (I - aaᵀ)^½ = I - aaᵀ/(1 + √p_t). No difference of close numbers is taken, so
    that the smallest curvatures of well-learned examples are right to rounding.
    """
    n, k = z.shape
    if loss == "squared":
        return ((2 / k) ** 0.5 * torch.eye(k, dtype=z.dtype)).expand(n, k, k)
    p = z.softmax(dim=1)
    top = z.argmax(dim=1, keepdim=True)
    others = torch.arange(k).expand(n, k)[torch.arange(k) != top].view(n, k - 1)
    a = p.gather(1, others).sqrt()
    root = torch.eye(k - 1, dtype=z.dtype) - a[:, :, None] * a[:, None, :] / (1 + p.gather(1, top).sqrt())[:, :, None]
    root = root * a[:, None, :]
    s = torch.zeros(n, k - 1, k, dtype=z.dtype)
    s.scatter_(2, others[:, None, :].expand(n, k - 1, k - 1), root)
    return s.scatter_(2, top[:, None, :].expand(n, k - 1, 1), -root.sum(dim=2, keepdim=True))


def gauss_newton_gram(
    network: nn.Module,
    images: np.ndarray,
    *,
    loss: str = "cross_entropy",
    layer: str | None = None,
    chunk: int = 16,
) -> tuple[np.ndarray, int]:
    """A matrix (float64) with the non-zero eigenvalues of the Gauss-Newton matrix G, and P.

    G = BᵀB with the n r x P rows SᵢJᵢ/√n, r = k - 1 (cross entropy) or k (squared): BBᵀ where there are fewer rows than
    parameters, G itself otherwise. Rows are computed in float32 and multiplied in float64; they take 4 n r P bytes.
    """
    network, chosen = _prepared(network, layer, double=False)
    network.requires_grad_(False)
    names = list(parameters_of(network, layer))
    parameters = dict(zip(names, chosen, strict=True))

    def rows(x: Tensor, s: Tensor) -> Tensor:
        _, pull = vjp(lambda given: functional_call(network, given, (x[None],))[0], parameters)
        pulled = vmap(lambda vector: pull(vector)[0])(s)
        return torch.cat([pulled[name].flatten(1) for name in names], dim=1)

    found = []
    for x, _ in _chunks(network, images, np.zeros(len(images), np.int64), chunk):
        with torch.no_grad():
            s = _factor(network(x).double().cpu(), loss) / len(images) ** 0.5
        found.append(vmap(rows)(x, s.to(x)).flatten(0, 1).cpu().numpy())
    matrix = np.concatenate(found)
    side = matrix if len(matrix) <= matrix.shape[1] else matrix.T
    gram = np.zeros((len(side), len(side)))
    for first in range(0, side.shape[1], 8192):
        block = side[:, first : first + 8192].astype(float)
        gram += block @ block.T
    return gram, matrix.shape[1]


def fisher_rao(
    network: nn.Module,
    images: np.ndarray,
    *,
    loss: str = "cross_entropy",
    layer: str | None = None,
    chunk: int = 128,
) -> np.ndarray:
    """(Jᵢθ)ᵀHᵢ(Jᵢθ) of each example (n): the mean is θᵀGθ.

    For the cross entropy and all parameters the square of the Fisher-Rao norm (Liang et al. 2019, arXiv 1711.01530,
    definition 2). It does not change when a layer with rectified outputs is multiplied by a number and the weights of
    the next one are divided by it.
    """
    network, chosen = _prepared(network, layer, double=False)
    found = []
    for x, _ in _chunks(network, images, np.zeros(len(images), np.int64), chunk):
        z = network(x)
        u = torch.zeros_like(z, requires_grad=True)
        pulled = grad(z, chosen, u, create_graph=True, materialize_grads=True)
        inner = sum((g * p.detach()).sum() for g, p in zip(pulled, chosen, strict=True))
        (pushed,) = grad(inner, u)
        pushed = pushed.double()
        found.append((pushed * output_curvature(z.detach().double(), pushed, loss)).sum(dim=1).cpu().numpy())
    return np.concatenate(found)


def filter_norms(network: nn.Module, layer: str | None = None) -> tuple[np.ndarray, np.ndarray]:
    """For each entry of θ the norm of the filter that it belongs to, and how many entries that has (both P, float64).

    A filter is what leads to one output of a convolution or one unit of a fully connected layer (Li et al. 2018,
    section 4). Biases and the parameters of batch norm have none: norm 0 and size 1, as their directions are 0.
    """
    norms, sizes = [], []
    for parameter in parameters_of(network, layer).values():
        norm, size = torch.zeros(parameter.shape, dtype=torch.double), 1
        if parameter.ndim > 1:
            own = parameter.detach().flatten(1).double().norm(dim=1).cpu()
            norm, size = own[:, None].expand(parameter.flatten(1).shape), parameter[0].numel()
        norms.append(norm.reshape(-1).numpy())
        sizes.append(np.full(parameter.numel(), float(size)))
    return np.concatenate(norms), np.concatenate(sizes)


def scaled(product: Product, scale: np.ndarray) -> Product:
    """v -> D A D v for a diagonal matrix D (its diagonal, P): A in the coordinates θ/D."""
    return lambda vector: scale * product(scale * vector)
