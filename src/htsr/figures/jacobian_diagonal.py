"""What makes the largest eigenvalue and the tail of the Jacobians' Gram matrix: its diagonal, or its correlations."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from htsr.figures import jacobian_spectra, jacobians, style, sweeps
from htsr.files import Arrays

DRAWN = ["panel", "curve", "network", "x", "y"]
_PARTS = {
    "softmax": r"$\mathbf{M}$",
    "diagonal": r"diag $\mathbf{M}$",
    "correlation": r"$\mathbf{C}$",
    "logit": "scores",
}
_COLUMNS = 4


def draw(
    table: pd.DataFrame, networks: pd.DataFrame, spectra: Sequence[Arrays], titles: Mapping[str, str], dataset: str
) -> tuple[Figure, pd.DataFrame]:
    """Above, for each state of `jacobian_spectra.chosen`, the eigenvalues of M and its diagonal entries, both
    descending; below, for the final states of all networks, the largest eigenvalue against the largest diagonal entry,
    and the exponents of M, of its diagonal, of the correlation matrix and of M of the scores.

    table: of collect_jacobians; networks: tables of the networks, put together; spectra: files of compute_jacobian of
    those in detail; titles: printed names of series and sweeps; dataset: name of the images. Returns the figure and
    what it shows: panel, curve, network, x, y.
    """
    rows = jacobians.measured(table)
    final = rows[rows["final"].astype(bool)]
    if final.empty:
        return style.message("No network of this experiment has a Jacobian."), pd.DataFrame(columns=DRAWN)
    shown = jacobian_spectra.chosen(rows, networks)[:_COLUMNS]
    files = jacobians.by_collection(spectra)
    figure = style.new_figure(5.0 if shown else 2.7)
    cells = figure.add_gridspec(2 if shown else 1, 1)
    drawn, first = [], None
    if shown:
        for cell, name, row in zip(
            cells[0].subgridspec(1, len(shown)), jacobian_spectra.state_names(shown), shown, strict=True
        ):
            axis = first = figure.add_subplot(cell, sharey=first)
            drawn += _ranked(axis, name, row, files)
            axis.label_outer()
    below = cells[-1].subgridspec(1, 2)
    drawn += _largest(figure.add_subplot(below[0]), final)
    drawn += _exponents(figure.add_subplot(below[1]), table)
    looks = {name: style.look(index) for index, name in enumerate(final["collection"].drop_duplicates())}
    handles = [
        Line2D([], [], **look | {"linestyle": "none"}, label=style.series_title(name, titles, 28))
        for name, look in looks.items()
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=min(4, len(handles)), columnspacing=1.0)
    sweeps.footnote(
        figure,
        jacobians.EIGENVALUES,
        jacobians.images(final, dataset),
        bool(shown)
        and "Above: blue, eigenvalues; orange, diagonal entries; dotted, eigenvalues of the correlation "
        "matrix times the mean diagonal",
        "Below: final states of all networks; bars: medians",
    )
    return figure, pd.DataFrame(drawn, columns=DRAWN)


def _ranked(axis: Axes, name: str, row: Mapping, files: Mapping[str, Arrays]) -> list[dict]:
    """Eigenvalues, diagonal, and eigenvalues of the correlations at the mean diagonal, descending."""
    curves = {
        "eigenvalues": jacobians.spectrum_of(files, row).eigenvalues,
        "diagonal": jacobians.spectrum_of(files, row, "diagonal").eigenvalues,
        "correlations": jacobians.spectrum_of(files, row, "correlation").eigenvalues * row["mean_diagonal"],
    }
    looks = (
        {"color": style.COLORS[0]},
        {"color": style.COLORS[1], "linestyle": "--"},
        {"color": "0.3", "linestyle": ":"},
    )
    drawn = []
    for (curve, values), look in zip(curves.items(), looks, strict=True):
        values = values[values > 0][::-1]
        x = np.arange(1, len(values) + 1)
        axis.plot(x, values, **look)
        drawn += [
            {"panel": name, "curve": curve, "network": row["network"], "x": i, "y": value}
            for i, value in zip(x, values, strict=True)
        ]
    ratio = row["lambda_max"] / row["largest_diagonal"]
    axis.set_title(f"{name}\n" rf"$\lambda_{{\mathrm{{max}}}}/\max M_{{ii}} = {ratio:.2f}$", fontsize=7, loc="left")
    axis.set(xscale="log", yscale="log", xlabel="rank", ylabel="value")
    return drawn


def _largest(axis: Axes, final: pd.DataFrame) -> list[dict]:
    """Largest eigenvalue against largest diagonal entry, which it cannot be below."""
    known = final[final["largest_diagonal"] > 0]
    for index, (_, own) in enumerate(known.groupby("collection", sort=False)):
        look = style.look(index) | {"linestyle": "none"}
        axis.plot(own["largest_diagonal"], own["lambda_max"], **look, markersize=3, alpha=0.8)
    ends = [known["largest_diagonal"].min() / 1.5, known["lambda_max"].max() * 1.5]
    axis.plot(ends, ends, color="0.4", linewidth=0.8)
    axis.set(xscale="log", yscale="log", xlabel=r"$\max M_{ii}$", ylabel=r"$\lambda_{\mathrm{max}}(\mathbf{M})$")
    return [
        {"panel": "largest", "curve": row.collection, "network": row.network, "x": row.largest_diagonal}
        | {"y": row.lambda_max}
        for row in known.itertuples()
    ]


def _exponents(axis: Axes, table: pd.DataFrame) -> list[dict]:
    """Exponents of the parts, a column each, networks side by side in the order of the table."""
    final = table[table["final"].astype(bool)]
    order = {name: index for index, name in enumerate(final["network"].drop_duplicates())}
    collections = {name: index for index, name in enumerate(final["collection"].drop_duplicates())}
    drawn = []
    for column, part in enumerate(_PARTS):
        own = final[(final["spectrum"] == part) & final["alpha"].notna()]
        for name, points in own.groupby("collection", sort=False):
            x = column + 0.7 * (points["network"].map(order) / max(len(order) - 1, 1) - 0.5)
            look = style.look(collections[name]) | {"linestyle": "none"}
            axis.plot(x, points["alpha"], **look, markersize=2.5, alpha=0.8)
        if len(own):
            axis.hlines(own["alpha"].median(), column - 0.4, column + 0.4, color="0.1", linewidth=1.2)
        drawn += [
            {"panel": "exponents", "curve": part, "network": row.network, "x": column, "y": row.alpha}
            for row in own.itertuples()
        ]
    axis.set_xticks(range(len(_PARTS)), list(_PARTS.values()))
    axis.set(ylabel=r"$\alpha$", xlim=(-0.5, len(_PARTS) - 0.5))
    jacobians.exponents(axis)
    return drawn
