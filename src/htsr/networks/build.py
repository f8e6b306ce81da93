"""Networks by name."""

from torch import Generator, nn

from htsr.errors import InputError
from htsr.networks.lenet import lenet
from htsr.networks.perceptron import mlp
from htsr.networks.resnet import ResNet

# name: (architecture, how its depth counts, the depths that exist)
NETWORKS = {
    "mlp": (mlp, "2 or more", lambda depth: depth >= 2),
    "lenet": (lenet, "5 or more", lambda depth: depth >= 5),
    "resnet": (ResNet, "6 n + 2: 8, 14, 20, ...", lambda depth: depth >= 8 and depth % 6 == 2),
}


def build(
    name: str, width: int, depth: int, shape: tuple[int, int, int], classes: int, generator: Generator
) -> nn.Module:
    """The network `name` for images of `shape` (channels, height, width), with initial weights from the generator.

    depth counts layers with weights (fully connected and convolutional), width is the number of units or of filters (in
    the first stage). Weights are Gaussian with variance 2 / fan-in, biases 0 (He et al. 2015, eq. 10).
    Raises InputError for a name, width or depth that does not exist.
    """
    if name not in NETWORKS:
        raise InputError(f"network {name!r} is unknown: choose one of {', '.join(sorted(NETWORKS))}")
    architecture, depths, exists = NETWORKS[name]
    if not exists(depth):
        raise InputError(f"network {name!r} has no depth {depth}: choose {depths}")
    if width < 1:
        raise InputError(f"network {name!r}: width {width} is not positive")
    network = architecture(width, depth, shape, classes)
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return network
