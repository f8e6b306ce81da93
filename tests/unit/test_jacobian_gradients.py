"""Jacobians by input against closed forms, autograd's own, and the bits that must not change."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import jacrev, vmap

from htsr.datasets.load import load
from htsr.errors import InputError
from htsr.jacobian.gradients import (
    BLOCK,
    Block,
    first_layer,
    logit_gradients,
    logit_jacobian,
    other_classes,
    output_jacobian,
    preactivations,
    prepared,
    probabilities,
    softmax_jacobian,
)
from htsr.networks.build import build
from htsr.networks.train import Recipe, train


def draws(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def together(network, images, **options) -> Block:
    blocks = list(logit_gradients(network, images, **options))
    return Block(0, *(np.concatenate(parts) for parts in list(zip(*blocks, strict=True))[1:]))


def by_autograd(network, images, last=lambda z: z):
    """n x k x d in float64 by torch.func.vmap(jacrev)."""
    network = network.double().eval()
    with torch.no_grad():
        found = vmap(jacrev(lambda x: last(network(x[None])[0])), chunk_size=64)(images.double())
    network.float()
    return found.flatten(2).numpy()


def errors(found, expected):
    """Error of each example as a share of its Jacobian's norm."""
    difference = np.linalg.norm((found - expected).reshape(len(found), -1), axis=1)
    return difference / np.linalg.norm(expected.reshape(len(found), -1), axis=1)


@pytest.fixture(scope="module")
def data(digits):
    return load(digits)


@pytest.fixture(scope="module", params=[("lenet", 8, 5, 15), ("resnet", 8, 8, 5)], ids=["lenet", "resnet"])
def saturated(request, data):
    """A network trained on the digits, its logits then scaled until a float32 softmax is saturated on many images."""
    name, width, depth, epochs = request.param
    generator = torch.Generator().manual_seed(0)
    network = build(name, width, depth, data.shape, data.classes, generator)
    images, labels = (torch.from_numpy(a[:400]) for a in (data.train_images, data.train_labels))
    recipe = Recipe(epochs, 32, 0.05, momentum=0.9)
    train(network, images, labels, recipe, generator, lambda epoch, rate: None)
    last = list(network.modules())[-1]
    with torch.no_grad():
        top = network.eval()(images).topk(2).values
        for tensor in (last.weight, last.bias):
            tensor *= 15 / (top[:, 0] - top[:, 1]).median()
    return network


def exact_softmax(z):
    """In float64 and by differences to the largest logit: autograd of z.softmax takes 1 - p of a p that is 1."""
    weights = (z - z.max()).exp()
    return weights / weights.sum()


def test_every_example_of_a_saturated_network_is_that_of_autograd(saturated, data):
    """In double precision. In single precision its gradients are right to 1e-6 and its probabilities to the rounding of
    the logits, save for a few examples at a rectifier's kink, which in it fall to the other side.
    """
    images = torch.from_numpy(data.train_images[:160])
    expected = by_autograd(saturated, images, exact_softmax)
    centred = by_autograd(saturated, images, lambda z: z - z.mean())
    block = together(saturated, images, double=True)
    p = probabilities(block.logits)
    assert np.mean(p.max(axis=1) > 1 - 2**-25) > 0.14  # where a float32 softmax has p = 1
    found = softmax_jacobian(*block[1:])
    assert errors(found, expected).max() < 1e-10
    assert errors(logit_jacobian(*block[1:]), centred).max() < 1e-10
    assert np.abs(found.sum(axis=1)).max(axis=1) == pytest.approx(0, abs=1e-14 * np.abs(found).max())
    single = together(saturated, images)
    aside = errors(logit_jacobian(*single[1:]), centred) > 2e-6
    assert aside.mean() < 0.02
    size = np.abs(block.logits).max(axis=1)
    assert (errors(softmax_jacobian(*single[1:]), expected) < 2e-6 + 1e-6 * size)[~aside].all()


