"""What the figures of random matrices share: histograms of eigenvalues, laws over them, and the rows of their CSV."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

from htsr.figures import style
from htsr.spectra import marchenko_pastur
from htsr.tails.rivals import power_law_log_pdf

DRAWN = ["panel", "curve", "x", "x_high", "y", "y_low", "y_high", "n"]
DECADES = 7  # of eigenvalues below the largest, on logarithmic axes
POINTS = 400


def rows(panel: str, curve: str, x: Any, y: Any, **columns: Any) -> list[dict]:
    """One row for each point of a curve; x with one value more than y are the edges of a histogram."""
    x, y = np.atleast_1d(x), np.atleast_1d(y)
    columns = {name: np.broadcast_to(values, y.shape) for name, values in columns.items()}
    if len(x) > len(y):
        columns["x_high"] = x[1:]
    table = {"x": x[: len(y)], "y": y} | columns
    return [
        {"panel": panel, "curve": curve} | {name: values[i] for name, values in table.items()} for i in range(len(y))
    ]


def histogram(
    axis: Axes, panel: str, curve: str, values: np.ndarray, edges: np.ndarray, total: int, **looks: Any
) -> list[dict]:
    """Filled density of the values between the edges, as a share of `total` values; returns its rows."""
    heights = np.histogram(values, edges)[0] / (total * np.diff(edges))
    axis.stairs(heights, edges, fill=True, **{"color": style.COLORS[0], "alpha": 0.35, "linewidth": 0} | looks)
    return rows(panel, curve, edges, heights, n=len(values))


def linear_edges(low: float, high: float, count: int) -> np.ndarray:
    """Edges of a histogram of so many values."""
    return np.linspace(low, high, int(np.clip(2 * np.sqrt(count), 12, 50)) + 1)


def line(axis: Axes, panel: str, curve: str, x: np.ndarray, y: np.ndarray, **looks: Any) -> list[dict]:
    """A curve; returns its rows."""
    axis.plot(x, y, **looks)
    return rows(panel, curve, x, y)


def fitted_bulk(axis: Axes, panel: str, row: Mapping, total: int, **looks: Any) -> list[dict]:
    """The Marchenko-Pastur law of a row's bulk, as a share of `total` eigenvalues; returns its rows.

    As in `marchenko_pastur.fit_bulk` k spikes leave the bulk of an (N - k) x (rank - k) matrix.
    """
    size, rows_left = row["matrix_rank"] - row["n_spikes"], row["n"] - row["n_spikes"]
    q, sigma2 = rows_left / size, row["sigma_mp"] ** 2 * rows_left / row["n"]
    low, high = marchenko_pastur.edges(q, sigma2)
    # Denser where the density has its square roots, at the edges.
    x = (low + (high - low) * (1 - np.cos(np.linspace(0, np.pi, POINTS))) / 2)[1:-1]
    return line(axis, panel, "MP", x, size / total * marchenko_pastur.density(x, q, sigma2), **looks)


def logarithmic(
    axis: Axes, panel: str, values: np.ndarray, lowest: float = np.inf
) -> tuple[list[dict], tuple[float, float]]:
    """Density of the eigenvalues on logarithmic axes, whose limits it sets; returns its rows, and the limits of y.

    It reaches DECADES below the largest eigenvalue, to `lowest` where that is less, but not below the smallest.
    """
    total, positive = len(values), values[values > 0]
    top, bottom = positive[-1], max(min(positive[-1] * 10.0**-DECADES, lowest), positive[0])
    edges = np.geomspace(bottom * (1 - 1e-9), top * (1 + 1e-9), int(np.clip(2 * np.sqrt(total), 12, 40)) + 1)
    heights = np.histogram(positive, edges)[0] / (total * np.diff(edges))
    floor = 0.5 * heights[heights > 0].min()
    axis.stairs(
        np.maximum(heights, floor), edges, baseline=floor, fill=True, color=style.COLORS[0], alpha=0.35, linewidth=0
    )
    limits = floor, heights.max() * 3
    axis.set(xscale="log", yscale="log", xlim=(bottom / 1.2, top * 1.3), ylim=limits)
    for side, (low, high) in ((axis.xaxis, axis.get_xlim()), (axis.yaxis, limits)):
        log_ticks(side, low, high)
    return rows(panel, "eigenvalues", edges, heights, n=total), limits


def log_ticks(side: Axis, low: float, high: float) -> None:
    """Ticks of a logarithmic axis between these limits."""
    few = np.log10(high / low) < 1.5  # decades: too little for powers of ten alone
    side.set_major_locator(LogLocator(subs=(1, 2, 5) if few else (1,)))
    side.set_minor_formatter(NullFormatter())
    if np.log10(high / low) > 4:
        side.set_minor_locator(NullLocator())
    if few:
        side.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def power_law(axis: Axes, panel: str, fit: Mapping, limit: float = np.nan) -> list[dict]:
    """The fitted power law from xmin to the largest eigenvalue, scaled by the share of the tail, and from the same
    point one of the exponent `limit`, where there is one; returns their rows."""
    at = np.geomspace(fit["xmin"], fit["lambda_max"], 60)
    share = fit["n_tail"] / fit["n_eigenvalues"]
    height = share * np.exp(power_law_log_pdf(at, fit["alpha"], fit["xmin"]))
    drawn = line(axis, panel, "power law", at, height, color=style.COLORS[1])
    if np.isfinite(limit):
        height = height[0] * (at / at[0]) ** -limit
        drawn += line(axis, panel, "limiting exponent", at, height, color="black", linestyle="--", linewidth=0.9)
    axis.axvline(fit["xmin"], color="0.2", linestyle=":", linewidth=0.9)
    return drawn + rows(panel, "xmin", fit["xmin"], np.nan)


def exponent(fit: Mapping) -> str:
    """α with its bootstrap interval, or where there is none with its standard error."""
    if np.isfinite([fit["alpha_low"], fit["alpha_high"]]).all():
        return rf"$\alpha = {fit['alpha']:.2f}$ [{fit['alpha_low']:.2f}, {fit['alpha_high']:.2f}]"
    return rf"$\alpha = {fit['alpha']:.2f} \pm {fit['alpha_stderr']:.2f}$"
