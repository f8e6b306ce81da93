"""Test accuracy and generalization gap against measures of the Jacobian, and how these compare with the weights'."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from htsr.figures import jacobians, style, sweeps
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
            axis.set_xlabel(jacobians.OF_NETWORKS[metric], labelpad=1)
            if index % columns == 0:
                axis.set_ylabel(_TARGETS[target])
    if ranked:
        drawn += _taus(figure, parts[len(targets)].subgridspec(len(targets), 1), lines, ranked, targets)
    handles = [Line2D([], [], label=style.series_title(name, titles, 28), **_look(i)) for i, name in enumerate(order)]
    figure.legend(handles=handles, loc="outside upper center", ncols=4, fontsize=6.5, columnspacing=1.2)
    lost = len(networks) - len(known)
    sweeps.footnote(
        figure,
        r"Right of the dotted line: Jacobians of the softmax ($\alpha_{\mathrm{logit}}$, $J_z$: of scores)"
        if ranked
        else "Jacobians of the softmax",
        "Jacobians at " + jacobians.images(jacobians.measured(table), dataset),
        r"$\tau$: Kendall's, within series or sweeps, of means over seeds, 95 % bootstrap interval",
        "$n$: networks or trainings that differ",
        bool(lost) and f"{style.counted(lost, 'network')} without an accuracy or a Jacobian not shown",
    )
    return figure, pd.DataFrame(drawn, columns=_DRAWN)


def _points(axis: Axes, rows: pd.DataFrame, metric: str, target: str, order: Sequence[str]) -> list[dict]:
    """A point a network; returns what was drawn."""
    size = 3 if len(rows) <= 100 else 2
    for index, name in enumerate(order):
        own = rows[rows["series"] == name]
        axis.plot(own[metric], own[target], alpha=0.7, markeredgewidth=0, **_look(index) | {"markersize": size})
    axis.set(xlim=style.span(rows[metric]), ylim=style.span(rows[target]))
    table = rows[["series", "model", metric, target]].set_axis(["series", "model", "x", "y"], axis=1)
    return [{"panel": "points", "metric": metric, "target": target} | row for row in table.to_dict("records")]


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
    return [metric for metric in (*OF_WEIGHTS, *jacobians.OF_NETWORKS) if metric in found]


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
        axis.set_xticks(range(len(metrics)), [_name(metric) for metric in metrics] if last else [""] * len(metrics))
        if last:
            axis.tick_params(axis="x", labelsize=6.5)
        if place == 0 and len(lines) > 1:
            axis.legend(
                loc="lower right", bbox_to_anchor=(1.0, 0.98), ncols=2, fontsize=6.5, borderaxespad=0, handletextpad=0.2
            )
    return drawn


def _name(metric: str) -> str:
    """A measure as a tick names it: means over the weights' matrices as such."""
    return jacobians.OF_NETWORKS.get(metric) or sweeps.WORDS.get(metric) or style.mean_symbol(metric)


def _look(index: int) -> dict:
    return style.look(index) | {"linestyle": "none", "markersize": 4}
