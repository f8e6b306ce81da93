"""From the spectra of Jacobians to one row of numbers for each network."""

import numpy as np
import pandas as pd

OF_SPECTRA = {
    "jacobian_alpha": ("softmax", "alpha"),
    "jacobian_alpha_stderr": ("softmax", "alpha_stderr"),
    "jacobian_log_lambda_max": ("softmax", "log_spectral_norm"),
    "jacobian_logit_alpha": ("logit", "alpha"),
    "jacobian_logit_alpha_stderr": ("logit", "alpha_stderr"),
    "jacobian_correlation_alpha": ("correlation", "alpha"),
    "jacobian_correlation_alpha_stderr": ("correlation", "alpha_stderr"),
}
"""Column of a network: (spectrum, column of it)."""

OF_LISTING = {
    "jacobian_rank": "rank",
    "jacobian_effective_rank": "effective_rank",
    "jacobian_alignment": "correlation_alignment",
}
"""Column of a network: column of the state."""

LOGARITHMS = {"jacobian_log_norm": "norm", "jacobian_logit_log_norm": "logit_norm"}
"""Column of a network: column of the state that it is the decimal logarithm of."""

COLUMNS = (*OF_SPECTRA, *OF_LISTING, *LOGARITHMS)


def of_networks(jacobians: pd.DataFrame) -> pd.DataFrame:
    """COLUMNS of every network (the index) in its final state; missing where a fit failed or there is no Jacobian.

    jacobians: one row for each network, state and spectrum (collect_jacobians).
    """
    final = jacobians[jacobians["final"].astype(bool)]
    networks = pd.Index(final["network"].drop_duplicates(), name="network")
    columns = {}
    for name, (spectrum, column) in OF_SPECTRA.items():
        columns[name] = final[final["spectrum"] == spectrum].set_index("network")[column]
    states = final.drop_duplicates("network").set_index("network")
    for name, column in OF_LISTING.items():
        columns[name] = states[column]
    for name, column in LOGARITHMS.items():
        columns[name] = np.log10(states[column].where(states[column] > 0))
    return pd.DataFrame(columns, index=networks)
