"""From the spectra of a model to one row of numbers."""

from typing import Any

import pandas as pd

from htsr.errors import InputError
from htsr.metrics.columns import AVERAGED


def join_layers(fits: pd.DataFrame, measures: pd.DataFrame, vectors: pd.DataFrame | None = None) -> pd.DataFrame:
    """Fits, measures and, if given, vectors of one model side by side, one row a spectrum, with its `weight_layer`.

    `status` is "ok" where fits and measures are, else the reason of the fit, else that of the measures.
    Raises InputError where the tables do not list the same layers.
    """
    joined, status = fits, fits["status"].where(fits["status"] != "ok", measures["status"])
    for other, name in ((measures, "measures"), (vectors, "vectors")):
        if other is None:
            continue
        if fits["layer"].tolist() != other["layer"].tolist():
            raise InputError(f"the tables of fits and of {name} list other layers: make both from the same spectra")
        new = [column for column in other.columns if column not in joined.columns]
        joined = pd.concat([joined, other[new]], axis=1)
    weight_layer = joined["layer"].astype(str).str.replace(r"\[[^\[\]]*\]$", "", regex=True)
    joined = joined.drop(columns="status").assign(status=status)
    joined.insert(1, "weight_layer", weight_layer)
    return joined


def average_layers(layers: pd.DataFrame) -> dict[str, Any]:
    """Means over the rows of `join_layers` with status "ok", with the number of rows used and left out.

    Each `<metric>_stderr` is the standard error of the mean, s/√n; empty for fewer than two values. Metrics that the
    rows do not have are left out.
    """
    used = layers[layers["status"] == "ok"]
    row = {"n_matrices": len(used), "n_failed": len(layers) - len(used)}
    for name in [name for name in AVERAGED if name in used]:
        values = used[name].astype(float)
        row |= {name: values.mean(), f"{name}_stderr": values.sem()}
    return row


def depth(weights: pd.DataFrame) -> int:
    """Number of linear, convolutional, recurrent, ... weights in a listing of weights (columns `kind`, `status`).

    Embeddings, weights of unknown kind and second names of a shared weight do not count; small weights do.
    """
    shared = weights["status"].astype(str).str.startswith("the same weight as")
    return int((~weights["kind"].isin(["embedding", "unknown"]) & ~shared).sum())
