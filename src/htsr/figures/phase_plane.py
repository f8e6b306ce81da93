"""The plane of training: errors and the phase of a layer against the share of random labels and another setting.

The share of random labels acts as a load, batch size and duration as a temperature (Martin, Mahoney 2017, arXiv
1710.09553).
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from htsr.figures import style, sweeps
from htsr.metrics.phase import BLEEDING_OUT, BULK_DECAY, PHASES, RANDOM_LIKE

LOAD = "label_noise"
TIME = "epoch"
_ERRORS = {"train_error": "training error (%)", "test_error": "test error (%)"}
_PALE = (RANDOM_LIKE, BLEEDING_OUT, BULK_DECAY)  # cells whose text is black
_DRAWN = ["panel", "x", "y", "value", "stdev", "share", "n"]


def draw(
    table: pd.DataFrame, networks: pd.DataFrame, axes: Sequence[str], layer: str | None
) -> tuple[Figure, pd.DataFrame]:
    """Three maps of one cell for each pair of values: training error (against the labels trained on), test error, and
    the commonest phase of a layer.

    table, networks: of one sweep (`htsr.figures.sweeps`); axes: settings that it varies. The vertical axis is
    label_noise; the horizontal one the first other setting, in the last states, or the epoch where there is none.
    layer: null for the largest fully connected one. Cells name the mean over seeds with the standard deviation, or the
    share of the matrices in the phase. Returns the figure and what it shows: panel, x, y, value (error in percent, or
    phase), stdev, share, n.
    """
    rows, lost = sweeps.usable(table, networks, axes)
    across = next((axis for axis in axes if axis != LOAD and rows[axis].nunique() > 1), TIME)
    rows, other = sweeps.fixed(rows, axes, [LOAD, across])
    rows = rows if across == TIME else rows[rows["final"]]
    if rows.empty:
        return style.message("No network of this sweep has a measured layer."), pd.DataFrame(columns=_DRAWN)
    layer = sweeps.choose(rows, layer)
    x, y = sweeps.ordered(rows[across]), sweeps.ordered(rows[LOAD])
    cells = _cells(rows, across, layer)
    wide = len(x) > 6
    figure = style.new_figure(0.9 + (3 if wide else 1) * np.clip(0.35 + 0.34 * len(y), 1.4, 2.4))
    panels = figure.subplots(*((3, 1) if wide else (1, 3)), sharex=True, sharey=True)
    for axis, (column, title) in zip(panels, _ERRORS.items(), strict=False):
        _error_map(axis, cells[cells["panel"] == column], x, y)
        axis.set_title(title, fontsize=8, loc="left")
    _phase_map(panels[-1], cells[cells["panel"] == "phase"], x, y)
    panels[-1].set_title(f"phase of {style.plain(layer, 22)}", fontsize=8, loc="left")
    for axis in panels:
        every = -(-len(x) // 14)
        axis.set_xticks(range(0, len(x), every), [sweeps.printed(value) for value in x[::every]])
        axis.set_yticks(range(len(y)), [sweeps.printed(value) for value in y])
        axis.tick_params(length=0)
        axis.spines[:].set_visible(False)
    for axis in panels[-1:] if wide else panels:
        axis.set_xlabel(sweeps.words(across))
    for axis in panels if wide else panels[:1]:
        axis.set_ylabel(sweeps.words(LOAD))
    handles = sweeps.phase_handles(cells.loc[cells["panel"] == "phase", "value"])
    figure.legend(handles=handles, loc="outside upper center", ncols=6, **sweeps.LEGEND)
    seeds = rows["seed"].nunique()
    sweeps.footnote(
        figure,
        f"Means ± standard deviations over {seeds} seeds; phases: the commonest, share of the matrices in %"
        if seeds > 1
        else "One seed; phases: share of the matrices in %",
        *(other, lost),
    )
    return figure, cells


def _cells(rows: pd.DataFrame, across: str, layer: str) -> pd.DataFrame:
    """Errors and phases of all cells."""
    found = []
    single = sweeps.per_network(rows, []).assign(
        train_error=lambda table: 100 - table["train_accuracy"], test_error=lambda table: 100 - table["test_accuracy"]
    )
    for (x, y), own in single.groupby([across, LOAD], sort=False):
        for column in _ERRORS:
            values = own[column].dropna()
            keys = {"panel": column, "x": x, "y": y}
            found.append(keys | {"value": values.mean(), "stdev": values.std(), "n": len(values)})
    rank = {phase: i for i, phase in enumerate(PHASES)}
    own = rows[(rows["weight_layer"] == layer) & rows["phase"].isin(rank)]
    for (x, y), cell in own.groupby([across, LOAD], sort=False):
        counts = cell["phase"].value_counts()
        phase = min(counts.index, key=lambda name: (-counts[name], rank[name]))
        share = counts[phase] / len(cell)
        found.append({"panel": "phase", "x": x, "y": y, "value": phase, "share": share, "n": len(cell)})
    return pd.DataFrame(found, columns=_DRAWN)


def _error_map(axis: Axes, cells: pd.DataFrame, x: Sequence, y: Sequence) -> None:
    grid = cells.pivot(index="y", columns="x", values="value").astype(float).reindex(y, columns=x)
    axis.imshow(grid, cmap="Blues", vmin=0, vmax=100, aspect="auto", origin="lower")
    small = len(x) > 4
    for row in cells.to_dict("records"):
        text = f"{row['value']:.0f}" if small else f"{row['value']:.1f}"
        text += f"\n±{row['stdev']:.1f}" if np.isfinite(row["stdev"]) else ""
        axis.text(
            x.index(row["x"]), y.index(row["y"]), text, ha="center", va="center", fontsize=6, linespacing=1.0,
            color="white" if row["value"] > 55 else "black",
        )  # fmt: skip


def _phase_map(axis: Axes, cells: pd.DataFrame, x: Sequence, y: Sequence) -> None:
    """Cells in the phase's colour with its share; white where no phase was measured."""
    axis.set(xlim=(-0.5, len(x) - 0.5), ylim=(-0.5, len(y) - 0.5))
    for row in cells.to_dict("records"):
        column, line = x.index(row["x"]), y.index(row["y"])
        axis.add_patch(sweeps.cell((column - 0.5, line - 0.5), 1, 1, row["value"]))
        axis.text(
            column, line, f"{100 * row['share']:.0f}", ha="center", va="center", fontsize=6,
            color="black" if row["value"] in _PALE else "white",
        )  # fmt: skip
