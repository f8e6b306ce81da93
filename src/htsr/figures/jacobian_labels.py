"""Jacobians of networks trained on true and on random labels: their diagonals, and measures along label noise."""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from htsr.figures import jacobians, style, sweeps
from htsr.figures.densities import log_ticks
from htsr.files import Arrays

AXIS = "label_noise"
_DIAGONALS = {
    "diagonal": r"diagonal of $\mathbf{M} = \mathcal{J}\mathcal{J}^{\!\top}$: $\|J(\mathbf{x}_i)\|_F^2$",
    "diagonal_x": r"diagonal of $\mathbf{X}$: energy of a class and pixel",
}
_PANELS = (
    ("alpha",),
    ("log_spectral_norm",),
    ("rank", "effective_rank"),
    ("norm",),
    ("correlation_alignment",),
    ("confidence",),
)
_FIRST = 2  # of the looks of the two shares, which are not those of measures
_DRAWN = ["panel", "curve", "x", "y", "network", "value", "low", "high", "n"]


def draw(
    table: pd.DataFrame, networks: pd.DataFrame, axes: Sequence[str], spectra: Arrays, dataset: str
) -> tuple[Figure, pd.DataFrame]:
    """Above, distribution functions of both diagonals with their fitted power laws at the least and the greatest share
    of random labels, in the network of the first seed; below, measures of the Jacobians against that share.

    table: of collect_jacobians; networks: of one sweep over label_noise, axes: all settings that it varies; spectra: of
    its Jacobians; dataset: name of the images. Means over seeds have 95 % intervals by Student's t; dotted: mean before
    training. Returns the figure and what it shows: panel, curve, and x, y of the diagonals or x, network (of a single
    point), value, low, high, n.
    """
    found, lost = jacobians.of_sweep(table, networks, axes)
    found, other = sweeps.fixed(found, axes, [AXIS])
    final = found[found["final"].astype(bool)]
    if final.empty:
        return style.message("No network of this sweep has a Jacobian."), pd.DataFrame(columns=_DRAWN)
    at = sweeps.places(final[AXIS], AXIS)
    ends = list(dict.fromkeys([min(at), max(at)]))
    firsts = {value: final[final[AXIS] == value].iloc[0] for value in ends}
    figure = style.new_figure(6.0)
    cells = figure.add_gridspec(3, 1, height_ratios=[1.5, 1, 1])
    top = [figure.add_subplot(cell) for cell in cells[0].subgridspec(1, len(_DIAGONALS))]
    panels = [figure.add_subplot(cell) for row in (1, 2) for cell in cells[row].subgridspec(1, 3)]
    drawn = []
    for axis, diagonal in zip(top, _DIAGONALS, strict=True):
        drawn += _diagonals(axis, table, diagonal, firsts, spectra)
    before = found[found["epoch"] == 0]
    for axis, columns in zip(panels, _PANELS, strict=True):
        drawn += jacobians.means(axis, final, AXIS, columns, at)
        drawn += _before(axis, before, columns)
        sweeps.prepare_axis(axis, at, AXIS, 1.6)
    jacobians.exponents(panels[0])
    panels[2].set_yscale("log")
    log_ticks(panels[2].yaxis, *panels[2].get_ylim())
    fitted = any(row["curve"].startswith("power law") for row in drawn)
    figure.legend(handles=_handles(firsts, fitted, bool(len(before))), loc="outside upper center", ncols=4)
    sweeps.footnote(
        figure,
        jacobians.EIGENVALUES,
        jacobians.images(final, dataset),
        "Diagonals: first seed",
        jacobians.PRECISION,
        sweeps.INTERVALS,
        jacobians.RANDOM_ROWS + ", or permuted classes",
        jacobians.NEAR_ONE,
        *(other, lost),
    )
    return figure, pd.DataFrame(drawn, columns=_DRAWN)


def _diagonals(
    axis: Axes, table: pd.DataFrame, diagonal: str, firsts: Mapping[float, pd.Series], spectra: Arrays
) -> list[dict]:
    """Distribution functions of one diagonal of several networks, with their fits in the title; returns the curves."""
    rows = table[table["spectrum"] == diagonal].set_index(["network", "state"])
    drawn, told, lowest, highest = [], [], [], []
    for index, (noise, row) in enumerate(firsts.items()):
        curve, look = _words(noise), style.look(_FIRST + index)
        spectrum = jacobians.spectrum_of({row["collection"]: spectra}, row, diagonal)
        values = spectrum.eigenvalues
        positive = values[values > 0]
        lowest.append(positive[0])
        highest.append(positive[-1])
        drawn += jacobians.survival(
            axis, diagonal, curve, values, color=look["color"], marker=".", markersize=2.5, linestyle="none"
        )
        fit = rows.loc[(row["network"], row["state"])]
        drawn += jacobians.power_law_survival(
            axis, diagonal, f"power law, {curve}", fit, color="black", linestyle=style.LINES[index], linewidth=0.9
        )
        told.append(f"{curve}: {jacobians.fit_words(fit)}")
    low, high = min(lowest), max(highest)
    axis.set(xscale="log", yscale="log", xlim=(low / 1.5, high * 1.5), xlabel=_DIAGONALS[diagonal])
    log_ticks(axis.xaxis, low, high)
    axis.set_ylabel(r"share of entries $\geq$")
    axis.set_title("\n".join(told), fontsize=7, loc="left", pad=3, linespacing=1.25)
    return drawn


def _before(axis: Axes, rows: pd.DataFrame, columns: Sequence[str]) -> list[dict]:
    """Means of measures before training as dotted lines; returns what was drawn."""
    drawn, panel = [], "_and_".join(columns)
    for index, column in enumerate(columns):
        value = rows[column].mean()
        if pd.notna(value):
            axis.axhline(value, color=style.look(index)["color"], linestyle=":", linewidth=0.8, zorder=1)
            drawn.append({"panel": panel, "curve": f"{column} before training", "value": value, "n": len(rows)})
    return drawn


def _words(noise: float) -> str:
    return f"{sweeps.printed(100 * noise)} % random labels" if noise > 0 else "true labels"


def _handles(noises: Sequence[float], fitted: bool, before: bool) -> list[Line2D]:
    looks = [style.look(index) for index in range(2)]
    handles = [
        Line2D([], [], color=style.look(_FIRST + i)["color"], marker=".", linestyle="none", label=_words(noise))
        for i, noise in enumerate(noises)
    ]
    if fitted:
        handles.append(Line2D([], [], color="black", linewidth=0.9, label="power law"))
    handles += [
        Line2D([], [], label=name, **look)
        for name, look in zip(("measure, rank", "effective rank"), looks, strict=True)
    ]
    handles.append(jacobians.null_handle())
    if before:
        handles.append(Line2D([], [], color=looks[0]["color"], linestyle=":", linewidth=0.8, label="before training"))
    return handles
