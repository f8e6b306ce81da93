"""The exponent against the log stable rank, matrix by matrix."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from htsr.figures import style

LIMITS = (-10.0, 12.0)  # no axis goes further: the log stable rank has a pole where the largest eigenvalue is 1
_DRAWN = ["series", "model", "layer", "log_stable_rank", "alpha"]


def draw(layers: pd.DataFrame, titles: Mapping[str, str], normalization: str) -> tuple[Figure, pd.DataFrame]:
    """One panel for each series: alpha of each matrix against its log stable rank, and the line where they are equal.

    layers: one row a spectrum, with series, model, layer, alpha and log_stable_rank. Points beyond the axes are
    counted above each panel. Returns the figure and the points drawn.
    """
    points = layers.dropna(subset=["alpha", "log_stable_rank"])
    points = points[np.isfinite(points["log_stable_rank"])]
    order = list(points["series"].unique())
    if not order:
        return style.message("No matrix of this experiment has a fitted exponent."), points[_DRAWN]
    columns = 4 if len(order) == 4 else min(3, len(order))
    shown = order[: 8 * columns]
    rows = -(-len(shown) // columns)
    figure = style.new_figure(0.6 + rows * {1: 3.0, 2: 2.2, 3: 1.95, 4: 1.7}[columns])
    y_limits = _limits(points["alpha"], (2.0, 4.0))
    x_limits = _limits(points["log_stable_rank"], y_limits)  # so that the line of equality is in sight
    inside = points["log_stable_rank"].between(*x_limits) & points["alpha"].between(*y_limits)
    panels = style.grid(figure, len(shown), columns, sharex=True, sharey=True)
    for index, (axis, series) in enumerate(zip(panels, shown, strict=True)):
        own, drawn = points[points["series"] == series], points[inside & (points["series"] == series)]
        look = style.look(index)
        many = len(own) > 200
        axis.plot(
            drawn["log_stable_rank"], drawn["alpha"], look["marker"], color=look["color"], alpha=0.45 if many else 0.8,
            markersize=2 if many else 3.5, markeredgewidth=0, rasterized=len(own) > 5000,
        )  # fmt: skip
        axis.axline((0, 0), slope=1, color="0.3", linewidth=0.8, linestyle="--", zorder=1)
        text = f"$n = {len(own)}$"
        if len(own) > 2:
            text += rf", $\rho = {own[['log_stable_rank', 'alpha']].corr('spearman').iloc[0, 1]:.2f}$"
        if len(own) > len(drawn):
            text += f", {len(own) - len(drawn)} beyond" + (" the axes" if columns < 4 else "")
        axis.set_title(
            f"{style.series_title(series, titles, 34 if columns < 4 else 26)}\n{text}",
            fontsize=7,
            loc="left",
            pad=3,
            linespacing=1.1,
        )
        axis.set(xlim=x_limits, ylim=y_limits)
    for axis in panels[-columns:]:
        axis.set_xlabel(style.symbol("log_stable_rank"))
        axis.tick_params(labelbottom=True)
    for axis in panels[::columns]:
        axis.set_ylabel(style.symbol("alpha"))
    missing, beyond = len(layers) - len(points), len(order) - len(shown)
    style.footnote(
        figure,
        style.eigenvalues_of(normalization),
        r"Dashed: $\alpha = \mathcal{R}_s^{\log}$; $\rho$: Spearman over all matrices",
        missing and f"{style.counted(missing, 'matrix', 'matrices')} without a fit left out",
        beyond > 0 and f"{style.counted(beyond, 'series', 'series')} more not shown",
    )
    return figure, points.loc[inside & points["series"].isin(shown), _DRAWN]


def _limits(values: pd.Series, others: Iterable[float] = ()) -> tuple[float, float]:
    """Around the central 98 % of many values, or all of a few, and the others, within LIMITS."""
    if len(values) > 100:
        values = values.clip(*values.quantile([0.01, 0.99]))
    return style.span(np.clip([*values, *others], *LIMITS))
