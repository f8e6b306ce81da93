"""Loss and accuracy on the way between two states of networks: along a straight line and along a curve."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from htsr.figures import style, surfaces, sweeps
from htsr.figures.surface_lines import LINES, mark
from htsr.landscape.convexity import above_chord

INITIAL = "initial"
MOST = 4  # pairs beside each other
BANDS = 3  # rows of pairs that a page holds
_PLANES = {"interpolation": "straight line", "bezier": "Bezier curve"}
_LOOKS = {  # colour of a way and of a policy of batch norm
    ("interpolation", "recalibrated"): style.COLORS[0],
    ("interpolation", "frozen"): style.COLORS[4],
    ("bezier", "recalibrated"): style.COLORS[1],
    ("bezier", "frozen"): style.COLORS[5],
}
_DRAWN = [
    *("network", "other", "surface", "plane", "batch_norm", "panel", "a", "value", "stderr"),
    *("barrier", "barrier_at", "barrier_stderr"),
]


def draw(
    points: pd.DataFrame,
    summary: pd.DataFrame,
    networks: pd.DataFrame,
    axes: Mapping[str, Sequence[str]],
    dataset: str,
    *,
    log: bool = False,
) -> tuple[Figure, pd.DataFrame]:
    """For each pair of networks the loss and, below it, the accuracy along the ways between them, on training and test
    images; first pairs of solutions, then initial weights and solution.

    points, summary: of collect_surfaces, of which lines (`interpolation`) and curves (`bezier`) are drawn; networks:
    tables of sweeps and series, put together; axes: settings that each sweep varies; dataset: name of the images; log:
    whether losses have a logarithmic axis. Titles give barriers by `htsr.landscape.convexity.barrier`.
    Returns the figure and what it shows: network (at a = 0), other (at a = 1), surface, plane, batch_norm, panel
    (train_loss ... test_accuracy), a, value, stderr (of losses, over the images), and barrier, barrier_at,
    barrier_stderr of each loss.
    """
    rows = points[points["plane"].isin(_PLANES) & (points["dimensions"] == 1)]
    if rows.empty:
        return style.message("No loss was measured between two networks."), pd.DataFrame(columns=_DRAWN)
    known = surfaces.known(networks)
    measured = summary.set_index(["surface", "network"])
    pairs = list(rows[["network", "other"]].drop_duplicates().itertuples(index=False, name=None))
    bands: list[Sequence[tuple[str, str]]] = []
    for initial in (False, True):
        bands += _bands([pair for pair in pairs if (pair[1] == INITIAL) == initial], BANDS - len(bands))
    shown = [pair for band in bands for pair in band]
    rows = rows[pd.MultiIndex.from_frame(rows[["network", "other"]]).isin(shown)]
    titles = _titles(pairs, known, axes)
    figure = style.new_figure(1.2 + 2.6 * len(bands))
    cells = figure.add_gridspec(len(bands), 1)
    drawn = []
    for cell, band in zip(cells, bands, strict=True):
        panels = cell.subgridspec(2, len(band), height_ratios=[1.5, 0.8]).subplots(squeeze=False, sharex="col")
        for pair, (above, below) in zip(band, panels.T, strict=True):
            own = rows[(rows["network"] == pair[0]) & (rows["other"] == pair[1])]
            drawn += _pair(above, below, own, measured, log=log)
            title, ends = titles[pair]
            _titled(above, [title, *_barriers(own, measured)])
            _ends(below, ends, own["a"], turned=pair[1] == INITIAL)
        panels[0, 0].set_ylabel("loss")
        panels[1, 0].set_ylabel("acc. (%)")
        for axis in panels[1, 1:]:
            axis.set_yticklabels([])
    splits = [split for split in LINES if (rows[f"{split}_examples"] > 0).any()]
    figure.legend(handles=_handles(rows, splits), loc="outside upper center", ncols=4)
    losses = pd.concat([rows.loc[rows[f"{split}_examples"] > 0, f"{split}_loss"] for split in splits])
    sweeps.footnote(
        figure,
        surfaces.images(rows, dataset, splits),
        "Bands of losses: standard error over the images",
        surfaces.policy(rows) + ", which matters where there is batch norm",
        f"$B$: barrier ({', '.join(surfaces.SPLITS[split] for split in splits)}), the loss's largest height above the "
        "chord between the ends (dotted); a lower bound",
        "Its standard error takes losses at different points as independent: too large",
        surfaces.not_finite(losses, "Crosses"),
        len(pairs) > len(shown) and f"{style.counted(len(pairs) - len(shown), 'further pair')} not shown",
    )
    return figure, pd.DataFrame(drawn, columns=_DRAWN)


def _bands(pairs: Sequence[tuple[str, str]], most: int) -> list[Sequence[tuple[str, str]]]:
    """At most `most` rows of at most MOST pairs, of nearly the same number each."""
    rows = min(-(-len(pairs) // MOST), most)
    size = min(-(-len(pairs) // rows), MOST) if rows else 0
    return [pairs[i * size : (i + 1) * size] for i in range(rows)]


def _titles(
    pairs: Sequence[tuple[str, str]], known: Mapping[str, Mapping], axes: Mapping[str, Sequence[str]]
) -> dict[tuple[str, str], tuple[str, tuple[str, str]]]:
    """For each pair what both networks have in common, or what the one is that goes with its initial weights, and the
    names of the ends. A common seed is told where two pairs would have the same names."""
    alone = surfaces.titles([name for name, other in pairs if other == INITIAL], known, axes, width=30)
    found = {}
    for pair in pairs:
        rows = [known.get(name, {}) for name in pair]
        settings = axes.get(rows[0].get("series"), ())
        if pair[1] == INITIAL:
            found[pair] = alone[pair[0]], ("solution", "initial weights")
        elif settings and rows[0]["series"] == rows[1].get("series"):
            differing = surfaces.varied(pair, known, axes)
            words = [[surfaces.setting(axis, row[axis]) for axis in differing] for row in rows]
            if rows[0]["seed"] != rows[1]["seed"]:
                words = [[*own, f"seed {row['seed']:g}"] for own, row in zip(words, rows, strict=True)]
            common = [surfaces.setting(axis, rows[0][axis]) for axis in settings if axis not in differing]
            found[pair] = ", ".join(common), tuple("\n".join(own) for own in words)
        else:
            titles = surfaces.titles(pair, known, axes, width=18)
            found[pair] = "", tuple(titles[name].replace(", ", "\n") for name in pair)
    names = list(found.values())
    for pair, (title, ends) in found.items():
        seed, other = (known.get(name, {}).get("seed") for name in pair)
        if pair[1] != INITIAL and names.count((title, ends)) > 1 and pd.notna(seed) and seed == other:
            found[pair] = ", ".join(filter(None, [title, f"seed {seed:g}"])), ends
    return found


def _pair(above: Axes, below: Axes, rows: pd.DataFrame, measured: pd.DataFrame, *, log: bool) -> list[dict[str, Any]]:
    """Losses and accuracies along all ways between two networks, with barriers; returns what was drawn."""
    drawn = []
    for (surface, network), of_way in rows.groupby(["surface", "network"], sort=False):
        own, first = of_way.sort_values("a"), of_way.iloc[0]
        color = _LOOKS[first["plane"], first["batch_norm"]]
        keys = first[["network", "other", "surface", "plane", "batch_norm"]].to_dict()
        splits = [split for split in LINES if first[f"{split}_examples"] > 0]
        for split in splits:
            line = LINES[split]
            loss, stderr = own[f"{split}_loss"], own[f"{split}_stderr"]
            above.plot(own["a"], loss.where(np.isfinite(loss)), line, color=color)
            above.fill_between(own["a"], loss - stderr, loss + stderr, color=color, alpha=0.2, linewidth=0)
            below.plot(own["a"], own[f"{split}_accuracy"], line, color=color)
            mark(above, own.loc[~np.isfinite(loss), "a"], color)
            barrier = _barrier(measured, surface, network, split)
            if split == splits[0]:
                _height(above, own["a"].to_numpy(), loss.to_numpy(), barrier[1], color)
            names = ("barrier", "barrier_at", "barrier_stderr")
            for panel, values, errors in (
                (f"{split}_loss", loss, stderr),
                (f"{split}_accuracy", own[f"{split}_accuracy"], [np.nan] * len(own)),
            ):
                found = {"panel": panel} | (dict(zip(names, barrier, strict=True)) if "loss" in panel else {})
                points = zip(own["a"], values, errors, strict=True)
                drawn += [keys | found | {"a": a, "value": value, "stderr": error} for a, value, error in points]
    above.set_yscale("log" if log else "linear")
    below.set(ylim=(-4, 104), yticks=[0, 50, 100])
    return drawn


def _barrier(measured: pd.DataFrame, surface: str, network: str, split: str) -> tuple[float, float, float]:
    """Height, place and standard error; NaN where the table of measures has none."""
    names = [f"{split}_barrier{ending}" for ending in ("", "_at", "_stderr")]
    if (surface, network) not in measured.index:
        return np.nan, np.nan, np.nan
    return tuple(measured.loc[(surface, network), names].astype(float))


def _height(axis: Axes, a: np.ndarray, losses: np.ndarray, at: float, color: str) -> None:
    """A thin line from the chord between the ends up to the loss at the barrier."""
    inside = (a >= 0) & (a <= 1)
    place = np.flatnonzero(a[inside] == at)
    if not len(place) or at == 0 or not np.isfinite(losses[inside][place[0]]):
        return
    top = losses[inside][place[0]]
    axis.plot([at, at], [top - above_chord(a[inside], losses[inside])[place[0]], top], ":", color=color, linewidth=0.8)


def _barriers(rows: pd.DataFrame, measured: pd.DataFrame) -> list[str]:
    """The barriers of the ways between two networks in words, a line each."""
    told = []
    ways = rows.drop_duplicates(["surface", "network"])
    for way in ways.to_dict("records"):
        splits = [split for split in LINES if way[f"{split}_examples"] > 0]
        found = [_barrier(measured, way["surface"], way["network"], split) for split in splits]
        values = ", ".join(plus_minus(height, error) for height, _, error in found)
        name = f"{_PLANES[way['plane']].split()[-1]}: " if len(ways) > 1 else ""
        told.append(f"{name}$B =$ {values}")
    return told


def plus_minus(value: float, error: float) -> str:
    """A value with its standard error, both to the error's first digit, or its second where the first is 1."""
    if not np.isfinite(value):
        return "undefined"
    if not (np.isfinite(error) and error > 0):
        return f"{value:.3g}"
    digits = int(np.clip(-np.floor(np.log10(error)) + (f"{error:e}"[0] == "1"), 0, 6))
    return f"${value:.{digits}f} \\pm {error:.{digits}f}$"


