"""The exponents of permuted matrices, as the tables of layers carry them."""

import pandas as pd


def null_alphas(layers: pd.DataFrame) -> pd.Series:
    """Alpha of every permutation of every matrix, from column `alpha_null_all`, under the index of the matrix's row."""
    joined = layers["alpha_null_all"].dropna().astype(str)
    return joined.str.split().explode().astype(float)
