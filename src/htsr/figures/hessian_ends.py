"""Ends, ratio and trace of Hessians of untrained and trained networks, beside the Gauss-Newton matrix."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from htsr.figures import hessians, style, sweeps

DRAWN = ["panel", "curve", "network", "epoch", "state", "layer", "value", "error", "beyond"]
_PANELS = (  # label, and of each curve: name, column of the value, column of its bound or standard error
    (
        r"$\lambda_{\mathrm{max}}$",
        (
            ("Hessian", "lambda_max", "lambda_max_bound"),
            ("Gauss-Newton", "gauss_newton_lambda_max", "gauss_newton_lambda_max_bound"),
        ),
    ),
    (r"$|\lambda_{\mathrm{min}}|$", (("Hessian", "lambda_min", "lambda_min_bound"),)),
    (r"$|\lambda_{\mathrm{min}}/\lambda_{\mathrm{max}}|$", (("Hessian", "ratio", "ratio_bound"),)),
    ("trace/parameters", (("Hessian", "trace_per_parameter", "trace_per_parameter_stderr"),)),
    (
        "in filter norms",
        (
            ("worst direction", "filter_lambda_max", "filter_lambda_max_bound"),
            ("random directions", "filter_curvature", "filter_curvature_stderr"),
        ),
    ),
)
_MARKERS = {"Hessian": "o", "Gauss-Newton": "s", "worst direction": "^", "random directions": "D"}
_LAYER_PANELS = _PANELS[0], _PANELS[2], _PANELS[3]
_ROW = 0.3  # inches of a network
_STATES = {"untrained": style.COLORS[1], "trained": style.COLORS[0]}


def draw(ends: pd.DataFrame, titles: Mapping[str, str], dataset: str) -> tuple[Figure, pd.DataFrame]:
    """A row for each network, a column for each measure: λmax of the Hessian and of the Gauss-Newton matrix, |λmin|,
    |λmin/λmax|, trace per parameter, and the curvatures that do not depend on the filters' scales. Below, by layer,
    where the blocks of layers were measured.

    ends: compute_hessian/{set}.csv of one set or more, put together; titles: printed names of networks; dataset: name
    of the images. Of several epochs the first and the last are drawn. Error bars: bounds within which an eigenvalue
    lies; of traces and of means over random directions, standard errors; pale: how far
    an end may lie beyond with a chance of 1 %. Returns the figure and what it shows.
    """
    rows = _prepared(ends)
    whole = rows[rows["layer"] == hessians.WHOLE]
    if not np.isfinite(whole[["lambda_max", "lambda_min"]].to_numpy(float)).any():
        return style.message("No Hessian of this experiment has measured ends."), pd.DataFrame(columns=DRAWN)
    layers = rows[rows["layer"] != hessians.WHOLE]
    names = list(dict.fromkeys(whole["network"]))
    extra = 2.4 if len(layers) else 0.0
    height = _ROW * len(names)
    figure = style.new_figure(1.3 + height + extra)
    parts = figure.add_gridspec(2 if extra else 1, 1, height_ratios=[height + 0.4, extra] if extra else None)
    panels = parts[0].subgridspec(1, len(_PANELS)).subplots(sharey=True)
    drawn = []
    for axis, (label, curves) in zip(panels, _PANELS, strict=True):
        drawn += _panel(axis, whole, names, label, curves)
    panels[0].set_yticks(
        range(len(names)), [titles.get(name, style.plain(name, 34)) for name in names], fontsize=6.8, linespacing=1.0
    )
    panels[0].set_ylim(len(names) - 0.5, -0.5)
    if extra:
        drawn += _by_layer(parts[1].subgridspec(1, len(_LAYER_PANELS)).subplots(sharex=True), layers, titles)
    figure.legend(handles=_handles(whole), loc="outside upper center", ncols=6, **sweeps.LEGEND | {"fontsize": 7})
    sweeps.footnote(
        figure,
        hessians.examples(whole, dataset),
        hessians.BATCH_NORM,
        "Error bars: bounds, within which an eigenvalue lies; of trace and random directions, standard errors over "
        "probes",
        "Pale: how far the end may lie beyond, missed by all products, with a chance of 1 % at most",
        "In filter norms: along filter-normalized directions, biases and batch norm fixed, whatever the filters' scale",
        hessians.failures(rows),
    )
    return figure, pd.DataFrame(drawn, columns=DRAWN)


def _prepared(ends: pd.DataFrame) -> pd.DataFrame:
    """One row a network, first and last epoch, and layer, with the state in words and the trace per parameter."""
    rows = hessians.once(ends)
    is_trained = hessians.trained(rows)
    rows = rows.assign(state=np.where(is_trained, "trained", "untrained"))
    rows = rows[is_trained | (rows["epoch"] == rows.groupby("network")["epoch"].transform("min"))]
    for column in ("trace", "trace_stderr"):
        if column in rows:
            rows[column.replace("trace", "trace_per_parameter")] = rows[column] / rows["n_parameters"]
    columns = [column for _, curves in _PANELS for curve in curves for column in curve[1:]]
    return rows.reindex(columns=list(dict.fromkeys([*rows, *columns, "undetected"])))


def _panel(axis: Axes, rows: pd.DataFrame, names: Sequence[str], label: str, curves: Sequence) -> list[dict]:
    """One measure of all networks; returns what was drawn."""
    drawn = []
    for index in range(1, len(names), 2):
        axis.axhspan(index - 0.5, index + 0.5, color=style.SHADE, linewidth=0, zorder=0)
    hessians.log_axis(axis, "x", _reach(rows, curves), narrow=True)
    for place, (curve, column, error) in enumerate(curves):
        for state, color in _STATES.items():
            own = rows[rows["state"] == state]
            at = own["network"].map({name: i for i, name in enumerate(names)}) + _shift(place, len(curves), state)
            beyond = _beyond(own, column)
            _pale(axis, _shown(own, column), at, beyond, color)
            _points(axis, _shown(own, column), at, own[error], color, _MARKERS[curve], filled=state == "trained")
            drawn += [
                {"panel": label, "curve": curve, "value": row[column], "error": row[error], "beyond": far}
                | {key: row[key] for key in ("network", "epoch", "state", "layer")}
                for row, far in zip(own.to_dict("records"), beyond, strict=True)
            ]
    axis.set_xlabel(label)
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)
    return drawn


def _reach(rows: pd.DataFrame, curves: Sequence) -> np.ndarray:
    """All that an axis must hold: values, and how far they may lie beyond."""
    values = [_shown(rows, column) for _, column, _ in curves]
    return np.concatenate([*values, *(v + _beyond(rows, c[1]) for v, c in zip(values, curves, strict=True))])


def _shown(rows: pd.DataFrame, column: str) -> pd.Series:
    """What is drawn of a column."""
    return rows[column].abs() if column == "lambda_min" else rows[column]


def _beyond(rows: pd.DataFrame, column: str) -> pd.Series:
    """How far an end of the Hessian, or the ratio because of λmin, may lie beyond its value with a chance of 1 %."""
    scale = {"lambda_max": 1.0, "lambda_min": 1.0, "ratio": 1 / rows["lambda_max"].abs()}
    return rows["undetected"] * scale.get(column, np.nan)


def _pale(axis: Axes, x: pd.Series, y: pd.Series, beyond: pd.Series, color: str) -> None:
    """Lines from the values to how far the ends may lie beyond."""
    far = beyond.fillna(0)
    axis.hlines(y[far > 0], x[far > 0], (x + far)[far > 0], color=color, alpha=0.3, linewidth=2.5, zorder=2)


def _points(axis: Axes, x: pd.Series, y: pd.Series, error: pd.Series, color: str, marker: str, *, filled: bool) -> None:
    """Values with error bars that stay on the axis where they reach 0 on a logarithmic one."""
    low = axis.get_xlim()[0]
    error = error.fillna(0).to_numpy(float)
    left = np.minimum(error, np.maximum(x - low, 0)) if axis.get_xscale() == "log" else error
    axis.errorbar(
        x, y, xerr=[left, error], fmt=marker, color=color, markerfacecolor=color if filled else "white", markersize=3.6,
        markeredgewidth=0.8, elinewidth=0.8, capsize=1.5, linestyle="none", zorder=3,
    )  # fmt: skip


def _shift(place: int, count: int, state: str) -> float:
    """Where in its row a point stands, so that curves and states do not hide each other."""
    return 0.44 * (place - (count - 1) / 2) / count + (0.07 if state == "trained" else -0.07)


def _by_layer(panels: Sequence[Axes], rows: pd.DataFrame, titles: Mapping[str, str]) -> list[dict]:
    """Measures of the blocks of layers, in the order of the network; a line a network; returns what was drawn."""
    drawn = []
    own = rows[rows["state"] == "trained"]
    names = list(dict.fromkeys(own["network"]))
    for axis, (label, curves) in zip(panels, _LAYER_PANELS, strict=True):
        _, column, error = curves[0]
        hessians.log_axis(axis, "y", own[column])
        for index, name in enumerate(names):
            line = own[own["network"] == name]
            axis.plot(
                range(1, len(line) + 1), line[column], **style.look(index), markersize=3, linewidth=0.9,
                label=titles.get(name, style.plain(name, 34)),
            )  # fmt: skip
            drawn += [
                {"panel": f"{label} by layer", "curve": "Hessian", "value": row[column], "error": row[error]}
                | {key: row[key] for key in ("network", "epoch", "state", "layer")}
                for row in line.to_dict("records")
            ]
        axis.set_xlabel("layer")
        axis.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axis.set_ylabel(label)
    panels[0].legend(fontsize=6, loc="lower left", bbox_to_anchor=(0, 1), ncols=4, borderaxespad=0.2)
    return drawn


def _handles(rows: pd.DataFrame) -> list[Line2D]:
    """Legend entries of the states that occur, and of all markers."""
    found = []
    for state, color in _STATES.items():
        if (rows["state"] == state).any():
            fill = color if state == "trained" else "white"
            found.append(Line2D([], [], color=color, marker="o", markerfacecolor=fill, linestyle="none", label=state))
    looks = {"color": "0.2", "markerfacecolor": "0.2", "markersize": 3.6, "linestyle": "none"}
    return found + [Line2D([], [], marker=marker, label=name, **looks) for name, marker in _MARKERS.items()]
