import numpy as np
import pytest
import torch

from htsr.landscape import hessian, sharpness
from htsr.landscape.directions import random_direction
from htsr.networks.build import build
from htsr.spectra.quadrature import cumulative, quadrature


def data(n=24):
    rng = np.random.default_rng(1)
    return rng.standard_normal((n, 1, 5, 5)).astype(np.float32), rng.integers(0, 4, n)


def network(name="mlp", width=6, depth=3):
    generator = torch.Generator().manual_seed(0)
    net = build(name, width, depth, (1, 5, 5), 4, generator)
    for parameter in net.parameters():
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=generator)
    return net


@pytest.fixture(scope="module")
def case():
    net, (images, labels) = network(), data()
    size = sum(p.numel() for p in net.parameters())
    return net, images, labels, hessian.dense(hessian.hessian_product(net, images, labels, double=True), size)


def test_measures_are_those_of_the_dense_hessian(case):
    net, images, labels, dense = case
    found = sharpness.measure(net, images, labels, np.random.default_rng(0), highest=3, probes=40, tolerance=1e-4)
    row, values = found.row, np.linalg.eigvalsh(dense)
    assert row["status"] == "ok" and row["n_parameters"] == len(dense) and row["n_examples"] == 24
    for name, value in (("min", values[0]), ("max", values[-1]), (1, values[-1]), (2, values[-2]), (3, values[-3])):
        bound = row[f"lambda_{name}_bound"]
        assert abs(row[f"lambda_{name}"] - value) <= bound <= 2e-4 * values[-1], name
    assert abs(row["ratio"] - abs(values[0] / values[-1])) <= row["ratio_bound"] < 1e-3
    assert 0 < row["rounding"] < 1e-5
    norms, sizes = hessian.filter_norms(net)
    expected = {"trace": np.trace(dense), "filter_curvature": (np.diag(dense) * norms**2 / sizes).sum()}
    for name, value in expected.items():
        assert abs(row[name] - value) < 4 * row[f"{name}_stderr"] < 0.5 * value
    largest = np.linalg.eigvalsh(norms[:, None] * dense * norms)[-1]
    assert abs(row["filter_lambda_max"] - largest) <= row["filter_lambda_max_bound"] < 1e-3 * largest
    curved = hessian.dense(hessian.gauss_newton_product(net, images, double=True), len(dense))
    assert abs(row["gauss_newton_lambda_max"] - np.linalg.eigvalsh(curved)[-1]) <= row["gauss_newton_lambda_max_bound"]
    theta = hessian.flatten(list(net.parameters()))
    assert row["theta_h_theta"] == pytest.approx(theta @ dense @ theta, rel=1e-4)
    assert row["fisher_rao"] == pytest.approx(theta @ curved @ theta, rel=1e-4)


def test_filter_curvature_is_the_mean_over_random_directions(case):
    net, _, _, dense = case
    norms, sizes = hessian.filter_norms(net)
    state = net.state_dict()
    forms = []
    for seed in range(400):
        direction = random_direction(state, seed)
        v = hessian.flatten([direction.get(name, torch.zeros(p.shape)) for name, p in net.named_parameters()])
        forms.append(v @ dense @ v)
    stderr = np.std(forms) / 20
    assert abs(np.mean(forms) - (np.diag(dense) * norms**2 / sizes).sum()) < 4 * stderr


def test_known_pairs_take_their_part_out_of_the_scatter():
    rng = np.random.default_rng(0)
    q = np.linalg.qr(rng.standard_normal((60, 60)))[0]
    values = np.r_[100.0, 50.0, rng.random(58)]
    a = (q * values) @ q.T
    weights = np.stack([np.ones(60), np.arange(60) / 60])
    exact = weights @ np.diag(a)
    none = (np.empty(0), np.empty((60, 0)))
    plain = sharpness.weighted_traces(lambda v: a @ v, weights, 30, rng, *none)
    inexact = q[:, :2] + 1e-3 * rng.standard_normal((60, 2))  # known pairs need not be exact
    known = sharpness.weighted_traces(lambda v: a @ v, weights, 30, rng, values[:2], inexact)
    for found in (plain, known):
        assert (np.abs(found.values - exact) < 4.5 * found.stderrs).all()
    assert (known.stderrs < 0.1 * plain.stderrs).all()


