"""Test error and generalization gap against metrics of the weights, over the networks of all sweeps."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from htsr.figures import style, sweeps
from htsr.statistics.metrics_table import POOLED

METRICS = ("alpha", "alpha_weighted", "log_norm", "log_spectral_norm", "distance", "stable_rank")
TARGETS = ("error", "gap")
_DRAWN = ["target", "metric", "series", "model", "x", "y"]


def draw(
    networks: pd.DataFrame, regressions: pd.DataFrame, titles: Mapping[str, str], normalization: str
) -> tuple[Figure, pd.DataFrame]:
    """One panel for each target and metric: a point a network, coloured by sweep, in the last states.

    networks: one row a network (collect_sweep/{sweep}_networks.csv, put together), metrics being means over its layers.
    regressions: of regress_accuracy over them; each panel names Kendall's τ of the rows `pooled`, which ranks
    networks of one sweep against each other only, after averaging over seeds. titles: printed names of the sweeps.
    Returns the figure and its points.
    """
    good = networks[(networks["status"] == "ok") & networks["error"].notna()]
    metrics = [metric for metric in METRICS if metric in good and good[metric].notna().any()]
    if good.empty or not metrics:
        return style.message("No network of the sweeps has an accuracy and a metric."), pd.DataFrame(columns=_DRAWN)
    lost = len(networks) - len(good)
    bare = good[metrics].isna().all(axis=1)
    good = good[~bare]
    order = list(dict.fromkeys(good["series"]))
    lines = regressions[regressions["series"] == POOLED].set_index(["metric", "target"])
    columns = min(3, len(metrics))
    bands = -(-len(metrics) // columns)
    figure = style.new_figure(0.9 + 0.16 * -(-len(order) // 3) + 1.85 * bands * len(TARGETS))
    parts = figure.add_gridspec(len(TARGETS), 1)
    drawn = []
    for part, target in zip(parts, TARGETS, strict=True):
        cells = part.subgridspec(bands, columns)
        for index, metric in enumerate(metrics):
            axis = figure.add_subplot(cells[index // columns, index % columns])
            points = good.dropna(subset=[metric, target])
            drawn += _points(axis, points, metric, target, order)
            axis.set_title(_tau(lines, metric, target), fontsize=7, loc="left", pad=3)
            axis.set_xlabel(sweeps.words(metric) if metric in sweeps.WORDS else style.mean_symbol(metric))
            if index % columns == 0:
                axis.set_ylabel(sweeps.words(target))
            axis.set(xlim=style.span(points[metric]), ylim=style.span(points[target]))
    handles = [Line2D([], [], label=style.series_title(name, titles, 34), **_look(i)) for i, name in enumerate(order)]
    figure.legend(handles=handles, loc="outside upper center", ncols=3, fontsize=6.5)
    sweeps.footnote(
        figure,
        style.eigenvalues_of(normalization),
        r"$\tau$: Kendall's, within sweeps, of means over seeds, with 95 % interval",
        "$n$: trainings that differ",
        lost and f"{style.counted(lost, 'network')} diverged: not shown",
        bare.any() and f"{style.counted(bare.sum(), 'network')} without a matrix that is large enough: not shown",
    )
    return figure, pd.DataFrame(drawn, columns=_DRAWN)


def _points(axis: Axes, points: pd.DataFrame, metric: str, target: str, order: Sequence[str]) -> list[dict]:
    size = 3 if len(points) <= 100 else 2
    for index, name in enumerate(order):
        own = points[points["series"] == name]
        axis.plot(own[metric], own[target], alpha=0.6, markeredgewidth=0, **_look(index) | {"markersize": size})
    table = points[["series", "model", metric, target]].set_axis(["series", "model", "x", "y"], axis=1)
    return [{"target": target, "metric": metric} | row for row in table.to_dict("records")]


def _tau(lines: pd.DataFrame, metric: str, target: str) -> str:
    """Kendall's tau with its interval and number of trainings, or that there is none."""
    if (metric, target) not in lines.index:
        return r"no $\tau$"
    row = lines.loc[(metric, target)]
    if not np.isfinite(row["kendall_tau"]):
        return rf"no $\tau$, $n = {int(row['n'])}$"
    text = rf"$\tau = {row['kendall_tau']:.2f}$"
    if np.isfinite([row["kendall_low"], row["kendall_high"]]).all():
        text += f" $[{row['kendall_low']:.2f}, {row['kendall_high']:.2f}]$"
    return rf"{text}, $n = {int(row['n'])}$"


def _look(index: int) -> dict:
    return style.look(index) | {"linestyle": "none", "markersize": 4}
