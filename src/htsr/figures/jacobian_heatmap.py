"""Correlations between the Jacobians of examples, ordered by class."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from htsr.figures import jacobian_spectra, jacobians, style, sweeps
from htsr.files import Arrays
from htsr.jacobian.structure import block_means

DRAWN = ["state", "first_class", "second_class", "mean"]
_COLUMNS = 4


def draw(
    table: pd.DataFrame, networks: pd.DataFrame, details: Sequence[Arrays], dataset: str
) -> tuple[Figure, pd.DataFrame]:
    """For each state of `jacobian_spectra.chosen` the n x n matrix of cosines between the rows of 𝒥, examples ordered
    by class, above its means between classes, pairs of an example with itself left out.

    table: of collect_jacobians; networks: tables of the networks, put together; details: files of compute_jacobian with
    the matrices; dataset: name of the images. Returns the figure and the means.
    """
    shown = jacobian_spectra.chosen(jacobians.measured(table), networks)
    kept = [(row, _matrix(details, row)) for row in shown]
    kept = [(row, found) for row, found in kept if found is not None]
    if not kept:
        return style.message("No network of this experiment has Jacobians in detail."), pd.DataFrame(columns=DRAWN)
    beyond, kept = len(kept) - _COLUMNS, kept[:_COLUMNS]
    names = jacobian_spectra.state_names([row for row, _ in kept])
    figure = style.new_figure(3.6)
    panels = figure.subplots(2, len(kept), squeeze=False)
    drawn, image = [], None
    for (above, below), name, (row, (matrix, labels)) in zip(panels.T, names, kept, strict=True):
        image = above.imshow(matrix, vmin=-1, vmax=1, cmap="RdBu_r", interpolation="nearest", rasterized=True)
        means = block_means(np.asarray(matrix, float), np.asarray(labels))
        below.imshow(means, vmin=-1, vmax=1, cmap="RdBu_r", interpolation="nearest")
        edges = np.flatnonzero(np.diff(labels)) + 0.5
        for place in edges:
            above.axhline(place, color="0.3", linewidth=0.25)
            above.axvline(place, color="0.3", linewidth=0.25)
        middles = [np.flatnonzero(labels == label).mean() for label in np.unique(labels)]
        above.set(xticks=[], yticks=middles)
        above.set_yticklabels(np.unique(labels), fontsize=5)
        below.set(xticks=range(len(means)), yticks=range(len(means)))
        below.tick_params(labelsize=5, length=1.5)
        above.tick_params(length=0)
        above.set_title(f"{name}\nwithin {row['within']:.2f}, between {row['between']:.2f}", fontsize=7, loc="left")
        drawn += [
            {"state": name, "first_class": i, "second_class": j, "mean": means[i, j]}
            for i, j in np.ndindex(means.shape)
        ]
    panels[0, 0].set_ylabel("examples, by class")
    panels[1, 0].set_ylabel("class")
    for axis in panels[1]:
        axis.set_xlabel("class")
    figure.colorbar(image, ax=panels, label="cosine", shrink=0.6, aspect=30)
    sweeps.footnote(
        figure,
        r"Cosines between the rows of $\mathcal{J}$ (softmax)",
        jacobians.images(pd.DataFrame([row for row, _ in kept]), dataset),
        "Below: means between classes",
        beyond > 0 and f"{style.counted(beyond, 'state')} not shown",
    )
    return figure, pd.DataFrame(drawn, columns=DRAWN)


def _matrix(details: Sequence[Arrays], row: dict) -> tuple[np.ndarray, np.ndarray] | None:
    """The correlations of a state and the classes of its examples, where they were kept."""
    name = f"{row['network']}/{row['state']}"
    found = next((arrays for arrays in details if f"{name}/correlation" in arrays), None)
    return None if found is None else (found[f"{name}/correlation"], np.asarray(found[f"{name}/labels"]))
