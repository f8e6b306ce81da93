"""The exponents of all matrices, series by series, beside those of the permuted matrices."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from htsr.figures import style
from htsr.metrics.null import null_alphas
from htsr.tables.labels import UNIVERSAL

_WIDEST = 12.0  # no axis goes further: an exponent beyond says that there is no tail
_COUNTS = ["kind", "low", "high", "count"]


def draw(layers: pd.DataFrame, titles: Mapping[str, str]) -> tuple[Figure, pd.DataFrame]:
    """One histogram of alpha for each series, over the outline of the null's.

    layers: one row a spectrum, with series, alpha and alpha_null_all (see `null_alphas`); all permutations of a matrix
    together count one. Exponents beyond the axis and failed fits are counted above each panel, [2, 5] is shaded.
    Returns the figure and what it shows: one row a bin, and the medians.
    """
    groups = {str(series): own for series, own in layers.groupby("series", sort=False)}
    return histograms("series", groups, lambda series, width: style.series_title(series, titles, width), _shares)


def histograms(
    name: str,
    groups: Mapping[str, pd.DataFrame],
    title: Callable[[str, int], str],
    shares: Callable[[pd.Series, pd.Series], Sequence[str]],
) -> tuple[Figure, pd.DataFrame]:
    """One panel for each group of layers that has a fitted exponent; `draw` says what it shows.

    name: column of the drawn table that holds the group. title: its printed name in so many characters. shares: what to
    say of the exponents and the null's, each a clause.
    """
    fitted = {group: own[own["alpha"].notna()] for group, own in groups.items()}
    order = [group for group, own in fitted.items() if len(own)]
    columns = [name, *_COUNTS]
    if not order:
        return style.message("No matrix of this experiment has a fitted exponent."), pd.DataFrame(columns=columns)
    across = 1 if len(order) <= 2 else 2 if len(order) <= 10 else 3
    shown = order[: 8 * across]
    rows = -(-len(shown) // across)
    figure = style.new_figure(0.75 + rows * {1: 1.55, 2: 1.4, 3: 1.05}[across])
    panels = style.grid(figure, len(shown), across, sharex=True)
    every = pd.concat([fitted[group] for group in order])
    edges = _edges(every[~every.index.duplicated()])  # a matrix may stand in several groups
    drawn = []
    for index, (axis, group) in enumerate(zip(panels, shown, strict=True)):
        drawn += [{name: group} | row for row in _panel(axis, fitted[group], edges, style.look(index)["color"])]
        axis.set_title(
            f"{title(group, {1: 60, 2: 40, 3: 30}[across])}\n{_summary(groups[group], edges, shares, 130 // across)}",
            fontsize=7, loc="left", pad=3, linespacing=1.1,
        )  # fmt: skip
    for axis in panels[-across:]:
        axis.set_xlabel(style.symbol("alpha"))
        axis.tick_params(labelbottom=True)
    for axis in panels[::across]:
        axis.set_ylabel("matrices")
    has_null = any(fitted[group]["alpha_null_all"].notna().any() for group in order)
    empty = [title(group, 30) for group in groups if group not in order]
    beyond = len(order) - len(shown)
    style.footnote(
        figure,
        "Shaded: 2 to 5. Solid line: median",
        has_null and "Grey: the same matrices with their elements permuted; dotted: median",
        bool(empty) and f"No fit in {style.plain(', '.join(empty), 60)}",
        beyond > 0 and f"{style.counted(beyond, 'panel')} more not shown",
    )
    return figure, pd.DataFrame(drawn, columns=columns)


def _edges(fitted: pd.DataFrame) -> np.ndarray:
    """Bins of 0.25 (wider for few matrices) from 1 to where nearly all exponents have ended."""
    values = pd.concat([fitted["alpha"], null_alphas(fitted)])
    end = min(max(6.0, np.ceil(values.quantile(0.99))) if len(values) else 6.0, _WIDEST)
    return np.arange(1.0, end + 1e-9, 0.25 if len(fitted) > 60 else 0.5)


def _panel(axis: Axes, own: pd.DataFrame, edges: np.ndarray, color: str) -> list[dict]:
    """The histogram of one group and its null's; returns bins, medians and how many are outside."""
    drawn = []
    axis.axvspan(*UNIVERSAL, color=style.SHADE, linewidth=0, zorder=0)
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
            {"kind": kind, "low": low, "high": high, "count": count}
            for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True)
        ]
        outside = int((~values.between(edges[0], edges[-1])).sum())
        drawn.append({"kind": f"{kind}_median", "low": median, "high": median, "count": len(values)})
        drawn.append({"kind": f"{kind}_outside", "count": outside})
    axis.set_xlim(edges[0], edges[-1])
    axis.set_ylim(bottom=0)
    axis.yaxis.get_major_locator().set_params(integer=True, nbins=4)
    return drawn


def _summary(
    own: pd.DataFrame, edges: np.ndarray, shares: Callable[[pd.Series, pd.Series], Sequence[str]], width: int
) -> str:
    """Two lines on one group: matrices, median and shares; the null's, and what the panel does not show.

    What does not go into so many characters behind the null's gets a line of its own.
    """
    alpha = own["alpha"].dropna()
    failed = len(own) - len(alpha)
    outside = int((~alpha.between(edges[0], edges[-1])).sum())
    first, *parts = shares(alpha, null_alphas(own[own["alpha"].notna()]))
    if outside:
        parts.append(f"{outside} beyond the axis")
    if failed:
        parts.append(f"{failed} failed")
    second = "; ".join(parts)
    return f"{first}\n" + (second if len(second) <= width else f"{parts[0]}\n{'; '.join(parts[1:])}")


def _shares(alpha: pd.Series, null: pd.Series) -> list[str]:
    """Median and share in [2, 5], of the matrices and of the permuted ones."""
    clauses = [f"$n = {len(alpha)}$, median {alpha.median():.2f}, {percent(alpha.between(*UNIVERSAL))} in [2, 5]"]
    if len(null):
        clauses.append(f"permuted {null.median():.2f}, {percent(null.between(*UNIVERSAL))}")
    return clauses


def percent(hits: pd.Series) -> str:
    """The share of hits in whole percent."""
    return f"{100 * hits.mean():.0f} %"
