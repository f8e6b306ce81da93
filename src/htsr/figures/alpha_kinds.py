"""The exponents of all matrices of an experiment together, and apart by kind of layer."""

import pandas as pd
from matplotlib.figure import Figure

from htsr.figures import style
from htsr.figures.alpha_histogram import histograms, percent
from htsr.tables.labels import UNIVERSAL

ALL = "all"
LIMITS = (5.0, 6.0)  # of alpha: "80-90 % < 5" stands in the tutorial (Power Law Universality: ImageNet)
_KINDS = {
    ALL: "all layers",
    "linear": "linear layers",
    "conv2d": "2-D convolutions (feature maps)",
    "conv1d": "1-D convolutions",
    "conv3d": "3-D convolutions",
    "hf_conv1d": "linear layers of GPT (Conv1D)",
    "embedding": "embeddings",
}


def draw(layers: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Histograms of alpha over all layers and over each kind of layer, over the outline of the null's.

    layers: one row a spectrum, with kind, alpha and alpha_null_all. The shares in [2, 5], below 5 and below 6 stand
    above each panel; otherwise as `htsr.figures.alpha_histogram.draw`. One kind alone is drawn once, under its name.
    """
    kinds = {str(kind): own for kind, own in layers.groupby("kind", sort=False)}
    groups = kinds if len(kinds) == 1 else {ALL: layers} | kinds
    return histograms("group", groups, _title, _shares)


def _title(kind: str, width: int) -> str:
    return style.plain(_KINDS.get(kind, kind.replace("_", " ")), width)


def _shares(alpha: pd.Series, null: pd.Series) -> list[str]:
    """Median and shares in the ranges of the matrices, then of the permuted ones."""
    clauses = [f"$n = {len(alpha)}$, median {alpha.median():.2f}; {_ranges(alpha)}"]
    if len(null):
        clauses.append(f"permuted {null.median():.2f}; {_ranges(null)}")
    return clauses


def _ranges(alpha: pd.Series) -> str:
    low, high = UNIVERSAL
    below = (f"$<${limit:g}: {percent(alpha < limit)}" for limit in LIMITS)
    return ", ".join([f"[{low:g}, {high:g}]: {percent(alpha.between(*UNIVERSAL))}", *below])
