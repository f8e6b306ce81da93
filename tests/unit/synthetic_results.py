"""Made-up results in the shape of the stages' tables, for tests of figures and tables."""

import numpy as np
import pandas as pd

from htsr.metrics.averages import average_layers
from htsr.statistics.metrics_table import combine
from htsr.statistics.regression import COLUMNS, Sampling, regress

_EMPTY = {"status": "0 values, fewer than the minimum tail of 10", "n_eigenvalues": 0}


def spectra_rows(seed, weights=3, slices=1, zero=(), failed=()):
    """Rows of {series}_layers.csv of one model; those in `zero` are all zero, those in `failed` not finite."""
    rng = np.random.default_rng(seed)
    rows = []
    for weight in range(weights):
        for position in range(slices):
            name = f"layer_{weight}.conv"
            alpha, null, log_max, n_tail = rng.uniform(1.8, 6), rng.uniform(2, 7), rng.normal(-0.3, 0.3), 15
            row = {
                **{"layer": f"{name}[0,{position}]" if slices > 1 else name, "weight_layer": name},
                **{"kind": "conv2d", "n": 128, "m": 64, "q": 2.0},
            }
            if weight in zero:
                row |= _EMPTY
            elif weight in failed:
                row |= {"status": "NaN or infinite entries"}
            else:
                row |= {
                    **{"n_eigenvalues": 64, "alpha": alpha, "alpha_stderr": 0.3, "n_tail": n_tail, "xmin": 0.1},
                    **{
                        "alpha_low": alpha - 0.4,
                        "alpha_high": alpha + 0.5,
                        "ks_distance": 0.08,
                        "p_value": rng.random(),
                    },
                    **{"best_fit": str(rng.choice(["PL", "TPL", "lognormal"])), "alpha_hill": alpha, "status": "ok"},
                    **{
                        "alpha_null": null,
                        "alpha_null_std": 1.0,
                        "alpha_null_z": alpha - null,
                        "alpha_null_p": rng.random(),
                        "alpha_null_all": f"{null - 1:.6g} {null + 1:.6g}",
                    },
                    **{"lambda_max": 10**log_max, "log_spectral_norm": log_max, "alpha_weighted": alpha * log_max},
                    **{"log_norm": rng.normal(1, 0.2), "log_alpha_norm": rng.normal(1, 0.3), "phase": "BULK+SPIKES"},
                    **{
                        "log_stable_rank": rng.normal(2, 2),
                        "stable_rank": 9.0,
                        "mp_softrank": 0.4,
                        "entropy": rng.random(),
                    },
                }
            rows.append(row)
    return pd.DataFrame(rows)


def experiment(series, **settings):
    """Tables (metrics, layers, regressions) of {series: number of models}; settings: see spectra_rows."""
    metrics, layers = measured(series, **settings)
    return metrics, layers, regressions(metrics)


def measured(series, **settings):
    """Tables (metrics, layers) of an experiment."""
    columns = list(spectra_rows(0).columns)
    metrics, layers = [], []
    for order, (name, count) in enumerate(series.items()):
        for index in range(count):
            rows = spectra_rows(100 * order + index, **settings).reindex(columns=columns)
            model = f"{name}_{index}"
            header = {
                **{"series": name, "model": model, "title": f"Net & Co_{index}", "dataset": "digits"},
                **{"accuracy": 90 + index, "error": 10 - index, "train_accuracy": 99.0, "accuracy_source": "run log"},
                **{"n_parameters": 12345 * (index + 1), "depth": index + 3},
            }
            metrics.append(header | average_layers(rows))
            layers.append(rows.assign(series=name, model=model))
    return pd.DataFrame(metrics), pd.concat(layers, ignore_index=True)


def regressions(metrics):
    """The regressions of a table of models, with few resamples; none where no model has an accuracy."""
    if metrics["accuracy"].notna().sum() == 0:
        return pd.DataFrame(columns=list(COLUMNS))
    return regress(combine({"metrics": metrics}), Sampling(resamples=50))


def verdicts():
    """Rows of claims.csv: a share, a count, and a claim that was not measured."""
    keys = [
        "claim",
        "paper",
        "source",
        "statement",
        "effect",
        "effect_low",
        "effect_high",
        "p_value",
        "n",
        "verdict",
        "reason",
    ]
    share, count = "α lies in [2, 5] for 100% of layers.", "λ_max grows & α̂ falls."
    return pd.DataFrame(
        [
            ["in_range", "letter", "Letter, eq. 1", share, 0.83, 0.8, 0.86, 1e-9, 400, "supported", "80 > 50"],
            ["larger", "letter", "Letter_2", count, 3.0, 1.0, 4.0, 0.04, 5, "not supported", "layer_1 <-> layer_2"],
            ["none", "other", "Letter", "Nothing.", None, None, None, None, 0, "inconclusive", "not measured"],
        ],
        columns=keys,
    )  # fmt: skip
