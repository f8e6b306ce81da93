"""The loss over planes of random directions as surfaces in space: the most different networks of a grid of settings."""

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from mpl_toolkits.mplot3d import Axes3D

from htsr.figures import style, surfaces
from htsr.figures.surface_blocks import DRAWN, Key, add_axes, block, footnote, rows_of
from htsr.figures.surface_contours import completed, divided

_SIDE, _TITLE, _BELOW = 2.7, 0.32, 0.85  # inches of a panel's height with its title, of this, and of the footnote
_VIEW = {"elev": 24, "azim": -58}


def draw(
    points: pd.DataFrame,
    summary: pd.DataFrame,
    networks: pd.DataFrame,
    axes: Mapping[str, Sequence[str]],
    dataset: str,
    *,
    log: bool = True,
) -> tuple[Figure, pd.DataFrame]:
    """Surfaces over the planes at the corners of the first block of `surface_contours`: the first and the last value of
    its first setting down, the least and the greatest of the other across; four planes at most where there is no such
    block. All have one vertical scale, logarithmic with log, and one of colours.

    points, summary: of collect_surfaces; networks: tables of the networks, put together; axes: settings that each sweep
    varies; dataset: name of the images. Returns the figure and the points drawn, as `surface_contours`.
    """
    planes, known = surfaces.panels(points, "random"), surfaces.known(networks)
    chosen, _ = divided(planes, known, axes)
    if not chosen:
        return style.message("No plane of random directions was measured."), pd.DataFrame(columns=DRAWN)
    keys = completed(chosen[0], planes, known, axes)
    titles = surfaces.titles((network for _, network in keys), known, axes, width=36)
    own = block(keys, planes, titles, known, axes, summary)
    own["lines"] = corners(own["lines"])
    if not any(map(any, own["lines"])):
        own["lines"] = corners([keys])
    own["planes"] = {key: planes[key] for line in own["lines"] for key in line if key}
    splits = {key: surfaces.split(rows) for key, rows in own["planes"].items()}
    words = " or ".join(surfaces.SPLITS[split] for split in dict.fromkeys(splits.values()))
    losses = pd.concat([rows[f"{splits[key]}_loss"] for key, rows in own["planes"].items()])
    at = surfaces.levels(losses, log)
    cut = int(np.count_nonzero(np.isfinite(losses) & (losses > at[-1] * (1 + 1e-9))))
    lines = len(own["lines"])
    figure = style.new_figure(_SIDE * lines + _BELOW)
    figure.set_layout_engine("none")
    width, height, drawn = style.WIDTH / 2, _SIDE - _TITLE, []
    for i, line in enumerate(own["lines"]):
        for j, key in enumerate(line):
            if key is None:
                continue
            bottom = _BELOW + (lines - 1 - i) * _SIDE
            with matplotlib.rc_context({"grid.linewidth": 0.3, "grid.color": "0.85"}):
                axis = add_axes(figure, j * width - 0.05, bottom, width - 0.1, height, projection="3d")
            _panel(axis, planes[key], f"{splits[key]}_loss", at, log, f"{words} loss")
            title = "\n".join(filter(None, own["titles"][key]))
            place = (j + 0.5) * width / style.WIDTH, (bottom + height) / figure.get_figheight()
            figure.text(*place, title, fontsize=8, ha="center", va="bottom", linespacing=1.15)
            drawn += [row for row in rows_of(own, key, splits[key]) if row["mark"] is None]
    cut_off = f"{style.counted(cut, 'loss', 'losses')} above the scale cut off" if cut else ""
    footnote(figure, [own], points, dataset, [own], cut_off)
    return figure, pd.DataFrame(drawn, columns=DRAWN)


def corners(lines: Sequence[Sequence[Key | None]]) -> list[list[Key | None]]:
    """The first and the last place of the first and the last line; four places on two lines where there is one line."""
    if len(lines) == 1:
        return [list(lines[0][i : i + 2]) for i in range(0, min(len(lines[0]), 4), 2)]
    ends = [lines[0], lines[-1]]
    return [[line[0], line[-1]] if len(line) > 1 else list(line) for line in ends]


def _panel(axis: Axes3D, rows: pd.DataFrame, column: str, at: np.ndarray, log: bool, label: str) -> None:
    """One surface over its contours on the floor, losses that are not finite as holes and crosses on the floor."""
    a, b, z, _ = surfaces.grid(rows, column)
    heights = np.minimum(surfaces.heights(z, at, log), surfaces.heights(at[-1:], at, log))
    floor, top = surfaces.heights(at[[0, -1]], at, log)
    below = floor - 0.3 * (top - floor)
    x, y = np.meshgrid(a, b, indexing="ij")
    axis.plot_surface(
        x, y, heights, rstride=1, cstride=1, cmap=surfaces.COLORS, vmin=floor, vmax=top, edgecolor="0.2",
        linewidth=0.15, antialiased=True,
    )  # fmt: skip
    shown = np.ma.masked_invalid(heights)
    if shown.count() and np.ptp(shown.compressed()):
        axis.contour(
            x, y, shown, levels=surfaces.heights(at, at, log), cmap=surfaces.COLORS, linewidths=0.6, offset=below
        )
    lost = rows[~np.isfinite(rows[column].astype(float))]
    axis.plot(lost["a"], lost["b"], below, "x", color="black", markersize=3, markeredgewidth=0.7)
    told = surfaces.ticks(at, 6)
    axis.set_zticks(surfaces.heights(told, at, log), [surfaces.loss_text(value) for value in told])
    axis.set(xlim=(a[0], a[-1]), ylim=(b[0], b[-1]), zlim=(below, top))
    axis.tick_params(labelsize=6.5, pad=-2)
    axis.tick_params(axis="z", pad=1)
    axis.locator_params(axis="x", nbins=2, steps=[1, 2, 5, 10])
    axis.locator_params(axis="y", nbins=2, steps=[1, 2, 5, 10])
    axis.set_xlabel("$a$", labelpad=-8)
    axis.set_ylabel("$b$", labelpad=-8)
    axis.set_zlabel(label, labelpad=0, fontsize=7.5)
    axis.view_init(**_VIEW)
    axis.set_box_aspect((1, 1, 0.8), zoom=0.98)
    for side in (axis.xaxis, axis.yaxis, axis.zaxis):
        side.set_pane_color((1, 1, 1, 0))
