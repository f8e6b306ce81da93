"""A curve between two solutions."""

import copy

import numpy as np
import pytest
import torch

from htsr.errors import InputError
from htsr.landscape.convexity import barrier
from htsr.landscape.directions import bezier, difference, moved
from htsr.landscape.paths import bezier_control, curve
from htsr.landscape.surface import evaluator
from htsr.networks.build import build
from htsr.networks.train import Recipe, train


def solution(seed, images, labels):
    built = build("mlp", 16, 3, (1, 4, 4), 2, torch.Generator().manual_seed(seed))
    recipe = Recipe(40, 32, 0.1, momentum=0.9)
    train(built, images, labels, recipe, torch.Generator().manual_seed(seed), lambda epoch, rate: None)
    return built.eval()


def task():
    """Two classes that a plane does not tell apart: the sign of a product."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(256, 1, 4, 4, generator=generator)
    return images, (images[:, 0, 0, 0] * images[:, 0, 1, 1] > 0).long()


def test_the_curve_is_lower_than_the_line():
    images, labels = task()
    networks = [solution(seed, images, labels) for seed in (0, 1)]
    first, second = (network.state_dict() for network in networks)
    before = copy.deepcopy(first)
    given = networks[0], first, second, images, labels
    short = [bezier_control(*given, np.random.default_rng(0), steps=5) for _ in range(2)]
    assert all(torch.equal(short[0][key], short[1][key]) for key in first)
    control = bezier_control(*given, np.random.default_rng(0), learning_rate=0.1)
    assert all(torch.equal(first[key], before[key]) for key in first)
    evaluated = evaluator(networks[0], {"train": (images, labels)})
    t = np.linspace(0, 1, 11)
    paths = {
        "line": [moved(first, [difference(first, second)], [s]) for s in t],
        "curve": [moved(first, curve(first, control, second), bezier(s)) for s in t],
    }
    assert all(torch.equal(paths["curve"][-1][key], second[key]) for key in second)
    heights = {}
    for name, states in paths.items():
        found = [evaluated(state)["train"] for state in states]
        heights[name] = barrier(t, np.array([f.loss for f in found]), np.array([f.stderr for f in found]))[0]
    assert heights["line"] > 0.3 and heights["curve"] < heights["line"] / 3


def test_two_images_are_the_least():
    images, labels = task()
    network = build("mlp", 16, 3, (1, 4, 4), 2, torch.Generator().manual_seed(0))
    state = network.state_dict()
    with pytest.raises(InputError, match="two images or more"):
        bezier_control(network, state, state, images[:1], labels[:1], np.random.default_rng(0))