def test_bits_do_not_depend_on_threads_on_further_examples_or_on_the_mode(saturated, data):
    images = data.test_images[:100]
    whole = together(saturated, images)
    asked = np.concatenate([b.gradients for b in logit_gradients(saturated, images[: BLOCK + 3])])
    assert np.array_equal(asked, whole.gradients[: BLOCK + 3])
    before = torch.get_num_threads()
    for threads in (2, 3):
        again = together(saturated.train(), images, threads=threads)
        assert all(np.array_equal(a, b) for a, b in zip(again[1:], whole[1:], strict=True))
    assert saturated.training and torch.get_num_threads() == before
    saturated.eval()


def test_softmax_of_two_classes_and_of_a_hopelessly_saturated_one():
    block = np.array([[400.0, -300.0], [0.0, 1.0]]), np.array([0, 1]), np.ones((2, 1, 3))
    small = np.exp(-700) / 1.0
    slope = np.exp(-1) / (1 + np.exp(-1)) ** 2
    found = softmax_jacobian(*block)
    assert np.allclose(found[0], [[-small] * 3, [small] * 3], rtol=1e-12, atol=0)
    assert np.allclose(found[1], [[slope] * 3, [-slope] * 3], rtol=1e-12, atol=0)
    assert np.allclose(logit_jacobian(*block)[1], [[0.5] * 3, [-0.5] * 3])
    assert other_classes(np.array([0, 2, 3]), 4).tolist() == [[1, 2, 3], [0, 1, 3], [0, 1, 2]]


def test_linear_networks_have_the_moments_of_fuss_and_catalan():
    """J Jᵀ of L square Gaussian matrices: Penson, Zyczkowski 2011, eq. 2 (moments (s L + s choose s) / (s L + 1))."""
    size, draw = 64, 10
    for depth, expected in ((1, (1, 2, 5)), (2, (1, 3, 12)), (3, (1, 4, 22))):
        moments = []
        for seed in range(draw):
            torch.manual_seed(100 * depth + seed)
            network = nn.Sequential(*[nn.Linear(size, size, bias=False) for _ in range(depth)])
            for layer in network:
                nn.init.normal_(layer.weight, std=size**-0.5)
            (j,) = output_jacobian(network, draws(1, size))
            values = np.linalg.svd(j, compute_uv=False) ** 2
            moments.append([np.mean(values**s) for s in (1, 2, 3)])
        mean, stderr = np.mean(moments, axis=0), np.std(moments, axis=0, ddof=1) / draw**0.5
        # moments of finite matrices differ by a few 1/size
        assert (np.abs(mean - expected) < 4 * stderr + 4 / size * np.array(expected)).all()


def test_rectified_networks_have_variance_2_l():
    """At criticality, weights of variance 2/n, the squared singular values have mean 1 and variance 2 L.

    Pennington, Schoenholz, Ganguli 2018, 1802.09979: L/p for Gaussian weights, a share p = 1/2 of the units active.
    """
    size, draw = 64, 10
    for depth in (1, 2, 3):
        moments = []
        for seed in range(draw):
            torch.manual_seed(1000 * depth + seed)
            network = nn.Sequential(*[m for _ in range(depth) for m in (nn.Linear(size, size, bias=False), nn.ReLU())])
            for layer in network[::2]:
                nn.init.normal_(layer.weight, std=(2 / size) ** 0.5)
            (j,) = output_jacobian(network, draws(1, size, seed=seed))
            values = np.linalg.svd(j, compute_uv=False) ** 2
            moments.append([values.mean(), (values**2).mean()])
        (first, second), (e1, e2) = np.mean(moments, axis=0), np.std(moments, axis=0, ddof=1) / draw**0.5
        assert abs(first - 1) < 4 * e1 and abs(second - 1 - 2 * depth) < 4 * e2 + 4 / size * second


