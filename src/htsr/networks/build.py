"""Networks by name."""

from torch import Generator, nn

from htsr.errors import InputError
from htsr.networks.alexnet import minialexnet
from htsr.networks.lenet import lenet, lenet5
from htsr.networks.perceptron import mlp
from htsr.networks.resnet import ResNet
from htsr.networks.vgg import vgg9
from htsr.networks.wide_resnet import WideResNet

# name: (architecture, how its depth counts, the depths that exist, which of dropout and skip it takes)
NETWORKS = {
    "mlp": (mlp, "2 or more", lambda depth: depth >= 2, {"dropout"}),
    "lenet": (lenet, "5 or more", lambda depth: depth >= 5, {"dropout"}),
    "lenet5": (lenet5, "4", lambda depth: depth == 4, {"dropout"}),
    "minialexnet": (minialexnet, "5", lambda depth: depth == 5, {"dropout"}),
    "vgg9": (vgg9, "9", lambda depth: depth == 9, {"dropout"}),
    "resnet": (ResNet, "6 n + 2: 8, 14, 20, ...", lambda depth: depth >= 8 and depth % 6 == 2, {"skip"}),
    "wide_resnet": (
        WideResNet,
        "6 n + 4: 10, 16, 22, 28, ...",
        lambda depth: depth >= 10 and depth % 6 == 4,
        {"dropout", "skip"},
    ),
}


def build(
    name: str,
    width: int,
    depth: int,
    shape: tuple[int, int, int],
    classes: int,
    generator: Generator,
    dropout: float = 0.0,
    skip: bool = True,
) -> nn.Module:
    """The network `name` for images of `shape` (channels, height, width), with initial weights from the generator.

    depth counts layers with weights (fully connected and convolutional; in `wide_resnet` all convolutions, as its paper
    does), width is the number of units or of filters in the first layer or stage (in `wide_resnet` a multiple of 16).
    dropout: share of units left out in training (Srivastava et al. 2014), drawn from torch's global generator. skip:
    False takes the shortcuts of a residual network away. Weights are Gaussian with variance 2 / fan-in, biases 0 (He et
    al. 2015, eq. 10), in every architecture.
    Raises InputError for a name, width, depth or image size that does not exist, and for dropout or missing shortcuts
    where the architecture has no place for them.
    """
    if name not in NETWORKS:
        raise InputError(f"network {name!r} is unknown: choose one of {', '.join(sorted(NETWORKS))}")
    architecture, depths, exists, options = NETWORKS[name]
    if not exists(depth):
        raise InputError(f"network {name!r} has no depth {depth}: choose {depths}")
    if width < 1:
        raise InputError(f"network {name!r}: width {width} is not positive")
    if not 0 <= dropout < 1:
        raise InputError(f"network {name!r}: dropout {dropout} is no share from 0 to below 1")
    if dropout and "dropout" not in options:
        raise InputError(f"network {name!r} has no place for dropout: set it to 0")
    if not skip and "skip" not in options:
        raise InputError(f"network {name!r} has no shortcuts to take away: leave skip true")
    chosen = {key: value for key, value in (("dropout", dropout), ("skip", skip)) if key in options}
    if name != "mlp" and min(shape[1:]) < 4:
        raise InputError(f"network {name!r}: images of {shape[1]} x {shape[2]} are too small: 4 x 4 is the least")
    network = architecture(width, depth, shape, classes, **chosen)
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return network
