"""What kinds of regularization do to accuracy and weights, one column a kind."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from htsr.figures import style, sweeps

_OF_NETWORKS = ("test_accuracy", "gap")
_OF_LAYERS = ("alpha", "stable_rank", "n_spikes", "log_norm")
_DRAWN = ["panel", "curve", "x", "network", "value", "low", "high", "n"]
_LAYERS = 3  # beside each other in one column


def draw(
    table: pd.DataFrame, networks: pd.DataFrame, axes: Sequence[str], normalization: str
) -> tuple[Figure, pd.DataFrame]:
    """Test accuracy, generalization gap, and measures of every layer for each value of the sweep's first axis.

    table, networks: of one sweep (`htsr.figures.sweeps`), in their last states; axes: settings that it varies. The gap
    is training less test accuracy. Single networks are faint; means over seeds have 95 % intervals by Student's t.
    Returns the figure and what it shows: panel, curve (layer, or network), x, network (of a single point), value, low,
    high, n.
    """
    rows, lost = sweeps.usable(table, networks, axes)
    axis_name = axes[0] if axes else "network"
    rows, other = sweeps.fixed(rows, axes, [axis_name])
    final = rows[rows["final"]]
    if final.empty:
        return style.message("No network of this sweep has a measured layer."), pd.DataFrame(columns=_DRAWN)
    names, beyond = sweeps.layers(final, _LAYERS)
    values = sweeps.ordered(final[axis_name])
    at = {value: position for value, position in zip(values, _even(len(values)), strict=True)}
    figure = style.new_figure(6.6)
    panels = style.grid(figure, 6, 2)
    drawn = []
    single = sweeps.per_network(final.assign(gap=final["train_accuracy"] - final["test_accuracy"]), [])
    look = {"color": "black", "marker": "o", "linestyle": "none"}
    for axis, column in zip(panels, _OF_NETWORKS, strict=False):
        own = [
            {"panel": column, "curve": "network"} | row
            for row in sweeps.means(axis, single, axis_name, column, at, look)
        ]
        axis.set_ylabel(sweeps.words(column))
        drawn += own
    means = sweeps.per_layer(final, _OF_LAYERS, [axis_name])
    for axis, column in zip(panels[2:], _OF_LAYERS, strict=True):
        drawn += sweeps.by_layer(axis, means, names, axis_name, column, at, linestyle="none", width=0.35 / len(values))
    for index, axis in enumerate(panels):
        sweeps.prepare_axis(axis, at, axis_name, 2.5, titled=index >= 4)
        half = 0.5 / len(values)
        axis.set_xlim(-half if len(values) > 1 else 0, 1 + half if len(values) > 1 else 1)
        axis.tick_params(axis="x", labelbottom=index >= 4)
        axis.grid(axis="x", color="0.92", linewidth=0.5)
    figure.legend(handles=sweeps.layer_handles(names, linestyle="none"), loc="outside upper center", ncols=6)
    sweeps.footnote(
        figure,
        style.eigenvalues_of(normalization),
        "Gap: training less test accuracy",
        *(sweeps.INTERVALS, other, beyond, lost),
    )
    return figure, pd.DataFrame(drawn, columns=_DRAWN)


def _even(count: int) -> np.ndarray:
    """So many positions at equal distances from 0 to 1."""
    return np.linspace(0, 1, count) if count > 1 else np.full(count, 0.5)
