import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call, jacrev

from htsr.errors import InputError
from htsr.landscape import hessian
from htsr.networks.build import build
from htsr.networks.train import LOSSES

RNG = np.random.default_rng(0)


def data(n=23, shape=(1, 6, 6), classes=4):
    rng = np.random.default_rng(1)
    return rng.standard_normal((n, *shape)).astype(np.float32), rng.integers(0, classes, n)


def network(name="mlp", width=5, depth=3):
    """With biases and batch norms of its own: with biases of 0, dead units put others on their kink."""
    generator = torch.Generator().manual_seed(0)
    net = build(name, width, depth, (1, 6, 6), 4, generator)
    for parameter in net.parameters():
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=generator)
    return net


def rescale(net, factor):
    """The same function: the first layer times the factor, the second one's weights divided by it."""
    own = list(net.parameters())
    for parameter, by in zip(own[:3], (factor, factor, 1 / factor), strict=True):
        parameter.data *= by


def linear(d, k):
    net = nn.Sequential(nn.Flatten(), nn.Linear(d, k, bias=False))
    nn.init.zeros_(net[1].weight)
    return net


def reference(net, images, labels, loss="cross_entropy"):
    """The Hessian by torch.func in float64."""
    net = net.double().eval()
    own = dict(net.named_parameters())
    shapes = {name: p.shape for name, p in own.items()}
    x, y = torch.from_numpy(images).double(), torch.from_numpy(labels)

    def value(theta):
        parts = theta.split([s.numel() for s in shapes.values()])
        given = {name: part.view(shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)}
        return LOSSES[loss](functional_call(net, given, (x,)), y)

    theta = torch.cat([p.detach().reshape(-1) for p in own.values()])
    return jacrev(jacrev(value))(theta).numpy()


@pytest.mark.parametrize(
    ("name", "depth", "width", "loss"),
    [("mlp", 3, 5, "cross_entropy"), ("mlp", 3, 5, "squared"), ("resnet", 8, 1, "cross_entropy")],
)
def test_hessian_is_that_of_torch_func(name, depth, width, loss):
    images, labels = data(5)
    net = network(name, width, depth)
    product = hessian.hessian_product(net, images, labels, loss=loss, double=True)
    size = sum(p.numel() for p in net.parameters())
    expected = reference(net, images, labels, loss)
    np.testing.assert_allclose(hessian.dense(product, size), expected, atol=1e-10 * np.abs(expected).max())


def test_softmax_regression_at_zero():
    """H = XᵀX/n ⊗ (I - 11ᵀ/k)/k: eigenvalues of XᵀX/n divided by k, k - 1 times each, and d zeros."""
    d, k = 6, 4
    images, labels = data(40, (1, 2, 3), k)
    x = images.reshape(40, d).astype(float)
    expected = np.sort(np.r_[np.zeros(d), np.repeat(np.linalg.eigvalsh(x.T @ x / 40) / k, k - 1)])
    net = linear(d, k)
    for product in (
        hessian.hessian_product(net, images, labels, double=True),
        hessian.gauss_newton_product(net, images, double=True),
    ):
        np.testing.assert_allclose(np.linalg.eigvalsh(hessian.dense(product, d * k)), expected, atol=1e-12)
    gram, size = hessian.gauss_newton_gram(net, images)
    assert size == d * k and gram.shape == (d * k, d * k)
    np.testing.assert_allclose(np.linalg.eigvalsh(gram), expected, atol=1e-6)


def test_linear_regression():
    """The squared loss is the mean over the classes: H = 2XᵀX/(nk), k times."""
    d, k = 6, 3
    images, labels = data(30, (1, 2, 3), k)
    x = images.reshape(30, d).astype(float)
    expected = np.repeat(np.linalg.eigvalsh(2 * x.T @ x / (30 * k)), k)
    product = hessian.hessian_product(linear(d, k), images, labels, loss="squared", double=True)
    np.testing.assert_allclose(np.linalg.eigvalsh(hessian.dense(product, d * k)), expected, atol=1e-12)


@pytest.mark.parametrize("memory", [0, 2e5, 1e9])
@pytest.mark.parametrize("chunk", [5, 23])
def test_chunks_and_kept_graphs_do_not_matter(chunk, memory):
    images, labels = data()
    net = network("resnet", 2, 8)
    v = RNG.standard_normal(sum(p.numel() for p in net.parameters()))
    for first, second in (
        (
            hessian.hessian_product(net, images, labels, double=True),
            hessian.hessian_product(net, images, labels, chunk=chunk, memory=memory, double=True),
        ),
        (
            hessian.gauss_newton_product(net, images, double=True),
            hessian.gauss_newton_product(net, images, chunk=chunk, memory=memory, double=True),
        ),
    ):
        np.testing.assert_allclose(second(v), first(v), rtol=1e-9, atol=1e-12 * np.linalg.norm(v))
        np.testing.assert_array_equal(second(v), second(v), "a kept graph gives the same again")


def test_float32_is_float64_to_rounding_and_the_network_is_not_changed():
    images, labels = data()
    net = network("resnet", 3, 8).train()
    before = {name: t.clone() for name, t in net.state_dict().items()}
    v = RNG.standard_normal(sum(p.numel() for p in net.parameters()))
    single = hessian.hessian_product(net, images, labels)(v)
    double = hessian.hessian_product(net, images, labels, double=True)(v)
    assert np.linalg.norm(single - double) < 1e-5 * np.linalg.norm(double)
    assert net.training and all(torch.equal(t, before[name]) for name, t in net.state_dict().items())
    assert all(p.grad is None and p.requires_grad and p.dtype == torch.float32 for p in net.parameters())


