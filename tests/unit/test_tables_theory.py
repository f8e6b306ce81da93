"""The values of random matrices, estimators and smoothed models that texts name."""

import numpy as np
import pandas as pd
import pytest

from htsr.tables.theory import NAMED, collect, plus_minus
from htsr.tables.values import Values, render
from htsr.tails.validation import validate_all


def ensembles():
    """Rows of collect_ensembles: Gaussian matrices, one of four with a spike, and phases that are right or not."""
    rows = [
        {"law": "gaussian", "n": 600, "m": 300, "lambda_max": 2.9, "lambda_plus": 2.91, "n_spikes": int(i == 0)}
        | {"expected_phase": "RANDOM-LIKE", "phase": "BLEEDING-OUT" if i == 0 else "RANDOM-LIKE"}
        for i in range(4)
    ]
    rows += [rows[1] | {"n": 100, "m": 50, "phase": "BULK-DECAY"}]
    extra = {"ensemble": "e", "q": 2.0, "alpha": 6.0, "log_norm": 2.6, "log_spectral_norm": 0.46}
    table = pd.DataFrame([row | extra for row in rows]).assign(log_stable_rank=11.3, best_fit="PL")
    return table.assign(layer=[f"x[{i}]" for i in range(len(table))], sample=np.arange(len(table)))


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (-1.1457, 0.039, r"$-1.146$ $\pm$ 0.039"),
        (12.34, 3.1, r"12.3 $\pm$ 3.1"),
        (1234.5, 210.0, r"1234 $\pm$ 210"),
        (0.5, np.nan, "0.500"),
        (0.5, 0.0, "0.500"),
    ],
)
def test_a_standard_error_has_two_digits(value, error, text):
    assert plus_minus(value, error) == text


def test_rates_of_spikes_and_phases():
    values = Values()
    collect(values, ensembles(), None, None)
    texts = values.texts
    assert texts["theory.false_alarm"] == "20.0" and texts["theory.false_alarm_n"] == "5"
    assert texts["theory.false_alarm_interval"] == "0.5 to 71.6"  # Clopper and Pearson, 1 of 5
    assert (texts["phases.right"], texts["phases.n"], texts["phases.small"]) == ("75", "4", "0")
    assert texts["phases.random_like"] == "75" and texts["phases.each"] == r"RANDOM-LIKE 75\,\%"
    assert values.flags["phases.large"]
    assert {f"theory.{name}" for name in NAMED} <= texts.keys() and texts["theory.plateau_pareto_pm"] == "--"
    assert "nan" not in render(values)


def test_coverage_and_smoothing():
    values = Values()
    validations = pd.DataFrame(validate_all([50], [2.0], 5, 0, 20))
    row = {"smoothing": "edge", "accuracy_before": 95.0, "accuracy_before_stderr": 0.7, "accuracy_after": 94.0}
    row |= {"accuracy_after_stderr": 0.8, "accuracy_change": -1.0, "accuracy_change_stderr": 0.4}
    other = dict.fromkeys(row, np.nan) | {"smoothing": "other"}
    sizes = {"kept_energy": 0.5, "n_matrices": 3}
    collect(values, None, validations, pd.DataFrame([row | sizes, other | sizes]))
    assert 0 <= float(values.texts["coverage.pareto.bias_corrected.low"]) <= 100
    assert values.texts["coverage.matrix.normal.low"] == "--"
    assert values.texts["smoothing.edge.accuracy_change"] == r"$-1.00$ $\pm$ 0.40"
    assert values.texts["smoothing.other.accuracy_after"] == "--" and values.texts["smoothing.edge.kept_energy"] == "50"
