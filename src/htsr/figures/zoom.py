"""Full spectra of selected layers beside their bulk, on linear axes, with the Marchenko-Pastur law fitted to it."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from htsr.figures import esd, style
from htsr.figures.esd import Shown
from htsr.metrics import norms
from htsr.spectra import marchenko_pastur
from htsr.spectra.spectrum import Spectrum
from htsr.tables.latex import significant

MOST = 5  # spectra that fit on a page
_BEYOND = 1.6  # the enlarged part ends so many times beyond the threshold of spikes
_DRAWN = ["model", "layer", "panel", "curve", "x", "x_high", "y"]
_DATA, _MP, _SPIKE = style.COLORS[0], style.COLORS[1], style.COLORS[2]


def draw(shown: Sequence[Shown], spike_level: float, without: Sequence[str] = ()) -> tuple[Figure, pd.DataFrame]:
    """For each spectrum (with its measures) the whole of it, and its bulk enlarged.

    Both show the density of all eigenvalues, that of the permuted matrices, the edge λ₊ of the fitted bulk and the
    eigenvalues beyond its Tracy-Widom quantile `spike_level` as ticks; the enlarged bulk also shows the law, scaled by
    the share of the eigenvalues in it, and that quantile. without: models of which no spectrum can be drawn.
    Returns the figure and its curves.
    """
    left_out = len(shown) - MOST
    shown = list(shown)[:MOST]
    if not shown:
        return style.message("No spectrum of this experiment has a fitted tail."), pd.DataFrame(columns=_DRAWN)
    figure = style.new_figure(0.75 + (2.2 if len(shown) == 1 else 1.3) * len(shown))
    panels = figure.subplots(len(shown), 2, squeeze=False)
    drawn = []
    for (full, bulk), item in zip(panels, shown, strict=True):
        keys = {"model": item.model, "layer": item.spectrum.name}
        drawn += [keys | row for row in _panels(full, bulk, item, *bulk_law(item.spectrum, spike_level))]
        full.set_title(esd.name(item, 46), fontsize=7, loc="left", linespacing=1.2, pad=3)
        bulk.set_title(_state(item), fontsize=7, loc="left", linespacing=1.2, pad=3)
        full.set_ylabel(r"density $\rho(\lambda)$")
    for axis in panels[-1]:
        axis.set_xlabel(r"eigenvalue $\lambda$")
    _legend(figure, any(len(item.spectrum.null) for item in shown))
    style.footnote(
        figure,
        style.eigenvalues_of(*sorted({item.spectrum.normalization for item in shown})),
        "Left: all of them; right: the bulk",
        left_out > 0 and f"{left_out} more not shown",
        bool(without) and f"No fit: {style.plain(', '.join(without), 50)}",
    )
    return figure, pd.DataFrame(drawn, columns=_DRAWN)


def bulk_law(spectrum: Spectrum, spike_level: float) -> tuple[np.ndarray, np.ndarray, float]:
    """Eigenvalues, the density of the fitted bulk there among all eigenvalues, and the threshold of its spikes.

    Empty arrays and NaN where there is no bulk. As in `marchenko_pastur.fit_bulk` the law is that of the eigenvalues
    which are neither zero nor spikes, and k spikes leave the bulk of an (N - k) x (rank - k) matrix; its integral is
    the share of these eigenvalues.
    """
    values, count = spectrum.eigenvalues, np.count_nonzero(spectrum.eigenvalues)
    to_x = norms.per_gram(spectrum) / spectrum.n
    bulk = marchenko_pastur.fit_bulk(values * to_x, spectrum.n, spectrum.n_matrices, spike_level)
    if bulk is None:
        return np.empty(0), np.empty(0), np.nan
    spikes = bulk.n_spikes / spectrum.n_matrices
    rows, rank = spectrum.n - spikes, count / spectrum.n_matrices - spikes
    unit = rows / spectrum.n / to_x
    q = rows / max(rank, 1)
    low, high = np.sqrt(marchenko_pastur.edges(q, bulk.sigma2))
    at = np.linspace(low, high, 400)[1:-1] ** 2  # even in the singular values: the law may diverge at 0
    share = (count - bulk.n_spikes) / len(values)
    return unit * at, share / unit * marchenko_pastur.density(at, q, bulk.sigma2), bulk.threshold / to_x


def _panels(full: Axes, bulk: Axes, item: Shown, at: np.ndarray, density: np.ndarray, threshold: float) -> list[dict]:
    """Draw one spectrum twice, with the law of its bulk; returns its curves."""
    values, null = item.spectrum.eigenvalues, np.ravel(item.spectrum.null)
    edge = item.measures["lambda_plus"]
    top = max(values[-1], null.max(initial=0.0))
    end = min(top, _BEYOND * threshold) if edge > 0 else top
    n_spikes = int(np.nan_to_num(item.measures["n_spikes"]))
    spikes = values[len(values) - n_spikes :]
    drawn = []
    for name, axis, reach in (("full", full, top), ("bulk", bulk, end)):
        inside = np.count_nonzero(values <= reach)
        edges = np.linspace(0, reach * (1 + 1e-9), int(np.clip(2.5 * np.sqrt(inside), 12, 60)) + 1)
        heights = {}
        for curve, sample in (("eigenvalues", values), ("permuted", null)):
            if len(sample):
                heights[curve] = np.histogram(sample, edges)[0] / (len(sample) * np.diff(edges))
                drawn += _bars(name, curve, edges, heights[curve])
        axis.stairs(heights["eigenvalues"], edges, fill=True, color=_DATA, alpha=0.35)
        if "permuted" in heights:
            axis.stairs(heights["permuted"], edges, color=style.NULL)
        if edge > 0:
            axis.axvline(edge, color=_MP, linestyle=":", linewidth=0.9)
            drawn.append({"panel": name, "curve": "edge", "x": edge})
        near = spikes[spikes <= reach]
        if len(near):
            axis.plot(
                near, np.zeros(len(near)), "|", color=_SPIKE, markersize=7, markeredgewidth=0.9,
                transform=axis.get_xaxis_transform(), clip_on=False, zorder=4,
            )  # fmt: skip
        drawn += [{"panel": name, "curve": "spikes", "x": value} for value in near]
        highest = max(height.max() for height in heights.values())
        axis.set(xlim=(0, reach * 1.02), ylim=(0, highest * 1.12))
        axis.yaxis.get_major_locator().set_params(nbins=4)
    if len(at):
        bulk.plot(at, density, color=_MP)
        bulk.axvline(threshold, color=_MP, linestyle="--", linewidth=0.9)
        # Where the law diverges at 0 (Q = 1) the axis ends above the bars; else the whole law is in sight.
        bulk.set_ylim(0, max(bulk.get_ylim()[1], min(density.max(), 1.6 * bulk.get_ylim()[1]) * 1.05))
        drawn += [{"panel": "bulk", "curve": "law", "x": x, "y": y} for x, y in zip(at, density, strict=True)]
        drawn.append({"panel": "bulk", "curve": "threshold", "x": threshold})
    return drawn


def _bars(panel: str, curve: str, edges: np.ndarray, heights: np.ndarray) -> list[dict]:
    return [
        {"panel": panel, "curve": curve, "x": low, "x_high": high, "y": height}
        for low, high, height in zip(edges[:-1], edges[1:], heights, strict=True)
    ]


def _state(item: Shown) -> str:
    """Phase and spikes, and the fitted bulk."""
    measures = item.measures
    if not measures["lambda_plus"] > 0:
        return "no bulk: too few non-zero eigenvalues"
    numbers = {key: significant(measures[key]) for key in ("sigma_mp", "lambda_plus")}
    if np.isfinite(measures["sigma_mp_stderr"]):
        numbers["sigma_mp"] += f" ± {significant(measures['sigma_mp_stderr'], 1)}"
    return (
        f"{measures['phase']}, {style.counted(int(measures['n_spikes']), 'spike')} of "
        f"{len(item.spectrum.eigenvalues)} eigenvalues\n"
        + ", ".join(f"{style.symbol(key)} = {number}" for key, number in numbers.items())
    )


def _legend(figure: Figure, null: bool) -> None:
    handles = [
        Patch(color=_DATA, alpha=0.35, label="eigenvalues"),
        Line2D([], [], color=_MP, label="Marchenko-Pastur bulk"),
        Line2D([], [], color=_MP, linestyle=":", linewidth=0.9, label=r"edge $\lambda_+$"),
        Line2D([], [], color=_MP, linestyle="--", linewidth=0.9, label="threshold of spikes"),
        Line2D([], [], color=_SPIKE, marker="|", linestyle="none", markersize=7, label="spikes"),
    ]
    if null:
        handles.append(Line2D([], [], color=style.NULL, label="elements permuted"))
    figure.legend(handles=handles, loc="outside upper center", ncols=6, columnspacing=1.0, handletextpad=0.5)