def test_the_first_layer_gives_the_same_rows():
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 20), nn.BatchNorm1d(20), nn.Tanh(), nn.Linear(20, 5)).eval()
    network[2].running_var.fill_(3.0)
    images = draws(50, 1, 8, 8)
    folded, ready = prepared(network, images)
    first = first_layer(folded)
    whole = together(network, images)
    part = together(first.rest, preactivations(first, ready))
    assert np.allclose(part.logits, whole.logits, atol=1e-6)
    reduced = softmax_jacobian(part.logits, part.reference, part.gradients) @ first.factor
    assert errors(reduced @ first.back, softmax_jacobian(*whole[1:])).max() < 1e-5
    assert np.allclose(first.back @ first.back.T, np.eye(20), atol=1e-12)
    weights = folded[1].weight.double().numpy()
    assert np.allclose(first.factor @ first.factor.T, weights @ weights.T, rtol=1e-12, atol=1e-14)


def test_networks_whose_first_layer_is_no_shortcut():
    wide = nn.Sequential(nn.Flatten(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))
    convolution = nn.Sequential(nn.Conv2d(1, 1, 3), nn.Flatten(), nn.Linear(4, 2))
    partly = nn.Sequential(nn.Flatten(2), nn.Linear(16, 2))
    for network in (wide, convolution, partly, nn.Sequential(nn.Flatten()), nn.Linear(9, 2)):
        assert first_layer(network) is None


class Wrong(nn.Module):
    """A network that does one thing that it must not."""

    def __init__(self, way):
        super().__init__()
        self.way, self.fc = way, nn.Linear(16, 3)

    def forward(self, x):
        x = x.flatten(1)
        if self.way == "integer":
            return self.fc(x.long().float())
        if self.way == "no tensor":
            return (self.fc(x),)
        if self.way == "mixed":
            return self.fc(x - x.mean(0))
        if self.way == "later":
            return self.fc(x.cumsum(0))
        if self.way == "written":
            y = self.fc(x).exp()
            return y.mul_(y)
        if self.way == "no classes":
            return self.fc(x).sum(1)
        if self.way == "one class":
            return self.fc(x)[:, :1]
        return self.fc(x)


@pytest.mark.parametrize(
    ("way", "message"),
    [
        ("integer", "cannot be differentiated: its outputs do not depend"),
        ("no tensor", "no classifier: for 4 images it gives a tuple"),
        ("no classes", r"no classifier: for 4 images it gives a tensor of shape \(4,\)"),
        ("one class", "no classifier"),
        ("mixed", "depend on the other examples"),
        ("later", "depend on the other examples"),
        ("written", "cannot be differentiated: one of the variables needed .* modified by an inplace"),
    ],
)
def test_networks_without_a_jacobian_by_example(way, message):
    with pytest.raises(InputError, match=message):
        next(logit_gradients(Wrong(way), draws(4, 1, 4, 4)))


def test_bad_images():
    images = draws(4, 1, 4, 4)
    images[2, 0, 1, 1] = torch.nan
    for given, message in (
        (images, "1 of 4 images have NaN"),
        (images[:0], "n >= 1"),
        (torch.ones(4, 1, 4, 4, dtype=torch.uint8), "floating-point"),
        (draws(4, 1, 5, 5), "does not run on images of 1 x 5 x 5"),
    ):
        with pytest.raises(InputError, match=message):
            next(logit_gradients(Wrong("nothing"), given))
    with pytest.raises(InputError, match="without running statistics"):
        next(logit_gradients(nn.Sequential(nn.BatchNorm1d(3, track_running_stats=False)), draws(4, 3)))


def test_a_network_that_writes_into_its_input_and_a_single_example():
    network = nn.Sequential(nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(16, 3))
    images = draws(5, 1, 4, 4)
    before = images.clone()
    whole = together(network, images)
    assert torch.equal(images, before)
    assert np.array_equal(together(network, images[:1]).gradients, whole.gradients[:1])


def test_a_diverged_network_gives_nan():
    network = Wrong("nothing")
    network.fc.weight.data[0, 0] = torch.nan
    assert np.isnan(softmax_jacobian(*together(network, draws(3, 1, 4, 4))[1:])).all()
