"""Model averages of a metric against test accuracy, series by series, with the regression line."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from scipy.special import stdtrit

from htsr.figures import style

ROWS = 5  # series that fit on a page, one a row; more share one row of panels
LABELLED = 6  # models of a panel that can be named in it
LISTED = 60  # series that a legend can hold
_POINTS = 41
_DRAWN = ["series", "metric", "kind", "model", "x", "x_stderr", "y", "y_low", "y_high"]


def mean_interval(
    x: np.ndarray, y: np.ndarray, slope: float, intercept: float, at: np.ndarray, level: float = 0.95
) -> np.ndarray:
    """Half width of the confidence interval of the mean response of a straight line by ordinary least squares.

    x, y: the n points of the fit; at: where it is wanted. NaN for n < 3 or where all x are equal.
    t(n-2) s sqrt(1/n + (at - mean x)² / Sxx), s² = SSR/(n-2): Draper, Smith, Applied Regression Analysis, 1998, §1.4.
    """
    n, spread = len(x), np.sum((x - x.mean()) ** 2)
    if n < 3 or spread == 0:
        return np.full(len(at), np.nan)
    s = np.sqrt(np.sum((y - slope * x - intercept) ** 2) / (n - 2))
    return stdtrit(n - 2, 0.5 + level / 2) * s * np.sqrt(1 / n + (at - x.mean()) ** 2 / spread)


def draw(
    metrics: pd.DataFrame,
    regressions: pd.DataFrame,
    columns: Sequence[str],
    titles: Mapping[str, str],
    normalization: str,
    *,
    named: bool,
) -> tuple[Figure, pd.DataFrame]:
    """One panel for each metric of `columns` and series: model means with standard errors against accuracy.

    metrics: one row a model (collect_metrics). regressions: the lines, R² and Kendall's tau (regress_accuracy), so
    that figure and table agree. titles: printed names of the series. named: write model names where there is room.
    Returns the figure and what it shows: one row a model and metric, and points of each line with its 95 % band.
    """
    known = metrics[metrics["accuracy"].notna()]
    order = [s for s, rows in known.groupby("series", sort=False) if rows[list(columns)].notna().any(axis=None)]
    lines = regressions[regressions["target"] == "accuracy"].set_index(["series", "metric"])
    if not order:
        return style.message("No model of this experiment has both an accuracy and a metric."), pd.DataFrame(
            columns=_DRAWN
        )
    alone = len(order) <= ROWS
    rows = [[series] for series in order] if alone else [order]
    height = 0.75 + (1.35 if len(rows) > 1 else 2.3) * len(rows) + (0 if alone else 0.15 * -(-len(order) // 3))
    figure = style.new_figure(height)
    panels = figure.subplots(len(rows), len(columns), squeeze=False, sharey="row")
    drawn = []
    for axes, members in zip(panels, rows, strict=True):
        for axis, column in zip(axes, columns, strict=True):
            points = known[known["series"].isin(members)].dropna(subset=[column])
            for series, own in points.groupby("series", sort=False):
                drawn += _series(axis, own, column, lines, style.look(order.index(series)), alone)
            stderr = _stderr(points, column).fillna(0) if alone else 0
            edges = np.concatenate([points[column] - stderr, points[column] + stderr])
            axis.set_xlim(style.span(edges, 0.08))
            axis.set_ylim(style.span(known.loc[known["series"].isin(members), "accuracy"], 0.2 if alone else 0.05))
            if named and alone and len(points) <= LABELLED:
                _name(axis, points, column)
        title = style.series_title(members[0], titles).split() if alone else []
        axes[0].set_ylabel(style.wrapped(" ".join(title), 26) + ("\n" if alone else "") + style.symbol("accuracy"))
    for axis, column in zip(panels[-1], columns, strict=True):
        axis.set_xlabel(style.mean_symbol(column))
    if not alone:
        _legend(figure, order, titles)
    missing = len(metrics) - len(known.dropna(subset=list(columns)))
    style.footnote(
        figure,
        style.eigenvalues_of(normalization),
        alone and "Bars: standard error over matrices; band: 95 % interval of the line",
        missing and f"Not shown: {style.counted(missing, 'model')} without an accuracy or a metric",
    )
    return figure, pd.DataFrame(drawn, columns=_DRAWN)


def _series(axis: Axes, points: pd.DataFrame, column: str, lines: pd.DataFrame, look: dict, alone: bool) -> list[dict]:
    """Points, error bars, line and band of one series; returns what was drawn."""
    series = points["series"].iloc[0]
    x, y = points[column].to_numpy(float), points["accuracy"].to_numpy(float)
    stderr = _stderr(points, column).to_numpy()
    keys = {"series": series, "metric": column}
    drawn = [
        keys | {"kind": "model", "model": model, "x": a, "x_stderr": s, "y": b}
        for model, a, s, b in zip(points["model"], x, stderr, y, strict=True)
    ]
    color, marker, linestyle = look["color"], look["marker"], look["linestyle"]
    size = 4 if len(x) <= 40 else 2.2
    axis.errorbar(
        x, y, xerr=np.nan_to_num(stderr) if alone else None, fmt=marker, color=color, markersize=size,
        elinewidth=0.6, capsize=1.5 if len(x) <= 40 else 0, alpha=1 if len(x) <= 40 else 0.6, zorder=3,
    )  # fmt: skip
    line = lines.loc[(series, column)] if (series, column) in lines.index else None
    text = f"$n = {len(x)}$"
    if line is not None and len(x) >= 2 and np.isfinite(line["slope"]):
        at = np.linspace(x.min(), x.max(), _POINTS)
        fit = line["slope"] * at + line["intercept"]
        half = mean_interval(x, y, line["slope"], line["intercept"], at)
        axis.plot(at, fit, color=color, linestyle=linestyle, linewidth=1.2 if alone else 0.8, zorder=2)
        if alone:
            axis.fill_between(at, fit - half, fit + half, color=color, alpha=0.15, linewidth=0, zorder=1)
        drawn += [
            keys | {"kind": "line", "x": a, "y": b, "y_low": b - h, "y_high": b + h}
            for a, b, h in zip(at, fit, half, strict=True)
        ]
        text = _number("R^2", line["r2"]) + _number(r"\tau", line["kendall_tau"]) + text
    if alone:
        axis.set_title(text, fontsize=7, loc="left", pad=3)
    return drawn


def _stderr(points: pd.DataFrame, column: str) -> pd.Series:
    """Standard errors of means; NaN for what is no mean, such as the depth."""
    return points.get(f"{column}_stderr", pd.Series(np.nan, points.index)).astype(float)


def _number(symbol: str, value: float) -> str:
    return f"${symbol} = {value:.2f}$, " if np.isfinite(value) else ""


def _name(axis: Axes, points: pd.DataFrame, column: str) -> None:
    """Model names beside their points, each at the free place nearest to its own."""
    scale = np.array([2.55, 1.2]) * 72  # points of a panel, nearly
    low, high = np.array([axis.get_xlim(), axis.get_ylim()]).T
    places = (points[[column, "accuracy"]].to_numpy(float) - low) / (high - low) * scale
    taken = [(x - 3, x + 3, y - 3, y + 3) for x, y in places]
    for (x, y), row in zip(places, points.itertuples(), strict=True):
        name = style.plain(row.model if pd.isna(row.title) else row.title, 22)
        width, size = 3.1 * len(name), 7
        choices = []
        for side, left in (("center", x - width / 2), ("left", x + 4), ("right", x - width - 4)):
            for vertical, bottom in (("bottom", y + 3.5), ("top", y - 3.5 - size), ("center", y - size / 2)):
                if side == vertical:
                    continue
                box = (left, left + width, bottom, bottom + size)
                outside = max(0, -box[0]) + max(0, box[1] - scale[0]) + max(0, -box[2]) + max(0, box[3] - scale[1])
                choices.append(
                    (sum(_overlap(box, other) for other in taken) + 20 * outside, len(choices), box, side, vertical)
                )
        _, _, box, side, vertical = min(choices)
        taken.append(box)
        shift = ({"center": 0, "left": 4, "right": -4}[side], {"bottom": 3.5, "top": -3.5, "center": 0}[vertical])
        axis.annotate(
            name, (getattr(row, column), row.accuracy), xytext=shift, textcoords="offset points",
            ha=side, va=vertical, fontsize=6.5, zorder=4, path_effects=[withStroke(linewidth=1.5, foreground="white")],
        )  # fmt: skip


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """Area that two boxes (left, right, bottom, top) share."""
    wide = min(one[1], other[1]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[2], other[2])
    return max(wide, 0) * max(high, 0)


def _legend(figure: Figure, order: Sequence[str], titles: Mapping[str, str]) -> None:
    handles = [
        Line2D([], [], label=style.series_title(series, titles, 34), linewidth=0.8, **style.look(index))
        for index, series in enumerate(order[:LISTED])
    ]
    rest = len(order) - LISTED
    title = f"{style.counted(rest, 'series', 'series')} more not listed" if rest > 0 else None
    figure.legend(handles=handles, title=title, loc="outside upper center", ncols=3, fontsize=6.5, title_fontsize=6.5)
