"""Convexity, roughness, width and barriers of surfaces that are known in closed form."""

import numpy as np
import pytest

from htsr.landscape.convexity import above_chord, barrier, concave_shares, decrease, measures, rays, summarize, width

AXIS = np.linspace(-1, 1, 21)
A, B = np.meshgrid(AXIS, AXIS, indexing="ij")


@pytest.mark.parametrize(
    ("z", "concave", "negative"),
    [
        (A**2 + 3 * B**2, 0, 0),
        (A**2 - B**2, 1, 1),
        (A * B, 0, 1),  # a saddle between the axes
        (A + B, 0, 0),
        (1e4 + A**2 * 1e-6, 0, 0),  # below rounding
        (-(A**2) - B**2, 1, 1),
        (np.abs(A), 0, 0),
    ],
)
def test_shares_of_concave_points(z, concave, negative):
    assert concave_shares(z) == (concave, negative)


def test_shares_of_a_line_and_of_what_is_not_finite():
    line = np.cos(3 * np.pi * AXIS)[:, None]
    expected = (np.cos(3 * np.pi * AXIS[1:-1]) > 1e-9).mean()
    assert concave_shares(line) == (expected, expected)
    z = A**2 + B**2
    z[3, 4] = np.nan
    z[10, 10] = np.inf
    assert concave_shares(z) == (0, 0)
    assert np.isnan(concave_shares(np.full((3, 3), np.nan))).all()


def test_rays():
    lines = rays(AXIS, AXIS, A**2 + B**2)
    assert len(lines) == 8 and all(len(radii) == 11 for radii, _ in lines)
    assert sorted(round(radii[-1], 6) for radii, _ in lines) == [1] * 4 + [1.414214] * 4
    assert all(np.allclose(losses, radii**2) for radii, losses in lines)
    wide = rays(np.linspace(-1, 1, 5), np.linspace(-1, 1, 21), np.zeros((5, 21)))
    assert sorted(len(radii) for radii, _ in wide) == [3] * 6 + [11] * 2
    assert [radii.tolist() for radii, _ in rays(np.linspace(0, 1, 3), np.zeros(1), np.zeros((3, 1)))] == [[0, 0.5, 1]]


def test_decrease():
    assert decrease(rays(AXIS, AXIS, A**2 + B**2)) == 0
    assert decrease(rays(AXIS, AXIS, np.ones_like(A))) == 0
    assert decrease(rays(AXIS, AXIS, -(A**2))) == 1
    wave = [(np.arange(5.0), np.array([0.0, 1.0, 0.5, 2.0, np.nan]))]
    assert decrease(wave) == pytest.approx(0.5 / 3)


def test_width():
    lines = rays(AXIS, AXIS, 4 * (A**2 + B**2))
    found, reached = width(lines, 1.0)
    assert reached == 1 and found == pytest.approx(0.5, abs=0.005)  # linear between points
    assert width(rays(AXIS, AXIS, np.abs(A) / 2), 1.0) == (pytest.approx((4 * 1 + 4 * 2**0.5) / 8), 0.0)
    cliff = [(np.array([0, 1.0, 2.0]), np.array([0, 0.5, np.nan]))]
    assert width(cliff, 1.0) == (2.0, 1.0) and width(cliff, 0.0) == (0.0, 1.0)


def test_barrier():
    t = np.linspace(0, 1, 11)
    stderr = np.full(11, 0.1)
    convex = 3 * (t - 0.2) ** 2 + 1
    assert barrier(t, convex, stderr) == (0, 0, 0)
    assert above_chord(t, convex)[5] == pytest.approx(-6 / 8)
    height, at, error = barrier(t, -convex, stderr)
    assert (height, at) == (pytest.approx(6 / 8), 0.5) and error == pytest.approx(0.1 * 1.5**0.5)
    assert barrier(t, np.where(t == 0.4, np.nan, convex), stderr)[:2] == (np.inf, 0.4)
    assert np.isnan(barrier(t, np.where(t == 1, np.inf, convex), stderr)).all()


def test_measures_of_a_bowl():
    found = measures(A.ravel(), B.ravel(), (1 + A**2 + B**2).ravel(), np.full(A.size, 0.1))
    assert found["loss_center"] == 1 and found["loss_center_stderr"] == 0.1 and found["loss_max"] == 3
    assert found["n_nonfinite"] == found["share_concave"] == found["share_negative"] == found["decrease"] == 0
    assert found["width_nat"] == found["width_double"] == pytest.approx(1, abs=0.01)
    assert found["reached_nat"] == found["reached_double"] == 1
    center = np.where((A == 0) & (B == 0), np.nan, 1.0).ravel()
    found = measures(A.ravel(), B.ravel(), center, center)
    assert found["n_nonfinite"] == 1 and np.isnan(found["width_nat"]) and np.isnan(found["decrease"])


def points(surface, plane, seed, curvature, **known):
    row = {"surface": surface, "network": "x", "other": None, "third": None, "plane": plane, "dimensions": 1}
    row |= {"normalization": "filter", "batch_norm": "frozen", "seed": seed, "length_a": 2.0, "length_b": None}
    row |= {"train_examples": 9, "test_examples": 0, "level": 0, "b": 0.0, "train_stderr": 0.0} | known
    row |= {"test_loss": np.nan, "test_stderr": np.nan}
    return [row | {"a": float(a), "train_loss": curvature * float(a) ** 2} for a in np.linspace(-1, 1, 5)]


def test_a_summary_has_the_spread_over_seeds():
    rows = points("s", "random", 0, 4.0) + points("s", "random", 1, 16.0)
    rows += points("path", "interpolation", 0, -8.0, other="y", third=np.nan)
    random, path = summarize(rows)
    assert random["n_seeds"] == 2 and random["n_points"] == 10 and random["split"] == "train"
    assert random["loss_max"] == 10 and random["loss_max_std"] == pytest.approx(12 / 2**0.5)
    assert random["share_concave"] == random["decrease"] == 0 and np.isnan(random["train_barrier"])
    assert path["other"] == "y" and path["third"] is None and path["share_concave"] == 1
    assert path["train_barrier"] == pytest.approx(8 / 4) and path["train_barrier_at"] == 0.5
    assert np.isnan(path["test_barrier"]) and np.isnan(path["loss_max_std"])
