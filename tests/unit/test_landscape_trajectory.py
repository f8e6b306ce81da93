import numpy as np
import pytest

from htsr.landscape import trajectory


def walk(steps, size, seed=0):
    states = np.random.default_rng(seed).standard_normal((steps + 1, size))
    return np.cumsum(states, axis=0)


@pytest.mark.parametrize("centred", [False, True])
def test_components_are_those_of_the_singular_value_decomposition(centred):
    states = walk(9, 40)
    found = trajectory.components(states, centred=centred, count=3)
    rows = states - states.mean(axis=0) if centred else states[:-1] - states[-1]
    _, values, right = np.linalg.svd(rows, full_matrices=False)
    np.testing.assert_allclose(found.explained, (values**2 / (values**2).sum())[:9], atol=1e-12)
    np.testing.assert_allclose(np.abs((found.directions * right[:3]).sum(axis=1)), 1, atol=1e-10)
    np.testing.assert_allclose(found.directions @ found.directions.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(found.coordinates, (states - states[-1]) @ found.directions.T, atol=1e-10)
    assert (found.coordinates[0] <= 0).all() and (found.coordinates[-1] == 0).all()


def test_a_straight_line_has_one_component_and_a_point_none():
    line = np.linspace(0, 1, 6)[:, None] * np.ones(10)
    found = trajectory.components(line)
    assert found.explained[0] == pytest.approx(1) and found.directions.shape == (1, 10)
    np.testing.assert_allclose(found.coordinates[:, 0], -(10**0.5) * np.linspace(1, 0, 6), atol=1e-12)
    still = trajectory.components(np.ones((4, 5)))
    assert np.isnan(still.explained).all() and still.directions.shape == (0, 5) and still.coordinates.shape == (4, 0)


def test_a_long_walk_has_the_known_shares():
    """60.8 % and 15.2 % centred, 81.1 % and 9.0 % from its end."""
    np.testing.assert_allclose(trajectory.walk_limit(2, centred=True), [0.608, 0.152], atol=5e-4)
    np.testing.assert_allclose(trajectory.walk_limit(2), [0.811, 0.090], atol=5e-4)
    for centred in (False, True):
        assert trajectory.walk_limit(100_000, centred=centred).sum() == pytest.approx(1, abs=1e-5)
        found = trajectory.walk_shares(np.ones(400), centred=centred)[:2]
        np.testing.assert_allclose(found, trajectory.walk_limit(2, centred=centred), rtol=0.01)


def test_shares_of_equal_steps_are_those_of_the_closed_form():
    """Eigenvalues 1/(4 sin²) of the inverse of a second difference with one fixed end, or two free ones."""
    t = 12
    k = np.arange(1, t + 1)
    for centred, angles in ((False, np.pi * (2 * k - 1) / (2 * (2 * t + 1))), (True, np.pi * k / (2 * (t + 1)))):
        expected = 1 / (4 * np.sin(angles) ** 2)
        np.testing.assert_allclose(
            trajectory.walk_shares(np.full(t, 3.0), centred=centred), expected / expected.sum(), rtol=1e-9
        )


@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("size", [6, 30])
def test_null_is_that_of_walks_with_the_same_steps(size, centred):
    lengths = np.array([5.0, 3.0, 2.0, 2.0, 1.0, 0.5, 0.5, 0.2])
    rng = np.random.default_rng(3)
    steps = rng.standard_normal((800, 8, size))
    steps *= lengths[:, None] / np.linalg.norm(steps, axis=2, keepdims=True)
    states = np.concatenate([np.zeros((800, 1, size)), steps.cumsum(axis=1)], axis=1)
    np.testing.assert_allclose(trajectory.step_lengths(states[0]), lengths)
    direct = np.array([trajectory.components(s, centred=centred).explained[:2] for s in states])
    found = trajectory.walk_null(lengths, size, 800, rng, centred=centred)[:, :2]
    np.testing.assert_allclose(found.mean(axis=0), direct.mean(axis=0), atol=6 * found.std(axis=0).max() / 800**0.5)
    np.testing.assert_allclose(found.std(axis=0), direct.std(axis=0), rtol=0.15)
    wide = trajectory.walk_null(lengths, 10**7, 20, rng, centred=centred)
    shares = trajectory.walk_shares(lengths, centred=centred)
    np.testing.assert_allclose(wide, np.tile(shares, (20, 1)), atol=2e-3)


def test_a_walk_is_no_exception_among_walks_and_a_drift_is():
    lengths = trajectory.step_lengths(walk(10, 500))
    null = trajectory.walk_null(lengths, 500, 400, np.random.default_rng(0))[:, 0]
    shares = [trajectory.components(walk(10, 500, seed)).explained[0] for seed in range(1, 60)]
    assert 0.3 < np.mean([(null < share).mean() for share in shares]) < 0.7
    drift = walk(10, 500) + 10 * np.arange(11)[:, None]
    assert trajectory.components(drift).explained[0] > null.max()


def test_oblique_planes_are_projected_on_by_least_squares():
    rng = np.random.default_rng(0)
    directions = rng.standard_normal((2, 30))
    directions[1] = 3 * directions[0] + 0.5 * directions[1]
    coordinates = rng.standard_normal((5, 2))
    found, outside = trajectory.project(coordinates @ directions, directions)
    np.testing.assert_allclose(found, coordinates, atol=1e-10)
    assert (outside < 1e-10).all()
    offset = rng.standard_normal((1, 30))
    found, outside = trajectory.project(offset, directions)
    rest = offset - found @ directions
    np.testing.assert_allclose(rest @ directions.T, 0, atol=1e-10)
    assert outside[0] == pytest.approx(np.linalg.norm(rest) / np.linalg.norm(offset))
    assert trajectory.project(np.zeros((1, 30)), directions)[1] == 0
