"""Signals in Gaussian noise: where their eigenvalues stand, and how much of their singular vectors is seen."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from htsr.figures import style
from htsr.figures.densities import DRAWN, POINTS, fitted_bulk, histogram, line, linear_edges, rows
from htsr.spectra import marchenko_pastur, spiked, tracy_widom
from htsr.statistics.samples import eigenvalues, mean, one_signal, prepare, select

OVERLAPS = ("strength", "sample", "left", "right")
"""Columns of the simulated overlaps."""


def draw(
    ensembles: pd.DataFrame, spectra: Mapping[str, Mapping[str, np.ndarray]], overlaps: pd.DataFrame
) -> tuple[Figure, pd.DataFrame]:
    """Three panels: a spectrum with spikes, the largest eigenvalue and the overlaps against the signal's strength.

    ensembles: one row a matrix (collect_ensembles). spectra: eigenvalues of X = WᵀW/N by ensemble and name. overlaps:
    of the matrices of `one_signal`'s shape, one row a simulated matrix (`OVERLAPS`): squared inner products of planted
    and found singular vectors of length N (left) and M (right). Strengths are in multiples of the threshold. Returns
    the figure and what it shows: panel, curve, x, y; of points y_low, y_high: mean ± standard error, n.
    """
    table = select(prepare(ensembles), "spiked")
    table = table[table["strength"].notna() & table["lambda_plus"].notna()]
    single = one_signal(table)
    if not len(table):
        return style.message("No ensemble of this experiment has signals in Gaussian noise."), _frame([])
    figure = style.new_figure(4.3)
    axes = figure.subplot_mosaic([["spectrum", "spectrum"], ["position", "overlap"]])
    drawn = _spectrum(axes["spectrum"], table, spectra)
    drawn += _positions(axes["position"], single) + _overlaps(axes["overlap"], single, overlaps)
    style.footnote(
        figure,
        style.eigenvalues_of("one_over_n")
        + r", noise of $\sigma = 1$; strength $|\Delta|\,Q^{1/4}$ of a signal "
        + r"$|\Delta|\sqrt{N}\,\mathbf{u}\mathbf{v}^{\!\top}$; points: mean ± s.e.",
    )
    return figure, _frame(drawn)


def _frame(drawn: list[dict]) -> pd.DataFrame:
    return pd.DataFrame(drawn, columns=DRAWN)


def _spectrum(axis: Axes, table: pd.DataFrame, spectra: Mapping) -> list[dict]:
    """The largest matrix with the most spikes, then the strongest, beyond the threshold where there is one."""
    order = table.assign(beyond=table["strength"] > 1)
    keys = ["beyond", "m", "spikes", "strength"]
    row = order.sort_values(keys, ascending=False, kind="stable").iloc[0].to_dict()
    values, q, sigma2 = eigenvalues(spectra, row), row["q"], row["sigma_mp"] ** 2
    count = int(row["n_spikes"])
    bulk, spikes = values[: len(values) - count], values[len(values) - count :]
    low, high = marchenko_pastur.edges(q, sigma2)
    edges = linear_edges(min(low, bulk[0]), max(high, bulk[-1]), len(bulk))
    drawn = histogram(axis, "spectrum", "eigenvalues", bulk, edges, len(values), label="eigenvalues")
    label = rf"Marchenko-Pastur, $\sigma_{{\mathrm{{MP}}}} = {row['sigma_mp']:.3f}$"
    drawn += fitted_bulk(axis, "spectrum", row, len(values), color=style.COLORS[1], label=label)
    axis.axvline(row["lambda_plus"], color="0.2", linestyle=":", linewidth=0.9, label=style.symbol("lambda_plus"))
    drawn += rows("spectrum", "lambda_plus", row["lambda_plus"], np.nan)
    height = 0.06 * axis.get_ylim()[1]
    markers, stems, _ = axis.stem(spikes, np.full(count, height), basefmt=" ") if count else (None, None, None)
    if count:
        markers.set(color=style.COLORS[0], markersize=3, label=f"{style.counted(count, 'spike')} found")
        stems.set(color=style.COLORS[0], linewidth=0.8)
        drawn += rows("spectrum", "spikes", spikes, np.full(count, np.nan))
    position = float(spiked.outlier(row["strength"] * spiked.threshold(q), q))
    axis.axvline(position, color=style.COLORS[2], linestyle="--", linewidth=0.9, label="predicted position")
    drawn += rows("spectrum", "predicted position", position, np.nan)
    axis.set(xlabel=r"eigenvalue $\lambda$", ylabel="density", ylim=(0, None))
    gap = (row["lambda_plus"] + min([*spikes, position])) / 2  # between bulk and spikes
    axis.legend(loc="upper center", bbox_to_anchor=(gap, 1), bbox_transform=axis.get_xaxis_transform())
    planted = style.counted(int(row["spikes"]), "signal") + f" of {row['strength']:g} times the threshold"
    _title(axis, "(a) Bulk and spikes", f"{row['n']} × {row['m']}, {planted}")
    return drawn


def _grid(single: pd.DataFrame) -> np.ndarray:
    top = max(single["strength"].max() * 1.05, 1.5) if len(single) else 4.0
    return np.unique(np.append(np.linspace(min(0.3, single["strength"].min() * 0.9), top, POINTS), 1.0))


def _positions(axis: Axes, single: pd.DataFrame) -> list[dict]:
    if not len(single):
        return _empty(axis, "(b) Largest eigenvalue", "no matrices with one signal")
    n, m, q = (single.iloc[0][key] for key in ("n", "m", "q"))
    centre, scale = tracy_widom.largest_eigenvalue(n, m)
    low, middle, high = ((centre + scale * tracy_widom.quantile(p)) / n for p in (0.05, 0.5, 0.95))
    edge = marchenko_pastur.edges(q)[1]
    x = _grid(single)
    below = x[x <= 1]
    axis.fill_between(below, low, high, color=style.SHADE, linewidth=0, label="Tracy-Widom, 5 to 95 %")
    drawn = rows("position", "Tracy-Widom median", below, np.full(len(below), middle), y_low=low, y_high=high)
    axis.axhline(edge, color="0.2", linestyle=":", linewidth=0.9, label=r"edge $\lambda_+$")
    drawn += rows("position", "lambda_plus", np.nan, edge)
    law = spiked.outlier(x * spiked.threshold(q), q)
    drawn += line(axis, "position", "formula", x, law, color=style.COLORS[1], label="formula")
    axis.plot(single["strength"], single["lambda_max"], ".", color=style.COLORS[0], markersize=1.5, alpha=0.4)
    drawn += rows("position", "sample", single["strength"].to_numpy(), single["lambda_max"].to_numpy(), n=1)
    drawn += _means(axis, "position", "mean", single, "lambda_max", "o", style.COLORS[0], "samples")
    axis.axvline(1, color="0.7", linewidth=0.6, zorder=0)
    axis.set(xlabel="strength / threshold", ylabel=style.symbol("lambda_max"))
    axis.legend(loc="upper left")
    per = single.groupby("strength").size()
    count = f"{per.min()}" if per.min() == per.max() else f"{per.min()} to {per.max()}"
    _title(axis, "(b) Largest eigenvalue", f"one signal, {n} × {m}, {count} each")
    return drawn


def _overlaps(axis: Axes, single: pd.DataFrame, overlaps: pd.DataFrame) -> list[dict]:
    if not len(single):
        return _empty(axis, "(c) Overlap of singular vectors", "no matrices with one signal")
    n, m, q = (single.iloc[0][key] for key in ("n", "m", "q"))
    x, drawn = _grid(single), []
    formula = spiked.overlaps(x * spiked.threshold(q), q)
    for index, (side, law, length) in enumerate(zip(("left", "right"), formula, ("N", "M"), strict=True)):
        look = style.look(index)
        drawn += line(axis, "overlap", f"{side} formula", x, law, color=look["color"], linestyle=look["linestyle"])
        label = f"{side}, length ${length}$"
        drawn += _means(axis, "overlap", f"{side} mean", overlaps, side, look["marker"], look["color"], label)
    axis.axvline(1, color="0.7", linewidth=0.6, zorder=0)
    axis.set(xlabel="strength / threshold", ylabel=r"squared overlap with the signal", ylim=(-0.03, 1.03))
    axis.legend(loc="lower right")
    per = overlaps.groupby("strength").size()
    _title(axis, "(c) Overlap of singular vectors", f"{n} × {m}, {int(per.max()) if len(per) else 0} each")
    return drawn


def _means(
    axis: Axes, panel: str, curve: str, table: pd.DataFrame, column: str, marker: str, color: str, label: str
) -> list[dict]:
    """Means by strength with their standard errors."""
    drawn, points = [], [(strength, mean(own[column])) for strength, own in table.groupby("strength")]
    for strength, (centre, stderr, n) in points:
        ends = {"y_low": centre - stderr, "y_high": centre + stderr}
        drawn += rows(panel, curve, strength, centre, n=n, **ends)
    if points:
        x, y, error = zip(*((strength, own.mean, np.nan_to_num(own.stderr)) for strength, own in points), strict=True)
        looks = {"color": color, "markersize": 3.5, "elinewidth": 0.9, "capsize": 1.5, "label": label, "zorder": 4}
        axis.errorbar(x, y, error, fmt=marker, **looks)
    return drawn


def _empty(axis: Axes, title: str, why: str) -> list[dict]:
    axis.set_axis_off()
    axis.text(0.5, 0.5, why, ha="center", va="center", transform=axis.transAxes)
    _title(axis, title)
    return []


def _title(axis: Axes, *lines: str) -> None:
    axis.set_title("\n".join(lines), fontsize=7, loc="left", pad=3, linespacing=1.2)
