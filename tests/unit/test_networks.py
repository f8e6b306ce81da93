"""Architectures against their closed forms; gradient descent and group lasso against theirs."""

import pytest
import torch

from htsr.errors import InputError
from htsr.models.layers import matrices
from htsr.models.weights import count_parameters
from htsr.networks.build import build
from htsr.networks.resnet import BasicBlock

DIGITS, CIFAR = (1, 8, 8), (3, 32, 32)


def network(name, width, depth, shape=DIGITS, seed=0):
    return build(name, width, depth, shape, 10, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("name", "width", "depth", "shape", "parameters"),
    [
        ("mlp", 100, 2, DIGITS, 65 * 100 + 101 * 10),
        ("mlp", 100, 5, DIGITS, 65 * 100 + 3 * 101 * 100 + 101 * 10),
        ("lenet", 50, 5, DIGITS, 50 * 10 + 50 * 451 + 120 * 201 + 84 * 121 + 10 * 85),
        ("lenet", 64, 7, CIFAR, 64 * 28 + 3 * 64 * 577 + 120 * (64 * 64 + 1) + 84 * 121 + 10 * 85),
        # He et al. 2016, table 6: 0.27 M for 20 layers, 0.46 M for 32, 0.85 M for 56
        ("resnet", 16, 20, CIFAR, 269722),
        ("resnet", 16, 32, CIFAR, 464154),
        ("resnet", 16, 56, CIFAR, 853018),
        ("resnet", 32, 8, DIGITS, 9 * (32 + 2 * 32**2 * (1 + 1 + 4) + 64**2 + 128**2) + 2 * (96 + 128 + 256) + 1290),
    ],
)  # fmt: skip
def test_number_of_parameters_and_of_layers(name, width, depth, shape, parameters):
    built = network(name, width, depth, shape)
    assert count_parameters(built.state_dict()) == parameters
    assert sum(p.numel() for p in built.parameters()) == parameters
    assert sum(tensor.ndim >= 2 for tensor in built.state_dict().values()) == depth
    built.eval()
    with torch.no_grad():
        assert built(torch.zeros(3, *shape)).shape == (3, 10)


def test_names_of_the_weights():
    def weights(built):
        return [key.removesuffix(".weight") for key, tensor in built.state_dict().items() if tensor.ndim >= 2]

    assert weights(network("mlp", 64, 3)) == ["fc1", "fc2", "fc3"]
    assert weights(network("lenet", 64, 6)) == ["conv1", "conv2", "conv3", "fc1", "fc2", "fc3"]
    resnet = weights(network("resnet", 16, 14))
    assert resnet[:3] == ["conv1", "layer1.0.conv1", "layer1.0.conv2"] and resnet[-2:] == ["layer3.1.conv2", "fc"]


@pytest.mark.parametrize(
    ("name", "width", "depth", "count"),
    [("mlp", 64, 4, 3), ("lenet", 64, 6, 2 * 9 + 2), ("resnet", 16, 20, 5 * 9), ("resnet", 32, 8, 3 * 9)],
)
def test_matrices_of_at_least_64_by_64(name, width, depth, count):
    stream, _ = matrices(network(name, width, depth).state_dict(), min_size=64)
    assert sum(min(matrix.shape) >= 64 for _, matrix, _ in stream) == count


def test_initial_weights_follow_he_and_the_generator():
    built, same, other = network("lenet", 64, 5), network("lenet", 64, 5), network("lenet", 64, 5, seed=1)
    assert torch.equal(built.conv2.weight, same.conv2.weight)
    assert not torch.equal(built.conv2.weight, other.conv2.weight)
    for layer, inputs in ((built.conv2, 64 * 9), (built.fc1, 64 * 4)):
        assert abs(layer.weight.var().item() * inputs / 2 - 1) < 0.05
        assert not layer.bias.any()


def test_shortcut_takes_every_second_pixel_and_pads_channels():
    block = BasicBlock(4, 8, 2).eval()
    block.conv2.weight.data.zero_()
    x = torch.rand(2, 4, 6, 6)
    with torch.no_grad():
        out = block(x)
    assert torch.equal(out[:, :4], x[:, :, ::2, ::2]) and not out[:, 4:].any()
    same = BasicBlock(4, 4, 1).eval()
    same.conv2.weight.data.zero_()
    with torch.no_grad():
        assert torch.equal(same(x), x)


@pytest.mark.parametrize(
    ("name", "width", "depth", "message"),
    [
        ("vgg", 64, 8, "'vgg' is unknown.*lenet, mlp, resnet"),
        ("mlp", 64, 1, "no depth 1.*2 or more"),
        ("lenet", 64, 4, "no depth 4.*5 or more"),
        ("resnet", 16, 18, "no depth 18.*8, 14, 20"),
        ("resnet", 16, 2, "no depth 2"),
        ("mlp", 0, 2, "width 0"),
    ],
)
def test_networks_that_do_not_exist(name, width, depth, message):
    with pytest.raises(InputError, match=message):
        network(name, width, depth)
