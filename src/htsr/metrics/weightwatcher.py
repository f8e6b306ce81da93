"""Results of weightwatcher, as others have published them, in the columns of this project."""

import numpy as np
import pandas as pd

from htsr.errors import InputError

# Columns of the table of details that weightwatcher 0.2.7 writes: λ are eigenvalues of WᵀW, without 1/N.
_COLUMNS = {
    "N": "n",
    "M": "m",
    "alpha": "alpha",
    "alpha_weighted": "alpha_weighted",
    "spectral_norm": "lambda_max",
    "log_norm": "log_norm",
    "log_spectral_norm": "log_spectral_norm",
    "log_alpha_norm": "log_alpha_norm",
    "stable_rank": "stable_rank",
    "mp_softrank": "mp_softrank",
    "sigma_mp": "sigma_mp",
    "numofSpikes": "n_spikes",
}
_KINDS = {"DENSE": "linear", "CONV1D": "linear", "CONV2D": "conv2d"}
_MATRIX = "LEVEL.SLICE"  # rows of matrices; the others are means over the matrices of a layer
_ROUNDING = 0.02  # of log10 λmax: weightwatcher takes λmax for α from another decomposition, in single precision
NORMALIZATION = "none"


def from_details(details: pd.DataFrame) -> pd.DataFrame:
    """One row a matrix, with columns as in collect_metrics/{series}_layers.csv, from weightwatcher's table of details.

    Slices of a convolution are numbered. status: "ok", or "no exponent" where alpha is missing or not above 1, whose
    numbers are then empty. Raises InputError for a table without these columns, without rows of matrices or their
    sizes, and where alpha_weighted is not alpha log10 λmax: columns of another meaning.
    """
    missing = [name for name in ("layer_id", "layer_type", "level", *_COLUMNS) if name not in details]
    if missing:
        raise InputError(f"no column {', '.join(missing)}: not a table of weightwatcher's details")
    rows = details[details["level"] == _MATRIX].reset_index(drop=True)
    if rows.empty:
        raise InputError(f"no row has the level {_MATRIX}: not a table of weightwatcher's details")
    numbers = rows[list(_COLUMNS)].rename(columns=_COLUMNS).apply(pd.to_numeric, errors="coerce").astype(float)
    sizes = numbers[["n", "m"]]
    if not (sizes >= 1).all(axis=None):
        raise InputError("a matrix has no N or M: not a table of weightwatcher's details")
    fitted = numbers["alpha"] > 1
    log_lambda_max = np.log10(numbers["lambda_max"].where(numbers["lambda_max"] > 0))
    if not (np.abs(numbers["alpha_weighted"] / numbers["alpha"] - log_lambda_max)[fitted] < _ROUNDING).all():
        raise InputError("alpha_weighted is not alpha log10 spectral_norm: columns of another meaning")
    numbers = numbers.where(fitted, np.nan).assign(**sizes.astype(int))
    layer = rows["layer_id"].astype(str)
    slices = layer.groupby(layer).cumcount().astype(str)
    single = layer.groupby(layer).transform("size") == 1
    numbers.insert(0, "layer", layer.where(single, layer + "[" + slices + "]"))
    numbers.insert(1, "weight_layer", layer)
    numbers.insert(2, "kind", rows["layer_type"].map(_KINDS).fillna("unknown"))
    return numbers.assign(status=np.where(fitted, "ok", "no exponent"))
