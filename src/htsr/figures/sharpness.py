"""Does sharpness go with generalization, and does filter normalization make it comparable between networks?"""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from htsr.figures import hessians, style, surfaces, sweeps
from htsr.figures.jacobians import tau_words
from htsr.figures.surface_lines import DIRECTIONS
from htsr.statistics.correlation import kendall
from htsr.statistics.metrics_table import average_seeds, series_codes, usable
from htsr.statistics.resampling import bootstrap_weights, generator, interval

TARGETS = ("error", "gap")
WIDTHS = {"width_nat": "$w_1$", "width_double": "$w_2$"}
"""Column of collect_surfaces/summary.csv: symbol."""
CURVATURES = {
    "lambda_max": r"$\lambda_{\mathrm{max}}$",
    "trace": r"$\mathrm{tr}\,H$",
    "filter_lambda_max": r"$\lambda_{\mathrm{max}}^{f}$",
    "filter_curvature": r"$\langle\delta^{\!\top} H \delta\rangle$",
    "theta_h_theta": r"$\theta^{\!\top} H \theta$",
    "fisher_rao": r"$\theta^{\!\top} G \theta$",
}
"""Column of compute_hessian/{set}.csv: symbol; from the third on they do not depend on the scales of filters."""
SHOWN = ("lambda_max", "filter_lambda_max", "theta_h_theta")
_COLUMNS = 3
_KINDS = {"within": ("within sweeps or series", style.COLORS[6]), "all": ("over all pairs", style.COLORS[1])}
_SPREAD = 8.0  # errors and gaps that differ by more than this factor have logarithmic axes
_DRAWN = ["panel", "measure", "target", "series", "network", "x", "x_std", "reached", "y", "low", "high", "n"]


