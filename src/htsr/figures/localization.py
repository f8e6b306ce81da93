"""How localized singular vectors are: every vector of selected layers, and bulk beside spikes over all of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from htsr.figures import style

MOST = 1  # layers that are drawn vector by vector
MEASURES = {"entropy": "vector entropy", "localization": "localization ratio", "participation": "participation ratio"}
SIDES = {"right": "M", "left": "N"}  # and the length of their vectors
_BULK, _SPIKES = style.COLORS[0], style.COLORS[1]
_DRAWN = ["part", "model", "layer", "side", "measure", "group", "x", "y", "low", "high"]


@dataclass(frozen=True)
class Shown:
    """One spectrum: the model's printed name, the spectrum's, its header entry and table of measure_vectors."""

    model: str
    layer: str
    entry: Mapping
    vectors: pd.DataFrame


def choose(table: pd.DataFrame, count: int) -> list[str]:
    """Names of the spectra to show, each of another weight: those with spikes first, then the largest matrices.

    table: one row a spectrum of one model (measure_vectors).
    """
    rows = table[table["status"] == "ok"]
    rows = rows.assign(without=~(rows["n_spikes"] > 0), smaller=-rows["n"] * rows["m"])
    rows = rows.sort_values(["without", "smaller"], kind="stable")
    weight = rows["layer"].str.replace(r"\[[^\[\]]*\]$", "", regex=True)
    return rows.loc[~weight.duplicated(), "layer"].tolist()[:count]


def draw(shown: Sequence[Shown], table: pd.DataFrame, normalization: str) -> tuple[Figure, pd.DataFrame]:
    """For each spectrum three measures of its vectors against λ, right and left; below, bulk and spikes of all spectra.

    Vertical lines: λ₊, the edge of the bulk. Grey: mean and central 95 % of Haar vectors of that length. The last row
    shows the distribution over spectra of the mean over bulk or spikes, relative to the mean of Haar vectors.
    table: one row a spectrum of all models (measure_vectors). Returns the figure and what it shows.
    """
    left_out, shown = max(len(shown) - MOST, 0), list(shown)[:MOST]
    known = table[table["status"] == "ok"]
    if known.empty:
        return style.message("No spectrum of this experiment has a bulk."), pd.DataFrame(columns=_DRAWN)
    rows = 2 * len(shown) + 1
    figure = style.new_figure(0.9 + (2.0 if rows == 1 else 1.45) * rows)
    axes = figure.subplots(rows, len(MEASURES), squeeze=False)
    drawn = []
    for index, item in enumerate(shown):
        for offset, side in enumerate(SIDES):
            own = axes[2 * index + offset]
            for axis, measure in zip(own, MEASURES, strict=True):
                drawn += _vectors(axis, item, side, measure)
            size = item.entry[SIDES[side].lower()]
            name = f"{style.plain(item.model, 34)}: {style.plain(item.layer, 34)}, " if offset == 0 else ""
            own[0].set_title(f"{name}{side} vectors, ${SIDES[side]} = {size}$", fontsize=7, loc="left", pad=3)
        for axis in axes[2 * index + 1]:
            axis.set_xlabel(r"eigenvalue $\lambda$", labelpad=1)
    for axis, measure in zip(axes[-1], MEASURES, strict=True):
        drawn += _distribution(axis, known, measure)
        axis.set_xlabel(f"{MEASURES[measure]} / chance")
    axes[-1][0].set_ylabel("share of spectra")
    spectra, spiked = len(known), int((known["n_spikes"] > 0).sum())
    axes[-1][0].set_title(
        f"means over {style.counted(spectra, 'spectrum', 'spectra')}, {spiked} with spikes",
        fontsize=7,
        loc="left",
        pad=3,
    )
    _legend(figure, bool(shown), spiked > 0)
    style.footnote(
        figure,
        style.eigenvalues_of(normalization),
        "Chance: Haar vectors of the same length",
        left_out > 0 and f"{left_out} more not shown",
        len(table) > spectra
        and f"{style.counted(len(table) - spectra, 'spectrum', 'spectra')} without a bulk left out",
    )
    return figure, pd.DataFrame(drawn, columns=_DRAWN)


def _vectors(axis: Axes, item: Shown, side: str, measure: str) -> list[dict]:
    place = {"part": "vectors", "model": item.model, "layer": item.layer, "side": side, "measure": measure}
    mean, low, high = item.entry["haar"][side][measure]
    axis.axhspan(low, high, color="0.88", zorder=0)
    axis.axhline(mean, color=style.NULL, linewidth=0.8, zorder=1)
    edge = item.entry["lambda_plus"]
    axis.axvline(edge, color="0.2", linewidth=0.8, linestyle="--", zorder=1)
    spike = item.vectors["spike"].astype(bool)
    drawn = [{**place, "group": "chance", "y": mean, "low": low, "high": high}, {**place, "group": "edge", "x": edge}]
    for group, chosen, color, marker in (("bulk", ~spike, _BULK, "o"), ("spikes", spike, _SPIKES, "D")):
        own = item.vectors[chosen]
        x, y = own["eigenvalue"], own[f"{measure}_{side}"]
        axis.plot(
            x, y, marker, color=color, markersize=1.8 if group == "bulk" else 2.8, markeredgewidth=0,
            alpha=0.7, rasterized=len(own) > 5000,
        )  # fmt: skip
        drawn += [{**place, "group": group, "x": a, "y": b} for a, b in zip(x, y, strict=True)]
    values = item.vectors["eigenvalue"]
    axis.set_xscale("log" if values.max() > 30 * values.median() else "linear")
    axis.set_ylabel(MEASURES[measure], fontsize=7.5)
    return drawn


def _distribution(axis: Axes, table: pd.DataFrame, measure: str) -> list[dict]:
    drawn = []
    axis.axvline(1, color=style.NULL, linewidth=0.8, zorder=1)
    for group, color in (("bulk", _BULK), ("spikes", _SPIKES)):
        for side, line in zip(SIDES, ("-", ":"), strict=True):
            ratios = table[f"{measure}_{side}_{group}"] / table[f"{measure}_{side}_null"]
            at = np.sort(ratios.dropna().to_numpy())
            if len(at):
                share = np.arange(1, len(at) + 1) / len(at)
                axis.step([at[0], *at], [0, *share], where="post", color=color, linestyle=line)
            place = {"part": "spectra", "side": side, "measure": measure, "group": group}
            drawn += [{**place, "x": x, "y": y} for x, y in zip(at, np.arange(1, len(at) + 1) / len(at), strict=True)]
    axis.set_ylim(0, 1.04)
    return drawn


def _legend(figure: Figure, points: bool, spikes: bool) -> None:
    handles = []
    if points:
        handles += [Line2D([], [], marker="o", markersize=3, linestyle="none", color=_BULK, label="bulk")]
        if spikes:
            handles += [Line2D([], [], marker="D", markersize=3, linestyle="none", color=_SPIKES, label="spikes")]
        handles += [Line2D([], [], color="0.2", linestyle="--", linewidth=0.8, label=style.symbol("lambda_plus"))]
        handles += [Patch(color="0.88", label="chance, 95 %")]
    groups = (("bulk", _BULK), ("spikes", _SPIKES)) if spikes else (("bulk", _BULK),)
    handles += [
        Line2D([], [], color=color, linestyle=line, label=f"{group}, {side}")
        for group, color in groups
        for side, line in zip(SIDES, ("-", ":"), strict=True)
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=min(len(handles), 4))
