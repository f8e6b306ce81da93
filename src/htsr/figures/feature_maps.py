"""Tail fits of single feature maps of convolutions, density and distribution function in one panel."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from htsr.figures import esd, style
from htsr.figures.esd import DECADES, Shown

COUNT = 3
_SLICE = r"\[(?:.*,)?\d+,\d+\]$"  # a kernel position behind the weight's name
_DRAWN = ["model", "layer", "curve", "x", "x_high", "y"]
_DENSITY, _SURVIVAL = style.COLORS[0], style.COLORS[1]


def candidates(fits: pd.DataFrame) -> pd.DataFrame:
    """The feature maps that have a fit: single matrices, of kh·kw, of two-dimensional convolutions.

    fits: one row a spectrum (fit_power_law), of any models.
    """
    return fits[(fits["kind"] == "conv2d") & fits["layer"].str.contains(_SLICE) & (fits["status"] == "ok")]


def choose(maps: pd.DataFrame) -> pd.DataFrame:
    """Of the candidates those whose alpha is lowest, median and highest; all where there are no more than COUNT."""
    ranked = maps.sort_values("alpha", kind="stable")
    if len(ranked) <= COUNT:
        return ranked
    return ranked.iloc[[0, (len(ranked) - 1) // 2, -1]]


def draw(shown: Sequence[Shown], total: int) -> tuple[Figure, pd.DataFrame]:
    """For each feature map its density (left, blue) and complementary distribution function (right, red).

    Both with the power law from xmin on, scaled by the share of the eigenvalues in the tail. total: number of feature
    maps that these were chosen from. Returns the figure and its curves.
    """
    if not shown:
        text = "No convolution of the shown models is cut into feature maps that have a fitted tail."
        return style.message(text), pd.DataFrame(columns=_DRAWN)
    figure = style.new_figure(2.6)
    panels = style.grid(figure, len(shown), len(shown))
    drawn = []
    for index, (axis, item) in enumerate(zip(panels, shown, strict=True)):
        other = axis.twinx()
        other.spines["right"].set_visible(True)
        keys = {"model": item.model, "layer": item.spectrum.name}
        drawn += [keys | row for row in _panel(axis, other, item)]
        width = 64 if len(shown) == 1 else 30
        axis.set_title(f"{esd.name(item, width)}\n{_fit(item)}", fontsize=7, loc="left", linespacing=1.2, pad=3)
        axis.set_xlabel(r"eigenvalue $\lambda$")
        if index == 0:
            axis.set_ylabel(r"density $\rho(\lambda)$", color=_DENSITY)
        if index == len(shown) - 1:
            other.set_ylabel(r"share of eigenvalues $\geq \lambda$", color=_SURVIVAL)
    _legend(figure)
    chosen = "lowest, median and highest" if len(shown) == COUNT else "all"
    style.footnote(
        figure,
        style.eigenvalues_of(*sorted({item.spectrum.normalization for item in shown})),
        rf"{style.symbol('alpha')}: {chosen} of {style.counted(total, 'feature map')} of the shown models",
    )
    return figure, pd.DataFrame(drawn, columns=_DRAWN)


def _panel(axis: Axes, other: Axes, item: Shown) -> list[dict]:
    """Draw one spectrum; returns its curves."""
    values, fit = item.spectrum.eigenvalues, item.fit
    bottom, top = max(values[-1] * 10.0**-DECADES, values[values > 0][0]), values[-1]
    edges = np.geomspace(bottom, top * (1 + 1e-9), int(np.clip(2 * np.sqrt(len(values)), 12, 40)) + 1)
    heights = np.histogram(values, edges)[0] / (len(values) * np.diff(edges))
    floor = 0.5 * heights[heights > 0].min()
    survival = 1 - np.arange(len(values)) / len(values)
    laws = esd.laws(fit, len(values))
    axis.stairs(np.maximum(heights, floor), edges, baseline=floor, color=_DENSITY, linewidth=0.8)
    axis.plot(*laws["PL density"], color=_DENSITY, linestyle="--", linewidth=1.4)
    inside = values >= bottom
    other.plot(values[inside], survival[inside], ".", color=_SURVIVAL, markersize=2.5)
    other.plot(*laws["PL survival"], color=_SURVIVAL, linestyle="--", linewidth=1.4)
    axis.axvline(fit["xmin"], color="0.2", linestyle=":", linewidth=0.9)
    highest = max(heights.max(), laws["PL density"][1].max())
    axis.set(xscale="log", yscale="log", xlim=(bottom / 1.2, top * 1.3), ylim=(floor, highest * 2))
    other.set(yscale="log", ylim=(0.4 / len(values), 1.5))
    for side, color in ((axis, _DENSITY), (other, _SURVIVAL)):
        side.tick_params(axis="y", which="both", colors=color)
    bars = [
        {"curve": "density", "x": low, "x_high": high, "y": height}
        for low, high, height in zip(edges[:-1], edges[1:], heights, strict=True)
    ]
    lines = {"survival": (values[inside], survival[inside]), "xmin": ([fit["xmin"]], [np.nan])}
    lines |= {name: laws[name] for name in ("PL density", "PL survival")}
    return bars + [{"curve": name, "x": x, "y": y} for name, line in lines.items() for x, y in zip(*line, strict=True)]


def _fit(item: Shown) -> str:
    """The exponent with its interval, and the distance."""
    fit = item.fit
    text = rf"$\alpha = {fit['alpha']:.2f}$"
    if np.isfinite([fit["alpha_low"], fit["alpha_high"]]).all():
        text += f" [{fit['alpha_low']:.2f}, {fit['alpha_high']:.2f}]"
    return rf"{text}, $D = {fit['ks_distance']:.3f}$"


def _legend(figure: Figure) -> None:
    handles = [
        Line2D([], [], color=_DENSITY, linewidth=0.8, label="density (PDF)"),
        Line2D([], [], color=_DENSITY, linestyle="--", label="its power law"),
        Line2D([], [], color=_SURVIVAL, marker=".", linestyle="none", label="distribution (1 - CDF)"),
        Line2D([], [], color=_SURVIVAL, linestyle="--", label="its power law"),
        Line2D([], [], color="0.2", linestyle=":", linewidth=0.9, label=style.symbol("xmin")),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=5, columnspacing=1.2)
