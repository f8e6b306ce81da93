"""Spectra of heavy-tailed random matrices with their fitted and asymptotic power laws."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from htsr.figures import style
from htsr.figures.densities import DECADES, DRAWN, exponent, line, logarithmic, power_law, rows
from htsr.spectra import high_temperature, marchenko_pastur
from htsr.statistics.samples import (
    eigenvalues,
    entry_moments,
    mean_spike,
    nearest_shape,
    prepare,
    select,
    spread,
    tail_exponent,
)

ASPECT = 3  # that of the published figure
MU = (1.0, 3.0, 5.0)  # one of each class: below 2, between 2 and 4, above 4
KAPPA = (2.0, 3.0, 4.0)

_BANDS = (  # title, law, its flags, the parameter that varies, the values wanted
    ("Pareto, random signs", "pareto", {"signed": True}, "mu", MU),
    ("Lomax, without signs", "lomax", {"signed": False}, "mu", MU),
    ("high-temperature MP, inverted", "htmp", {"inverse": True}, "kappa", KAPPA),
)


def draw(ensembles: pd.DataFrame, spectra: Mapping[str, Mapping[str, np.ndarray]]) -> tuple[Figure, pd.DataFrame]:
    """One row of panels a law, one column a parameter: densities on logarithmic axes.

    ensembles: one row a matrix (collect_ensembles). spectra: eigenvalues of X = WᵀW/N by ensemble and name. The first
    matrix of each law and parameter is drawn, of the shape whose aspect ratio is nearest ASPECT. Returns the figure and
    what it shows: panel, curve, x (of a bin: to x_high), y, n.
    """
    table = prepare(ensembles)
    table = table[table["alpha"].notna()]
    bands = []
    for title, law, flags, name, wanted in _BANDS:
        own = nearest_shape(select(table, law, **flags), ASPECT)
        values = spread(own[name], wanted)
        if values:
            bands.append([(title, name, own[own[name] == value].iloc[0].to_dict()) for value in values])
    if not bands:
        return style.message("No ensemble of this experiment is heavy-tailed."), pd.DataFrame(columns=DRAWN)
    figure = style.new_figure(0.85 + 1.75 * len(bands))
    axes = figure.subplots(len(bands), max(map(len, bands)), squeeze=False)
    drawn = []
    for band, panels in zip(bands, axes, strict=True):
        for axis in panels[len(band) :]:
            axis.remove()
        for axis, (title, name, row) in zip(panels, band, strict=False):
            drawn += _panel(axis, title, name, row, eigenvalues(spectra, row))
        panels[0].set_ylabel("density")
    for axis in axes[-1, : len(bands[-1])]:
        axis.set_xlabel(r"eigenvalue $\lambda$")
    _legend(figure, {entry["curve"] for entry in drawn})
    style.footnote(
        figure,
        style.eigenvalues_of("one_over_n")
        + f", over {DECADES} decades below the largest"
        + r"; $\alpha$ with its 95 % interval or standard error; $\mu > 2$: the tail's share vanishes with $N$",
    )
    return figure, pd.DataFrame(drawn, columns=DRAWN)


def _panel(axis: Axes, title: str, name: str, row: Mapping, values: np.ndarray) -> list[dict]:
    panel = f"{row['law']}, {name} = {row[name]:g}"
    drawn, limits = logarithmic(axis, panel, values)
    limit = tail_exponent(row)
    drawn += power_law(axis, panel, row, limit) + _bulk(axis, panel, row)
    axis.set_ylim(limits)
    letter = {"mu": r"\mu", "kappa": r"\kappa"}[name]
    text = rf"${letter} = {row[name]:g}$, {row['n']} × {row['m']}" + "\n" + exponent(row)
    text += rf"; limit {limit:.2f}" if np.isfinite(limit) else ""
    axis.set_title(f"{title}\n{text}", fontsize=7, loc="left", pad=3, linespacing=1.2)
    return drawn


def _bulk(axis: Axes, panel: str, row: Mapping) -> list[dict]:
    """The law of matrices with entries of the same variance, or of the ensemble itself, and the spike of the mean."""
    low, high = axis.get_xlim()
    x = np.geomspace(low, high, 600)
    if row["law"] == "htmp":
        density = high_temperature.density(x, row["q"], row["kappa"], row["inverse"])
        return line(axis, panel, "law of the ensemble", x, density, color=style.COLORS[2])
    centre, variance = entry_moments(row)
    if not np.isfinite(variance):
        return []
    edges = marchenko_pastur.edges(row["q"], variance)
    x = np.geomspace(max(low, edges[0]), edges[1], 600)[1:-1]
    density = marchenko_pastur.density(x, row["q"], variance)
    drawn = line(axis, panel, "MP of the same variance", x, density, color=style.COLORS[2])
    if centre:
        position = mean_spike(row)
        axis.axvline(position, color=style.COLORS[3], linestyle="-.", linewidth=1.0)
        drawn += rows(panel, "spike of the mean", position, np.nan)
    return drawn


def _legend(figure: Figure, curves: set[str]) -> None:
    data, law, bulk, spike = (style.COLORS[i] for i in range(4))
    known = {
        "eigenvalues": Patch(color=data, alpha=0.35, label="eigenvalues"),
        "power law": Line2D([], [], color=law, label="fitted power law"),
        "limiting exponent": Line2D([], [], color="black", linestyle="--", linewidth=0.9, label="limiting exponent"),
        "xmin": Line2D([], [], color="0.2", linestyle=":", linewidth=0.9, label=style.symbol("xmin")),
        "MP of the same variance": Line2D([], [], color=bulk, label="MP of the same variance"),
        "law of the ensemble": Line2D([], [], color=bulk, label="law of the ensemble"),
        "spike of the mean": Line2D([], [], color=spike, linestyle="-.", linewidth=1.0, label="spike of the mean"),
    }
    if "MP of the same variance" in curves and "law of the ensemble" in curves:
        del known["law of the ensemble"]
        known["MP of the same variance"].set_label("MP of the same variance, or the ensemble's law")
    shown = [handle for name, handle in known.items() if name in curves]
    figure.legend(handles=shown, loc="outside upper center", ncols=3, columnspacing=1.2)
