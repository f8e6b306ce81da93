import numpy as np
import pytest
import torch
from torch import nn

from htsr.landscape.curvature import across_scales, curvature
from htsr.networks.build import build


def data(n=30, d=6, k=3):
    rng = np.random.default_rng(1)
    return rng.standard_normal((n, 1, 2, d // 2)).astype(np.float32), rng.integers(0, k, n)


def test_a_quadratic_loss_has_one_curvature_at_all_scales():
    images, labels = data()
    net = nn.Sequential(nn.Flatten(), nn.Linear(6, 3))
    directions = np.random.default_rng(0).standard_normal((4, 21))
    found = curvature(net, images, labels, directions, [1e-2, 0.1, 1.0], loss="squared")
    assert found.differences.shape == (4, 3)
    assert (np.abs(found.differences - found.exact[:, None]) <= 10 * found.rounding).all()
    assert found.rounding.max() < 1e-9 * found.exact.min()
    rows = across_scales(found)
    assert [row["step"] for row in rows] == [1e-2, 0.1, 1.0] and rows[0]["n_directions"] == 4
    assert rows[1]["second_difference"] == pytest.approx(found.exact.mean(), rel=1e-8)
    assert rows[1]["exact_stderr"] == pytest.approx(found.exact.std(ddof=1) / 2)
    assert abs(rows[1]["gap"]) < 1e-8 * rows[1]["exact"]


def test_kinks_make_a_gap_that_autograd_does_not_see():
    """L = (max(w, 0) - 1)²: the slope jumps by -2 at w = 0, which a second difference there sees as about -2/h."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(1, 1, bias=False), nn.ReLU())
    nn.init.zeros_(net[1].weight)
    images, labels = np.ones((1, 1, 1, 1), np.float32), np.zeros(1, np.int64)
    found = curvature(net, images, labels, np.ones((1, 1)), [0.01], loss="squared")
    assert found.differences[0, 0] == pytest.approx((0.99**2 + 1 - 2) / 1e-4)
    assert found.exact[0] == 0
    assert np.isnan(across_scales(found)[0]["gap_stderr"])


def test_a_smooth_network_agrees_with_autograd_at_small_steps_and_is_not_changed():
    images, labels = data()
    net = build("mlp", 8, 3, (1, 2, 3), 3, torch.Generator().manual_seed(0))
    smooth = nn.Sequential(*[nn.Tanh() if isinstance(m, nn.ReLU) else m for m in flat_modules(net)])
    before = [p.clone() for p in smooth.parameters()]
    size = sum(p.numel() for p in before)
    directions = np.random.default_rng(0).standard_normal((3, size)) / size**0.5
    found = curvature(smooth, images, labels, directions, [1e-3], chunk=7)
    np.testing.assert_allclose(found.differences[:, 0], found.exact, rtol=1e-4, atol=1e-6)
    assert all(torch.equal(p, q) for p, q in zip(smooth.parameters(), before, strict=True))


def flat_modules(net):
    return [module for module in net.modules() if not list(module.children())]