def draw(
    summary: pd.DataFrame,
    ends: pd.DataFrame,
    networks: pd.DataFrame,
    titles: Mapping[str, str],
    dataset: str,
    *,
    width: str = "width_nat",
    resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[Figure, pd.DataFrame]:
    """Test error and generalization gap against the widths of lines along random directions, a column for each
    normalization and policy of batch norm, and against curvatures; below, Kendall's τ of every measure with both.

    summary: of collect_surfaces, of which the lines along random directions count; ends: of compute_hessian, all sets,
    of which the last states count; either may be empty. networks: tables of sweeps and series, put together; titles:
    their printed names; dataset: name of the images; width: column of the widths whose points are drawn; resamples,
    level, seed: of the bootstrap over trainings. Points are trainings, means over their seeds; τ is of the pairs within
    one sweep or series, and of all pairs.
    Returns the figure and what it shows: panel (points, tau, or difference: of the τ of one measure less that of
    another with the same trainings), measure, target, series (or the kind of τ), network, x, x_std (over directions),
    reached (share of the ways along which the loss rises so far: below 1 the width is a lower bound), y (or τ, or their
    difference), low, high, n.
    """
    table = measured(summary, ends, networks)
    measures = [name for name in table if name in CURVATURES or _is_width(name)]
    measures = [name for name in measures if table[name].notna().any()]
    if table.empty or not measures:
        text = "No network of this experiment has both an accuracy and a measured sharpness."
        return style.message(text), pd.DataFrame(columns=_DRAWN)
    shown = [name for name in measures if name.startswith(width)][:_COLUMNS]
    blocks = [block for block in (shown, [name for name in SHOWN if name in measures]) if block]
    targets = [name for name in TARGETS if name in table and table[name].notna().any()]
    order = list(dict.fromkeys(table["series"]))
    how = {"resamples": resamples, "level": level, "seed": seed}
    taus = pd.DataFrame([row for m in measures for target in targets for row in correlations(table, m, target, **how)])
    of_blocks = [[name for name in targets if _both(table, block, name).any()] for block in blocks]
    ratios = [1.45 * len(own) for own in of_blocks] + [0.5 + 0.7 * len(targets)]
    figure = style.new_figure(1.0 + 0.14 * -(-len(order) // 3) + sum(ratios))
    parts = figure.add_gridspec(len(ratios), 1, height_ratios=ratios)
    drawn = []
    for part, block, own in zip(parts, blocks, of_blocks, strict=False):
        drawn += _block(part, table, block, own, order, taus)
    drawn += _taus(figure, parts[len(blocks)], taus, measures, targets)
    kinds, rivals = [_KINDS[kind][0] for kind in _KINDS if kind in set(taus["series"])], _rivals(shown)
    compared = [difference(table, *rivals, target, **how) for target in targets] if rivals else []
    handles = [Line2D([], [], label=style.series_title(name, titles, 40), **_look(i)) for i, name in enumerate(order)]
    figure.legend(handles=handles, loc="outside upper center", ncols=3, fontsize=6.5, columnspacing=1.2)
    lines = _lines(summary)
    sweeps.footnote(
        figure,
        len(lines) > 0
        and "$w_1$, $w_2$: distance $a$ at which the loss has risen by 1, or doubled; "
        f"mean and standard deviation over {_counts(lines['n_seeds'])} directions",
        bool((table[[f"{name} reached" for name in shown]] < 1).any(axis=None)) and "Hollow: lower bounds",
        surfaces.policy(lines) if len(lines) else "",
        any(name in CURVATURES for name in measures)
        and f"Curvatures ($H$ Hessian, $G$ Gauss-Newton; $f$, $\\delta$: in filter norms): "
        f"{_lower(hessians.examples(ends, dataset))}",
        rf"$\tau$: Kendall's {' or '.join(kinds)}, {100 * level:g} % bootstrap interval, $n$ trainings",
        r"If flat minima generalize, $\tau < 0$ for widths and $> 0$ for curvatures",
        compared and _told(compared),
    )
    return figure, pd.DataFrame(drawn + compared, columns=_DRAWN)


def measured(summary: pd.DataFrame, ends: pd.DataFrame, networks: pd.DataFrame) -> pd.DataFrame:
    """One row for each training with a known error, means over its seeds: series, model, error, gap and the measures.

    Widths are columns like `width_nat none frozen` (normalization, policy of batch norm), with their `std` over
    directions and the share `reached`. Of several surfaces of one kind the first counts.
    """
    lines, columns = _lines(summary), {}
    for width, normalization, batch_norm in product(WIDTHS, DIRECTIONS, surfaces.BATCH_NORM):
        chosen = (lines["normalization"] == normalization) & (lines["batch_norm"] == batch_norm)
        own = lines[chosen].drop_duplicates("network").set_index("network")
        if len(own):
            name = f"{width} {normalization} {batch_norm}"
            columns[name], columns[f"{name} std"] = own[width], own[f"{width}_std"]
            columns[f"{name} reached"] = own[width.replace("width", "reached")]
    if len(ends):
        whole = hessians.whole(ends)
        whole = whole[hessians.trained(whole)].drop_duplicates("network").set_index("network")
        columns |= {name: whole[name] for name in CURVATURES if name in whole}
    settings = [name for name in ("series", "model", "seed", *TARGETS, "status") if name in networks]
    known = networks[settings].drop_duplicates("model")
    if "status" in known:  # of sweeps; models of a series have none
        known = known[known["status"].fillna("ok") == "ok"]
    known = known[known["error"].notna()]
    table = known.drop(columns="status", errors="ignore").join(pd.DataFrame(columns), on="model", how="inner")
    return average_seeds(table.replace([np.inf, -np.inf], np.nan)).reset_index(drop=True)


def _lines(summary: pd.DataFrame) -> pd.DataFrame:
    """The rows of lines along random directions."""
    if summary.empty:
        return pd.DataFrame(columns=["network", "normalization", "batch_norm", "n_seeds"])
    rows = summary[(summary["plane"] == "random") & (summary["dimensions"] == 1)]
    return rows.assign(normalization=rows["normalization"].fillna("none"))


def correlations(
    table: pd.DataFrame, measure: str, target: str, *, resamples: int, level: float, seed: int
) -> list[dict[str, Any]]:
    """Kendall's τ of a measure with a target within sweeps and series and, where there are several, over all pairs."""
    whole = table.dropna(subset=[measure, target])
    found = []
    for kind in _KINDS if whole["series"].nunique() > 1 else ["within"]:
        rows = usable(whole, [measure, target]) if kind == "within" else whole
        tau, low, high = _tau(rows, [measure], target, kind, resamples, level, seed)
        keys = {"panel": "tau", "measure": measure, "target": target, "series": kind}
        found.append(keys | {"y": tau, "low": low, "high": high, "n": len(rows)})
    return found


def difference(
    table: pd.DataFrame, measure: str, rival: str, target: str, *, resamples: int, level: float, seed: int
) -> dict[str, Any]:
    """By how much the τ of a measure within sweeps is above that of its rival, both of the trainings that have both."""
    rows = usable(table, [measure, rival, target])
    tau, low, high = _tau(rows, [measure, rival], target, "within", resamples, level, seed)
    keys = {"panel": "difference", "measure": f"{measure} less {rival}", "target": target, "series": "within"}
    return keys | {"y": tau, "low": low, "high": high, "n": len(rows)}


def _tau(
    rows: pd.DataFrame, measures: Sequence[str], target: str, kind: str, resamples: int, level: float, seed: int
) -> tuple[float, float, float]:
    """τ of the first measure, less that of the second if there is one, with the ends of its bootstrap interval."""
    if len(rows) < 2:
        return np.nan, np.nan, np.nan
    groups = series_codes(rows) if kind == "within" else np.zeros(len(rows), int)
    weights = bootstrap_weights(generator(seed, "sharpness", *measures, target, kind), groups, resamples)
    weights = np.vstack([np.ones(len(rows)), weights])
    y = rows[target].to_numpy(float)
    values = [kendall(rows[name].to_numpy(float), y, groups, weights) for name in measures]
    found = values[0] - values[1] if len(values) > 1 else values[0]
    return float(found[0]), *interval(found[1:], len(rows), level)


def _rivals(shown: Sequence[str]) -> tuple[str, str] | None:
    """The widths with and without filter normalization under one policy of batch norm."""
    for name in shown:
        rival = name.replace(" filter ", " none ")
        if rival != name and rival in shown:
            return name, rival
    return None


def _block(
    place: SubplotSpec,
    table: pd.DataFrame,
    measures: Sequence[str],
    targets: Sequence[str],
    order: Sequence[str],
    taus: pd.DataFrame,
) -> list[dict[str, Any]]:
    """Panels of the targets (rows) against measures (columns); returns what was drawn."""
    panels = place.subgridspec(len(targets), _COLUMNS).subplots(squeeze=False, sharey="row")
    for axis in panels[:, len(measures) :].ravel():
        axis.remove()
    drawn = []
    for row, target in zip(panels, targets, strict=True):
        for axis, measure in zip(row, measures, strict=False):
            drawn += _points(axis, table.dropna(subset=[measure, target]), measure, target, order)
            axis.set_xlabel(_label(measure), labelpad=1)
            own = taus[(taus["measure"] == measure) & (taus["target"] == target)].to_dict("records")
            words = [f"{tau_words(tau['y'], tau['low'], tau['high'], tau['n'])} ({tau['series']})" for tau in own]
            axis.set_title("\n".join(words), fontsize=6, loc="left", pad=2, linespacing=1.15)
        _scale(row[0], table.loc[_both(table, measures, target), target])
        row[0].set_ylabel(sweeps.words(target))
    return drawn


def _both(table: pd.DataFrame, measures: Sequence[str], target: str) -> pd.Series:
    """Of which rows a target and any of the measures are known."""
    return table[list(measures)].notna().any(axis=1) & table[target].notna()


def _points(axis: Axes, rows: pd.DataFrame, measure: str, target: str, order: Sequence[str]) -> list[dict[str, Any]]:
    """A point a training, hollow where the measure is a lower bound; returns what was drawn."""
    known = rows.assign(std=rows.get(f"{measure} std", np.nan), reached=rows.get(f"{measure} reached", np.nan))
    for index, name in enumerate(order):
        own = known[known["series"] == name]
        axis.errorbar(
            own[measure], own[target], xerr=np.nan_to_num(own["std"]), **_look(index), elinewidth=0.6, alpha=0.8
        )
        bounds = own[own["reached"] < 1]
        axis.plot(bounds[measure], bounds[target], **_look(index) | {"color": "white", "markersize": 2}, zorder=4)
    if measure in CURVATURES:
        hessians.log_axis(axis, "x", rows[measure])
    names = {"model": "network", measure: "x", "std": "x_std", target: "y"}
    table = known[["series", "reached", *names]].rename(columns=names)
    return [{"panel": "points", "measure": measure, "target": target} | row for row in table.to_dict("records")]


def _scale(axis: Axes, values: pd.Series) -> None:
    """Limits of a target's axis, which is logarithmic where values differ much and are positive."""
    values = values.dropna()
    if len(values) and values.min() > 0 and values.max() > _SPREAD * values.min():
        hessians.log_axis(axis, "y", values)
        axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    else:
        axis.set_ylim(style.span(values, 0.1))


def _taus(
    figure: Figure, place: SubplotSpec, taus: pd.DataFrame, measures: Sequence[str], targets: Sequence[str]
) -> list[dict[str, Any]]:
    """τ of every measure with each target, a panel a target, with intervals; returns what was drawn."""
    cells = place.subgridspec(len(targets), 1)
    kinds = [kind for kind in _KINDS if (taus["series"] == kind).any()]
    widths = sum(name not in CURVATURES for name in measures)
    for cell, target in zip(cells, targets, strict=False):
        axis = figure.add_subplot(cell)
        axis.axhline(0, color="0.2", linewidth=0.6)
        if 0 < widths < len(measures):
            axis.axvline(widths - 0.5, color="0.5", linewidth=0.6, linestyle=":")
        for number, kind in enumerate(kinds):
            own = taus[(taus["target"] == target) & (taus["series"] == kind)].set_index("measure").reindex(measures)
            at = np.arange(len(measures)) + 0.22 * (number - (len(kinds) - 1) / 2)
            tau, bounds = own["y"].to_numpy(float), own[["low", "high"]].to_numpy(float).T
            name, color = _KINDS[kind]
            axis.errorbar(
                at, tau, np.nan_to_num(np.abs(bounds - tau)), fmt="os"[number], color=color, markersize=3,
                elinewidth=0.8, capsize=1.5, label=name,
            )  # fmt: skip
        axis.set(xlim=(-0.6, len(measures) - 0.4), ylim=(-1.12, 1.12), yticks=[-1, 0, 1])
        axis.set_ylabel(rf"$\tau$ with {target}", fontsize=7.5)
        axis.set_xticks(range(len(measures)), [""] * len(measures))
        if target == targets[0] and len(kinds) > 1:
            axis.legend(loc="lower right", bbox_to_anchor=(1.0, 0.98), ncols=2, fontsize=6.5, borderaxespad=0)
    axis.set_xticks(range(len(measures)), [_short(name) for name in measures], fontsize=6.2, linespacing=1.1)
    return taus.to_dict("records")


def _is_width(name: str) -> bool:
    return name.split(" ")[0] in WIDTHS and name.count(" ") == 2


def _label(measure: str) -> str:
    """A measure as the label of an axis."""
    if measure in CURVATURES:
        return CURVATURES[measure]
    width, normalization, batch_norm = measure.split(" ")
    return f"{WIDTHS[width]}, {DIRECTIONS[normalization]}, {batch_norm}"


def _short(measure: str) -> str:
    """A measure in three short lines."""
    if measure in CURVATURES:
        return CURVATURES[measure]
    width, normalization, batch_norm = measure.split(" ")
    return f"{WIDTHS[width]}\n{ {'none': 'unnorm.'}.get(normalization, normalization) }\n{batch_norm}"


def _told(rows: Sequence[Mapping[str, Any]]) -> str:
    """In words by how much filter normalization changes τ with each target."""
    words = [
        f"{row['target']} {tau_words(row['y'], row['low'], row['high'], row['n'])}".replace(r"\tau", r"\Delta\tau")
        for row in rows
    ]
    symbol = WIDTHS[rows[0]["measure"].split(" ")[0]]
    return f"{symbol} filter-normalized less unnormalized: {'; '.join(words)}"


def _counts(values: pd.Series) -> str:
    return " or ".join(f"{value:g}" for value in sorted(set(values)))


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _look(index: int) -> dict[str, Any]:
    return style.look(index) | {"linestyle": "none", "markersize": 4, "markeredgewidth": 0}
