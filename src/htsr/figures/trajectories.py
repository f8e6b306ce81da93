"""Trainings on the plane of their first two principal components, over the loss there (Li et al. 2018, figure 9)."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator

from htsr.figures import style, surfaces, sweeps

DRAWN = ["panel", "curve", "surface", "network", "epoch", "x", "y", "loss", "outside", "component", "explained",
         "explained_null", "explained_null_low", "explained_null_high", "explained_p"]  # fmt: skip
_COLUMNS = 4
_MOST = 12
_SHARES = ("explained", "explained_null", "explained_null_low", "explained_null_high", "explained_p")
_HALO = [withStroke(linewidth=1.4, foreground="white")]
_LINE = 24  # characters of a title on one line
_APART = 0.09  # of the panel's width: least distance of the labels of two epochs


def draw(
    points: pd.DataFrame,
    places: pd.DataFrame,
    coordinates: pd.DataFrame,
    explained: pd.DataFrame,
    networks: pd.DataFrame,
    axes: Mapping[str, Sequence[str]],
    dataset: str,
    *,
    level: float = 0.95,
) -> tuple[Figure, pd.DataFrame]:
    """A panel for each plane of principal components: filled contours of the loss, at levels of equal ratio which all
    panels share, and the states of the training, in units of Euclidean distance from its end.

    points, places: collect_surfaces/points.csv and checkpoints.csv; coordinates, explained: project_trajectory/
    {surfaces}.csv and {surfaces}_explained.csv of all sets, put together; networks: tables of sweeps and series, put
    together; axes: settings that each sweep varies; dataset: name of the images; level: of the null's interval. The
    axes say which share of the variance the component explains, and in brackets that of random walks with the same step
    lengths. Returns the figure and what it shows: states (x, y, outside: share of the distance from the end that is not
    in the plane), points of the surface (x, y, loss), and the explained shares.
    """
    planes = surfaces.panels(points, "pca")
    if not planes:
        return style.message("No plane of principal components was measured."), pd.DataFrame(columns=DRAWN)
    beyond, planes = max(len(planes) - _MOST, 0), dict(list(planes.items())[:_MOST])
    names = surfaces.titles([name for _, name in planes], surfaces.known(networks), axes, short=True, width=36)
    rows = pd.concat(planes.values())
    column = f"{surfaces.split(rows)}_loss"
    levels = surfaces.levels(rows[column], True)
    columns = min(len(planes), _COLUMNS)
    figure = style.new_figure(1.2 + 2.0 * -(-len(planes) // columns))
    panels = style.grid(figure, len(planes), columns)
    drawn, filled = [], None
    for axis, ((surface, network), own) in zip(panels, planes.items(), strict=True):
        scaled = own.assign(a=own["a"] * own["length_a"], b=own["b"] * own["length_b"])
        filled = surfaces.contours(axis, scaled, column, levels, True)
        axis.set_aspect("auto")
        found = [
            {"curve": "loss", "x": a, "y": b, "loss": z}
            for a, b, z in scaled[["a", "b", column]].itertuples(index=False)
        ]
        there = places[(places["surface"] == surface) & (places["network"] == network)]
        found += _training(axis, own.iloc[0], there, coordinates[coordinates["network"] == network])
        found += _labels(axis, explained[explained["network"] == network])
        axis.set_title(_title(names[network], found), fontsize=6.8, loc="left", pad=3, linespacing=1.15)
        drawn += [{"panel": names[network], "surface": surface, "network": network} | row for row in found]
    bar = figure.colorbar(filled, ax=panels, location="bottom", label="loss", aspect=60, shrink=0.7, pad=0.02)
    told = surfaces.ticks(levels, 9)
    bar.set_ticks(np.log10(told), labels=[surfaces.loss_text(value) for value in told])
    drawn = pd.DataFrame(drawn, columns=DRAWN)
    sweeps.footnote(
        figure,
        surfaces.images(rows, dataset, [surfaces.split(rows)]),
        surfaces.policy(rows),
        surfaces.sentence(surfaces.sizes(planes.values())),
        "Axes: distance along the principal components of the states less the last (star), not to one scale",
        f"In percent the variance explained; null: random walks of the same step lengths, mean and {100 * level:g} % "
        "interval",
        "Numbers: epochs",
        _outside(drawn["outside"]),
        surfaces.not_finite(rows[column], "Crosses, hatched around them"),
        beyond > 0 and f"{style.counted(beyond, 'plane')} not shown",
    )
    return figure, drawn


def _training(axis: Axes, plane: Mapping, places: pd.DataFrame, coordinates: pd.DataFrame) -> list[dict]:
    """The states of a training, joined in the order of their epochs, with some of these; returns what was drawn.

    plane: any point of the surface, which knows the lengths of its directions.
    """
    states = places.sort_values("epoch")
    x, y = states["a"].to_numpy(float) * plane["length_a"], states["b"].to_numpy(float) * plane["length_b"]
    epochs = states["epoch"].to_numpy(float)
    axis.plot(x, y, color="white", linewidth=2.0, zorder=4)
    axis.plot(x, y, "o-", color="black", markersize=2.2, linewidth=0.9, zorder=5)
    axis.plot(x[-1:], y[-1:], "*", color=style.COLORS[1], markersize=6, markeredgecolor="white", markeredgewidth=0.4,
              zorder=7)  # fmt: skip
    for i in told(epochs, x / np.ptp(axis.get_xlim()), y / np.ptp(axis.get_ylim())):
        below = y[i] > np.quantile(axis.get_ylim(), 0.88)
        text = axis.annotate(
            f"{epochs[i]:g}", (x[i], y[i]), (3, -6 if below else 3), textcoords="offset points", fontsize=6, zorder=6
        )
        text.set_path_effects(_HALO)
    outside = (
        coordinates.drop_duplicates("epoch").set_index("epoch")["outside"]
        if "outside" in coordinates
        else pd.Series(dtype=float)
    )
    return [
        {"curve": "state", "epoch": t, "x": a, "y": b, "outside": outside.get(t, np.nan)}
        for t, a, b in zip(epochs, x, y, strict=True)
    ]


def told(epochs: np.ndarray, x: np.ndarray, y: np.ndarray) -> list[int]:
    """Which states have their epoch written: the first, the last, then in order those far enough from all others.

    x, y: in units of the panel's sides.
    """
    order = [0, len(epochs) - 1, *range(1, len(epochs) - 1)] if len(epochs) > 1 else list(range(len(epochs)))
    found: list[int] = []
    for i in order:
        if all(abs(x[i] - x[k]) > _APART or abs(y[i] - y[k]) > _APART for k in found):
            found.append(i)
    return sorted(found)


def _title(name: str, drawn: Sequence[Mapping]) -> str:
    """The name in lines, and below it what both components explain together, with its null."""
    lines = [""]
    for words in name.split(", "):
        joined = f"{lines[-1]}, {words}".removeprefix(", ")
        lines = [*lines[:-1], joined] if len(joined) <= _LINE else [*lines[:-1], f"{lines[-1]},", words]
    both = next((row for row in drawn if row["curve"] == "explained" and row["component"] == "1 and 2"), None)
    return "\n".join([*lines, *([_both(both)] if both else [])])


def _both(row: Mapping) -> str:
    """What both components explain."""
    return f"both {100 * row['explained']:.1f} %, null {100 * row['explained_null']:.1f} %"


def _labels(axis: Axes, explained: pd.DataFrame) -> list[dict]:
    """Names of the axes with the explained share of each component and its null; returns these."""
    found = (
        explained.drop_duplicates("component").set_index("component") if "component" in explained else pd.DataFrame()
    )
    drawn = []
    for number, set_label in enumerate((axis.set_xlabel, axis.set_ylabel), 1):
        text = f"PC {number}"
        if number in found.index and pd.notna(found.loc[number, "explained"]):
            row = {name: found.loc[number, name] for name in _SHARES}
            share, null, low, high = (100 * row[name] for name in _SHARES[:4])
            text += f": {share:.1f} %\nnull {null:.1f} [{low:.1f}, {high:.1f}] %"
            drawn.append({"curve": "explained", "component": str(number)} | row)
        set_label(text, fontsize=6.5, labelpad=1, linespacing=1.1)
    if len(drawn) == 2:
        row = {name: found.loc[2, name.replace("explained", "cumulative")] for name in _SHARES}
        drawn.append({"curve": "explained", "component": "1 and 2"} | row)
    axis.tick_params(labelsize=6, pad=1.5, length=2)
    axis.xaxis.set_major_locator(MaxNLocator(4))
    axis.yaxis.set_major_locator(MaxNLocator(4))
    return drawn


def _outside(shares: pd.Series) -> str:
    """How far the states lie from their planes, for a footnote."""
    shares = shares[shares > 0]
    if shares.empty:
        return ""
    return (
        f"Share of a state's distance to the last that is outside its plane: {shares.min():.2f} to {shares.max():.2f}, "
        f"median {shares.median():.2f}"
    )