def test_a_layer_is_measured_alone(case):
    net, images, labels, dense = case
    found = sharpness.measure(net, images, labels, np.random.default_rng(0), layer="fc3", highest=2)
    values = np.linalg.eigvalsh(dense[-28:, -28:])
    assert found.row["n_parameters"] == 28
    assert abs(found.row["lambda_max"] - values[-1]) <= found.row["lambda_max_bound"] + 1e-12
    # of the last layer alone the loss is convex, so H = G
    assert found.row["gauss_newton_lambda_max"] == pytest.approx(values[-1], rel=1e-3)


def test_a_network_that_is_not_finite_gets_a_status():
    net, (images, labels) = network(), data()
    net.fc1.weight.data[0, 0] = float("nan")
    found = sharpness.measure(net, images, labels, np.random.default_rng(0))
    assert found.row["status"] == "loss or gradient is not finite" and found.product is None
    assert "lambda_max" not in found.row


def test_density_is_within_its_errors_of_the_dense_spectrum(case):
    net, images, labels, dense = case
    found = sharpness.measure(net, images, labels, np.random.default_rng(0), highest=3)
    spectrum = quadrature(
        found.product, len(dense), probes=12, steps=30, rng=np.random.default_rng(1),
        deflated=(found.values, found.vectors),
    )  # fmt: skip
    values = np.linalg.eigvalsh(dense)
    grid = np.linspace(values[0] * 1.1, values[-1] * 1.1, 60)
    band = cumulative(spectrum, grid)
    share = np.searchsorted(values, grid, "right") / len(values)
    inside = (share >= band.low - 4 * band.stderr - 1e-9) & (share <= band.high + 4 * band.stderr + 1e-9)
    assert inside.all() and (band.high - band.low).mean() < 0.1


@pytest.mark.parametrize("batch_norm", ["frozen", "recalibrated"])
def test_ends_over_a_plane_are_those_of_the_networks_there(batch_norm):
    net, (images, labels) = network("resnet", 1, 8), data(12)
    before = {name: t.clone() for name, t in net.state_dict().items()}
    directions = [random_direction(net.state_dict(), 0, axis=axis) for axis in range(2)]
    axes = [np.array([-0.5, 0.0, 0.5]), np.array([0.0, 0.25])]
    rows = sharpness.ends_over_plane(
        net, images, labels, directions, axes, np.random.default_rng(0), batch_norm=batch_norm, tolerance=1e-4
    )
    assert [(row["a"], row["b"]) for row in rows] == [(a, b) for b in axes[1] for a in axes[0]]
    assert all(torch.equal(t, before[name]) for name, t in net.state_dict().items())
    size = sum(p.numel() for p in net.parameters())
    if batch_norm == "frozen":
        here = hessian.dense(hessian.hessian_product(net, images, labels, double=True), size)
        values = np.linalg.eigvalsh(here)
        for name, value in (("min", values[0]), ("max", values[-1])):
            assert abs(rows[1][f"lambda_{name}"] - value) <= rows[1][f"lambda_{name}_bound"] + 1e-5 * values[-1]
        assert abs(rows[1]["ratio"] - abs(values[0] / values[-1])) <= rows[1]["ratio_bound"] + 1e-5
    assert {row["status"] for row in rows} == {"ok"}
    net.conv1.weight.data.fill_(float("inf"))
    rows = sharpness.ends_over_plane(
        net, images, labels, directions, [axes[0][:1], np.zeros(1)], np.random.default_rng(0)
    )
    assert rows[0]["status"] != "ok" and np.isnan(rows[0]["ratio"])