def test_a_layer_has_the_block_of_the_whole():
    images, labels = data()
    net = network()
    size = sum(p.numel() for p in net.parameters())
    whole = hessian.dense(hessian.hessian_product(net, images, labels, double=True), size)
    start = 0
    assert len(hessian.layers(net)) == 3
    for layer in hessian.layers(net):
        count = sum(p.numel() for p in hessian.parameters_of(net, layer).values())
        block = hessian.dense(hessian.hessian_product(net, images, labels, layer=layer, double=True), count)
        np.testing.assert_allclose(block, whole[start : start + count, start : start + count], atol=1e-12)
        start += count
    assert start == size
    with pytest.raises(InputError, match="layer 'fc9' has no parameters"):
        hessian.hessian_product(net, images, labels, layer="fc9")


def test_gradient_is_that_of_differences():
    images, labels = data()
    net = network().double()
    loss, gradient = hessian.loss_and_gradient(net, images, labels, chunk=4, double=True)
    own = list(net.parameters())
    origin, v = hessian.flatten(own), RNG.standard_normal(len(gradient))
    losses = []
    for h in (1e-6, -1e-6):
        for p, value in zip(own, hessian.unflatten(origin + h * v, own), strict=True):
            p.data.copy_(value)
        losses.append(hessian.loss_and_gradient(net, images, labels, double=True)[0])
    assert (losses[0] - losses[1]) / 2e-6 == pytest.approx(gradient @ v, rel=1e-6)
    assert np.mean(losses) == pytest.approx(loss, rel=1e-9)


@pytest.mark.parametrize("loss", ["cross_entropy", "squared"])
@pytest.mark.parametrize("n", [7, 60])
def test_gram_matrix_has_the_spectrum_of_gauss_newton(n, loss):
    images, _ = data(n)
    net = network()
    size = sum(p.numel() for p in net.parameters())
    matrix = hessian.dense(hessian.gauss_newton_product(net, images, loss=loss, double=True), size)
    gram, columns = hessian.gauss_newton_gram(net, images, loss=loss, chunk=5)
    rows = n * (3 if loss == "cross_entropy" else 4)
    assert columns == size and len(gram) == min(rows, size)
    values = np.linalg.eigvalsh(matrix)
    np.testing.assert_allclose(np.linalg.eigvalsh(gram), values[-len(gram) :], atol=2e-6 * values[-1])


def test_curvature_of_saturated_outputs_keeps_its_digits():
    z = torch.tensor([[0.0, 60.0, 1.0], [400.0, 0.0, -5.0], [0.1, 0.2, 0.3]], dtype=torch.double)
    s = hessian._factor(z, "cross_entropy")
    found = torch.einsum("nri,nrj->nij", s, s)
    for i in range(3):
        units = torch.eye(3).double()
        applied = torch.stack([hessian.output_curvature(z, u.expand(3, 3), "cross_entropy")[i] for u in units])
        torch.testing.assert_close(found[i], applied, rtol=1e-12, atol=0)
    p = np.exp([-60.0, -59.0])  # of the two other classes, where the second has all but 4e-26
    np.testing.assert_allclose(found[0].diagonal(), [p[0], p.sum(), p[1]], rtol=1e-12)


def test_fisher_rao_is_the_form_of_gauss_newton_and_does_not_see_scales():
    images, _ = data()
    net = network()
    theta = hessian.flatten(list(net.parameters()))
    expected = theta @ hessian.gauss_newton_product(net, images, double=True)(theta)
    assert hessian.fisher_rao(net, images, chunk=4).mean() == pytest.approx(expected, rel=1e-5)
    rescale(net, 8)
    assert hessian.fisher_rao(net, images).mean() == pytest.approx(expected, rel=1e-5)


def test_filter_coordinates_do_not_see_scales():
    images, labels = data()
    net = network()
    found = []
    for factor in (1, 8):
        rescale(net, factor)
        norms, sizes = hessian.filter_norms(net)
        product = hessian.scaled(hessian.hessian_product(net, images, labels, double=True), norms)
        found.append(np.linalg.eigvalsh(hessian.dense(product, len(norms))))
    np.testing.assert_allclose(found[1], found[0], atol=1e-9 * found[0].max())
    first = net.fc1.weight.detach().double()
    np.testing.assert_allclose(norms[: first.numel()], np.repeat(first.norm(dim=1).numpy(), 36), rtol=1e-12)
    assert (sizes[: first.numel()] == 36).all()
    biases = np.concatenate([np.full(p.numel(), p.ndim == 1) for p in net.parameters()])
    assert (norms[biases] == 0).all() and (norms[~biases] > 0).all()


def test_curvlinops_agrees():
    curvlinops = pytest.importorskip("curvlinops")
    net, (images, labels) = network("resnet", 2, 8).eval(), data()
    batches = [tuple(map(torch.from_numpy, (images[i : i + 7], labels[i : i + 7]))) for i in range(0, len(labels), 7)]
    for theirs, own in (
        (curvlinops.HessianLinearOperator, hessian.hessian_product(net, images, labels)),
        (curvlinops.GGNLinearOperator, hessian.gauss_newton_product(net, images)),
    ):
        operator = theirs(net, nn.CrossEntropyLoss(), list(net.parameters()), batches)
        v = RNG.standard_normal(operator.shape[1]).astype(np.float32)
        expected = (operator @ torch.from_numpy(v)).detach().numpy()
        np.testing.assert_allclose(own(v.astype(float)), expected, atol=1e-5 * np.abs(expected).max())
