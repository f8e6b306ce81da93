"""Directions in the space of weights: normalization, seeds, planes, exact ends."""

import numpy as np
import pytest
import torch

from htsr.errors import InputError
from htsr.landscape.directions import bezier, combined, difference, inner, moved, norm, plane_through, random_direction
from htsr.networks.build import build


def network(seed=0, name="resnet", **options):
    generator = torch.Generator().manual_seed(seed)
    settings = {"width": 4, "depth": 8} | options
    built = build(name, **settings, shape=(1, 8, 8), classes=10, generator=generator)
    for key, tensor in built.state_dict().items():
        if tensor.is_floating_point() and tensor.ndim == 1:
            tensor.copy_(torch.rand(tensor.shape, generator=generator) + (0.5 if "var" in key else 0))
    return built.eval()


def filter_norms(tensor):
    return tensor.double().flatten(1).norm(dim=1)


def test_filters_have_the_norms_of_the_network():
    state = network().state_dict()
    state["layer1.0.conv1.weight"][2] = 0
    direction = random_direction(state, 0)
    assert direction.keys() == {key for key, tensor in state.items() if tensor.ndim > 1}
    for key, tensor in direction.items():
        assert torch.allclose(filter_norms(tensor), filter_norms(state[key]), rtol=1e-12)
    assert not direction["layer1.0.conv1.weight"][2].any()
    by_layer, plain = (random_direction(state, 0, how) for how in ("layer", "none"))
    for key in direction:
        assert by_layer[key].norm().item() == pytest.approx(state[key].double().norm().item(), rel=1e-12)
        ratio = direction[key][0] / plain[key][0]
        assert torch.allclose(ratio, ratio.flatten()[0].expand_as(ratio))
    assert plain["layer3.0.conv2.weight"].std().item() == pytest.approx(1, abs=0.05)


def test_entries_depend_on_seed_axis_and_name_alone():
    state = network().state_dict()
    direction = random_direction(state, 3)
    backwards = random_direction(dict(reversed(state.items())), 3)
    assert all(torch.equal(direction[key], backwards[key]) for key in direction)
    for other in (random_direction(state, 4), random_direction(state, 3, axis=1)):
        cosine = inner(direction, other) / (norm(direction) * norm(other))
        assert abs(cosine) < 0.1
    with pytest.raises(InputError, match="'rows': choose one of filter, layer, none"):
        random_direction(state, 0, "rows")


def test_the_ends_of_a_line_are_the_networks():
    first, second = (network(seed).state_dict() for seed in (0, 1))
    line = difference(first, second)
    for t, state in ((0.0, first), (1.0, second)):
        there = moved(first, [line], [t])
        assert all(torch.equal(there[key], state[key]) for key in state)
    middle = moved(first, [line], [0.5])["bn1.running_var"]
    assert torch.allclose(middle, (first["bn1.running_var"] + second["bn1.running_var"]) / 2)
    with pytest.raises(InputError, match="choose networks of one architecture"):
        difference(first, network(width=8).state_dict())
    with pytest.raises(InputError, match=r"layer1.1.conv1.weight has shape none"):
        difference(first, network(depth=14).state_dict())


def test_moving_leaves_the_state_alone():
    state = network().state_dict()
    kept = {key: tensor.clone() for key, tensor in state.items()}
    there = moved(state, [random_direction(state, 0), random_direction(state, 0, axis=1)], [0.5, -0.5])
    assert all(torch.equal(state[key], kept[key]) for key in state)
    assert torch.equal(there["bn1.weight"], state["bn1.weight"])
    assert not torch.equal(there["conv1.weight"], state["conv1.weight"])


def test_the_plane_through_three_networks():
    states = [network(seed).state_dict() for seed in range(3)]
    directions, places = plane_through(*states)
    assert norm(directions[0]) == pytest.approx(norm(directions[1])) == pytest.approx(norm(difference(*states[:2])))
    assert inner(*directions) == pytest.approx(0, abs=1e-9 * norm(directions[0]) ** 2)
    for place, state in zip(places, states, strict=True):
        there = moved(states[0], directions, place)
        assert all(torch.allclose(there[key].double(), state[key].double(), atol=1e-6) for key in state)
    for others, message in ((states[:1] * 2, "first two are the same"), ([states[1], states[1]], "lies on the line")):
        with pytest.raises(InputError, match=message):
            plane_through(states[0], *others)


def test_inner_products_are_over_parameters():
    state = {"bn.weight": torch.tensor([3.0]), "bn.running_mean": torch.tensor([4.0])}
    zero = {key: torch.zeros_like(tensor) for key, tensor in state.items()}
    assert norm(difference(zero, state)) == 3


def test_bezier_coefficients():
    a, b, c = np.random.default_rng(0).standard_normal(3)
    for t in (0.0, 0.3, 1.0):
        bend, end = bezier(t)
        expected = (1 - t) ** 2 * a + 2 * t * (1 - t) * b + t * t * c
        assert a + bend * (b - a) + end * (c - a) == pytest.approx(expected)
    tensor = torch.ones(2)
    assert torch.equal(combined([{"x": tensor}, {"x": tensor, "y": tensor}], [1.0, 2.0])["x"], 3 * tensor)
