"""Invented Jacobians in the shape of collect_jacobians' table, for tests of claims, tables and values."""

import numpy as np
import pandas as pd

SPECTRA = ("softmax", "centred", "correlation", "diagonal", "diagonal_x", "logit")
EXAMPLES, CLASSES = 40, 4


def state(collection, network, strength=1.0, name="final", epoch=5, **columns):
    """One state of a network: the stronger, the heavier its tail, the more of M lies on its diagonal and the more it
    is aligned with the classes. columns: in place of those made."""
    made = {"collection": collection, "network": network, "state": name, "epoch": epoch, "final": name == "final"}
    return made | {"strength": strength} | columns


def jacobians(states, seed=0, noise=0.01):
    """(table, eigenvalues, patterns) of states made by `state`: one row a spectrum."""
    rng, rows, eigenvalues, patterns = np.random.default_rng(seed), [], {}, {}
    for row in map(dict, states):
        strength = row.pop("strength") + noise * rng.standard_normal()
        place = f"{row['network']}/{row['state']}"
        diagonal = np.sort(np.exp(rng.normal(0, 1 + strength, EXAMPLES)))
        whole = np.sort(diagonal * np.exp(rng.normal(0, 1, EXAMPLES)))
        whole *= diagonal.sum() / whole.sum()
        found = {
            "n_examples": EXAMPLES,
            **{"classes": CLASSES, "pixels": 16, "part": "test", "accuracy_on_examples": 90.0, "confidence": 0.9},
            **{"n_saturated": 0, "norm": 0.5 / strength, "norm_stderr": 0.01, "logit_norm": 3.0, "rank": EXAMPLES},
            **{"logit_norm_stderr": 0.1, "effective_rank": 10 / strength, "largest_diagonal": diagonal[-1]},
            **{"top_example": 0.2, "mean_diagonal": diagonal.mean(), "within": 0.2 + 0.1 * strength, "between": 0.1},
            **{"class_share": 0.3, "class_share_null": 0.1, "participation": 0.1},
        }
        for prefix in ("", "correlation_", "logit_"):
            found |= {f"{prefix}alignment": 0.2 * strength, f"{prefix}alignment_null": 0.02}
            found[f"{prefix}alignment_null_std"] = 0.001
        for index, spectrum in enumerate(SPECTRA):
            values = {"softmax": whole, "diagonal": diagonal}.get(spectrum, whole / whole[-1])
            eigenvalues[f"{place}/{spectrum}"] = values
            alpha = 4 - strength + 0.2 * index
            rows.append(
                found
                | {"spectrum": spectrum, "alpha": alpha, "alpha_low": alpha - 0.3, "alpha_high": alpha + 0.3}
                | {"alpha_stderr": 0.1, "alpha_null": 6.0, "alpha_null_std": 1.0, "p_value": 0.5, "best_fit": "TPL"}
                | {"lambda_max": values[-1], "log_spectral_norm": np.log10(values[-1]), "status": "ok"}
                | row
            )
        eigenvalues[f"null/{place}/softmax"] = diagonal * np.exp(rng.normal(0, 0.1, (3, EXAMPLES)))
        pairs = np.zeros((3, CLASSES))
        pairs[:, :2] = [1, -1]
        patterns[f"{place}/patterns"] = pairs + 0.05 * rng.standard_normal(pairs.shape)
        patterns[f"{place}/moved"] = np.array([[0.3, 0.0, 0.25]] * 3)
    return pd.DataFrame(rows), eigenvalues, patterns
