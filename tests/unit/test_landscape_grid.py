"""Grids of points: their axes, refinement where a surface bends, rectangles to draw, tiles."""

import numpy as np
import pytest

from htsr.errors import InputError
from htsr.landscape.grid import explore, join, lattice, rectangle


def surface(function, points, refine=0, **options):
    axes = lattice(points, -1.0, 1.0, refine)
    return explore(axes, refine, lambda a, b: {"loss": function(a, b)}, "loss", **options)


def columns(rows, *names):
    return [np.array([row[name] for row in rows]) for name in names]


def test_the_network_and_the_other_one_are_on_the_axes():
    for n in (11, 21, 51, 101):
        a, b = lattice([n, n], -1.0, 1.0)
        assert a[n // 2] == b[n // 2] == 0 and a[-1] == 1 and a[0] == -1
    a, b = lattice([31], -0.25, 1.25, refine=2)
    assert 0.0 in a[::4] and 1.0 in a[::4] and len(a) == 121 and b.tolist() == [0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([20, 21], -1, 1), "points 20 from -1 to 1 pass over 0"),
        (([2], -1, 1), "3 or more"),
        (([5, 5, 5], -1, 1), "one or two"),
        (([5], 0.5, 1), "0, where the network itself is"),
    ],
)
def test_grids_without_the_network(arguments, message):
    with pytest.raises(InputError, match=message):
        lattice(*arguments)


def test_a_smooth_surface_is_not_refined():
    rows = surface(lambda a, b: a * a + 2 * b * b, [21, 19], refine=2)
    assert len(rows) == 21 * 19 and {row["level"] for row in rows} == {0}


@pytest.mark.parametrize("points", [[9, 9], [17]])
def test_refinement_follows_a_kink(points):
    rows = surface(lambda a, b: abs(a - 0.3) + 0.01 * b, points, refine=3, share=0.01)
    a, level = columns(rows, "a", "level")
    assert level.max() == 3
    spacing = 2 / (points[0] - 1)
    for k in (1, 2, 3):
        assert (np.abs(a[level == k] - 0.3) <= 2 * spacing / 2 ** (k - 1)).all()
    assert len({(row["a"], row["b"]) for row in rows}) == len(rows)


def test_what_is_not_finite_refines_nothing():
    rows = surface(lambda a, b: np.inf if a > 0.5 else np.nan if a < -0.5 else 1.0, [9, 9], refine=1)
    assert {row["level"] for row in rows} == {0}


def test_a_rectangle_of_a_refined_surface():
    rows = surface(lambda a, b: abs(a - 0.3) + b, [9, 5], refine=2, share=0.02)
    a, b, level, z = columns(rows, "a", "b", "level", "loss")
    x, y, found, measured = rectangle(a, b, level, z)
    assert found.shape == (33, 17) and measured.sum() == len(rows) < found.size
    assert np.array_equal(x, lattice([9, 5], -1, 1, 2)[0]) and np.array_equal(y, lattice([9, 5], -1, 1, 2)[1])
    exact = np.abs(x[:, None] - 0.3) + y
    assert np.allclose(found, exact)  # linear but for cells that were measured
    with pytest.raises(InputError, match="are missing"):
        rectangle(a[1:], b[1:], level[1:], z[1:])


def test_a_rectangle_keeps_what_is_not_finite():
    a, b = (x.ravel() for x in np.meshgrid([-1.0, 0.0, 1.0], [-1.0, 0.0, 1.0], indexing="ij"))
    a, b, level = np.append(a, 0.5), np.append(b, 0.0), np.append(np.zeros(9), 1)
    values = np.append(np.arange(9.0), 100.0)
    values[8] = np.inf
    _, _, found, measured = rectangle(a, b, level, values)
    assert found[3, 2] == 100 and measured[3, 2] and measured.sum() == 10
    assert np.isinf(found[3:, 3:]).sum() == found[3:, 3:].size and np.isfinite(found[:3]).all()


@pytest.mark.parametrize("tiles", [1, 2, 5, 50])
def test_tiles_join_to_the_whole(tiles):
    def of(tile, tiles):
        names = {"surface": "s", "network": "n"}
        grids = [([5, 5], 0), ([5, 7], 1)]
        return [
            names | {"seed": seed} | row
            for points, seed in grids
            for row in surface(lambda a, b: a + 10 * b, points, tile=tile, tiles=tiles)
        ]

    whole, parts = of(0, 1), [of(tile, tiles) for tile in range(tiles)]
    assert join(parts) == join(parts[:1] + parts[:0:-1]) == whole
    if tiles > 1:
        for wrong in ([parts[0][1:], *parts[1:]], parts[1:], [*parts, parts[0]]):
            with pytest.raises(InputError, match="are all tiles there"):
                join(wrong)


def test_a_surface_that_is_refined_in_part_joins():
    names = {"surface": "s", "network": "n", "seed": 0}
    rows = [names | row for row in surface(lambda a, b: abs(a - 0.3) + b, [9, 5], refine=2, share=0.02)]
    assert sorted(map(str, join([rows]))) == sorted(map(str, rows))
    with pytest.raises(InputError, match="each once"):
        join([[*rows, rows[-1]]])


def test_tiles_are_not_refined():
    with pytest.raises(InputError, match="set tiles to 1"):
        surface(lambda a, b: a, [5, 5], refine=1, tiles=2)
