"""MiniAlexNet: a small network in the manner of AlexNet."""

from collections import OrderedDict

from torch import Tensor, nn
from torch.nn import functional

from htsr.networks.perceptron import dense


class LocalResponse(nn.Module):
    """Local response normalization (Krizhevsky et al. 2012, section 3.3): x / (k + a · sum of 9 channels' squares)^b.

    k = 1, a = 0.001 / 9, b = 0.75. torch's own does not run with deterministic algorithms on a GPU.
    """

    def forward(self, x: Tensor) -> Tensor:
        squares = x.square().flatten(2)[:, None]
        means = functional.avg_pool2d(squares, (9, 1), 1, padding=(4, 0)).reshape(x.shape)  # zeros beyond the ends
        return x / (1 + 0.001 * means) ** 0.75


def minialexnet(
    width: int, depth: int, shape: tuple[int, int, int], classes: int, dropout: float = 0.0
) -> nn.Sequential:
    """conv1, conv2, fc1, fc2, fc3: the "small AlexNet" of Zhang et al. 2017 (appendix A), at width 64.

    Twice a 5 x 5 convolution, a maximum over 3 x 3 with stride 2 and local response normalization, then 384 and 192
    units, here for any `width` of the convolutions: fc1 is 384 x 4096 for images of 32 x 32 (as in Martin and Mahoney
    2018, section 6) and 384 x 3136 for their central 28 x 28. The paper does not say the number of filters, padding,
    where the rectifiers stand and the constants of the normalization: these are of TensorFlow's CIFAR-10 tutorial,
    whose fully connected layers are the same. Dropout acts on fc1 and fc2.
    """
    channels, height, breadth = shape
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for i, inputs in ((1, channels), (2, width)):
        layers[f"conv{i}"] = nn.Conv2d(inputs, width, 5, padding=2)
        layers[f"relu{i}"] = nn.ReLU()
        layers[f"pool{i}"] = nn.MaxPool2d(3, 2, padding=1)
        layers[f"norm{i}"] = LocalResponse()
    layers["flatten"] = nn.Flatten()
    layers |= dense("fc1", width * -(-height // 4) * -(-breadth // 4), 384, "relu_fc1", dropout)
    layers |= dense("fc2", 384, 192, "relu_fc2", dropout)
    layers["fc3"] = nn.Linear(192, classes)
    return nn.Sequential(layers)
