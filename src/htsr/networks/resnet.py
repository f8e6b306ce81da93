"""Residual networks for small images."""

from torch import Tensor, nn
from torch.nn import functional


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions with batch normalization, added to the input (He et al. 2016, figure 2 and section 4.2).

    Where the size changes, the shortcut takes every second pixel and fills new channels with zeros (their option A), so
    it has no weights; with `projection` it is a 1 x 1 convolution with batch normalization (option B). skip: False
    leaves the shortcut out. For published networks, `before` of the new channels come first instead of last, and a
    convolution that `kept` marks False is passed over, with its normalization and, after the first, its rectifier.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, skip: bool = True, projection: bool = False):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.stride, self.new_channels, self.skip = stride, outputs - inputs, skip
        self.before, self.kept = 0, (True, True)
        self.shortcut = None
        if projection and (stride != 1 or inputs != outputs):
            convolution = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.shortcut = nn.Sequential(convolution, nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        out = x
        if self.kept[0]:
            out = functional.relu(self.bn1(self.conv1(out)))
        if self.kept[1]:
            out = self.bn2(self.conv2(out))
        if not self.skip:
            return functional.relu(out)
        if self.shortcut is not None:
            return functional.relu(out + self.shortcut(x))
        shortcut = x[:, :, :: self.stride, :: self.stride]
        zeros = (0, 0, 0, 0, self.before, self.new_channels - self.before)
        return functional.relu(out + functional.pad(shortcut, zeros))


class ResNet(nn.Module):
    """conv1, three stages of basic blocks with width, 2 width and 4 width channels, global average, fc.

    The networks for CIFAR-10 of He et al. 2016, section 4.2: depth = 6 n + 2 with n blocks a stage; stages two and
    three halve the image. skip=False: without shortcuts, as in Li et al. 2018. projection: see `BasicBlock`.
    """

    def __init__(
        self,
        width: int,
        depth: int,
        shape: tuple[int, int, int],
        classes: int,
        skip: bool = True,
        projection: bool = False,
    ):
        super().__init__()
        blocks = (depth - 2) // 6
        self.conv1 = nn.Conv2d(shape[0], width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.layer1 = _stage(width, width, blocks, 1, skip, projection)
        self.layer2 = _stage(width, 2 * width, blocks, 2, skip, projection)
        self.layer3 = _stage(2 * width, 4 * width, blocks, 2, skip, projection)
        self.fc = nn.Linear(4 * width, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(x.mean(dim=(2, 3)))


def _stage(inputs: int, outputs: int, blocks: int, stride: int, skip: bool, projection: bool) -> nn.Sequential:
    rest = [BasicBlock(outputs, outputs, 1, skip) for _ in range(blocks - 1)]
    return nn.Sequential(BasicBlock(inputs, outputs, stride, skip, projection), *rest)
