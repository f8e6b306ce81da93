"""How convex, how rough and how wide a measured surface is, in numbers. Without torch.

All are of the points of level 0, on a regular grid around (0, 0). What is smaller than the rounding of single
precision, relative to the losses it comes from, counts as nothing.
"""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from htsr.landscape.grid import rectangle

ROUNDING = 1e-5
# The columns that describe a surface, the same in all of its points and all of its seeds.
DESCRIPTION = ("surface", "network", "other", "third", "plane", "dimensions", "normalization", "batch_norm")
# What depends on the directions.
MEASURES = (
    *("loss_max", "share_concave", "share_negative", "decrease"),
    *("width_nat", "reached_nat", "width_double", "reached_double"),
)


def second_differences(z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Second differences along the axes and across them at the inner points of z (p x q), and the size of rounding.

    f(a+h) - 2 f(a) + f(a-h), likewise along b, and (f(++) - f(+-) - f(-+) + f(--))/4; together the Hessian in units of
    the grid's steps. NaN where a loss is not finite.
    """
    with np.errstate(invalid="ignore"):
        middle = z[1:-1, 1:-1]
        along_a = z[2:, 1:-1] - 2 * middle + z[:-2, 1:-1]
        along_b = z[1:-1, 2:] - 2 * middle + z[1:-1, :-2]
        mixed = (z[2:, 2:] - z[2:, :-2] - z[:-2, 2:] + z[:-2, :-2]) / 4
        parts = np.stack([z[i : z.shape[0] - 2 + i, j : z.shape[1] - 2 + j] for i in range(3) for j in range(3)])
    return along_a, along_b, mixed, ROUNDING * np.abs(parts).max(axis=0)


def concave_shares(z: np.ndarray) -> tuple[float, float]:
    """Shares of the inner points of z (p x q, or p x 1) where the surface is concave beyond rounding.

    The first: along an axis or both. The second: along any direction, the smaller eigenvalue of the 2 x 2 Hessian of
    second differences being negative; for a line both are the same. Points with a loss around them that is not finite
    are left out; NaN where none is left.
    """
    if z.shape[1] == 1:
        line = z[:, 0]
        with np.errstate(invalid="ignore"):
            second = line[2:] - 2 * line[1:-1] + line[:-2]
            rounding = ROUNDING * np.abs(np.stack([line[2:], line[1:-1], line[:-2]])).max(axis=0)
        share = _share(second < -rounding, np.isfinite(second))
        return share, share
    along_a, along_b, mixed, rounding = second_differences(z)
    with np.errstate(invalid="ignore"):
        mean, half = (along_a + along_b) / 2, (along_a - along_b) / 2
        smaller = mean - np.hypot(half, mixed)
    finite = np.isfinite(along_a + along_b + mixed)
    return _share(np.minimum(along_a, along_b) < -rounding, finite), _share(smaller < -rounding, finite)


def _share(where: np.ndarray, among: np.ndarray) -> float:
    return float(where[among].mean()) if among.any() else np.nan


def rays(a: np.ndarray, b: np.ndarray, z: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Distances from (0, 0) and losses along the lines from there to the border: axes, and diagonals of the grid."""
    i, j = int(np.abs(a).argmin()), int(np.abs(b).argmin())
    found = []
    for di in (-1, 0, 1):
        for dj in (-1, 0, 1):
            spans = [at if d < 0 else len(axis) - 1 - at for d, at, axis in ((di, i, a), (dj, j, b)) if d]
            steps = np.arange(min(spans, default=0) + 1)
            if len(steps) > 1:
                places = i + di * steps, j + dj * steps
                found.append((np.hypot(a[places[0]] - a[i], b[places[1]] - b[j]), z[places]))
    return found


def decrease(lines: Sequence[tuple[np.ndarray, np.ndarray]]) -> float:
    """Share of the variation of the loss along rays that is downwards on the way out: 0 for every convex bowl.

    Sum of the decreases over the sum of all absolute differences between neighbours, over all rays; 0 where the loss
    nowhere varies. It is at most 1/2 where rays do not end below their start. Differences of what is not finite are
    left out.
    """
    down = total = 0.0
    for _, losses in lines:
        with np.errstate(invalid="ignore"):
            steps = np.diff(losses)
            rounding = ROUNDING * np.maximum(np.abs(losses[1:]), np.abs(losses[:-1]))
        counted = steps[np.isfinite(steps) & (np.abs(steps) > rounding)]
        down -= counted[counted < 0].sum()
        total += np.abs(counted).sum()
    return float(down / total) if total else 0.0


def width(lines: Sequence[tuple[np.ndarray, np.ndarray]], rise: float) -> tuple[float, float]:
    """Distance at which the loss is first `rise` above that of the centre, and the share of rays that get there.

    Mean over the rays, linear between points; where a ray does not get there its whole length counts, so that with a
    share below 1 the distance is a lower bound. A loss that is not finite is above everything.
    """
    distances, reached = [], 0
    for radii, losses in lines:
        above = np.where(np.isfinite(losses), losses, np.inf) - losses[0] - rise
        crossed = np.flatnonzero(above >= 0)
        if not crossed.size:
            distances.append(radii[-1])
            continue
        k, reached = int(crossed[0]), reached + 1
        if k == 0:
            distances.append(0.0)
            continue
        part = above[k - 1] / (above[k - 1] - above[k]) if np.isfinite(above[k]) else 1.0
        distances.append(radii[k - 1] + part * (radii[k] - radii[k - 1]))
    return float(np.mean(distances)), reached / len(lines)


def above_chord(t: np.ndarray, losses: np.ndarray) -> np.ndarray:
    """L(t) - [(1-t) L(0) + t L(1)] for sorted t from 0 to 1: for a quadratic loss -t(1-t)/2 ΔᵀHΔ, -ΔᵀHΔ/8 at 1/2."""
    return losses - ((1 - t) * losses[0] + t * losses[-1])


def barrier(t: np.ndarray, losses: np.ndarray, stderr: np.ndarray) -> tuple[float, float, float]:
    """Largest height of the loss above the chord between its ends (t = 0 and 1), its place and its standard error.

    The height is at least 0, which is its value at the ends, and a lower bound, from the points measured alone. The
    error is that from the choice of the examples if their losses at the three points were independent, which is too
    much where, as usual, they are positively correlated. Three NaN where an end is not finite.
    """
    if not np.isfinite(losses[[0, -1]]).all():
        return np.nan, np.nan, np.nan
    height = above_chord(t, np.where(np.isnan(losses), np.inf, losses))
    k = int(height.argmax())
    if height[k] <= ROUNDING * np.abs(losses[[0, -1]]).max():
        return 0.0, 0.0, 0.0
    error = np.sqrt(stderr[k] ** 2 + ((1 - t[k]) * stderr[0]) ** 2 + (t[k] * stderr[-1]) ** 2)
    return float(height[k]), float(t[k]), float(error)


def measures(a: np.ndarray, b: np.ndarray, losses: np.ndarray, stderr: np.ndarray) -> dict[str, Any]:
    """Numbers of one surface, from its points of level 0: `MEASURES` and those of its centre.

    loss_center, loss_center_stderr: at (0, 0), over the examples. loss_max: the largest finite loss. n_nonfinite: the
    number of losses that are not finite. share_concave, share_negative: `concave_shares`. decrease: of that name.
    width_nat, width_double with reached_nat, reached_double: `width` for a rise by 1, and to twice the loss of the
    centre.
    """
    x, y, z, _ = rectangle(a, b, np.zeros(len(a)), losses)
    center = np.flatnonzero((a == 0) & (b == 0))[0]
    finite = z[np.isfinite(z)]
    concave, negative = concave_shares(z)
    lines = rays(x, y, z)
    found = {
        "loss_center": losses[center],
        "loss_center_stderr": stderr[center],
        "loss_max": finite.max() if finite.size else np.nan,
        "n_nonfinite": int(z.size - finite.size),
        "share_concave": concave,
        "share_negative": negative,
        "decrease": np.nan,
        **dict.fromkeys(("width_nat", "reached_nat", "width_double", "reached_double"), np.nan),
    }
    if np.isfinite(losses[center]):
        found["decrease"] = decrease(lines)
        found["width_nat"], found["reached_nat"] = width(lines, 1.0)
        found["width_double"], found["reached_double"] = width(lines, losses[center])
    return {key: value if isinstance(value, int) else float(value) for key, value in found.items()}


def summarize(points: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One row for each surface and network of a complete table of points of evaluate_surface.

    The columns of `DESCRIPTION`; n_seeds, n_points, length_a and length_b (means over the seeds); split, the loss that
    the measures are of: train where it was measured; loss_center and its standard error over the examples; n_nonfinite
    of all seeds; every one of `MEASURES` as mean over the seeds of the directions and, with `_std` added, their
    standard deviation, NaN for one seed. For paths between two networks (interpolation, bezier) barrier, barrier_at and
    barrier_stderr of train and of test, by `barrier`.
    """
    rows = []
    for description, group in groupby(points, key=_description):
        own = list(group)
        split = "train" if own[0]["train_examples"] else "test"
        seeds = [list(rest) for _, rest in groupby(own, key=lambda row: row["seed"])]
        found = [_of_seed(rest, split) for rest in seeds]
        row = dict(zip(DESCRIPTION, description, strict=True))
        row |= {"n_seeds": len(seeds), "n_points": len(own), "split": split}
        for column in ("length_a", "length_b"):
            row[column] = float(_column([rest[0] for rest in seeds], column).mean())
        row |= {name: found[0][name] for name in ("loss_center", "loss_center_stderr")}
        row["n_nonfinite"] = sum(measured["n_nonfinite"] for measured in found)
        for name in MEASURES:
            values = np.array([measured[name] for measured in found], float)
            row[name] = float(values.mean())
            row[f"{name}_std"] = float(values.std(ddof=1)) if len(values) > 1 else np.nan
        paths = row["plane"] in ("interpolation", "bezier") and row["dimensions"] == 1
        for part in ("train", "test"):
            names = [f"{part}_barrier{ending}" for ending in ("", "_at", "_stderr")]
            row |= dict(zip(names, _of_path(own, part) if paths else [np.nan] * 3, strict=True))
        rows.append(row)
    return rows


def _description(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """The columns that describe a surface; None for an empty cell, which pandas reads as NaN, unequal to itself."""
    return tuple(None if row[column] != row[column] else row[column] for column in DESCRIPTION)


def _column(rows: Sequence[Mapping[str, Any]], name: str) -> np.ndarray:
    return np.array([np.nan if row[name] is None else row[name] for row in rows], float)


def _of_seed(rows: Sequence[Mapping[str, Any]], split: str) -> dict[str, Any]:
    coarse = [row for row in rows if row["level"] == 0]
    columns = ("a", "b", f"{split}_loss", f"{split}_stderr")
    return measures(*(_column(coarse, column) for column in columns))


def _of_path(rows: Sequence[Mapping[str, Any]], split: str) -> tuple[float, float, float]:
    inside = sorted((row for row in rows if 0 <= row["a"] <= 1), key=lambda row: row["a"])
    t, losses, stderr = (_column(inside, column) for column in ("a", f"{split}_loss", f"{split}_stderr"))
    return barrier(t, losses, stderr) if len(t) and t[0] == 0 and t[-1] == 1 else (np.nan, np.nan, np.nan)
