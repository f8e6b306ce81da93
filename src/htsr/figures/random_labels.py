"""Networks trained on true and on random labels: spectra of one layer, exponents, norms, distances and accuracies."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from htsr.figures import batch_esds, style, sweeps
from htsr.files import Arrays

AXIS = "label_noise"
_COLUMNS = ("alpha", "log_norm", "log_spectral_norm", "stable_rank", "distance")
_DRAWN = ["panel", "curve", "x", "x_high", "y", "network", "value", "low", "high", "n"]


def draw(
    table: pd.DataFrame,
    networks: pd.DataFrame,
    axes: Sequence[str],
    spectra: Arrays,
    layer: str | None,
    spike_level: float,
) -> tuple[Figure, pd.DataFrame]:
    """Above, a layer's spectrum at the least and the greatest share of random labels, in the network of the first seed
    (`htsr.figures.batch_esds`); below, measures of every layer and accuracies against that share.

    table, networks, spectra: of one sweep over label_noise (`htsr.figures.sweeps`), in their last states; axes: all
    settings that it varies. Means over seeds have 95 % intervals by Student's t. Returns the figure and what it shows:
    panel, curve, and x, x_high, y of the spectra or x, network (of a single point), value, low, high, n.
    """
    rows, lost = sweeps.usable(table, networks, axes)
    rows, other = sweeps.fixed(rows, axes, [AXIS])
    final = rows[rows["final"] & rows["lambda_max"].gt(0)]
    if final.empty:
        return style.message("No network of this sweep has a spectrum."), pd.DataFrame(columns=_DRAWN)
    layer = sweeps.choose(final, layer)
    names, beyond = sweeps.layers(final)
    at = sweeps.places(final[AXIS], AXIS)
    own = final[final["weight_layer"] == layer]
    ends = list(dict.fromkeys([min(at), max(at)]))
    figure = style.new_figure(6.3)
    cells = figure.add_gridspec(3, 1, height_ratios=[1.3, 1, 1])
    top = [figure.add_subplot(cell) for cell in cells[0].subgridspec(1, len(ends))]
    panels = [figure.add_subplot(cell) for row in (1, 2) for cell in cells[row].subgridspec(1, 3)]
    drawn = []
    for axis, value in zip(top, ends, strict=True):
        row = own[own[AXIS] == value].iloc[0].to_dict()
        name = f"{sweeps.printed(100 * value)} % random labels"
        drawn += batch_esds.panel(axis, name, row, sweeps.spectrum_of(spectra, row), spike_level)
        axis.set_xlabel(r"eigenvalue $\lambda$")
    top[0].set_ylabel(r"density $\rho(\lambda)$")
    means = sweeps.per_layer(final, _COLUMNS, [AXIS])
    for axis, column in zip(panels, _COLUMNS, strict=False):
        drawn += sweeps.by_layer(axis, means, names, AXIS, column, at)
    drawn += sweeps.accuracies(panels[-1], final, list(sweeps.NETWORK), AXIS, at)
    for axis in panels:
        sweeps.prepare_axis(axis, at, AXIS, 1.6)
    handles = [*batch_esds.handles(), *sweeps.layer_handles(names)]
    figure.legend(handles=handles, loc="outside upper center", ncols=5, columnspacing=1.2)
    sweeps.footnote(
        figure,
        style.eigenvalues_of(spectra.header["normalization"]),
        f"Spectra: {style.plain(layer, 30)}, first seed",
        *(sweeps.INTERVALS, other, beyond, lost),
    )
    return figure, pd.DataFrame(drawn, columns=_DRAWN)
