"""Convolutional networks in the manner of LeNet-5."""

from collections import OrderedDict

from torch import nn


def lenet(width: int, depth: int, shape: tuple[int, int, int], classes: int) -> nn.Sequential:
    """conv1 ... conv{depth - 3}, then fc1, fc2, fc3 with 120, 84 and `classes` units as in LeNet-5 (LeCun et al. 1998).

    Every convolution has `width` filters of 3 x 3 (5 x 5 there, for images of 32 x 32) and keeps the image's size; the
    image is halved after the first and after the last one. Rectifiers and maxima replace tanh and averages.
    """
    channels, height, breadth = shape
    convolutions = depth - 3
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for i in range(1, convolutions + 1):
        layers[f"conv{i}"] = nn.Conv2d(channels if i == 1 else width, width, 3, padding=1)
        layers[f"relu{i}"] = nn.ReLU()
        if i in (1, convolutions):
            layers[f"pool{i}"] = nn.MaxPool2d(2)
    layers |= {
        "flatten": nn.Flatten(),
        "fc1": nn.Linear(width * (height // 4) * (breadth // 4), 120),
        "relu_fc1": nn.ReLU(),
        "fc2": nn.Linear(120, 84),
        "relu_fc2": nn.ReLU(),
        "fc3": nn.Linear(84, classes),
    }
    return nn.Sequential(layers)
