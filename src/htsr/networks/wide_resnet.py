"""Wide residual networks with pre-activation."""

from torch import Tensor, nn
from torch.nn import functional


class PreActivationBlock(nn.Module):
    """Twice batch normalization, rectifier and 3 x 3 convolution, added to the input, dropout between the convolutions.

    Zagoruyko and Komodakis 2016, figure 1 (d) and section 2. Where the size changes, the shortcut is a 1 x 1
    convolution of the normalized and rectified input, as in the authors' public code. skip: False leaves it out.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, dropout: float, skip: bool):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.skip = skip
        projected = skip and (inputs != outputs or stride != 1)
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride, bias=False) if projected else None

    def forward(self, x: Tensor) -> Tensor:
        active = functional.relu(self.bn1(x))
        out = self.conv2(self.dropout(functional.relu(self.bn2(self.conv1(active)))))
        if not self.skip:
            return out
        return out + (x if self.shortcut is None else self.shortcut(active))


class WideResNet(nn.Module):
    """conv1 with 16 filters, three stages of blocks with 16 k, 32 k and 64 k channels, global average, fc; k = width.

    WRN-depth-k of Zagoruyko and Komodakis 2016, table 1: depth = 6 n + 4 with n blocks a stage counts the convolutions
    (the shortcuts' three among them, of which k = 1 has two), not fc. Stages two and three halve the image.
    """

    def __init__(
        self,
        width: int,
        depth: int,
        shape: tuple[int, int, int],
        classes: int,
        dropout: float = 0.0,
        skip: bool = True,
    ):
        super().__init__()
        blocks = (depth - 4) // 6
        self.conv1 = nn.Conv2d(shape[0], 16, 3, padding=1, bias=False)
        inputs = 16
        for i, outputs in enumerate((16 * width, 32 * width, 64 * width), 1):
            stage = [PreActivationBlock(inputs, outputs, 1 if i == 1 else 2, dropout, skip)]
            stage += [PreActivationBlock(outputs, outputs, 1, dropout, skip) for _ in range(blocks - 1)]
            setattr(self, f"layer{i}", nn.Sequential(*stage))
            inputs = outputs
        self.bn = nn.BatchNorm2d(inputs)
        self.fc = nn.Linear(inputs, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer3(self.layer2(self.layer1(self.conv1(x))))
        return self.fc(functional.relu(self.bn(x)).mean(dim=(2, 3)))
