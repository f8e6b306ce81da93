"""𝒥, M and X against closed forms, and the bits that must not change."""

import numpy as np
import pytest
import torch
from torch import nn

from htsr.errors import InputError
from htsr.jacobian import gram as module
from htsr.jacobian.gradients import output_jacobian
from htsr.jacobian.gram import LEVELS, Store, column_gram, gram, jacobian_matrices, jacobians
from htsr.networks.build import build


def draws(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def linear(classes, pixels, seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(pixels, classes))


def small(name="vgg9", width=4, depth=9, classes=4):
    return build(name, width, depth, (2, 6, 6), classes, torch.Generator().manual_seed(0)).eval()


def test_two_classes_and_a_linear_softmax():
    """∇p_1 = s (w_1 - w_2), s = p(1 - p): M = 2 ‖w_1 - w_2‖² s sᵀ."""
    network, images = linear(2, 30), 3 * draws(70, 1, 5, 6)
    found = jacobian_matrices(network, images, double=True)
    s = found.probabilities.prod(axis=1)
    weights = network[1].weight.detach().double().numpy()
    norm = np.sum((weights[0] - weights[1]) ** 2)
    values = np.linalg.eigvalsh(found.softmax)
    assert values[-1] == pytest.approx(2 * norm * np.sum(s**2), rel=1e-12)
    assert np.abs(values[:-1]).max() < 1e-14 * values[-1]


@pytest.mark.parametrize("k", [2, 3, 5])
def test_rank_of_a_linear_softmax(k):
    """J = (diag p - p pᵀ) W is a symmetric k x k matrix with rows of sum 0 times W: k(k-1)/2 free numbers."""
    found = jacobian_matrices(linear(k, 40), draws(60, 1, 5, 8), double=True)
    values = np.linalg.eigvalsh(found.softmax)[::-1]
    rank = k * (k - 1) // 2
    assert values[rank - 1] > 1e-6 * values[0] and np.abs(values[rank:]).max() < 1e-13 * values[0]
    assert np.linalg.matrix_rank(found.logit) == 1  # the centred logits of a linear network have one Jacobian


def test_quadratic_network_of_reflections():
    """f_c = xᵀH_c x/2 with reflections H_c = 1 - 2 v vᵀ: J_c = H_c x keeps inner products, so 𝒥𝒥ᵀ = k X Xᵀ."""
    k, d = 3, 12
    vectors = nn.functional.normalize(draws(k, d))
    reflections = torch.eye(d) - 2 * vectors[:, :, None] * vectors[:, None, :]

    class Quadratic(nn.Module):
        def forward(self, x):
            return torch.einsum("ni,cij,nj->nc", x, reflections.to(x), x) / 2

    x = draws(50, d)
    j = output_jacobian(Quadratic(), x, double=True).reshape(50, -1)
    expected = k * (x.double() @ x.double().T).numpy()
    assert np.abs(j @ j.T - expected).max() < 1e-5 * expected.max()  # `vectors` are float32


@pytest.mark.parametrize("network", [small(), small("mlp", 20, 3), small("mlp", 80, 3)], ids=["conv", "few", "many"])
def test_matrices_diagonals_and_products_are_those_of_the_rows(network):
    images = draws(45, 2, 6, 6)
    found = jacobian_matrices(network, images)
    for level, m in (("softmax", found.softmax), ("logit", found.logit)):
        rows = found.rows(level, 0, 45)
        assert rows.shape == (45, 4 * 72) and np.array_equal(m, m.T)
        assert np.allclose(m, rows @ rows.T, rtol=1e-11, atol=1e-12 * m.max())
        assert np.array_equal(found.rows(level, 7, 40), rows[7:40])
        u, v = draws(45, 3).double().numpy(), draws(3, 4, 72).double().numpy()
        assert np.allclose(found.times(level, v), rows @ v.reshape(3, -1).T)
        assert np.allclose(found.times(level, v[0]), rows @ v[0].ravel())
        assert np.allclose(found.transposed(level, u).reshape(3, -1), u.T @ rows)
        assert np.allclose(found.transposed(level, u[:, 0]).ravel(), u[:, 0] @ rows)
    rows = found.rows("softmax", 0, 45)
    assert np.allclose(found.energy.ravel(), (rows**2).sum(axis=0))
    x = column_gram(lambda start, stop: found.rows("softmax", start, stop), 45)
    assert np.array_equal(x, x.T) and np.allclose(x, rows.T @ rows)
    assert np.allclose(np.linalg.eigvalsh(x)[-45:], np.linalg.eigvalsh(found.softmax), atol=1e-12 * x.max())


def test_right_singular_vectors():
    found = jacobian_matrices(small("mlp", 20, 3), draws(45, 2, 6, 6))
    values, vectors = np.linalg.eigh(found.softmax)
    top = found.transposed("softmax", vectors[:, -3:]) / np.sqrt(values[-3:, None, None])
    assert np.allclose(top.reshape(3, -1) @ top.reshape(3, -1).T, np.eye(3), atol=1e-10)
    assert np.allclose(top.sum(axis=1), 0, atol=1e-10)  # probabilities have a constant sum
    assert np.allclose(found.times("softmax", top), vectors[:, -3:] * np.sqrt(values[-3:]))


def test_bits_do_not_depend_on_threads_or_on_further_examples(monkeypatch):
    monkeypatch.setattr(module, "TILE", 16)
    network, images = small(), draws(150, 2, 6, 6)
    whole = jacobian_matrices(network, images)
    for again, n in (
        (jacobian_matrices(network, images, threads=3), 150),
        (jacobian_matrices(network, images[:70]), 70),
    ):
        assert np.array_equal(again.softmax, whole.softmax[:n, :n])
        assert np.array_equal(again.logit, whole.logit[:n, :n])
        assert np.array_equal(again.probabilities, whole.probabilities[:n])
        assert n < 150 or np.array_equal(again.energy, whole.energy)


def test_gram_of_any_number_of_rows(monkeypatch):
    monkeypatch.setattr(module, "TILE", 4)
    r = np.random.default_rng(0).standard_normal((37, 5))
    for n in (1, 4, 16, 17, 37):
        assert np.allclose(gram(lambda start, stop: r[start:stop], n, 2), r[:n] @ r[:n].T)


def test_network_that_diverged_and_one_that_is_flat():
    network = linear(3, 30)
    network[1].weight.data[1, 1] = torch.nan
    found = jacobian_matrices(network, draws(4, 1, 5, 6))
    assert np.isnan(found.softmax).all() and np.isnan(found.energy).any()
    network[1].weight.data.zero_()
    assert not jacobian_matrices(network, draws(4, 1, 5, 6)).softmax.any()


def test_store_reads_what_was_written_and_knows_the_disk():
    store = Store(10, (2, 3), np.dtype(np.float32))
    values = np.arange(24, dtype=np.float32).reshape(4, 2, 3)
    store.write(3, values)
    assert np.array_equal(store.read(4, 6), values[1:3])
    with pytest.raises(InputError, match="TMPDIR"):
        Store(10**12, (1000,), np.dtype(np.float32))


def test_only_the_levels_that_there_are():
    found = jacobians(small(), draws(3, 2, 6, 6))
    assert set(LEVELS) == {"softmax", "logit"}
    with pytest.raises(KeyError):
        found.rows("raw", 0, 3)
