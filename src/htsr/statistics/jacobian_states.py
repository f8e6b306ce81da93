"""One row of numbers for each state of each network's Jacobian, from the table of its spectra (collect_jacobians)."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from htsr.spectra.distances import log_eigenvalues, wasserstein

KEYS = ["collection", "network", "state"]

SPECTRA = ("softmax", "centred", "correlation", "diagonal", "diagonal_x", "logit", "parameters")

OF_SPECTRA = (
    *("alpha", "alpha_low", "alpha_high", "alpha_stderr", "alpha_null", "alpha_null_std", "p_value", "best_fit"),
    *("lambda_max", "log_spectral_norm", "status"),
)
"""Columns of a spectrum that become `<spectrum>_<column>` of a state."""

OF_STATES = (
    *("epoch", "final", "n_examples", "classes", "pixels", "part", "accuracy_on_examples", "confidence"),
    *("n_saturated", "norm", "norm_stderr", "logit_norm", "logit_norm_stderr", "rank", "effective_rank"),
    *("largest_diagonal", "top_example", "mean_diagonal", "alignment", "alignment_null", "alignment_null_std"),
    *("correlation_alignment", "correlation_alignment_null", "correlation_alignment_null_std", "logit_alignment"),
    *("logit_alignment_null", "logit_alignment_null_std", "within", "between", "class_share", "class_share_null"),
    "participation",
)
"""Columns of a state that it keeps under their names."""

DERIVED = ("log_jacobian_norm", "log_largest_diagonal", "log_top_ratio", "log_equal_norms")

DISTANCES = ("diagonal_energy", "diagonal_distance", "null_distance", "null_excess")


def states(jacobians: pd.DataFrame) -> pd.DataFrame:
    """One row for each collection, network and state: OF_STATES, `<spectrum>_<column>` and DERIVED.

    jacobians: one row a spectrum, or a state without any. DERIVED are decimal logarithms of
        log_jacobian_norm      mean ‖J(x_i)‖_F
        log_largest_diagonal   max M_ii
        log_top_ratio          λmax(M)/max M_ii, at least 0: 0 where the diagonal alone makes λmax
        log_equal_norms        λmax of the correlation matrix times mean M_ii: λmax if all rows had the same norm
    """
    first = jacobians.drop_duplicates(KEYS)[[*KEYS, *OF_STATES]]
    spectra = jacobians[jacobians["spectrum"].notna()].set_index([*KEYS, "spectrum"])[list(OF_SPECTRA)]
    wide = spectra.unstack("spectrum")
    wide.columns = [f"{spectrum}_{column}" for column, spectrum in wide.columns]
    table = first.merge(wide.reset_index(), on=KEYS, how="left")
    named = [f"{spectrum}_{column}" for spectrum in SPECTRA for column in OF_SPECTRA]
    table = table.reindex(columns=[*table, *(name for name in named if name not in table)]).copy()

    def log(values: pd.Series) -> pd.Series:
        return np.log10(values.where(values > 0))

    return table.assign(
        final=table["final"].astype(bool),
        log_jacobian_norm=log(table["norm"]),
        log_largest_diagonal=log(table["largest_diagonal"]),
        log_top_ratio=log(table["softmax_lambda_max"] / table["largest_diagonal"]),
        log_equal_norms=log(table["correlation_lambda_max"] * table["mean_diagonal"]),
    )


def with_distances(table: pd.DataFrame, eigenvalues: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """The table of `states` with DISTANCES, NaN where a spectrum is missing.

    eigenvalues: by <network>/<state>/<spectrum>, and null/<...> (compute_jacobian).
        diagonal_energy     Σ M_ii²/‖M‖_F²: above 1/2 in every strictly diagonally dominant matrix, whose off-diagonal
                            row sums bound the squares
        diagonal_distance   Wasserstein distance of ln λ of M and of ln M_ii
        null_distance       the same of M and of matrices with the same diagonal and random directions of the rows, mean
        null_excess         that less the mean distance between two of these
    """
    rows = [_distances(f"{row.network}/{row.state}", eigenvalues) for row in table.itertuples()]
    return table.assign(**{name: [row.get(name, np.nan) for row in rows] for name in DISTANCES})


def _distances(prefix: str, eigenvalues: Mapping[str, np.ndarray]) -> dict[str, float]:
    names = f"{prefix}/softmax", f"{prefix}/diagonal"
    if any(name not in eigenvalues for name in names):
        return {}
    whole, diagonal = (np.asarray(eigenvalues[name]) for name in names)
    square = float((whole**2).sum())
    logs = log_eigenvalues(whole)
    found = {
        "diagonal_energy": float((diagonal**2).sum()) / square if square > 0 else np.nan,
        "diagonal_distance": wasserstein(logs, log_eigenvalues(diagonal)),
    }
    null = [log_eigenvalues(values) for values in eigenvalues.get(f"null/{names[0]}", ())]
    if null:
        found["null_distance"] = float(np.mean([wasserstein(logs, other) for other in null]))
    if len(null) > 1:
        among = [wasserstein(one, other) for i, one in enumerate(null) for other in null[:i]]
        found["null_excess"] = found["null_distance"] - float(np.mean(among))
    return found


def concentrations(patterns: np.ndarray) -> np.ndarray:
    """Σ q_c² of each direction's pattern over the classes (r x k), q_c the share of class c in its square.

    1/k where it acts on all classes alike, 1/2 where one class gains what another loses.
    """
    squares = patterns**2
    return ((squares / squares.sum(axis=1, keepdims=True)) ** 2).sum(axis=1)


def random_concentration(classes: int) -> float:
    """Mean of `concentrations` over patterns of sum 0 and random direction.

    A unit vector that is uniform in the k - 1 dimensions orthogonal to 1 has E u_c⁴ = 3 (1 - 1/k)²/((k - 1)(k + 1)).
    """
    return 3 * (classes - 1) / (classes * (classes + 1))
