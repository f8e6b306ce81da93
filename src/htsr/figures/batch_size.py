"""How the batch size of training shapes the weights: ranks, exponents, accuracies and phases."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from htsr.figures import style, sweeps

AXIS = "batch_size"
_OF_LAYERS = ("stable_rank", "mp_softrank", "alpha")
_ACCURACIES = ("train_accuracy", "test_accuracy")
_DRAWN = ["panel", "curve", "x", "network", "value", "low", "high", "n"]
_INCHES = 2.5  # width of a panel, nearly


def draw(
    table: pd.DataFrame,
    networks: pd.DataFrame,
    axes: Sequence[str],
    normalization: str,
    published: Mapping[str, Sequence[float | None]],
) -> tuple[Figure, pd.DataFrame]:
    """Stable rank, soft rank and α of every layer, accuracies, and the share of each phase against the batch size.

    table, networks: of one sweep over the batch size (`htsr.figures.sweeps`), in their last states; axes: all settings
    that it varies. Means over seeds have 95 % intervals by Student's t; dotted: before training. published:
    columns of numbers to draw hollow, `batch_size` and any drawn column, accuracies in percent; empty for none. Returns
    the figure and what it shows: panel, curve (layer, accuracy or phase), x, network (of a single point), value, low,
    high, n.
    """
    rows, lost = sweeps.usable(table, networks, axes)
    rows, other = sweeps.fixed(rows, axes, [AXIS])
    final = rows[rows["final"]]
    if final.empty:
        return style.message("No network of this sweep has a measured layer."), pd.DataFrame(columns=_DRAWN)
    names, beyond = sweeps.layers(final)
    at = sweeps.places(final[AXIS], AXIS)
    figure = style.new_figure(4.9 + 0.3 * len(names))
    panels = figure.add_gridspec(3, 1, height_ratios=[1.9, 1.9, 0.45 + 0.3 * len(names)])
    top = [figure.add_subplot(cell) for row in (0, 1) for cell in panels[row].subgridspec(1, 2)]
    drawn = []
    means = sweeps.per_layer(rows, _OF_LAYERS, ["final", AXIS])
    for axis, panel in zip(top, ("stable_rank", "mp_softrank", "accuracy", "alpha"), strict=True):
        if panel == "accuracy":
            own = sweeps.accuracies(axis, final, _ACCURACIES, AXIS, at)
        else:
            before = sweeps.initial(means, panel)
            own = sweeps.by_layer(axis, means[means["final"]], names, AXIS, panel, at, before=before)
        own += _published(axis, published, panel, _ACCURACIES if panel == "accuracy" else [panel], at)
        sweeps.prepare_axis(axis, at, AXIS, _INCHES)
        drawn += own
    drawn += sweeps.strips(figure, panels[2], final, AXIS, at, names)
    figure.legend(handles=sweeps.layer_handles(names), loc="outside upper center", ncols=6)
    sweeps.footnote(
        figure,
        style.eigenvalues_of(normalization),
        sweeps.INTERVALS,
        bool(len(rows[rows["epoch"] == 0])) and "Dotted: before training",
        bool(published) and "Hollow: published",
        "Cells: share of the matrices",
        *(other, beyond, lost),
    )
    return figure, pd.DataFrame(drawn, columns=_DRAWN)


def _published(axis: Axes, published: Mapping, panel: str, columns: Sequence[str], at: Mapping) -> list[dict]:
    """Hollow points at batch sizes within the range of ours, at their places between them."""
    if not published:
        return []
    drawn, ours = [], np.array(list(at), float)
    for column in columns:
        points = pd.DataFrame({"x": published[AXIS], "value": published.get(column, np.nan)}).dropna().astype(float)
        points = points[points["x"].between(ours.min(), ours.max())]
        where = np.interp(np.log(points["x"]), np.log(ours), list(at.values()))
        marker = sweeps.accuracy_look(column)["marker"] if panel == "accuracy" else "D"
        axis.plot(where, points["value"], marker, color="0.2", fillstyle="none", markersize=4, zorder=4)
        drawn += [{"panel": panel, "curve": f"published {column}"} | row for row in points.to_dict("records")]
    return drawn
