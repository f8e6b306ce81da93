"""Complexity of selected layers: scree plots, densities of singular values and eigenvalues, entropy and stable rank."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from htsr.figures import esd, style
from htsr.figures.esd import Shown
from htsr.metrics import norms, ranks

MOST = 5  # spectra that fit on a page
_DRAWN = ["model", "layer", "panel", "curve", "x", "x_high", "y"]
_DATA = style.COLORS[0]


def draw(shown: Sequence[Shown], without: Sequence[str] = ()) -> tuple[Figure, pd.DataFrame]:
    """For each spectrum the singular values by rank, and the densities of singular values and of eigenvalues.

    All beside those of the permuted matrices, which stand for the initial weights: these are entries in random places
    with the same distribution as the trained ones. Above each row the matrix entropy and the stable rank (Martin and
    Mahoney 2018, arXiv 1810.01075, section 2), with mean and standard deviation over the permutations. without: models
    of which no spectrum can be drawn. Returns the figure and its curves.
    """
    left_out = len(shown) - MOST
    shown = list(shown)[:MOST]
    if not shown:
        return style.message("No spectrum of this experiment has a fitted tail."), pd.DataFrame(columns=_DRAWN)
    figure = style.new_figure(0.75 + (2.3 if len(shown) == 1 else 1.3) * len(shown))
    panels = figure.subplots(len(shown), 3, squeeze=False)
    drawn = []
    for row, item in zip(panels, shown, strict=True):
        keys = {"model": item.model, "layer": item.spectrum.name}
        drawn += [keys | entry for entry in _panels(row, item)]
        row[0].set_title(esd.name(item, 30), fontsize=7, loc="left", linespacing=1.2, pad=3)
        entropy = _compared(item, "entropy", 4, partial(ranks.entropy, n=item.spectrum.n))
        row[1].set_title(entropy, fontsize=7, loc="left", linespacing=1.2, pad=3)
        stable_rank = _compared(item, "stable_rank", 2, ranks.stable_rank)
        row[2].set_title(stable_rank, fontsize=7, loc="left", linespacing=1.2, pad=3)
        row[0].set_ylabel(r"$\nu_i$")
        row[1].set_ylabel(r"density $\rho(\nu)$")
        row[2].set_ylabel(r"density $\rho(\lambda)$")
    for axis, text in zip(panels[-1], ("rank $i$", r"singular value $\nu$", r"eigenvalue $\lambda$"), strict=True):
        axis.set_xlabel(text)
    null = max(len(item.spectrum.null) for item in shown)
    _legend(figure, null > 0)
    style.footnote(
        figure,
        r"$\nu$: singular values of $\mathbf{W}$; $\lambda$: eigenvalues"
        + style.eigenvalues_of(*sorted({item.spectrum.normalization for item in shown})).removeprefix("Eigenvalues"),
        null > 0 and f"Permuted: mean ± s.d. over {null}",
        left_out > 0 and f"{left_out} more not shown",
        bool(without) and f"No fit: {style.plain(', '.join(without), 30)}",
    )
    return figure, pd.DataFrame(drawn, columns=_DRAWN)


def _panels(row: Sequence[Axes], item: Shown) -> list[dict]:
    """Draw one spectrum; returns its curves."""
    scree, *densities = row
    to_w = norms.per_gram(item.spectrum)
    eigenvalues = {"trained": item.spectrum.eigenvalues, "permuted": item.spectrum.null}
    eigenvalues = {curve: values for curve, values in eigenvalues.items() if len(values)}
    singular = {curve: np.sqrt(to_w * values) for curve, values in eigenvalues.items()}
    drawn = []
    for curve, values in singular.items():
        descending = np.atleast_2d(values)[:, ::-1]
        rank, mean = np.arange(1, descending.shape[1] + 1), descending.mean(axis=0)
        if curve == "trained":
            scree.plot(rank, mean, ".", color=_DATA, markersize=2.5, zorder=3)
        else:
            scree.plot(rank, mean, color=style.NULL, zorder=2)
        drawn += [{"panel": "scree", "curve": curve, "x": x, "y": y} for x, y in zip(rank, mean, strict=True)]
    scree.set(xlim=(0, None), ylim=(0, None))
    for name, axis, samples in zip(("singular values", "eigenvalues"), densities, (singular, eigenvalues), strict=True):
        count = len(item.spectrum.eigenvalues)
        top = max(sample.max() for sample in samples.values())
        edges = np.linspace(0, top * (1 + 1e-9), int(np.clip(2.5 * np.sqrt(count), 12, 60)) + 1)
        for curve, sample in samples.items():
            heights = np.histogram(sample, edges)[0] / (sample.size * np.diff(edges))
            filled = {"fill": True, "alpha": 0.35, "color": _DATA} if curve == "trained" else {"color": style.NULL}
            axis.stairs(heights, edges, **filled)
            drawn += [
                {"panel": name, "curve": curve, "x": low, "x_high": high, "y": height}
                for low, high, height in zip(edges[:-1], edges[1:], heights, strict=True)
            ]
        axis.set(xlim=(0, top * 1.02), ylim=(0, None))
    for axis in row:
        axis.xaxis.get_major_locator().set_params(nbins=5)
        axis.yaxis.get_major_locator().set_params(nbins=4)
    return drawn


def _compared(item: Shown, column: str, digits: int, measure: Callable[[np.ndarray], float]) -> str:
    """A measure of the spectrum, and its mean and standard deviation over the permutations, in two lines."""
    null = np.array([measure(values) for values in item.spectrum.null])
    text = f"{style.symbol(column)} = {measure(item.spectrum.eigenvalues):.{digits}f}"
    if len(null):
        text += f"\npermuted {null.mean():.{digits}f}" + (f" ± {null.std(ddof=1):.{digits}f}" if len(null) > 1 else "")
    return text


def _legend(figure: Figure, null: bool) -> None:
    handles = [Patch(color=_DATA, alpha=0.35, label="trained weights")]
    if null:
        handles.append(
            Line2D([], [], color=style.NULL, label="their elements permuted (in place of the initial weights)")
        )
    figure.legend(handles=handles, loc="outside upper center", ncols=2)
