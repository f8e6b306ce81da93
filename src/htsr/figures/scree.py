"""Singular values and spectral densities of every layer of one network before and after training."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from htsr.errors import InputError
from htsr.figures import style, sweeps
from htsr.figures.densities import DRAWN, line, log_ticks, rows
from htsr.figures.esd import DECADES
from htsr.files import Arrays
from htsr.metrics import norms

MOST = 4  # layers that fit on a page
_LOOKS = (
    ("before training", {"color": style.NULL, "linestyle": "--"}),
    ("after training", {"color": style.COLORS[0], "linestyle": "-"}),
)


def draw(
    table: pd.DataFrame, networks: pd.DataFrame, axes: Sequence[str], spectra: Arrays, network: str | None
) -> tuple[Figure, pd.DataFrame]:
    """For each layer, of several matrices the first: singular values of W by rank, and the density of eigenvalues.

    table, networks, spectra: of one sweep (`htsr.figures.sweeps`); axes: settings that it varies. network: null for the
    first. The densities are on logarithmic axes, over DECADES. Returns the figure and what it shows: panel,
    curve, x (rank, or eigenvalue: of a bin to x_high), y. Raises InputError where the named network is not there or
    diverged.
    """
    found, _ = sweeps.usable(table, networks, axes)
    found = found[found["lambda_max"].gt(0)]
    if network is not None and network not in set(found["network"]):
        raise InputError(f"network {network!r} is none of the sweep, diverged or has no spectra: correct `network`")
    if found.empty:
        return style.message("No network of this sweep has a spectrum."), pd.DataFrame(columns=DRAWN)
    network = network or found["network"].iloc[0]
    own = found[found["network"] == network]
    names, beyond = sweeps.layers(own, MOST)
    figure = style.new_figure(0.8 + (2.4 if len(names) == 1 else 1.75) * len(names))
    panels = figure.subplots(len(names), 2, squeeze=False)
    drawn = []
    for (scree, density), name in zip(panels, names, strict=True):
        layer = own[own["weight_layer"] == name]
        states = [state for _, state in layer.groupby("epoch")]  # ascending
        final = layer[layer["final"]]
        ends = [states[0].iloc[0], (final if len(final) else states[-1]).iloc[0]]
        drawn += _panels(scree, density, name, ends[: 1 + (ends[0]["epoch"] != ends[1]["epoch"])], spectra)
        title = f"{style.plain(ends[0]['layer'], 34)}, {ends[0]['n']} × {ends[0]['m']}"
        scree.set_title(title, fontsize=7, loc="left", pad=3)
        density.set_title(
            f"distance {ends[1]['distance']:.2g}" if np.isfinite(ends[1]["distance"]) else "", fontsize=7, loc="left",
            pad=3,
        )  # fmt: skip
        scree.set_ylabel(r"singular value $\nu_i$")
        density.set_ylabel(r"density $\rho(\lambda)$")
    panels[-1, 0].set_xlabel(r"rank $i$")
    panels[-1, 1].set_xlabel(r"eigenvalue $\lambda$")
    handles = [Line2D([], [], label=name, **look) for name, look in _LOOKS]
    figure.legend(handles=handles, loc="outside upper center", ncols=2)
    sweeps.footnote(
        figure,
        style.eigenvalues_of(spectra.header["normalization"]),
        f"Network {style.plain(network, 44)}",
        r"Distance: $\|\mathbf{W}-\mathbf{W}_0\|/\|\mathbf{W}_0\|$ of the layer",
        beyond,
    )
    return figure, pd.DataFrame(drawn, columns=DRAWN)


def _panels(scree: Axes, density: Axes, name: str, ends: Sequence[pd.Series], spectra: Arrays) -> list[dict]:
    """Both panels of one layer; returns their curves."""
    found = [sweeps.spectrum_of(spectra, row) for row in ends]
    drawn = []
    for spectrum, (curve, look) in zip(found, _LOOKS, strict=False):
        values = np.sqrt(spectrum.eigenvalues[::-1] * norms.per_gram(spectrum))
        drawn += line(scree, f"{name}: singular values", curve, np.arange(1, len(values) + 1), values, **look)
    scree.set_ylim(bottom=0)
    everything = np.concatenate([spectrum.eigenvalues for spectrum in found])
    positive = everything[everything > 0]
    low, high = max(positive.min(), positive.max() * 10.0**-DECADES), positive.max()
    count = int(np.clip(2 * np.sqrt(len(found[0].eigenvalues)), 12, 40))
    edges = np.geomspace(low * (1 - 1e-9), high * (1 + 1e-9), count + 1)
    curves = [np.histogram(s.eigenvalues, edges)[0] / (len(s.eigenvalues) * np.diff(edges)) for s in found]
    floor = 0.5 * min(heights[heights > 0].min() for heights in curves)
    for heights, (curve, look) in zip(curves, _LOOKS, strict=False):
        filled = {"fill": True, "alpha": 0.3} if curve == _LOOKS[1][0] else {"linewidth": 1.0}
        density.stairs(np.maximum(heights, floor), edges, baseline=floor, color=look["color"], **filled)
        drawn += rows(f"{name}: density", curve, edges, heights)
    density.set(xscale="log", yscale="log", xlim=(low / 1.2, high * 1.3), ylim=(floor, 2 * max(map(np.max, curves))))
    log_ticks(density.xaxis, *density.get_xlim())
    log_ticks(density.yaxis, *density.get_ylim())
    return drawn
