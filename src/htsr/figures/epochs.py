"""The weights in the course of training: complexity, exponents, spikes, traps, distance, accuracies and phases."""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from htsr.figures import style, sweeps

AXIS = "epoch"
_COLUMNS = ("entropy", "stable_rank", "mp_softrank", "alpha", "n_spikes", "distance", "n_traps")
_COUNTS = ("n_spikes", "n_traps")
_DRAWN = ["panel", "curve", "x", "value", "least", "greatest", "n"]


def draw(
    table: pd.DataFrame, networks: pd.DataFrame, axes: Sequence[str], normalization: str
) -> tuple[Figure, pd.DataFrame]:
    """Measures of every layer, accuracies, and the share of each phase against the epoch, from initialization on.

    table, networks: of one sweep (`htsr.figures.sweeps`); axes: settings that it varies, of which the first values are
    shown. Lines are means over seeds, bands reach from the least to the greatest of them; layers of several matrices
    enter with their mean. Measures that no layer has are left out. Returns the figure and what it shows: panel, curve
    (layer, accuracy or phase), x (epoch), value, least, greatest, n.
    """
    rows, lost = sweeps.usable(table, networks, axes)
    rows, other = sweeps.fixed(rows, axes, [])
    if rows.empty:
        return style.message("No network of this sweep has a measured layer."), pd.DataFrame(columns=_DRAWN)
    names, beyond = sweeps.layers(rows)
    at = sweeps.places(rows[AXIS], AXIS)
    measured = [column for column in _COLUMNS if column in rows and rows[column].notna().any()]
    bands = -(-(len(measured) + 1) // 2)
    strip = 0.55 + 0.24 * len(names)
    figure = style.new_figure(0.6 + 1.45 * bands + strip)
    cells = figure.add_gridspec(bands + 1, 1, height_ratios=[1.45] * bands + [strip])
    panels = [figure.add_subplot(cell) for band in range(bands) for cell in cells[band].subgridspec(1, 2)]
    for spare in panels[len(measured) + 1 :]:
        spare.remove()
    drawn = []
    means = sweeps.per_layer(rows, measured, [])
    for axis, column in zip(panels, measured, strict=False):
        for index, name in enumerate(names):
            own = means[means["weight_layer"] == name]
            drawn += _band(axis, own, column, at, style.look(index), column, name)
        axis.set_ylabel(sweeps.words(column))
        if column in _COUNTS and axis.get_ylim()[1] < 1:
            axis.set_ylim(-0.05, 1.05)
    last = panels[len(measured)]
    shown = ["train_accuracy", "test_accuracy"]
    if not rows["train_accuracy"].equals(rows["true_accuracy"]):
        shown.insert(1, "true_accuracy")
    own = sweeps.per_network(rows, [])
    for column in shown:
        drawn += _band(last, own, column, at, sweeps.accuracy_look(column), "accuracy", sweeps.NETWORK[column])
    last.set_ylabel("accuracy (%)")
    sweeps.accuracy_legend(last, shown)
    for index, axis in enumerate(panels[: len(measured) + 1]):
        sweeps.prepare_axis(axis, at, AXIS, 2.5, titled=index >= len(measured) - 1)
    drawn += sweeps.strips(figure, cells[bands], rows, AXIS, at, names)
    figure.legend(handles=sweeps.layer_handles(names), loc="outside upper center", ncols=6)
    seeds = rows["seed"].nunique()
    sweeps.footnote(
        figure,
        style.eigenvalues_of(normalization),
        f"Means over {seeds} seeds, bands from the least to the greatest" if seeds > 1 else "One seed",
        "Cells: share of the matrices",
        *(other, beyond, lost),
    )
    return figure, pd.DataFrame(drawn, columns=_DRAWN)


def _band(
    axis: Axes, rows: pd.DataFrame, column: str, at: Mapping, look: Mapping, panel: str, curve: str
) -> list[dict]:
    """Mean over seeds with its range; returns what was drawn."""
    found = sweeps.over_seeds(rows, AXIS, column).sort_values(AXIS)
    x = found[AXIS].map(at).astype(float)
    axis.plot(x, found["mean"], **look, markersize=2.5, linewidth=1)
    axis.fill_between(x, found["least"], found["greatest"], color=look["color"], alpha=0.18, linewidth=0)
    return [
        {"panel": panel, "curve": curve, "x": row[AXIS], "value": row["mean"]}
        | {key: row[key] for key in ("least", "greatest", "n")}
        for row in found.to_dict("records")
    ]
