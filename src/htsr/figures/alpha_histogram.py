"""The exponents of all matrices, series by series, beside those of the permuted matrices."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from htsr.figures import style
from htsr.metrics.null import null_alphas
from htsr.tables.labels import UNIVERSAL

_WIDEST = 12.0  # no axis goes further: an exponent beyond says that there is no tail
_DRAWN = ["series", "kind", "low", "high", "count"]


def draw(layers: pd.DataFrame, titles: Mapping[str, str]) -> tuple[Figure, pd.DataFrame]:
    """One histogram of alpha for each series, over the outline of the null's.

    layers: one row a spectrum, with series, alpha and alpha_null_all (see `null_alphas`); all permutations of a matrix
    together count one. Exponents beyond the axis and failed fits are counted above each panel, [2, 5] is shaded.
    Returns the figure and what it shows: one row a bin, and the medians.
    """
    fitted = layers[layers["alpha"].notna()]
    order = list(fitted["series"].unique())
    if not order:
        return style.message("No matrix of this experiment has a fitted exponent."), pd.DataFrame(columns=_DRAWN)
    columns = 1 if len(order) <= 2 else 2 if len(order) <= 10 else 3
    shown = order[: 8 * columns]
    rows = -(-len(shown) // columns)
    figure = style.new_figure(0.75 + rows * {1: 1.55, 2: 1.4, 3: 1.05}[columns])
    panels = style.grid(figure, len(shown), columns, sharex=True)
    edges = _edges(fitted)
    drawn = []
    for index, (axis, series) in enumerate(zip(panels, shown, strict=True)):
        own = layers[layers["series"] == series]
        drawn += _panel(axis, own, edges, style.look(index)["color"], columns)
        width = {1: 60, 2: 40, 3: 30}[columns]
        axis.set_title(
            f"{style.series_title(series, titles, width)}\n{_summary(own, edges)}",
            fontsize=7, loc="left", pad=3, linespacing=1.1,
        )  # fmt: skip
    for axis in panels[-columns:]:
        axis.set_xlabel(style.symbol("alpha"))
        axis.tick_params(labelbottom=True)
    for axis in panels[::columns]:
        axis.set_ylabel("matrices")
    has_null = fitted["alpha_null_all"].notna().any()
    empty = [style.series_title(series, titles, 30) for series in layers["series"].unique() if series not in order]
    beyond = len(order) - len(shown)
    style.footnote(
        figure,
        "Shaded: 2 to 5. Solid line: median",
        has_null and "Grey: the same matrices with their elements permuted; dotted: median",
        bool(empty) and f"No fit in {style.plain(', '.join(empty), 60)}",
        beyond > 0 and f"{style.counted(beyond, 'series', 'series')} more not shown",
    )
    return figure, pd.DataFrame(drawn, columns=_DRAWN)


def _edges(fitted: pd.DataFrame) -> np.ndarray:
    """Bins of 0.25 (wider for few matrices) from 1 to where nearly all exponents have ended."""
    values = pd.concat([fitted["alpha"], null_alphas(fitted)])
    end = min(max(6.0, np.ceil(values.quantile(0.99))) if len(values) else 6.0, _WIDEST)
    return np.arange(1.0, end + 1e-9, 0.25 if len(fitted) > 60 else 0.5)


def _panel(axis: Axes, own: pd.DataFrame, edges: np.ndarray, color: str, columns: int) -> list[dict]:
    series, drawn = own["series"].iloc[0], []
    axis.axvspan(*UNIVERSAL, color=style.SHADE, linewidth=0, zorder=0)
    own = own[own["alpha"].notna()]
    for kind, values in (("alpha", own["alpha"]), ("null", null_alphas(own))):
        if not len(values):
            continue
        weights = 1 / values.groupby(level=0).transform("size")
        counts, _ = np.histogram(values, edges, weights=weights)
        if kind == "alpha":
            axis.stairs(counts, edges, fill=True, color=color, alpha=0.75, zorder=2)
        else:
            axis.stairs(counts, edges, color=style.NULL, linewidth=1.0, hatch="////", zorder=3)
        median = values.median()
        axis.axvline(
            median, color=color if kind == "alpha" else "0.35", linestyle="-" if kind == "alpha" else ":", zorder=4
        )
        drawn += [
            {"series": series, "kind": kind, "low": low, "high": high, "count": count}
            for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True)
        ]
        outside = int((~values.between(edges[0], edges[-1])).sum())
        drawn.append({"series": series, "kind": f"{kind}_median", "low": median, "high": median, "count": len(values)})
        drawn.append({"series": series, "kind": f"{kind}_outside", "count": outside})
    axis.set_xlim(edges[0], edges[-1])
    axis.set_ylim(bottom=0)
    axis.yaxis.get_major_locator().set_params(integer=True, nbins=4)
    return drawn


def _summary(own: pd.DataFrame, edges: np.ndarray) -> str:
    """Two lines on one series: matrices, medians, shares in the range, what the panel does not show."""
    alpha = own["alpha"].dropna()
    failed = len(own) - len(alpha)
    inside = alpha.between(*UNIVERSAL).mean()
    null = null_alphas(own[own["alpha"].notna()])
    outside = int((~alpha.between(edges[0], edges[-1])).sum())
    first = f"$n = {len(alpha)}$, median {alpha.median():.2f}, {100 * inside:.0f} % in [2, 5]"
    parts = []
    if len(null):
        parts.append(f"permuted {null.median():.2f}, {100 * null.between(*UNIVERSAL).mean():.0f} %")
    if outside:
        parts.append(f"{outside} beyond the axis")
    if failed:
        parts.append(f"{failed} failed")
    return f"{first}\n{'; '.join(parts)}"
