"""The exponent as a function of the number of eigenvalues that it is taken from."""

import zlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator

from htsr.figures import style
from htsr.figures.esd import Shown, name
from htsr.tails.power_law import fit_power_law, usable
from htsr.tails.stability import LEAST, paths, plateau

MOST = 4  # spectra beside the two panels for comparison
_DRAWN = ["panel", "title", "curve", "k", "alpha", "low", "high"]
_LOOKS = {"hill": ("Hill", 0), "moments": ("moments", 2), "kernel": ("kernel", 3)}
_POWER_LAW = style.COLORS[1]
_Z = 1.96
_WIDTH = 34  # characters of a panel's title


class _Panel(NamedTuple):
    """Values ascending; the fitted power law's n_tail, α and interval (NaN: none); the true α, if it is known."""

    title: str
    x: np.ndarray
    n_tail: int
    alpha: float
    low: float = np.nan
    high: float = np.nan
    truth: float = np.nan


def draw(shown: Sequence[Shown], without: Sequence[str] = ()) -> tuple[Figure, pd.DataFrame]:
    """One panel for each spectrum: α(k) of Hill's, the moments and the kernel estimator with 95 % bands, and the fit.

    Two panels follow for comparison: a Pareto sample of the size and fitted exponent of the first spectrum, and the
    first permutation of its matrix, where there is one. without: models that have no fit. Returns the figure and its
    curves, of the power law one point each.
    """
    left_out = len(shown) - MOST
    panels = _panels(list(shown)[:MOST])
    if not panels:
        return style.message("No spectrum of this experiment has a fitted tail."), pd.DataFrame(columns=_DRAWN)
    columns = len(panels) if len(panels) < 4 else 3 if len(panels) > 4 else 2
    rows = -(-len(panels) // columns)
    figure = style.new_figure(0.8 + rows * (2.0 if columns == 3 else 2.6))
    drawn = []
    for index, (axis, panel) in enumerate(zip(style.grid(figure, len(panels), columns), panels, strict=True)):
        drawn += [{"panel": index, "title": panel.title.split("\n")[0]} | row for row in _draw_panel(axis, panel)]
        if index % columns == 0:
            axis.set_ylabel(style.symbol("alpha"))
        if index >= len(panels) - columns:
            axis.set_xlabel("number $k$ of values used")
    _legend(figure)
    style.footnote(
        figure,
        f"Bands: 95 %, not drawn where they reach $\\alpha = 1$. Plateau: share of $\\ln k$ from {LEAST} on "
        "in which one\nexponent lies in all bands of Hill's estimate. Cross: power law, with its interval. "
        "Dashed: truth",
        left_out > 0 and f"{left_out} more not shown",
        bool(without) and f"No fit: {style.plain(', '.join(without), 50)}",
    )
    return figure, pd.DataFrame(drawn, columns=_DRAWN)


def _panels(shown: Sequence[Shown]) -> list[_Panel]:
    panels = []
    for item in shown:
        fit, x = item.fit, usable(item.spectrum.eigenvalues, item.spectrum.n)
        limits = fit["alpha"], fit["alpha_low"], fit["alpha_high"]
        panels.append(_Panel(name(item, _WIDTH), x, int(fit["n_tail"]), *limits))
    if not panels:
        return panels
    first, n = panels[0], len(panels[0].x)
    rng = np.random.default_rng([0, zlib.crc32(shown[0].spectrum.name.encode())])
    sample = np.sort(np.exp(rng.exponential(size=n) / (first.alpha - 1)))
    compared = [(f"Pareto sample\n$n = {n}$, $\\alpha = {first.alpha:.2f}$", sample, first.alpha)]
    for item in shown:
        if len(item.spectrum.null):
            null = usable(item.spectrum.null[0], item.spectrum.n)
            compared.append((f"Elements permuted\n{style.plain(item.spectrum.name, _WIDTH)}", null, np.nan))
            break
    for title, x, truth in compared:
        fit = fit_power_law(x)
        if fit.status == "ok":
            panels.append(_Panel(title, x, fit.n_tail, fit.alpha, truth=truth))
    return panels


def _draw_panel(axis: Axes, panel: _Panel) -> list[dict]:
    curves = paths(panel.x)
    rows, seen = [], [panel.alpha]
    for curve, (_, index) in _LOOKS.items():
        path = curves[curve]
        known = (path.k >= min(LEAST, len(path.k) // 2)) & np.isfinite(path.alpha) & np.isfinite(path.stderr)
        k, alpha, spread = path.k[known], path.alpha[known], _Z * path.stderr[known]
        color = style.COLORS[index]
        drawn = spread < alpha - 1
        axis.fill_between(k, alpha - spread, alpha + spread, drawn, color=color, alpha=0.15, linewidth=0)
        axis.plot(k, alpha, color=color, linewidth=1.0)
        if curve != "moments":
            seen += [*np.quantile(alpha, [0.02, 0.98])] if len(alpha) else []
        rows += [
            {"curve": curve, "k": a, "alpha": b, "low": b - c, "high": b + c}
            for a, b, c in zip(k, alpha, spread, strict=True)
        ]
    interval = np.array([[panel.alpha - panel.low], [panel.high - panel.alpha]])
    error = np.clip(interval, 0, None) if np.isfinite(interval).all() else None
    axis.errorbar(panel.n_tail, panel.alpha, error, fmt="X", color=_POWER_LAW, markersize=5, zorder=4, elinewidth=1.2)
    axis.axvline(panel.n_tail, color=_POWER_LAW, linewidth=0.7, linestyle=":")
    if np.isfinite(panel.truth):
        axis.axhline(panel.truth, color="0.3", linewidth=0.8, linestyle="--", zorder=1)
    rows.append({"curve": "power law", "k": panel.n_tail, "alpha": panel.alpha, "low": panel.low, "high": panel.high})
    top = max([*seen, *(value for value in (panel.high, panel.truth) if np.isfinite(value))])
    axis.set(ylim=(1, 1 + 1.25 * (min(top, 4 * panel.alpha) - 1)), xscale="log")
    ticks = [tick for tick in (10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000) if tick < len(panel.x)]
    axis.xaxis.set_major_locator(FixedLocator(ticks if len(ticks) < 6 else ticks[::2]))
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:.0f}")
    axis.xaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_minor_formatter(NullFormatter())
    score = plateau(curves["hill"])[2]
    axis.set_title(f"{panel.title}\nplateau {score:.2f}", fontsize=7, loc="left", linespacing=1.25, pad=3)
    return rows


def _legend(figure: Figure) -> None:
    handles = [Line2D([], [], color=style.COLORS[index], label=label) for label, index in _LOOKS.values()]
    handles.append(
        Line2D([], [], color=_POWER_LAW, marker="X", markersize=5, linestyle="none", label="power law (least distance)")
    )
    figure.legend(handles=handles, loc="outside upper center", ncols=4, columnspacing=1.2)
