"""Published CIFAR-10 ResNets as networks that can be run."""

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from htsr.errors import InputError
from htsr.networks.resnet import ResNet

# Mean and standard deviation of grey levels (0 to 1), by channel, with which their authors' programs normalize images:
# akamaster/pytorch_resnet_cifar10 (trainer.py) those of ImageNet, IntelLabs/distiller (data_loaders.py) one half.
NORMALIZATIONS = {
    "akamaster": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "distiller": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
}
# The tensors' names there and here.
_RENAMED = ((r"^linear\.", "fc."), (r"\.(downsample|shortcut)\.", ".shortcut."))


def resnet_from_state(state: Mapping[str, Tensor]) -> ResNet:
    """The ResNet for small images whose weights are in a state dict, with these weights, in evaluation mode.

    state: tensors named as in akamaster's or Distiller's checkpoints or as in ours, read with `load_state`, which takes
    `module.` away. Width and depth are told by the shapes, shortcuts by the names: with weights of their own, padded
    with zeros after the channels as ours, or, in akamaster's, with half of the zeros before them.
    Layers that Distiller removed are still there with all weights zero. As its gates do, each such convolution of a
    block is passed over with its normalization and, if it is the first, its rectifier, and the input is added all the
    same: a block without both doubles its input.
    Raises InputError where the state is not that of such a network.
    """
    named = {_name(key): tensor for key, tensor in state.items()}
    blocks = {match[1] for key in named if (match := re.match(r"(layer[123]\.\d+)\.", key))}
    shapes = {key: tuple(tensor.shape) for key, tensor in named.items()}
    if not blocks or len(blocks) % 3 or any(len(shapes.get(key, ())) < 2 for key in ("conv1.weight", "fc.weight")):
        raise InputError("no ResNet for CIFAR-10: needs conv1, three stages layer1 to layer3 of equal depth, and fc")
    width, channels = shapes["conv1.weight"][:2]
    projection = any(".shortcut." in key for key in named)
    network = ResNet(width, 2 * len(blocks) + 2, (channels, 32, 32), shapes["fc.weight"][0], projection=projection)
    counters = {key: torch.tensor(0) for key in network.state_dict() if key.endswith("num_batches_tracked")}
    try:
        network.load_state_dict(counters | named)  # older versions of torch did not count batches
    except RuntimeError as error:
        reason = str(error).splitlines()[1].strip()
        raise InputError(f"no ResNet-{2 * len(blocks) + 2} of width {width} for CIFAR-10: {reason}") from error
    for stage in (network.layer1, network.layer2, network.layer3):
        for block in stage:
            block.before = block.new_channels // 2 if "linear.weight" in state else 0
            block.kept = tuple(bool(convolution.weight.any()) for convolution in (block.conv1, block.conv2))
    return network.eval()


def normalization_of(state: Mapping[str, Tensor]) -> str:
    """Whose images (NORMALIZATIONS) a published network sees, told by the names of its tensors."""
    return "akamaster" if "linear.weight" in state else "distiller"


def _name(key: str) -> str:
    for pattern, ours in _RENAMED:
        key = re.sub(pattern, ours, key)
    return key