def _titled(axis: Axes, lines: Sequence[str]) -> None:
    axis.set_title("\n".join(filter(None, lines)), fontsize=6.5, pad=3, linespacing=1.2)


def _ends(axis: Axes, ends: tuple[str, str], a: pd.Series, *, turned: bool) -> None:
    """The axis along the way with the names of its ends; turned: from 1 to 0."""
    low, high = min(a.min(), 0.0), max(a.max(), 1.0)
    axis.set_xlim(*((high, low) if turned else (low, high)))
    axis.set_xticks([0, 0.5, 1], [f"0\n{ends[0]}", "$a$", f"1\n{ends[1]}"], fontsize=7)


def _handles(rows: pd.DataFrame, splits: Sequence[str]) -> list[Line2D]:
    """Legend entries of the ways and policies of batch norm that occur, and of training and test images."""
    found = set(rows[["plane", "batch_norm"]].itertuples(index=False, name=None))
    handles = [
        Line2D([], [], color=color, label=f"{_PLANES[plane]}, {batch_norm}")
        for (plane, batch_norm), color in _LOOKS.items()
        if (plane, batch_norm) in found
    ]
    return handles + [Line2D([], [], color="0.3", linestyle=LINES[key], label=surfaces.SPLITS[key]) for key in splits]
