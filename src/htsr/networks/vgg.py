"""VGG-9: the first convolutions of VGG-16 for small images."""

from collections import OrderedDict

from torch import nn


def vgg9(width: int, depth: int, shape: tuple[int, int, int], classes: int, dropout: float = 0.0) -> nn.Sequential:
    """conv1 ... conv7, fc1, fc2: the VGG-9 of Li et al. 2018 ("cropped version of VGG-16"), at width 64.

    The first seven 3 x 3 convolutions of VGG-16 (Simonyan, Zisserman 2015): two with `width`, two with 2 width, three
    with 4 width filters, a maximum over 2 x 2 after each group; batch normalization after each and after fc1. The paper
    does not say how many units fc1 has: 4 width here, as in the authors' public code, so that it is 256 x 4096 for
    images of 32 x 32. There is no dropout there; here it acts on fc1. Odd images are halved upwards, as there.
    """
    inputs, height, breadth = shape
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for i, factor in enumerate((1, 1, 2, 2, 4, 4, 4), 1):
        layers[f"conv{i}"] = nn.Conv2d(inputs, factor * width, 3, padding=1)
        layers[f"bn{i}"] = nn.BatchNorm2d(factor * width)
        layers[f"relu{i}"] = nn.ReLU()
        if i in (2, 4, 7):
            layers[f"pool{i}"] = nn.MaxPool2d(2, ceil_mode=True)
        inputs = factor * width
    layers["flatten"] = nn.Flatten()
    layers["fc1"] = nn.Linear(inputs * -(-height // 8) * -(-breadth // 8), inputs)
    layers["bn_fc1"] = nn.BatchNorm1d(inputs)
    layers["relu_fc1"] = nn.ReLU()
    if dropout:
        layers["dropout_fc1"] = nn.Dropout(dropout)
    layers["fc2"] = nn.Linear(inputs, classes)
    return nn.Sequential(layers)
