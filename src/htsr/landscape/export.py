"""Measured planes as records of their own, to be exported. Without torch.

A plane is drawn as the rectangle of its finest level: points that its refinement did not reach are interpolated
(`htsr.landscape.grid.rectangle`) and known not to be measured.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from htsr.errors import InputError
from htsr.landscape.convexity import DESCRIPTION
from htsr.landscape.grid import rectangle

SPLITS = ("train", "test")
MEASURED = ("loss", "stderr", "accuracy")

_PLANES = {
    "random": "two random directions from the network, {normalization}, biases and parameters of batch norm kept",
    "through": "the plane through the network at (0, 0), {other} at (1, 0) and {third}",
    "pca": "the first two principal components of the training, 1 being the training's extent along each",
}
_NORMALIZATIONS = {
    "filter": "filter-normalized",
    "layer": "normalized layer by layer",
    "none": "not normalized",
}
_BATCH_NORM = {
    "frozen": "batch norm frozen: by the running statistics that the weights come with",
    "recalibrated": "batch norm recalibrated: by statistics estimated anew at every point",
}


class Plane(NamedTuple):
    """One surface of two dimensions.

    about: the columns that are the same in all of its points, None for an empty cell. a, b: axes (p and q values).
    values: p x q each, by column (train_loss, ...), of what was measured. measured: which points were (p x q); the
    others are interpolated. places: checkpoint, epoch, a, b of networks and then, in the order of their epochs, of
    states of a training. measures: its row of the summary, empty without one.
    """

    about: dict[str, Any]
    a: np.ndarray
    b: np.ndarray
    values: dict[str, np.ndarray]
    measured: np.ndarray
    places: list[dict[str, Any]]
    measures: dict[str, Any]

    @property
    def splits(self) -> list[str]:
        """The images that it was measured on: train, test or both."""
        return [split for split in SPLITS if f"{split}_loss" in self.values]


def planes(points: pd.DataFrame, places: pd.DataFrame, summary: pd.DataFrame) -> list[Plane]:
    """The surfaces of two dimensions of collect_surfaces, one for each seed of the directions, in the order of points.

    Raises InputError where points of one are missing or there twice.
    """
    points = points[points["dimensions"] == 2]
    constant = [*DESCRIPTION, "seed", "length_a", "length_b", "train_examples", "test_examples"]
    found = []
    for _, own in points.groupby([*DESCRIPTION, "seed"], sort=False, dropna=False):
        about = _record(own.iloc[0][constant])
        name = f"surface {about['surface']}, network {about['network']}, seed {about['seed']}"
        if own.duplicated(["a", "b"]).any():
            raise InputError(f"{name}: a point is there twice")
        measured_splits = [split for split in SPLITS if about[f"{split}_examples"]]
        values = {}
        for column in (f"{split}_{quantity}" for split in measured_splits for quantity in MEASURED):
            try:
                a, b, values[column], measured = rectangle(
                    *(own[axis].to_numpy(float) for axis in ("a", "b", "level", column))
                )
            except InputError as error:
                raise InputError(f"{name}: {error}") from error
        there = _matching(places, about, ("surface", "network"))[["checkpoint", "epoch", "a", "b"]]
        there = there.drop_duplicates().sort_values("epoch", kind="stable", na_position="first")
        rows = _matching(summary, about, DESCRIPTION)
        marks = [_record(row) for _, row in there.iterrows()]
        found.append(Plane(about, a, b, values, measured, marks, _record(rows.iloc[0]) if len(rows) else {}))
    return found


def _record(row: pd.Series) -> dict[str, Any]:
    """Plain Python values; None for an empty cell."""
    return {key: None if pd.isna(v) else v.item() if hasattr(v, "item") else v for key, v in row.items()}


def _matching(table: pd.DataFrame, about: Mapping[str, Any], columns: Sequence[str]) -> pd.DataFrame:
    """The rows of a table that are of this surface."""
    for column in columns:
        table = table[table[column].isna() if about[column] is None else table[column] == about[column]]
    return table


def described(own: Plane, titles: Mapping[str, str]) -> str:
    """In words: the plane, its directions, the policy of batch norm, and the points. titles: printed names."""
    about = own.about
    names = {key: titles.get(about[key], about[key]) for key in ("other", "third")}
    here = [f"({mark['a']:.3g}, {mark['b']:.3g})" for mark in own.places if mark["checkpoint"] == about["third"]]
    names["third"] = " at ".join([str(names["third"]), *here[:1]])
    names["normalization"] = _NORMALIZATIONS.get(about["normalization"], about["normalization"])
    sentences = [_PLANES[about["plane"]].format(**names)]
    if about["plane"] == "random":
        sentences[0] += f" (seed {about['seed']})"
    if about["length_a"] is not None and about["length_b"] is not None:
        sentences[0] += f"; Euclidean lengths of the directions {about['length_a']:.4g} and {about['length_b']:.4g}"
    sentences.append(_BATCH_NORM[about["batch_norm"]])
    shape = f"{len(own.a)} × {len(own.b)} points"
    if not own.measured.all():
        shape += f", {int(own.measured.sum())} of them measured (more where the surface bends), the others interpolated"
    return ". ".join(text[0].upper() + text[1:] for text in (*sentences, shape)) + "."


def log10(values: np.ndarray) -> np.ndarray:
    """Decimal logarithms; NaN of 0 and of what is not finite."""
    values = np.asarray(values, float)
    found = np.full(values.shape, np.nan)
    usable = np.isfinite(values) & (values > 0)
    found[usable] = np.log10(values[usable])
    return found


def height_range(surfaces: Sequence[Plane]) -> tuple[float, float]:
    """The lowest and the highest decimal logarithm of a loss on any of the surfaces, of the first split of each."""
    logs = [log10(own.values[f"{own.splits[0]}_loss"]).ravel() for own in surfaces]
    finite = np.concatenate([np.empty(0), *logs])
    finite = finite[np.isfinite(finite)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)


def heights(own: Plane, low: float, high: float) -> np.ndarray:
    """Heights (p x q): the logarithm of the loss of the first split, 0 for `low` and 1 for `high`.

    0 for a loss of 0, which has no logarithm; NaN where the loss is not finite.
    """
    loss = own.values[f"{own.splits[0]}_loss"]
    height = (log10(loss) - low) / ((high - low) or 1.0)
    return np.where(np.isfinite(loss), np.nan_to_num(height), np.nan)


def value_at(own: Plane, grid: np.ndarray, a: float, b: float) -> float:
    """What a grid (p x q) has at (a, b), bilinear between its points; NaN beyond them and beside what is not finite."""
    if not (own.a[0] <= a <= own.a[-1] and own.b[0] <= b <= own.b[-1]):
        return float("nan")
    (i, s), (j, t) = _place(own.a, a), _place(own.b, b)
    weights = np.outer((1 - s, s), (1 - t, t))
    return float(grid[i : i + 2, j : j + 2][weights > 0] @ weights[weights > 0])


def _place(axis: np.ndarray, x: float) -> tuple[int, float]:
    """The interval of an axis that holds x, and where in it, from 0 to 1."""
    i = min(int(np.searchsorted(axis, x, side="right")) - 1, len(axis) - 2)
    return i, float((x - axis[i]) / (axis[i + 1] - axis[i]))
