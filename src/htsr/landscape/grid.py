"""Rectangular grids of points (a, b), refined where a surface bends. Without torch: figures read grids as well.

A grid of one dimension has the single value 0 on its second axis. Level 0 is the grid itself; level k has its spacing
divided by 2^k.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain, product
from typing import Any

import numpy as np

from htsr.errors import InputError

BEND = 0.05
SURFACE = ("surface", "network", "seed")  # columns that tell one grid of points from another


def lattice(points: Sequence[int], low: float, high: float, refine: int = 0) -> list[np.ndarray]:
    """The two axes from low to high at the finest level, with points[i] values at level 0.

    Raises InputError where there are fewer than three points, or 0 is not among those of level 0 (nor, beyond it, 1).
    """
    if not 1 <= len(points) <= 2 or min(points) < 3:
        raise InputError(f"points: {list(points)}: give one or two numbers of points, 3 or more each")
    if not low <= 0 < high:
        raise InputError(f"low {low}, high {high}: 0, where the network itself is, must lie between them")
    axes = []
    for n in points:
        coarse = np.linspace(low, high, n)
        fine = np.linspace(low, high, (n - 1) * 2**refine + 1)
        for landmark in (0.0, 1.0):
            nearest = np.abs(coarse - landmark).argmin()
            if abs(coarse[nearest] - landmark) < 1e-9 * (high - low):
                fine[nearest * 2**refine] = landmark
            elif landmark == 0:
                raise InputError(f"points {n} from {low} to {high} pass over 0, the network itself: change the number")
        axes.append(fine)
    return axes if len(axes) == 2 else [axes[0], np.zeros(1)]


def explore(
    axes: Sequence[np.ndarray],
    refine: int,
    measure: Callable[[float, float], Mapping[str, Any]],
    column: str,
    *,
    share: float = BEND,
    tile: int = 0,
    tiles: int = 1,
) -> list[dict[str, Any]]:
    """measure(a, b) at every point of the grid whose finest axes are given: rows with a, b and level added.

    Row by row at level 0; then, level by level, the cells of the grid before are halved where a second difference of
    `column` at one of their corners exceeds `share` of the column's range at level 0. Every `tiles`-th point from the
    `tile`-th on is measured; tiles do not know each other, so they cannot refine: InputError.
    """
    if refine and tiles > 1:
        raise InputError("refine: a surface in tiles cannot be refined: set tiles to 1 or refine to 0")
    values = np.full([len(axis) for axis in axes], np.nan)
    known = np.zeros(values.shape, bool)
    rows = []

    def visit(points: Iterable[tuple[int, int]], level: int) -> None:
        for i, j in points:
            a, b = float(axes[0][i]), float(axes[1][j])
            row = {"a": a, "b": b, "level": level} | dict(measure(a, b))
            rows.append(row)
            values[i, j], known[i, j] = row[column], True

    step = 2**refine
    first = [(i, j) for i in range(0, values.shape[0], step) for j in range(0, values.shape[1], step)]
    visit(first[tile::tiles], 0)
    finite = values[np.isfinite(values)]
    least = share * float(np.ptp(finite)) if finite.size else np.inf
    for level in range(1, refine + 1):
        wanted = np.zeros(values.shape, bool)
        for cell in bent_cells(values[::step, ::step], known[::step, ::step], least):
            wanted[tuple(slice(k * step, (k + 1) * step + 1, step // 2) for k in cell)] = True
        step //= 2
        visit(map(tuple, np.argwhere(wanted & ~known)), level)
    return rows


def bent_cells(values: np.ndarray, known: np.ndarray, least: float) -> np.ndarray:
    """Indices of the lower corner of every cell with known corners at one of which a second difference exceeds `least`.

    values: p x q, or p x 1, whose cells are intervals. A second difference of what is not finite is none.
    """
    bend = np.zeros(values.shape)
    for axis, length in enumerate(values.shape):
        if length > 2:
            moved = np.moveaxis(values, axis, 0)
            with np.errstate(invalid="ignore"):
                second = np.abs(moved[2:] - 2 * moved[1:-1] + moved[:-2])
            inside = np.moveaxis(bend, axis, 0)[1:-1]
            np.fmax(inside, np.where(np.isfinite(second), second, 0.0), out=inside)
    corners = [np.s_[:-1], np.s_[1:]]
    across = corners if values.shape[1] > 1 else [np.s_[:]]
    most = np.max([bend[i, j] for i in corners for j in across], axis=0)
    whole = np.all([known[i, j] for i in corners for j in across], axis=0)
    return np.argwhere(whole & (most > least))


def rectangle(
    a: np.ndarray, b: np.ndarray, level: np.ndarray, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Points of a refined grid as a rectangle at the finest level that occurs, to be drawn.

    Returns the axes (p and q values), the values p x q, and which of them were measured; the others are interpolated
    linearly between the points of the level before, and not finite where one of these is not.
    Raises InputError where a point of level 0 is missing.
    """
    finest = int(level.max())
    axes = []
    for coordinate in (a, b):
        coarse = np.unique(coordinate[level == 0])
        fine = np.interp(np.arange((len(coarse) - 1) * 2**finest + 1) / 2**finest, np.arange(len(coarse)), coarse)
        axes.append(fine)
    found = np.full([len(axis) for axis in axes], np.nan)
    measured = np.zeros(found.shape, bool)
    places = tuple(np.abs(x[:, None] - axis).argmin(axis=1) for x, axis in zip((a, b), axes, strict=True))
    found[places], measured[places] = values, True
    step = 2**finest
    if not measured[::step, ::step].all():
        raise InputError("points of the grid are missing: are all tiles there?")
    while step > 1:
        half = step // 2
        for axis in (0, 1):  # first the middles of edges along the first axis, then all rows between rows
            moved = np.moveaxis(found[::half, ::half] if axis else found[::half, ::step], axis, 0)
            seen = np.moveaxis(measured[::half, ::half] if axis else measured[::half, ::step], axis, 0)
            with np.errstate(invalid="ignore"):
                between = (moved[:-2:2] + moved[2::2]) / 2
            moved[1::2] = np.where(seen[1::2], moved[1::2], between)
        step = half
    return *axes, found, measured


def join(tables: Iterable[Iterable[Mapping[str, Any]]]) -> list[Mapping[str, Any]]:
    """The rows of all tiles, one table each, in any order, as one job would have measured them.

    Rows of one surface have the same values in the columns of `SURFACE`; surfaces come in the order of the first table.
    Raises InputError where those of level 0 are not every point of a grid, or where a point stands there twice.
    """
    surfaces: dict[tuple, list[Mapping[str, Any]]] = {}
    for row in chain.from_iterable(tables):
        surfaces.setdefault(tuple(row[column] for column in SURFACE), []).append(row)
    for key, rows in surfaces.items():
        rows.sort(key=lambda row: (row["a"], row["b"]))
        points = [(row["a"], row["b"]) for row in rows]
        coarse = [point for point, row in zip(points, rows, strict=True) if row["level"] == 0]
        grid = product(sorted({a for a, _ in coarse}), sorted({b for _, b in coarse}))
        if coarse != list(grid) or len(set(points)) < len(points):
            raise InputError(f"surface {key}: its points are not those of a grid: are all tiles there, each once?")
    return list(chain.from_iterable(surfaces.values()))
