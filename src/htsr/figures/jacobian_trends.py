"""Measures of Jacobians in the course of training and against the width and the depth of networks."""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from htsr.figures import jacobians, style, sweeps

COLUMNS = ("alpha", "log_spectral_norm", "rank", "effective_rank", "correlation_alignment")
_PARTS = (("epochs", "epoch"), ("size", "width"), ("size", "depth"))  # part of a sweep in figures, setting
_DRAWN = ["along", "panel", "curve", "x", "network", "value", "low", "high", "n"]


def draw(
    table: pd.DataFrame,
    networks: pd.DataFrame,
    axes: Mapping[str, Sequence[str]],
    shown_sweeps: Mapping[str, str | None],
    dataset: str,
) -> tuple[Figure, pd.DataFrame]:
    """A column of panels along the epochs, the width and the depth, each where a sweep varies it; a row a measure.

    table: of collect_jacobians; networks: of the sweeps, put together; axes: settings that each sweep varies;
    shown_sweeps: which sweep plays the parts `epochs` and `size`; dataset: name of the images. Where a sweep varies
    two settings, each value of the other has a line. Means over seeds have 95 % intervals by Student's t. Returns the
    figure and what it shows: along, panel, curve, x, network (of a single point), value, low, high, n.
    """
    columns, notes = [], []
    for part, key in _PARTS:
        rows, note = _rows(table, networks, axes, shown_sweeps.get(part), key)
        if len(rows):
            columns.append((key, rows))
            notes.append(note)
    if not columns:
        return style.message("No sweep of this experiment has Jacobians along a setting."), pd.DataFrame(columns=_DRAWN)
    figure = style.new_figure(7.6)
    panels = figure.subplots(len(COLUMNS), len(columns), squeeze=False, sharey="row")
    drawn = []
    for (key, rows), column in zip(columns, panels.T, strict=True):
        at, curves = sweeps.places(rows[key], key), list(dict.fromkeys(rows["curve"]))
        for axis, measure in zip(column, COLUMNS, strict=True):
            drawn += _panel(axis, rows, key, measure, at, curves)
            sweeps.prepare_axis(axis, at, key, 4.8 / len(columns), titled=axis is column[-1])
        _legend(column[0], curves)
    everything = pd.concat([rows for _, rows in columns])
    jacobians.exponents(panels[0, 0])
    jacobians.ranks(panels[COLUMNS.index("rank"), 0], everything)
    for axis in panels[:, 1:].ravel():
        axis.set_ylabel("")
    sweeps.footnote(
        figure,
        jacobians.EIGENVALUES,
        jacobians.images(everything, dataset),
        sweeps.INTERVALS,
        jacobians.RANDOM_ROWS + ", or permuted classes",
        jacobians.NEAR_ONE,
        *dict.fromkeys(notes),
    )
    return figure, pd.DataFrame(drawn, columns=_DRAWN)


def _rows(
    table: pd.DataFrame, networks: pd.DataFrame, axes: Mapping[str, Sequence[str]], sweep: str | None, key: str
) -> tuple[pd.DataFrame, str]:
    """Rows of a sweep along one setting, with `curve`, the values of its other settings in words, and a sentence about
    what is not shown; no rows where it does not vary the setting."""
    varied = list(axes[sweep]) if sweep else []
    if not sweep or key not in (*varied, "epoch"):
        return table.iloc[:0], ""
    rows, note = jacobians.of_sweep(table, networks[networks["series"] == sweep], varied)
    others = [axis for axis in varied if axis != key]
    if key == "epoch":
        rows, told = sweeps.fixed(rows, others, [])
        note, others = ". ".join(filter(None, [told, note])), []
    else:
        rows = rows[rows["final"].astype(bool)]
    rows = rows.sort_values(others, kind="stable") if others else rows
    words = [
        ", ".join(f"{sweeps.words(axis)} {sweeps.printed(row[axis])}" for axis in others)
        for row in rows.to_dict("records")
    ]
    return rows.assign(curve=words) if rows[key].nunique() > 1 else rows.iloc[:0], note


def _panel(axis: Axes, rows: pd.DataFrame, key: str, column: str, at: Mapping, curves: Sequence[str]) -> list[dict]:
    """One measure along a setting, a line for each curve, and its mean null; returns what was drawn."""
    drawn = [{"curve": "null"} | row for row in jacobians.null(axis, rows, key, column, at)]
    for index, curve in enumerate(curves):
        own = rows[rows["curve"] == curve]
        drawn += [{"curve": curve} | row for row in sweeps.means(axis, own, key, column, at, style.look(index))]
    jacobians.say_where_nothing_is(axis, rows[[column]])
    axis.set_ylabel(jacobians.WORDS[column])
    return [{"along": key, "panel": column} | row for row in drawn]


def _legend(axis: Axes, curves: Sequence[str]) -> None:
    """Names of the curves, above the axis."""
    handles = [Line2D([], [], label=curve or "all networks", **style.look(i)) for i, curve in enumerate(curves)]
    handles.append(jacobians.null_handle())
    axis.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, **sweeps.LEGEND)
