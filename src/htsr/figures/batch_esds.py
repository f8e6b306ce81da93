"""Spectra of one layer after training with each batch size, with their fitted bulk and spikes."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from htsr.figures import style, sweeps
from htsr.figures.densities import DRAWN, histogram, line, linear_edges, rows
from htsr.figures.zoom import bulk_law
from htsr.files import Arrays
from htsr.spectra.spectrum import Spectrum
from htsr.statistics.samples import spread

AXIS = "batch_size"
MOST = 12  # spectra that fit on a page
_REACH = 4.0  # axes end at most so many λ₊ away, so that the bulk stays in sight
_DATA, _MP, _SPIKE = style.COLORS[0], style.COLORS[1], style.COLORS[2]


def draw(
    table: pd.DataFrame,
    networks: pd.DataFrame,
    axes: Sequence[str],
    spectra: Arrays,
    layer: str | None,
    spike_level: float,
) -> tuple[Figure, pd.DataFrame]:
    """One panel for each batch size: the density of a layer's eigenvalues in the network of the first seed.

    table, networks, axes: as in `htsr.figures.batch_size`; spectra: of the sweep. layer: null for the largest fully
    connected one; of a layer with several matrices the first is drawn. spike_level: Tracy-Widom quantile of the fitted
    bulk's edge beyond which eigenvalues are spikes. Axes end at the largest eigenvalue, but not before λ₊ nor
    beyond 4 λ₊. Returns the figure and what it shows: panel, curve, x (of a bin: to x_high), y.
    """
    found, lost = sweeps.usable(table, networks, axes)
    found, other = sweeps.fixed(found, axes, [AXIS])
    final = found[found["final"] & found["lambda_max"].gt(0)]
    layer = sweeps.choose(final, layer)
    chosen = [own.iloc[0].to_dict() for _, own in final[final["weight_layer"] == layer].groupby(AXIS)]
    if not chosen:
        return style.message("No network of this sweep has a spectrum."), pd.DataFrame(columns=DRAWN)
    beyond = len(chosen) - MOST
    if beyond > 0:
        wanted = np.geomspace(chosen[0][AXIS], chosen[-1][AXIS], MOST)
        kept = spread(pd.Series([row[AXIS] for row in chosen]), tuple(wanted))
        chosen = [row for row in chosen if row[AXIS] in kept]
    columns = min(3, len(chosen))
    figure = style.new_figure(0.8 + {1: 2.6, 2: 2.0, 3: 1.6}[columns] * -(-len(chosen) // columns))
    panels = style.grid(figure, len(chosen), columns)
    drawn = []
    for index, (axis, row) in enumerate(zip(panels, chosen, strict=True)):
        name = f"batch size {sweeps.printed(row[AXIS])}"
        drawn += panel(axis, name, row, sweeps.spectrum_of(spectra, row), spike_level)
        if index % columns == 0:
            axis.set_ylabel(r"density $\rho(\lambda)$")
        if index >= len(chosen) - columns:
            axis.set_xlabel(r"eigenvalue $\lambda$")
    figure.legend(handles=handles(), loc="outside upper center", ncols=4)
    sweeps.footnote(
        figure,
        style.eigenvalues_of(spectra.header["normalization"]),
        f"{style.plain(chosen[0]['layer'], 30)}, {chosen[0]['n']} × {chosen[0]['m']}, first seed",
        beyond > 0 and f"{style.counted(beyond, 'batch size')} not shown",
        *(other, lost),
    )
    return figure, pd.DataFrame(drawn, columns=DRAWN)


def panel(axis: Axes, name: str, row: Mapping, spectrum: Spectrum, spike_level: float) -> list[dict]:
    """One spectrum with the law of its bulk, λ₊ and spikes; α and phase in the title. Returns its curves.

    row: of the sweep's table. Spikes beyond the axis are counted at its end.
    """
    values, edge = spectrum.eigenvalues, row["lambda_plus"]
    known = np.isfinite(edge) and edge > 0
    end = min(max(values[-1], edge), _REACH * edge) if known else values[-1]
    inside = values[values <= end]
    bulk = values[values <= edge] if known else values
    step = (edge if known else end) / (len(linear_edges(0, 1, len(bulk))) - 1)
    edges = step * np.arange(np.ceil(end / step * (1 - 1e-9)) + 1)
    drawn = histogram(axis, name, "eigenvalues", inside, edges, len(values))
    highest = max(entry["y"] for entry in drawn)
    top = 1.12 * highest
    if known:
        x, density, _ = bulk_law(spectrum, spike_level)
        if len(x):
            drawn += line(axis, name, "MP", x, density, color=_MP)
            top = max(top, 1.05 * min(density.max(), 1.6 * top))  # at Q = 1 the law has no upper end
        axis.axvline(edge, color=_MP, linestyle=":", linewidth=0.9)
        drawn += rows(name, "lambda_plus", edge, np.nan)
        spikes = values[len(values) - int(row["n_spikes"]) :]
        near = spikes[spikes <= end]
        if len(near):
            axis.plot(
                near, np.zeros(len(near)), "|", color=_SPIKE, markersize=7, markeredgewidth=0.9, zorder=4,
                clip_on=False, transform=axis.get_xaxis_transform(),
            )  # fmt: skip
        drawn += rows(name, "spikes", spikes, np.full(len(spikes), np.nan)) if len(spikes) else []
        if far := len(spikes) - len(near):
            axis.text(
                0.98, 0.97, f"{far} beyond, to {values[-1]:.3g} →", ha="right", va="top", fontsize=6.5, color=_SPIKE,
                transform=axis.transAxes,
            )  # fmt: skip
    axis.set(xlim=(0, 1.02 * end), ylim=(0, top))
    axis.yaxis.get_major_locator().set_params(nbins=4)
    state = [rf"$\alpha = {row['alpha']:.2f}$" if np.isfinite(row["alpha"]) else "no tail fitted"]
    state += [str(row["phase"])] if known else ["no bulk"]
    axis.set_title(f"{name}\n{', '.join(state)}", fontsize=7, loc="left", pad=3, linespacing=1.2)
    return drawn


def handles() -> list[Patch | Line2D]:
    """Legend entries of `panel`."""
    return [
        Patch(color=_DATA, alpha=0.35, label="eigenvalues"),
        Line2D([], [], color=_MP, label="Marchenko-Pastur bulk"),
        Line2D([], [], color=_MP, linestyle=":", linewidth=0.9, label=r"edge $\lambda_+$"),
        Line2D([], [], color=_SPIKE, marker="|", linestyle="none", markersize=7, label="spikes"),
    ]
