"""Architectures against their closed forms and the sizes that their papers print."""

import pytest
import torch
from torch import nn

from htsr.errors import InputError
from htsr.models.layers import matrices
from htsr.models.weights import count_parameters
from htsr.networks.alexnet import LocalResponse
from htsr.networks.build import build
from htsr.networks.resnet import BasicBlock
from htsr.networks.wide_resnet import PreActivationBlock

DIGITS, MNIST, CIFAR = (1, 8, 8), (1, 28, 28), (3, 32, 32)


def network(name, width, depth, shape=DIGITS, seed=0, **options):
    return build(name, width, depth, shape, 10, torch.Generator().manual_seed(seed), **options)


@pytest.mark.parametrize(
    ("name", "width", "depth", "shape", "parameters"),
    [
        ("mlp", 100, 2, DIGITS, 65 * 100 + 101 * 10),
        ("mlp", 100, 5, DIGITS, 65 * 100 + 3 * 101 * 100 + 101 * 10),
        ("lenet", 50, 5, DIGITS, 50 * 10 + 50 * 451 + 120 * 201 + 84 * 121 + 10 * 85),
        ("lenet", 64, 7, CIFAR, 64 * 28 + 3 * 64 * 577 + 120 * (64 * 64 + 1) + 84 * 121 + 10 * 85),
        ("lenet5", 20, 4, MNIST, 20 * 26 + 50 * (20 * 25 + 1) + 500 * (2450 + 1) + 10 * 501),
        ("lenet5", 8, 4, DIGITS, 8 * 26 + 20 * (8 * 25 + 1) + 200 * (20 * 4 + 1) + 10 * 201),
        ("minialexnet", 64, 5, CIFAR, 64 * 76 + 64 * 1601 + 384 * 4097 + 192 * 385 + 10 * 193),
        ("minialexnet", 64, 5, (3, 28, 28), 64 * 76 + 64 * 1601 + 384 * 3137 + 192 * 385 + 10 * 193),
        ("minialexnet", 16, 5, DIGITS, 16 * 26 + 16 * 401 + 384 * 65 + 192 * 385 + 10 * 193),
        ("vgg9", 8, 9, DIGITS, 8 * (10 + 73) + 16 * (73 + 145) + 32 * (145 + 289 + 289) + 2 * 144 + 32 * 35 + 10 * 33),
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
    assert weights(network("lenet5", 20, 4)) == ["conv1", "conv2", "fc1", "fc2"]
    assert weights(network("minialexnet", 8, 5)) == ["conv1", "conv2", "fc1", "fc2", "fc3"]
    assert weights(network("vgg9", 8, 9)) == [*(f"conv{i}" for i in range(1, 8)), "fc1", "fc2"]
    wide = weights(network("wide_resnet", 2, 10))
    assert wide[:4] == ["conv1", "layer1.0.conv1", "layer1.0.conv2", "layer1.0.shortcut"] and wide[-1] == "fc"
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


@pytest.mark.parametrize(
    # Zagoruyko and Komodakis 2016, tables 3 to 5
    ("width", "depth", "millions"),
    [(1, 40, 0.6), (2, 40, 2.2), (4, 16, 2.75), (4, 40, 8.9), (8, 16, 11.0), (10, 28, 36.5)],
)
def test_wide_resnets_have_the_published_sizes(width, depth, millions):
    built = network("wide_resnet", width, depth, CIFAR)
    assert sum(p.numel() for p in built.parameters()) / 1e6 == pytest.approx(millions, abs=0.05)
    convolutions = sum(isinstance(module, nn.Conv2d) for module in built.modules())
    assert convolutions == depth - (width == 1), "without a change of size the first stage needs no projection"


@pytest.mark.parametrize(
    ("name", "width", "depth", "shape"),
    [("lenet5", 20, 4, (500, 2450)), ("minialexnet", 64, 5, (384, 3136)), ("vgg9", 64, 9, (256, 4096))],
)
def test_shapes_of_fc1_for_images_of_28_by_28(name, width, depth, shape):
    assert tuple(network(name, width, depth, MNIST).fc1.weight.shape) == shape


@pytest.mark.parametrize(
    ("name", "width", "depth"),
    [("mlp", 30, 4), ("lenet", 8, 5), ("lenet5", 8, 4), ("minialexnet", 8, 5), ("vgg9", 8, 9), ("wide_resnet", 1, 10)],
)
def test_dropout_acts_in_training_only_and_changes_no_weight(name, width, depth):
    plain, dropped = network(name, width, depth), network(name, width, depth, dropout=0.5)
    assert plain.state_dict().keys() == dropped.state_dict().keys()
    assert all(torch.equal(tensor, plain.state_dict()[key]) for key, tensor in dropped.state_dict().items())
    places = {"mlp": 3, "lenet": 2, "lenet5": 1, "minialexnet": 2, "vgg9": 1, "wide_resnet": 3}
    assert sum(isinstance(m, nn.Dropout) and m.p == 0.5 for m in dropped.modules()) == places[name]
    assert not any(isinstance(m, nn.Dropout) and m.p for m in plain.modules())
    x = torch.rand(4, *DIGITS, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert torch.equal(plain.eval()(x), dropped.eval()(x))
        dropped.train()
        torch.manual_seed(0)
        first, second = dropped(x), dropped(x)
        torch.manual_seed(0)
        assert torch.equal(dropped(x), first) and not torch.equal(first, second)


@pytest.mark.parametrize(
    ("name", "width", "depth"),
    [("lenet5", 4, 4), ("minialexnet", 4, 5), ("vgg9", 4, 9), ("resnet", 4, 8), ("wide_resnet", 1, 10)],
)
@pytest.mark.parametrize("shape", [(1, 4, 4), DIGITS, (3, 9, 11)])
def test_images_of_any_size_from_4(name, width, depth, shape):
    with torch.no_grad():
        assert network(name, width, depth, shape).eval()(torch.rand(2, *shape)).isfinite().all()


def test_local_response_is_that_of_its_formula():
    x = 30 * torch.randn(2, 12, 3, 5, generator=torch.Generator().manual_seed(0))
    theirs = nn.LocalResponseNorm(9, alpha=0.001, beta=0.75, k=1.0)
    assert torch.allclose(LocalResponse()(x), theirs(x), rtol=1e-6)
    middle = x[0, 6, 1, 1] / (1 + 0.001 / 9 * x[0, 2:11, 1, 1].square().sum()) ** 0.75
    assert LocalResponse()(x)[0, 6, 1, 1].item() == pytest.approx(middle.item(), rel=1e-5)
    assert LocalResponse()(x.to(memory_format=torch.channels_last)).equal(LocalResponse()(x))


def test_networks_without_shortcuts():
    for name, width, depth in (("resnet", 8, 8), ("wide_resnet", 1, 10)):
        with_skips, without = network(name, width, depth), network(name, width, depth, skip=False)
        weights = {key for key in with_skips.state_dict() if "shortcut" not in key}
        assert without.state_dict().keys() == weights
    block = BasicBlock(4, 4, 1, skip=False).eval()
    block.conv2.weight.data.zero_()
    wide = PreActivationBlock(4, 4, 1, 0.0, skip=False).eval()
    wide.conv2.weight.data.zero_()
    with torch.no_grad():
        assert not block(torch.rand(2, 4, 6, 6)).any() and not wide(torch.rand(2, 4, 6, 6)).any()


def test_wide_blocks_add_the_input_or_project_what_is_activated():
    x = torch.randn(2, 4, 6, 6, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        same = PreActivationBlock(4, 4, 1, 0.0, skip=True).eval()
        same.conv2.weight.zero_()
        assert same.shortcut is None and torch.equal(same(x), x)
        block = PreActivationBlock(4, 8, 2, 0.0, skip=True).eval()
        block.conv2.weight.zero_()
        expected = torch.einsum("oi,bihw->bohw", block.shortcut.weight[:, :, 0, 0], block.bn1(x).relu()[:, :, ::2, ::2])
        assert torch.allclose(block(x), expected, atol=1e-6)


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
        ("vgg", 64, 8, "'vgg' is unknown.*lenet, lenet5, minialexnet, mlp, resnet, vgg9, wide_resnet"),
        ("vgg9", 64, 8, "no depth 8: choose 9"),
        ("wide_resnet", 1, 12, "no depth 12.*10, 16"),
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


@pytest.mark.parametrize(
    ("name", "depth", "shape", "options", "message"),
    [
        ("resnet", 8, DIGITS, {"dropout": 0.1}, "'resnet' has no place for dropout"),
        ("mlp", 3, DIGITS, {"dropout": 1.0}, "dropout 1.0 is no share"),
        ("mlp", 3, DIGITS, {"dropout": float("nan")}, "dropout nan is no share"),
        ("vgg9", 9, DIGITS, {"skip": False}, "'vgg9' has no shortcuts"),
        ("lenet5", 4, (1, 3, 8), {}, "images of 3 x 8 are too small"),
    ],
)
def test_options_that_an_architecture_has_not(name, depth, shape, options, message):
    with pytest.raises(InputError, match=message):
        network(name, 8, depth, shape, **options)
