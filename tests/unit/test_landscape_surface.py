"""Losses at states of a network: closed forms, batch norm, what is not finite, and what they must not depend on."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from htsr.errors import InputError
from htsr.landscape import surface
from htsr.landscape.convexity import above_chord
from htsr.landscape.directions import difference, moved, random_direction
from htsr.landscape.surface import evaluator, recalibrate
from htsr.networks.build import build
from htsr.networks.train import evaluate, percent


def network(seed=0, name="resnet", width=4, depth=8, **options):
    """A network whose batch normalizations do something."""
    generator = torch.Generator().manual_seed(seed)
    built = build(name, width, depth, (1, 8, 8), 10, generator, **options)
    for key, tensor in built.state_dict().items():
        if tensor.is_floating_point() and tensor.ndim == 1:
            tensor.copy_(torch.rand(tensor.shape, generator=generator) + (0.5 if "var" in key else 0))
    return built.eval()


def batch(n=60, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, 1, 8, 8, generator=generator), torch.randint(0, 10, (n,), generator=generator)


def linear():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10)).double()


def losses(function, state, directions, points):
    return np.array([function(moved(state, directions, point))["train"].loss for point in points])


def test_a_quadratic_loss_gives_a_bivariate_quadratic():
    net, (x, y) = linear(), batch()
    evaluated = evaluator(net, {"train": (x.double(), y)}, loss="squared")
    state = net.state_dict()
    directions = [random_direction(state, 0, axis=axis) for axis in (0, 1)]
    axis = np.linspace(-1, 1, 5)
    points = [(a, b) for a in axis for b in axis]
    z = losses(evaluated, state, directions, points)
    a, b = np.array(points).T
    design = np.stack([np.ones_like(a), a, b, a * a, a * b, b * b], axis=1)
    fitted, *_ = np.linalg.lstsq(design, z, rcond=None)
    assert np.abs(design @ fitted - z).max() < 1e-12 * z.max()
    rows = [x.double().flatten(1) @ direction["1.weight"].T for direction in directions]
    assert fitted[3] == pytest.approx(rows[0].square().mean().item())
    assert fitted[4] == pytest.approx(2 * (rows[0] * rows[1]).mean().item())


def test_a_quadratic_loss_lies_an_eighth_of_its_curvature_below_the_chord():
    net, (x, y) = linear(), batch()
    other = {key: tensor + torch.randn_like(tensor) for key, tensor in net.state_dict().items()}
    evaluated = evaluator(net, {"train": (x.double(), y)}, loss="squared")
    line = difference(net.state_dict(), other)
    t = np.linspace(0, 1, 11)
    z = losses(evaluated, net.state_dict(), [line], [(s,) for s in t])
    moves = x.double().flatten(1) @ line["1.weight"].T + line["1.bias"]
    curvature = 2 * moves.square().mean().item()  # ΔᵀHΔ
    assert np.allclose(above_chord(t, z), -t * (1 - t) / 2 * curvature)
    assert above_chord(t, z)[5] == pytest.approx(-curvature / 8)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"skip": False},
        {"name": "vgg9", "depth": 9},
        {"name": "mlp", "depth": 3},
        {"name": "wide_resnet", "width": 1, "depth": 10},
    ],
)
def test_at_the_origin_it_is_the_loss_of_the_network(options):
    net, (x, y) = network(**options), batch()
    evaluated = evaluator(net, {"train": (x, y), "test": batch(20, seed=1)})
    state = net.state_dict()
    directions = [random_direction(state, 0, axis=axis) for axis in (0, 1)]
    found = evaluated(moved(state, directions, (0.0, 0.0)))
    evaluated(moved(state, directions, (1.0, 0.5)))  # leaves no trace
    assert evaluated(state) == found
    loss, predicted = evaluate(net, x, y)
    assert found["train"].loss == pytest.approx(loss, rel=1e-5) and found["train"].accuracy == percent(predicted, y)
    assert found["test"].loss == pytest.approx(evaluate(net, *batch(20, seed=1))[0], rel=1e-5)
    each = torch.nn.functional.cross_entropy(net(x), y, reduction="none")
    assert found["train"].stderr == pytest.approx(each.std().item() / 60**0.5, rel=1e-4)


@pytest.mark.parametrize("policy", ["frozen", "recalibrated"])
def test_the_network_is_not_modified(policy):
    net, (x, y) = network(), batch()
    before, flags = copy.deepcopy(net.state_dict()), [p.requires_grad for p in net.parameters()]
    evaluated = evaluator(net, {"train": (x, y)}, batch_norm=policy, calibration=x)
    evaluated(moved(net.state_dict(), [random_direction(net.state_dict(), 0)], [1.0]))
    assert all(torch.equal(tensor, before[key]) for key, tensor in net.state_dict().items())
    assert not net.training and [p.requires_grad for p in net.parameters()] == flags


@pytest.mark.parametrize("policy", ["frozen", "recalibrated"])
def test_losses_do_not_depend_on_threads_nor_on_chunks(monkeypatch, policy):
    net, (x, y) = network(), batch()
    state = moved(net.state_dict(), [random_direction(net.state_dict(), 0)], [0.5])
    found = []
    for pixels, threads in ((640, 1), (640, 3), (64 * 100, 1)):
        monkeypatch.setattr(surface, "_PIXELS", pixels)
        evaluated = evaluator(net, {"train": (x, y)}, batch_norm=policy, calibration=x, threads=threads)
        found.append(evaluated(state)["train"])
    assert found[0] == found[1]
    assert found[0].loss == pytest.approx(found[2].loss, rel=1e-6)


def test_recalibrated_statistics_are_those_of_the_batches():
    net, (x, _) = network(), batch()
    recalibrate(net, [x[:30], x[30:]])
    outputs = [net.conv1(part) for part in (x[:30], x[30:])]
    means = torch.stack([out.mean(dim=(0, 2, 3)) for out in outputs]).mean(dim=0)
    variances = torch.stack([out.var(dim=(0, 2, 3)) for out in outputs]).mean(dim=0)
    assert torch.allclose(net.bn1.running_mean, means, atol=1e-6)
    assert torch.allclose(net.bn1.running_var, variances, rtol=1e-5)
    assert not net.bn1.training and net.bn1.momentum == 0.1


def test_recalibration_mixes_classes_that_come_in_order():
    """Two classes of different grey levels: batches of one class each would miss the variance between them."""
    net, (x, y) = network(), batch(256)
    x, y = x + torch.linspace(-3, 3, 256)[:, None, None, None], y.sort().values
    anew = evaluator(net, {"train": (x, y)}, batch_norm="recalibrated", calibration=x)(net.state_dict())["train"]
    losses = []
    for batches in ([x], [x[:128], x[128:]]):
        recalibrate(net, batches)
        losses.append(evaluate(net, x, y)[0])
    assert abs(anew.loss - losses[0]) < 0.1 * abs(losses[1] - losses[0])


def test_recalibration_forgets_the_statistics_of_the_state():
    net, (x, y) = network(), batch()
    sets = {"train": (x, y)}
    frozen = evaluator(net, sets)
    anew = evaluator(net, sets, batch_norm="recalibrated", calibration=x)
    state = net.state_dict()
    wrong = {key: tensor * 4 if key.endswith("running_var") else tensor for key, tensor in state.items()}
    assert anew(state) == anew(wrong) and frozen(state) != frozen(wrong)
    recalibrate(net, [x])
    assert anew(state)["train"].loss == pytest.approx(evaluate(net, x, y)[0], rel=1e-5)
    with_none = network(name="mlp", depth=3)
    both = [evaluator(with_none, sets, batch_norm=policy)(with_none.state_dict()) for policy in surface.POLICIES]
    assert both[0] == both[1]


def test_filter_normalization_does_not_see_the_scale_of_rectified_layers():
    net, (x, y) = network(name="mlp", width=16, depth=3), batch()
    scaled = {key: tensor.clone() for key, tensor in net.state_dict().items()}
    scaled["fc1.weight"] *= 8
    scaled["fc1.bias"] *= 8
    scaled["fc2.weight"] /= 8
    evaluated = evaluator(net, {"train": (x, y)})
    points = [(-1.0, 0.5), (0.3, 0.3), (1.0, -1.0)]
    found = {}
    for how in ("filter", "layer", "none"):
        for name, state in (("own", net.state_dict()), ("scaled", scaled)):
            directions = [random_direction(state, 0, how, axis) for axis in (0, 1)]
            found[how, name] = losses(evaluated, state, directions, points)
        same = np.allclose(found[how, "own"], found[how, "scaled"], rtol=1e-5)
        assert same == (how != "none")


def test_losses_that_are_not_finite_are_recorded():
    net, (x, y) = network(name="mlp", depth=3), batch()
    huge = {key: tensor * 1e20 for key, tensor in net.state_dict().items()}
    found = evaluator(net, {"train": (x, y)})(huge)["train"]
    assert np.isnan(found.loss) and np.isnan(found.stderr) and 0 <= found.accuracy < 50
    one = linear()
    state = {key: tensor * 1e200 for key, tensor in one.state_dict().items()}
    found = evaluator(one, {"train": (x.double(), y)}, loss="squared")(state)["train"]
    assert found.loss == np.inf and np.isnan(found.stderr)
    negative = {
        key: -tensor if key.endswith("running_var") else tensor for key, tensor in network().state_dict().items()
    }
    assert np.isnan(evaluator(network(), {"train": (x, y)})(negative)["train"].loss)


def test_bad_input():
    net, (x, y) = network(), batch()
    with pytest.raises(InputError, match="'fixed': choose one of frozen, recalibrated"):
        evaluator(net, {"train": (x, y)}, batch_norm="fixed")
    for calibration in (None, x[:1]):
        with pytest.raises(InputError, match="needs two training images"):
            evaluator(net, {"train": (x, y)}, batch_norm="recalibrated", calibration=calibration)
