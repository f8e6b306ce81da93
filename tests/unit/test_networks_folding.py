"""Batch normalization folded into the layers before it: what is folded, what stays, and that outputs stay."""

import copy

import pytest
import torch
from torch import nn

from htsr.errors import InputError
from htsr.networks.build import build
from htsr.networks.folding import Fold, fold, fold_batch_norm, folding_plan
from htsr.networks.resnet import ResNet


def scrambled(network, seed=0):
    """The network with statistics and parameters of normalizations that do something, in train mode."""
    torch.manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            for tensor in (module.weight, module.bias, module.running_mean, module.running_var):
                if tensor is not None:
                    tensor.data.copy_(torch.rand_like(tensor) + 0.5)
    return network.train()


def built(name, width, depth, shape=(1, 8, 8), **options):
    return scrambled(build(name, width, depth, shape, 10, torch.Generator().manual_seed(0), **options))


def images(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def norms(network):
    return [name for name, m in network.named_modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]


@torch.no_grad()
def check(network, x, left):
    before = copy.deepcopy(network.state_dict())
    folded = fold_batch_norm(network, x[:2])
    assert network.training and all(torch.equal(t, before[key]) for key, t in network.state_dict().items())
    assert not folded.training and not any(p.requires_grad for p in folded.parameters())
    assert norms(folded) == left
    expected = copy.deepcopy(network).eval()(x)
    assert (folded(x) - expected).abs().max() < 1e-4 * expected.abs().max()
    double = fold_batch_norm(copy.deepcopy(network).double(), x[:2].double())
    expected = copy.deepcopy(network).double().eval()(x.double())
    assert (double(x.double()) - expected).abs().max() < 1e-12 * expected.abs().max()
    return folded


@pytest.mark.parametrize(
    ("name", "width", "depth", "options"),
    [("resnet", 8, 14, {}), ("resnet", 8, 14, {"skip": False}), ("vgg9", 4, 9, {}), ("mlp", 9, 3, {})],
)
def test_all_are_folded(name, width, depth, options):
    check(built(name, width, depth, **options), images(5, 1, 8, 8), [])


def test_normalizations_of_sums_stay():
    """Where the shortcut takes the sum as well, or several layers were added, there is no layer to fold into."""
    sums = ["layer2.0.bn1", "layer3.0.bn1", "bn"]
    check(built("wide_resnet", 2, 10), images(5, 1, 8, 8), sums)
    check(built("wide_resnet", 1, 10), images(5, 1, 8, 8), ["layer1.0.bn1", *sums])
    check(built("wide_resnet", 1, 16, skip=False), images(5, 1, 8, 8), [])


def test_layers_that_are_passed_over_stay():
    network = scrambled(ResNet(4, 14, (3, 32, 32), 10, projection=True))
    network.layer1[0].kept, network.layer3[1].kept = (False, False), (True, False)
    check(network, images(3, 3, 32, 32), ["layer1.0.bn1", "layer1.0.bn2", "layer3.1.bn2"])


class Several(nn.Module):
    """Every way for a normalization to stand behind a layer, by name."""

    def __init__(self, way):
        super().__init__()
        self.way = way
        self.layer = nn.Conv2d(2, 4, 3, groups=2) if way != "rows" else nn.Linear(5, 7)
        self.bn = nn.BatchNorm2d(4, affine=way != "plain") if way != "rows" else nn.BatchNorm1d(3)
        if way == "normed":
            nn.utils.parametrizations.weight_norm(self.layer)

    def forward(self, x):
        if self.way == "rows":
            return self.bn(self.layer(x))
        if self.way == "twice":
            return self.bn(self.layer(x)) + self.bn(self.layer(2 * x))
        out = self.layer(x)
        if self.way == "changed":
            out.mul_(2)
        rest = {"shared": out, "detached": out.detach()}.get(self.way, 0)
        return self.bn(out) + rest


@pytest.mark.parametrize("way", ["twice", "changed", "shared", "rows", "normed"])
def test_layers_whose_output_is_not_the_normalizations_alone_stay(way):
    check(scrambled(Several(way)), images(4, 3, 5) if way == "rows" else images(4, 2, 6, 6), ["bn"])


@pytest.mark.parametrize("way", ["simple", "plain"])
def test_grouped_convolutions_with_bias_and_normalizations_without_parameters(way):
    check(scrambled(Several(way)), images(4, 2, 6, 6), [])


def test_a_use_that_autograd_does_not_see_is_an_error():
    with pytest.raises(InputError, match="changes the outputs"):
        fold_batch_norm(scrambled(Several("detached")), images(4, 2, 6, 6))


def test_a_weight_that_another_layer_shares_is_not_changed():
    network = scrambled(nn.Sequential(nn.Linear(6, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 6)))
    network[3].weight = network[0].weight
    check(network, images(5, 6), [])


def test_other_weights_are_folded_by_the_same_plan():
    network, x = built("resnet", 4, 8), images(4, 1, 8, 8)
    plan = folding_plan(network, x)
    assert plan[0] == Fold("conv1", "bn1", 1e-5) and len(plan) == 7
    folded = fold_batch_norm(network, x, plan)
    other = scrambled(built("resnet", 4, 8), seed=5)
    folded.load_state_dict(fold(other.state_dict(), plan))
    with torch.no_grad():
        assert torch.equal(folded(x), fold_batch_norm(other, x)(x))


def test_normalization_without_running_statistics_is_an_error():
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2, track_running_stats=False))
    with pytest.raises(InputError, match=r"^1: batch normalization without running statistics"):
        fold_batch_norm(network, images(2, 1, 8, 8))


def test_a_network_with_nan_is_folded_as_it_is():
    network = built("resnet", 4, 8)
    network.conv1.weight.data[0] = float("nan")
    assert fold_batch_norm(network, images(2, 1, 8, 8))(images(2, 1, 8, 8)).isnan().all()
