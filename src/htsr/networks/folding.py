"""Batch normalization folded into the layer before it."""

import copy
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from htsr.errors import InputError

_LAYERS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)
# Largest difference of outputs in float64, as a share of the largest output, that is rounding.
_ROUNDING = 1e-9


class Fold(NamedTuple):
    """A layer and the batch normalization that takes its output alone, by module name, with its epsilon."""

    layer: str
    norm: str
    eps: float


def fold_batch_norm(network: nn.Module, images: Tensor, plan: Sequence[Fold] | None = None) -> nn.Module:
    """A copy of the network for evaluation whose batch normalizations are part of the layers before them.

    A normalization by the running mean μ and variance v, y = γ (w x + b - μ) / √(v + ε) + β, is the layer with weights
    s w and bias s (b - μ) + β, s = γ / √(v + ε) (Jacob et al. 2018, 1712.05877, section 3.2). Done in float64 and kept
    in the network's precision. Normalizations that are not alone behind a layer stay as they are.
    images: a few examples, n x c x h x w, on which the plan is found (if it is not given) and checked: in float64 the
    outputs must be those of the original. No parameter of the copy requires a gradient; the original is untouched.
    Raises InputError where folding changes the outputs, and as `check_batch_norm`.
    """
    plan = folding_plan(network, images) if plan is None else plan
    exact = copy.deepcopy(network).eval().double()
    with torch.no_grad():
        expected, found = (n(images.to(torch.float64, copy=True)) for n in (exact, _folded(exact, plan)))
    if (found - expected).abs().max() > _ROUNDING * expected.abs().max():  # False for NaN
        raise InputError(
            "folding batch normalization changes the outputs: the network uses the weights or outputs of a layer "
            "elsewhere than in the layer and its batch normalization"
        )
    return _folded(network, plan)


@torch.enable_grad()
def folding_plan(network: nn.Module, images: Tensor) -> list[Fold]:
    """The batch normalizations that can be folded: found by one forward pass of images (n x c x h x w), in eval mode.

    Such a layer and normalization are called once, under one name each, and autograd's graph shows that nothing but the
    normalization takes the layer's output. Layers: fully connected ones and convolutions that are not transposed.
    Raises InputError as `check_batch_norm`.
    """
    check_batch_norm(network)
    network = copy.deepcopy(network).eval()
    names = defaultdict(list)
    for name, module in network.named_modules(remove_duplicate=False):
        names[module].append(name)
    calls = defaultdict(list)  # module: the nodes of autograd's graph before and behind it, one pair a call

    def called(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        aligned = inputs[0].ndim == output.ndim and (not isinstance(module, nn.Linear) or output.ndim == 2)
        calls[module].append((inputs[0].grad_fn, output.grad_fn, aligned))

    for module in names:
        if isinstance(module, (*_LAYERS, _BatchNorm)):
            module.register_forward_hook(called)
    output = network(images.detach().requires_grad_().clone())  # it may write into its input
    takers = _takers(output)
    once = {module: found[0] for module, found in calls.items() if len(found) == 1 == len(names[module])}
    layers = {
        behind: module
        for module, (_, behind, aligned) in once.items()
        if isinstance(module, _LAYERS) and aligned and behind is not None and "weight" in module._parameters
    }  # a weight that is no parameter of its own is made of others, as by weight normalization
    return [
        Fold(names[layers[before]][0], names[module][0], module.eps)
        for module, (before, behind, _) in once.items()
        if isinstance(module, _BatchNorm) and before in layers and takers[before] == [behind]
    ]


@torch.no_grad()
def fold(state: Mapping[str, Tensor], plan: Sequence[Fold]) -> dict[str, Tensor]:
    """The state dict of the folded network, which `load_state_dict` of a `fold_batch_norm` with this plan takes."""
    folded = dict(state)
    for layer, norm, eps in plan:
        mean, variance = (folded.pop(f"{norm}.running_{key}").double() for key in ("mean", "var"))
        folded.pop(f"{norm}.num_batches_tracked", None)
        gamma, beta = (folded.pop(f"{norm}.{key}", None) for key in ("weight", "bias"))
        weight, bias = folded[f"{layer}.weight"], folded.get(f"{layer}.bias")
        scale = (variance + eps).rsqrt()
        if gamma is not None:
            scale = scale * gamma
        shift = (-mean if bias is None else bias - mean) * scale
        if beta is not None:
            shift = shift + beta
        folded[f"{layer}.weight"] = (weight * scale.view(-1, *[1] * (weight.ndim - 1))).to(weight.dtype)
        folded[f"{layer}.bias"] = shift.to(weight.dtype)
    return folded


def check_batch_norm(network: nn.Module) -> None:
    """Raises InputError for batch normalization without running statistics: it mixes the examples of a batch always."""
    for name, module in network.named_modules():
        if isinstance(module, _BatchNorm) and (module.running_mean is None or module.running_var is None):
            raise InputError(
                f"{name}: batch normalization without running statistics (track_running_stats=False) normalizes by the "
                "batch in evaluation too, so that an example's output depends on the others: train with running ones"
            )


def _folded(network: nn.Module, plan: Sequence[Fold]) -> nn.Module:
    folded = copy.deepcopy(network).eval()
    for layer, norm, _ in plan:
        module = folded.get_submodule(layer)
        module.weight = nn.Parameter(torch.empty_like(module.weight))  # not shared with another module
        module.bias = nn.Parameter(module.weight.new_empty(len(module.weight)))
        folded.set_submodule(norm, nn.Identity())
    folded.load_state_dict(fold(network.state_dict(), plan))
    return folded.requires_grad_(False)


def _takers(output: Tensor) -> Mapping[object, list[object]]:
    """The nodes of autograd's graph behind an output, each with those that take what it makes."""
    takers = defaultdict(list)
    waiting, seen = [output.grad_fn], {None, output.grad_fn}
    while waiting:
        node = waiting.pop()
        for child, _ in node.next_functions if node is not None else ():
            takers[child].append(node)
            if child not in seen:
                seen.add(child)
                waiting.append(child)
    return takers
