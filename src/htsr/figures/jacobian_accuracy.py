"""Test accuracy and generalization gap against measures of the Jacobian, and how these compare with the weights'."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter

from htsr.figures import jacobians, style, sweeps
from htsr.metrics.jacobians import COLUMNS
from htsr.statistics.metrics_table import GAP, POOLED

METRICS = (
    "jacobian_alpha",
    "jacobian_log_lambda_max",
    "jacobian_log_norm",
    "jacobian_effective_rank",
    "jacobian_alignment",
    "jacobian_logit_alpha",
)
"""Those whose points are drawn."""

OF_WEIGHTS = ("alpha", "alpha_weighted", "log_norm", "log_spectral_norm", "distance")
_TARGETS = {"accuracy": "test accuracy (%)", GAP: "gap (%)"}
_KINDS = {"series": style.COLORS[6], "sweeps": style.COLORS[1]}
_LEAST = 0.5  # percent: smaller errors and gaps are not told apart on logarithmic axes
_SPREAD = 8.0  # errors or gaps that differ by more than this factor are drawn on logarithmic axes
_DRAWN = ["panel", "metric", "target", "series", "model", "x", "y", "low", "high", "n"]


def draw(
    table: pd.DataFrame,
    networks: pd.DataFrame,
    regressions: Mapping[str, pd.DataFrame],
    titles: Mapping[str, str],
    dataset: str,
) -> tuple[Figure, pd.DataFrame]:
    """Panels of accuracy, and where it is known of the gap, against METRICS: a point a network, coloured by series or
    sweep; below, Kendall's τ of every measure of the Jacobian and of the weights with both, with its interval.

    table: of collect_jacobians. networks: tables of the networks of series and sweeps with the columns of
    `htsr.metrics.jacobians`, put together; those without a Jacobian or an accuracy are left out. regressions: of
    regress_accuracy over `series`, over `sweeps`, or over both apart; τ is that of their rows `pooled`, which rank
    networks of one series or sweep against each other only, sweeps after averaging over seeds. titles: printed names of
    series and sweeps; dataset: name of the images.
    Returns the figure and what it shows: panel (points or tau), metric, target, series (or the kind of τ), model, x, y
    (or τ), low, high, n.
    """
    metrics = [name for name in METRICS if name in networks and networks[name].notna().any()]
    known = networks[networks["accuracy"].notna()].dropna(subset=metrics, how="all")
    if not metrics or known.empty:
        return style.message("No network of this experiment has both an accuracy and a Jacobian."), pd.DataFrame(
            columns=_DRAWN
        )
    targets = [name for name in _TARGETS if name in known and known[name].notna().any()]
    order = list(dict.fromkeys(known["series"]))
    lines = {kind: rows[rows["series"] == POOLED].set_index(["metric", "target"]) for kind, rows in regressions.items()}
    ranked = _ranked(lines, targets)
    columns = min(3, len(metrics))
    bands = -(-len(metrics) // columns)
    ratios = [1.3 * bands] * len(targets) + [0.3 + 0.85 * len(targets)] * bool(ranked)
    figure = style.new_figure(0.6 + 0.14 * -(-len(order) // 4) + sum(ratios))
    parts = figure.add_gridspec(len(ratios), 1, height_ratios=ratios)
    drawn = []
    for part, target in zip(parts, targets, strict=False):
        cells = part.subgridspec(bands, columns)
        for index, metric in enumerate(metrics):
            axis = figure.add_subplot(cells[index // columns, index % columns])
            drawn += _points(axis, known.dropna(subset=[metric, target]), metric, target, order)
            axis.set_title(_told(lines, metric, target), fontsize=6, loc="left", pad=2, linespacing=1.15)
            axis.set_xlabel(style.symbol(metric), labelpad=1)
            if index % columns == 0:
                axis.set_ylabel(_TARGETS[target])
    if ranked:
        drawn += _taus(figure, parts[len(targets)].subgridspec(len(targets), 1), lines, ranked, targets)
    handles = [Line2D([], [], label=style.series_title(name, titles, 28), **_look(i)) for i, name in enumerate(order)]
    figure.legend(handles=handles, loc="outside upper center", ncols=4, fontsize=6.5, columnspacing=1.2)
    lost = len(networks) - len(known)
    sweeps.footnote(
        figure,
        f"Jacobians of the softmax at {jacobians.images(jacobians.measured(table), dataset)}",
        "$A$: alignment with classes; $C$: of rows of length one; $z$: of scores",
        r"$\tau$: Kendall's, within series or sweeps, of means over seeds, 95 % bootstrap interval",
        *_sizes(lines, ranked),
        bool(lost) and f"{style.counted(lost, 'network')} without an accuracy or a Jacobian not shown",
    )
    return figure, pd.DataFrame(drawn, columns=_DRAWN)


def _points(axis: Axes, rows: pd.DataFrame, metric: str, target: str, order: Sequence[str]) -> list[dict]:
    """A point a network; returns what was drawn."""
    size = 3 if len(rows) <= 100 else 2
    for index, name in enumerate(order):
        own = rows[rows["series"] == name]
        axis.plot(own[metric], own[target], alpha=0.7, markeredgewidth=0, **_look(index) | {"markersize": size})
    axis.set_xlim(style.span(rows[metric]))
    _scale(axis, rows[target], target)
    table = rows[["series", "model", metric, target]].set_axis(["series", "model", "x", "y"], axis=1)
    return [{"panel": "points", "metric": metric, "target": target} | row for row in table.to_dict("records")]


def _scale(axis: Axes, values: pd.Series, target: str) -> None:
    """The axis of a target: where networks trained on random labels make it long, logarithmic in the error or gap."""
    distance = (100 - values if target == "accuracy" else values).clip(lower=_LEAST)
    if distance.max() < _SPREAD * distance.min():
        axis.set_ylim(style.span(values))
        return
    low, high = style.span(np.log10(distance))
    if target == "accuracy":
        axis.set_yscale("function", functions=(_from_accuracy, _to_accuracy))
        axis.set_ylim(*np.minimum(_to_accuracy(np.array([-high, -low])), 100 - _LEAST))
        ticks = [0, 50, 80, 90, 95, 98, 99, 99.5]
    else:
        axis.set_yscale("function", functions=(_from_gap, _to_gap))
        axis.set_ylim(min(10**low, values.min() - _LEAST), 10**high)
        ticks = [0, 1, 2, 5, 10, 20, 50, 100]
    axis.yaxis.set_major_locator(FixedLocator(ticks))
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _from_accuracy(accuracy: np.ndarray) -> np.ndarray:
    return -np.log10(np.maximum(100 - accuracy, _LEAST))


def _to_accuracy(place: np.ndarray) -> np.ndarray:
    return 100 - 10.0**-place


def _from_gap(gap: np.ndarray) -> np.ndarray:
    """Logarithm, continued straight below _LEAST: a gap may be negative."""
    return np.log10(np.maximum(gap, _LEAST)) + np.minimum(gap - _LEAST, 0) / _LEAST


def _to_gap(place: np.ndarray) -> np.ndarray:
    start = np.log10(_LEAST)
    return np.where(place < start, _LEAST + (place - start) * _LEAST, 10.0 ** np.maximum(place, start))


def _told(lines: Mapping[str, pd.DataFrame], metric: str, target: str) -> str:
    """τ over series and over sweeps, a line each."""
    told = []
    for kind, rows in lines.items():
        if (metric, target) in rows.index:
            tau, low, high, n = rows.loc[(metric, target), ["kendall_tau", "kendall_low", "kendall_high", "n"]]
            told.append(f"{kind}: {jacobians.tau_words(tau, low, high, int(n))}")
    return "\n".join(told)


def _ranked(lines: Mapping[str, pd.DataFrame], targets: Sequence[str]) -> list[str]:
    """The measures of weights and of Jacobians that have a τ with any target, weights first."""
    found = [
        metric
        for rows in lines.values()
        for (metric, target), row in rows.iterrows()
        if target in targets and np.isfinite(row["kendall_tau"])
    ]
    return [metric for metric in (*OF_WEIGHTS, *COLUMNS) if metric in found]


def _taus(
    figure: Figure, cells, lines: Mapping[str, pd.DataFrame], metrics: Sequence[str], targets: Sequence[str]
) -> list[dict]:
    """τ of every measure with each target, a panel a target, with intervals; returns what was drawn."""
    drawn = []
    weights = sum(metric in OF_WEIGHTS for metric in metrics)
    for place, target in enumerate(targets):
        axis = figure.add_subplot(cells[place])
        axis.axhline(0, color="0.2", linewidth=0.6)
        if 0 < weights < len(metrics):
            axis.axvline(weights - 0.5, color="0.5", linewidth=0.6, linestyle=":")
        for number, (kind, rows) in enumerate(lines.items()):
            shift = 0.22 * (number - (len(lines) - 1) / 2)
            own = rows.reindex([(metric, target) for metric in metrics])
            at, tau = np.arange(len(metrics)) + shift, own["kendall_tau"].to_numpy(float)
            bounds = own[["kendall_low", "kendall_high"]].to_numpy(float).T
            axis.errorbar(
                at, tau, np.nan_to_num(np.abs(bounds - tau)), fmt="os"[number % 2], color=_KINDS[kind], markersize=3,
                elinewidth=0.8, capsize=1.5, label=kind,
            )  # fmt: skip
            drawn += [
                {"panel": "tau", "metric": metric, "target": target, "series": kind}
                | {"y": row["kendall_tau"], "low": row["kendall_low"], "high": row["kendall_high"], "n": row["n"]}
                for metric, row in zip(metrics, own.to_dict("records"), strict=True)
                if np.isfinite(row["kendall_tau"])
            ]
        axis.set(xlim=(-0.6, len(metrics) - 0.4), ylim=(-1.08, 1.08), yticks=[-1, 0, 1])
        axis.set_ylabel(rf"$\tau$ with {'accuracy' if target == 'accuracy' else target}", fontsize=7.5)
        last = place == len(targets) - 1
        names = [("", "\n")[i % 2] + style.symbol(metric) for i, metric in enumerate(metrics)]  # two lines
        axis.set_xticks(range(len(metrics)), names if last else [""] * len(metrics), fontsize=6.5)
        if place == 0 and len(lines) > 1:
            axis.legend(
                loc="lower right", bbox_to_anchor=(1.0, 0.98), ncols=2, fontsize=6.5, borderaxespad=0, handletextpad=0.2
            )
    return drawn


def _sizes(lines: Mapping[str, pd.DataFrame], metrics: Sequence[str]) -> list[str]:
    """How many networks the τ of weights and of Jacobians are over, a sentence a kind."""
    told = []
    for kind, rows in lines.items():
        own = rows.reset_index()
        counts = []
        for name, of_weights in (("weights", True), ("Jacobians", False)):
            chosen = own[own["metric"].isin([metric for metric in metrics if (metric in OF_WEIGHTS) == of_weights])]
            if len(chosen):
                low, high = int(chosen["n"].min()), int(chosen["n"].max())
                counts.append(f"{name} $n = {low}$" if low == high else f"{name} $n = {low}$ to {high}")
        if counts:
            told.append(f"{kind.capitalize()}: {', '.join(counts)}")
    return told


def _look(index: int) -> dict:
    return style.look(index) | {"linestyle": "none", "markersize": 4}
