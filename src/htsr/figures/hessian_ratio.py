"""Maps of |λmin/λmax| of the Hessian over planes of random directions (Li et al. 2018, figure 7)."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, LogLocator

from htsr.figures import hessians, style, surfaces, sweeps

DRAWN = ["panel", "network", "epoch", "a", "b", "ratio", "ratio_bound", "lambda_min", "lambda_min_bound", "lambda_max",
         "lambda_max_bound", "loss", "hatched", "status"]  # fmt: skip
_COLUMNS = 3
_SIDE = 2.2  # inches of a map
_MOST = 9
_DECADES = 4  # of colours below the largest ratio
_LEVELS = (1.0, 3.0)  # of the loss, in each decade


def draw(plane: pd.DataFrame, titles: Mapping[str, str], dataset: str) -> tuple[Figure, pd.DataFrame]:
    """A map for each network: |λmin/λmax| at every point of its plane, one logarithmic scale of colours for all,
    contours of the loss where the table has it, and the values at the centre.

    plane: compute_hessian/{set}_plane.csv of one set or more, put together; titles: printed names of networks; dataset:
    name of the images. Hatched: pixels whose bound is as large as the ratio, which may be 0 there; crossed out: those
    without one. Returns the figure and what it shows.
    """
    rows = plane if "ratio" in plane else plane.iloc[:0]
    if rows.empty or not np.isfinite(rows["ratio"]).any():
        return style.message("No network of this experiment has its Hessian over a plane."), pd.DataFrame(columns=DRAWN)
    rows = rows.assign(hatched=~(rows["ratio_bound"] < rows["ratio"]))
    states = rows[hessians.STATE].drop_duplicates()
    beyond, states = max(len(states) - _MOST, 0), states.iloc[:_MOST]
    is_trained = hessians.trained(states)
    columns = min(len(states), _COLUMNS)
    figure = style.new_figure(0.7 + (min(4.8 / columns, _SIDE) + 1.0) * -(-len(states) // columns))
    panels = style.grid(figure, len(states), columns, sharex=True, sharey=True)
    norm = _scale(rows["ratio"])
    drawn, image = [], None
    for axis, (network, epoch), last in zip(panels, states.itertuples(index=False), is_trained, strict=True):
        own = hessians.of_state(rows, network, epoch)
        title = titles.get(network, style.plain(network, 36))
        title += "" if last else f", {hessians.state_words(epoch, last)}"
        image = _map(axis, own, norm)
        axis.set_title(f"{title}\n{_centre(own)}", fontsize=7, loc="left", linespacing=1.3)
        drawn += [{"panel": hessians.line(title)} | row for row in own.to_dict("records")]
    for axis in panels[-columns:]:
        axis.set_xlabel("$a$")
        axis.tick_params(labelbottom=True)
    for axis in panels[::columns]:
        axis.set_ylabel("$b$")
    bar = figure.colorbar(image, ax=panels, label=r"$|\lambda_{\mathrm{min}}/\lambda_{\mathrm{max}}|$", aspect=30)
    bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    bar.ax.yaxis.set_major_locator(LogLocator(subs=(1, 3)))
    bar.minorticks_off()
    drawn = pd.DataFrame(drawn, columns=DRAWN)
    sweeps.footnote(
        figure,
        hessians.examples(rows, dataset),
        surfaces.policy(rows),
        surfaces.directions(rows.assign(plane="random")) if "normalization" in rows else "",
        *_told(drawn),
        beyond > 0 and f"{style.counted(beyond, 'state')} not shown",
    )
    return figure, drawn


def _scale(ratios: pd.Series) -> LogNorm:
    """One logarithmic scale of colours for all ratios, up to 1 at least, over at most _DECADES."""
    known = ratios[np.isfinite(ratios) & (ratios > 0)]
    highest = max(1.0, known.max())
    return LogNorm(min(max(known.min(), highest * 10.0**-_DECADES), 0.1), highest, clip=True)


def _map(axis: Axes, rows: pd.DataFrame, norm: LogNorm) -> QuadMesh:
    """The ratios as pixels, hatched where they may be 0, with contours of the loss and a mark at the centre."""
    grid = rows.pivot(index="b", columns="a", values="ratio")
    a, b = grid.columns.to_numpy(float), grid.index.to_numpy(float)
    image = axis.pcolormesh(a, b, np.ma.masked_invalid(grid), norm=norm, cmap=surfaces.COLORS, shading="nearest")
    image.set_rasterized(True)
    edges = {name: _edges(values) for name, values in (("a", a), ("b", b))}
    for row in rows[rows["hatched"]].to_dict("records"):
        i, j = np.flatnonzero(a == row["a"])[0], np.flatnonzero(b == row["b"])[0]
        known = np.isfinite(row["ratio"])
        axis.add_patch(
            Rectangle(
                (edges["a"][i], edges["b"][j]), edges["a"][i + 1] - edges["a"][i], edges["b"][j + 1] - edges["b"][j],
                hatch="////" if known else "xxxx", facecolor="none" if known else "0.9", edgecolor="0.6", linewidth=0,
            )
        )  # fmt: skip
    if "loss" in rows:
        _contours(axis, rows, a, b)
    axis.plot([0], [0], "+", color="white", markersize=5, markeredgewidth=0.9)
    axis.spines[:].set_visible(False)
    axis.set_aspect("equal")
    return image


def _edges(values: np.ndarray) -> np.ndarray:
    """Ends of the pixels around the values."""
    middle = (values[1:] + values[:-1]) / 2
    return np.r_[2 * values[0] - middle[0], middle, 2 * values[-1] - middle[-1]]


def _contours(axis: Axes, rows: pd.DataFrame, a: np.ndarray, b: np.ndarray) -> None:
    """Contour lines of the loss."""
    losses = rows.pivot(index="b", columns="a", values="loss").to_numpy(float)
    finite = losses[np.isfinite(losses) & (losses > 0)]
    if not len(finite):
        return
    levels = [m * 10.0**k for k in range(-12, 13) for m in _LEVELS]
    levels = [level for level in levels if finite.min() < level < finite.max()]
    if levels:
        lines = axis.contour(a, b, np.ma.masked_invalid(losses), levels, colors="white", linewidths=0.6)
        axis.clabel(lines, fmt="%g", fontsize=5.5, inline_spacing=1)


def _centre(rows: pd.DataFrame) -> str:
    """The ratio and both ends at the centre, with their bounds."""
    own = rows[(rows["a"] == 0) & (rows["b"] == 0)]
    if own.empty or not np.isfinite(own["ratio"].iloc[0]):
        return "no ratio at the centre"
    row = own.iloc[0]
    told = {r"\lambda_{\mathrm{min}}": "lambda_min", r"\lambda_{\mathrm{max}}": "lambda_max"}
    words = ", ".join(f"${name} = {_number(row[key], row[f'{key}_bound'])}$" for name, key in told.items())
    return f"centre: ratio ${_number(row['ratio'], row['ratio_bound'])}$\n{words}"


def _number(value: float, bound: float) -> str:
    """A value with its bound to the bound's first digit, or to four digits where the bound is less than the last."""
    if not bound > 5e-4 * abs(value):
        return f"{value:.4g}"
    digits = int(np.clip(-np.floor(np.log10(bound)), 0, 6))
    return rf"{value:.{digits}f} \pm {bound:.{digits}f}"


def _told(drawn: pd.DataFrame) -> list[str]:
    """Sentences about hatched pixels, missing ones, and those with a positive Hessian."""
    known = np.isfinite(drawn["ratio"])
    hatched, missing = int((drawn["hatched"] & known).sum()), int((~known).sum())
    bounds = drawn.loc[known, "ratio_bound"]
    told = [
        f"Bounds of the ratio, within which a ratio of eigenvalues lies: at most {bounds.max():.2g}, "
        f"median {bounds.median():.2g}"
    ]
    if hatched:
        told.append(f"Hatched: bound as large as the ratio ({style.counted(hatched, 'pixel')})")
    if missing:
        told.append(f"Crossed out: none measured, loss not finite or no $\\lambda$ ({style.counted(missing, 'pixel')})")
    convex = int((drawn["lambda_min"] - drawn["lambda_min_bound"] > 0).sum())
    if convex:
        told.append(rf"$\lambda_{{\mathrm{{min}}}} > 0$ at {style.counted(convex, 'pixel')}")
    if drawn["loss"].notna().any():
        told.append("White: contours of the loss")
    return told
