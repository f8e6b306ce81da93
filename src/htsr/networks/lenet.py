"""LeNet-5, and convolutional networks in its manner."""

from collections import OrderedDict

from torch import nn

from htsr.networks.perceptron import dense


def lenet(width: int, depth: int, shape: tuple[int, int, int], classes: int, dropout: float = 0.0) -> nn.Sequential:
    """conv1 ... conv{depth - 3}, then fc1, fc2, fc3 with 120, 84 and `classes` units as in LeNet-5 (LeCun et al. 1998).

    Every convolution has `width` filters of 3 x 3 (5 x 5 there, for images of 32 x 32) and keeps the image's size; the
    image is halved after the first and after the last one. Rectifiers and maxima replace tanh and averages. Dropout
    acts on fc1 and fc2.
    """
    channels, height, breadth = shape
    convolutions = depth - 3
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for i in range(1, convolutions + 1):
        layers[f"conv{i}"] = nn.Conv2d(channels if i == 1 else width, width, 3, padding=1)
        layers[f"relu{i}"] = nn.ReLU()
        if i in (1, convolutions):
            layers[f"pool{i}"] = nn.MaxPool2d(2)
    layers["flatten"] = nn.Flatten()
    layers |= dense("fc1", width * (height // 4) * (breadth // 4), 120, "relu_fc1", dropout)
    layers |= dense("fc2", 120, 84, "relu_fc2", dropout)
    layers["fc3"] = nn.Linear(84, classes)
    return nn.Sequential(layers)


def lenet5(width: int, depth: int, shape: tuple[int, int, int], classes: int, dropout: float = 0.0) -> nn.Sequential:
    """conv1, conv2, fc1, fc2: the LeNet-5 of Keras that Martin and Mahoney 2018 (section 5.1) retrain, at width 20.

    5 x 5 convolutions with `width` and 2.5 width filters (20 and 50) that keep the image's size, each followed by a
    rectifier and a maximum over 2 x 2; then 25 width (500) units: fc1 is 500 x 2450 for images of 28 x 28. Dropout acts
    on fc1.
    """
    channels, height, breadth = shape
    filters, units = width * 5 // 2, width * 25
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv1=nn.Conv2d(channels, width, 5, padding=2),
        relu1=nn.ReLU(),
        pool1=nn.MaxPool2d(2),
        conv2=nn.Conv2d(width, filters, 5, padding=2),
        relu2=nn.ReLU(),
        pool2=nn.MaxPool2d(2),
        flatten=nn.Flatten(),
    )
    layers |= dense("fc1", filters * (height // 4) * (breadth // 4), units, "relu_fc1", dropout)
    layers["fc2"] = nn.Linear(units, classes)
    return nn.Sequential(layers)
