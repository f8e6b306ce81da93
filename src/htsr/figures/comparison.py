"""One network in several states, layer by layer: largest eigenvalue and exponent."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from htsr.figures import style

_COLUMNS = ("lambda_max", "alpha")
_LABELLED = 60  # layers whose names have room
_SPREAD = 100.0  # largest eigenvalues that differ by more than this factor go on a logarithmic axis
_DRAWN = ["role", "model", "layer", "column", "mean", "least", "greatest", "n", "removed"]


def draw(layers: pd.DataFrame, roles: Mapping[str, str], normalization: str) -> tuple[Figure, pd.DataFrame]:
    """Largest eigenvalue and alpha of every layer, one marker for each state of the network.

    layers: one row a spectrum, with model, weight_layer, lambda_max, alpha, n_eigenvalues. roles: state -> model, in
    the order of drawing. Several matrices of a layer (the slices of a convolution) are shown by their mean and
    range; a layer whose matrices are all zero has been removed and gets a cross at the lower edge.
    Returns the figure and what it shows.
    """
    table = _table(layers, roles)
    names = list(dict.fromkeys(table["layer"]))
    if not names:
        return style.message("The compared models have no spectra."), table
    figure = style.new_figure(3.6)
    panels = figure.subplots(len(_COLUMNS), 1, sharex=True)
    place = {name: position for position, name in enumerate(names)}
    for axis, column in zip(panels, _COLUMNS, strict=True):
        for index, role in enumerate(roles):
            own = table[(table["role"] == role) & (table["column"] == column)]
            _markers(axis, own, place, (index - (len(roles) - 1) / 2) * min(0.22, 0.66 / len(roles)), index, role)
        axis.set_ylabel(style.symbol(column))
        axis.set_title(_means(layers, roles, column), fontsize=7, loc="left", pad=3)
        axis.grid(axis="x", color="0.9", linewidth=0.5)
    every = -(-len(names) // _LABELLED)
    panels[-1].set_xticks(range(0, len(names), every), [style.plain(name, 28) for name in names[::every]])
    size = 7.5 if len(names) <= 20 else 5.5 if len(names) <= 40 else 4.5
    turned = len(names) > 6 or max(map(len, names)) * len(names) > 90
    panels[-1].tick_params(axis="x", labelsize=size, rotation=90 if turned else 0)
    panels[-1].set_xlim(-0.6, len(names) - 0.4)
    means = table.loc[table["column"] == "lambda_max", "mean"]
    if means.max() > _SPREAD * means.min():
        panels[0].set_yscale("log")
    else:
        panels[0].set_ylim(bottom=0)
    handles, _ = panels[0].get_legend_handles_labels()
    if table["removed"].any():
        handles.append(Line2D([], [], marker="x", color="0.3", linestyle="none", label="removed (all zero)"))
    figure.legend(handles=handles, loc="outside upper center", ncols=4)
    style.footnote(
        figure,
        style.eigenvalues_of(normalization),
        bool((table["n"] > 1).any()) and "Bars: least to greatest over the matrices of a layer",
        every > 1 and f"one layer in {every} is named",
    )
    return figure, table


def _table(layers: pd.DataFrame, roles: Mapping[str, str]) -> pd.DataFrame:
    """One row for each state, layer and column: mean and range over the layer's matrices."""
    rows = []
    for role, model in roles.items():
        for layer, own in layers[layers["model"] == model].groupby("weight_layer", sort=False):
            removed = bool((own["n_eigenvalues"] == 0).all() or (own["lambda_max"] == 0).all())
            for column in _COLUMNS:
                values = own.loc[own["lambda_max"] > 0, column].dropna()
                numbers = {
                    "mean": values.mean(),
                    "least": values.min(),
                    "greatest": values.max(),
                    "n": len(values),
                    "removed": removed,
                }
                rows.append({"role": role, "model": model, "layer": layer, "column": column, **numbers})
    return pd.DataFrame(rows, columns=_DRAWN)


def _markers(axis: Axes, own: pd.DataFrame, place: Mapping[str, int], shift: float, index: int, role: str) -> None:
    look = style.look(index)
    at = own["layer"].map(place).to_numpy(float) + shift
    crowd = len(place) > 30
    reach = [own["mean"] - own["least"], own["greatest"] - own["mean"]]
    axis.errorbar(
        at, own["mean"], yerr=reach, fmt=look["marker"], color=look["color"], label=role,
        markersize=2.5 if crowd else 4.5, elinewidth=0.6, capsize=0 if crowd else 2,
    )  # fmt: skip
    gone = at[own["removed"].to_numpy(bool)]
    if len(gone):
        axis.plot(
            gone, np.full(len(gone), 0.03), "x", color=look["color"],
            transform=axis.get_xaxis_transform(), markersize=4, clip_on=False,
        )  # fmt: skip


def _means(layers: pd.DataFrame, roles: Mapping[str, str], column: str) -> str:
    parts = []
    for role, model in roles.items():
        values = layers.loc[(layers["model"] == model) & (layers["lambda_max"] > 0), column].dropna()
        parts.append(f"{role} {values.mean():.3g} ({len(values)})" if len(values) else f"{role} none")
    return f"mean {style.symbol(column)} (matrices): {', '.join(parts)}"
