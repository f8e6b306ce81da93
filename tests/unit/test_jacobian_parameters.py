"""Jacobians by parameters against autograd's own."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call, jacrev, vmap

from htsr.errors import InputError
from htsr.jacobian.parameters import parameter_gradients, parameter_gram
from htsr.networks.build import build


def network(name, width, depth, classes=4):
    built = build(name, width, depth, (2, 6, 6), classes, torch.Generator().manual_seed(0)).eval()
    torch.manual_seed(0)
    for module in built.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.running_var.copy_(torch.rand_like(module.running_var) + 0.5)
    return built


def images(n):
    return torch.randn(n, 2, 6, 6, generator=torch.Generator().manual_seed(1))


def by_autograd(net, x, last):
    """n x k P in float64."""
    net = net.double()
    theta = {name: p.detach() for name, p in net.named_parameters()}
    with torch.no_grad():
        rows = vmap(lambda e: jacrev(lambda t: last(functional_call(net, t, (e[None],))[0]))(theta))(x.double())
    net.float()
    return torch.cat([r.flatten(2) for r in rows.values()], 2).flatten(1).numpy()


@pytest.mark.parametrize("arguments", [("mlp", 20, 3), ("resnet", 4, 8), ("vgg9", 4, 9)])
def test_matrix_is_that_of_autograd(arguments):
    net, x = network(*arguments), images(10)
    for level, last in (("softmax", lambda z: z.softmax(0)), ("logit", lambda z: z - z.mean())):
        rows = by_autograd(net, x, last)
        for double, allowed in ((False, 1e-5), (True, 1e-10)):
            m, columns = parameter_gram(net, x, level=level, double=double)
            assert columns == rows.shape[1] and np.array_equal(m, m.T)
            scale = np.linalg.norm(rows, axis=1)
            assert (np.abs(m - rows @ rows.T) / scale / scale[:, None]).max() < allowed


def test_linear_softmax():
    """z = W x + b: M = (p-part)(x·x' + 1), with Σ_cj T_cj T'_cj of T = diag p - p pᵀ."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(72, 4))
    x = images(9)
    m, columns = parameter_gram(net, x, double=True)
    flat = x.flatten(1).double().numpy()
    p = net.double()(x.double()).softmax(1).detach().numpy()
    t = np.eye(4) * p[:, None, :] - p[:, :, None] * p[:, None, :]
    assert columns == 4 * (72 * 4 + 4)
    assert np.allclose(m, np.einsum("icj,lcj->il", t, t) * (flat @ flat.T + 1), rtol=1e-10)


def test_bits_do_not_depend_on_threads_or_on_further_examples():
    net, x = network("resnet", 4, 8), images(11)
    whole, _ = parameter_gram(net, x)
    assert np.array_equal(parameter_gram(net.train(), x, threads=3)[0], whole)
    assert np.array_equal(parameter_gram(net, x[:6])[0], whole[:6, :6]) and net.training


def test_gradients_are_in_the_order_of_the_parameters():
    net = network("mlp", 20, 3)
    block = next(parameter_gradients(net, images(2)))
    z = net(images(2))[1]
    c = int(block.reference[1] == 0)
    z[c].sub(z[block.reference[1]]).backward()
    expected = torch.cat([p.grad.flatten() for p in net.parameters()]).numpy()
    assert np.allclose(block.gradients[1, 0], expected, rtol=1e-4, atol=1e-6)


def test_what_cannot_be_done_is_said():
    class Looks(nn.Linear):
        def forward(self, x):
            return super().forward(x) if x.sum().item() > 0 else super().forward(2 * x)

    with pytest.raises(InputError, match="many examples at once"):
        next(parameter_gradients(Looks(6, 3), torch.ones(4, 6)))
    with pytest.raises(InputError, match="NaN"):
        next(parameter_gradients(Looks(6, 3), torch.full((4, 6), torch.nan)))
