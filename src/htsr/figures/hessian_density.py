"""Spectral densities of Hessians by stochastic Lanczos quadrature, untrained and trained."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, LogLocator, NullLocator

from htsr.figures import hessians, style, sweeps
from htsr.files import Arrays

DRAWN = ["panel", "curve", "network", "epoch", "x", "y", "stderr", "width"]
_COLUMNS = 3
_MOST = 9
_STATES = {"untrained": 1, "trained": 0}  # looks of the two
_DEEPEST = 1e-9  # of the highest density, below which nothing is drawn


def draw(
    densities: Sequence[Arrays], ends: pd.DataFrame, titles: Mapping[str, str], dataset: str
) -> tuple[Figure, pd.DataFrame]:
    """A panel for each network: the density of its Hessian's eigenvalues at the first and the last epoch measured, with
    a band of a standard error, and as ticks below the eigenvalues that were found singly.

    densities: compute_hessian/{set}_density.safetensors; ends: {set}.csv of the same sets, put together; titles:
    printed names of networks; dataset: name of the images. The horizontal axis is linear between plus and minus the
    width of the narrowest kernel, logarithmic beyond. Returns the figure and what it shows: curves (of panel, curve,
    network, epoch, x, y, stderr, width of the kernel), eigenvalues as rows without y.
    """
    found = _states(densities)
    if not found:
        return style.message("No network of this experiment has a spectral density."), pd.DataFrame(columns=DRAWN)
    names = list(dict.fromkeys(name for name, _ in found))
    beyond, names = max(len(names) - _MOST, 0), names[:_MOST]
    columns = min(len(names), _COLUMNS)
    figure = style.new_figure(1.0 + 2.0 * -(-len(names) // columns))
    panels = style.grid(figure, len(names), columns, sharex=True, sharey=True)
    shown = {key: arrays for key, arrays in found.items() if key[0] in names}
    narrowest = min(float(arrays["width"][0]) for arrays in shown.values())
    drawn = []
    for axis, name in zip(panels, names, strict=True):
        epochs = [epoch for own, epoch in shown if own == name]
        for epoch in dict.fromkeys([epochs[0], epochs[-1]]):
            state = "untrained" if epoch == 0 else "trained"
            title = titles.get(name, style.plain(name))
            rows = _curve(axis, shown[name, epoch], state)
            drawn += [
                {"panel": hessians.line(title), "curve": state, "network": name, "epoch": epoch} | row for row in rows
            ]
        axis.set_title(titles.get(name, style.plain(name, 36)), fontsize=7.5, loc="left")
    drawn = pd.DataFrame(drawn, columns=DRAWN)
    _axes(panels, drawn, narrowest)
    for axis in panels[-columns:]:
        axis.set_xlabel(r"eigenvalue $\lambda$")
        axis.tick_params(labelbottom=True)
    for axis in panels[::columns]:
        axis.set_ylabel("density")
    figure.legend(handles=_handles(drawn), loc="outside upper center", ncols=4)
    widths = drawn.groupby("curve")["width"].agg(["min", "max"])
    told = [
        f"{state} {row['min']:.2g}" + (f" to {row['max']:.2g}" if row["max"] > 1.005 * row["min"] else "")
        for state, row in widths.iterrows()
    ]
    sweeps.footnote(
        figure,
        hessians.examples(hessians.of_states(ends, drawn), dataset),
        hessians.BATCH_NORM,
        "Smoothed by a Gaussian kernel, finer than which nothing is resolved; its standard deviation: "
        + ", ".join(told),
        "Bands: ± standard error over the random vectors",
        f"Horizontal axis linear within ±{narrowest:.2g}",
        beyond > 0 and f"{style.counted(beyond, 'network')} not shown",
    )
    return figure, drawn


def _states(densities: Sequence[Arrays]) -> dict[tuple[str, int | None], dict[str, np.ndarray]]:
    """The arrays of each network and epoch (None for a network without), finite ones only."""
    found = {}
    for arrays in densities:
        for key in arrays:
            label, _, part = key.rpartition("/")
            name, _, epoch = label.partition("[epoch=")
            state = name, int(epoch.rstrip("]")) if epoch else None
            found.setdefault(state, {})[part] = np.asarray(arrays[key])
    return {state: own for state, own in found.items() if np.isfinite(own["density"]).any()}


def _curve(axis: Axes, arrays: Mapping[str, np.ndarray], state: str) -> list[dict]:
    """One density with its band, and ticks of the single eigenvalues; returns what was drawn."""
    look = style.look(_STATES[state])
    x, y, error = (arrays[key] for key in ("grid", "density", "stderr"))
    width, error = float(arrays["width"][0]), np.nan_to_num(error)
    axis.plot(x, y, color=look["color"], linestyle="-", linewidth=1, zorder=3)
    axis.fill_between(
        x, np.maximum(y - error, 1e-300), y + error, color=look["color"], alpha=0.3, linewidth=0, zorder=2
    )
    axis.plot(
        arrays["atoms"], np.full(len(arrays["atoms"]), 0.03 + 0.06 * _STATES[state]), "|", color=look["color"],
        markersize=6, markeredgewidth=1, transform=axis.get_xaxis_transform(), zorder=4,
    )  # fmt: skip
    rows = [{"x": a, "y": b, "stderr": c, "width": width} for a, b, c in zip(x, y, error, strict=True)]
    return rows + [{"x": atom, "width": width} for atom in arrays["atoms"]]


def _axes(panels: Sequence[Axes], drawn: pd.DataFrame, narrowest: float) -> None:
    """Scales and limits, the same for all panels."""
    y = drawn["y"][drawn["y"] > 0]
    atoms = drawn.loc[drawn["y"].isna(), ["x", "width"]]
    top = y.max()
    # An eigenvalue found singly is a bump of this height; what lies far below is the kernel's tail.
    curves = drawn[drawn["y"].notna()]
    near = [curves.loc[(curves["x"] - x).abs().idxmin(), "y"] for x in atoms["x"]]
    floor = max(_DEEPEST * top, 0.05 * min([v for v in near if v > 0], default=top * 1e-6))
    for axis in panels:
        axis.set_yscale("log")
        axis.set_ylim(floor, 3 * top)
        axis.yaxis.set_major_locator(LogLocator(numticks=7))
        axis.yaxis.set_minor_locator(NullLocator())
        axis.set_xscale("symlog", linthresh=narrowest, linscale=0.6)
        axis.xaxis.set_major_locator(FixedLocator(_ticks(narrowest, drawn["x"].min(), drawn["x"].max())))
        axis.xaxis.set_minor_locator(NullLocator())


def _ticks(least: float, low: float, high: float) -> list[float]:
    """0 and a few powers of ten on both sides, none so near to 0 that their texts touch. least: end of linear part."""
    first, last = int(np.ceil(np.log10(least))) + 1, int(np.floor(np.log10(max(-low, high))))
    powers = 10.0 ** np.arange(first, last + 1, max(1, -(-(last - first + 1) // 3)))
    return [value for value in (*-powers[::-1], 0.0, *powers) if low <= value <= high]


def _handles(drawn: pd.DataFrame) -> list[Line2D]:
    states = [state for state in _STATES if (drawn["curve"] == state).any()]
    found = [Line2D([], [], color=style.look(_STATES[state])["color"], label=state) for state in states]
    ticks = {"marker": "|", "markersize": 6, "markeredgewidth": 1, "linestyle": "none", "color": "0.3"}
    return [*found, Line2D([], [], label="eigenvalues found singly", **ticks)]
