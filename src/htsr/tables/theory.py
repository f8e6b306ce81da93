"""Every number of random matrices, estimators and smoothed models that a paper's text may want, ready to print.

theory.<name>                   `htsr.tables.classes.findings`: shares in percent with _interval, means with _pm
phases.right, right_interval    share of matrices of known phase, N >= LARGE, that the rule names right; n
phases.<phase>                  the same of one phase; the name in lower case with _
phases.each                     all of them in one phrase; phases.small: of matrices with N < LARGE
estimators.n                    number of estimators
coverage.<law>.<interval>.low   least and .high greatest coverage (percent) over sizes, power_law fits
smoothing.<name>.<column>       the summary of one smoothed model
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from htsr.metrics.phase_rates import exact_interval
from htsr.statistics.exponent_sweep import ENTRIES
from htsr.tables.classes import findings
from htsr.tables.latex import MISSING, escape, integer, missing, number, percent, probability, significant
from htsr.tables.values import Values
from htsr.tails.validation import LAWS, pool

# What texts name and an experiment may not have sampled: a dash there.
NAMED = (
    *("false_alarm", "false_alarm_interval", "false_alarm_n", "edge_pm", "edge_ks", "edge_p", "mean_spike_pm"),
    *("bbp_percent_pm", "bbp_n", "detected_strong", "detected_below", "detected_below_interval"),
    *("sweep_n", "sweep_m", "norm_gap", "norm_gap_10", "norm_gap_very"),
    *(f"plateau_{entries}_pm" for entries in ENTRIES),
    *(f"alpha_{entries}_{mu}_pm" for entries in ENTRIES for mu in (1, 3, 5)),
    *(
        f"line_{entries}_{range_}_{which}_pm"
        for entries in ENTRIES
        for range_ in ("very", "moderate")
        for which in ("slope", "intercept")
    ),
)
LARGE = 500  # the least N of matrices for which the rule of phases is meant


def collect(
    values: Values,
    ensembles: pd.DataFrame | None,
    validations: pd.DataFrame | None,
    summaries: pd.DataFrame | None,
) -> None:
    """Add the values of collect_ensembles, validate_estimators and smooth_model, each where it is given."""
    if ensembles is not None:
        _findings(values, findings(ensembles))
        _phases(values, ensembles[ensembles["expected_phase"].notna()])
    if validations is not None:
        _estimators(values, validations)
    if summaries is not None:
        for row in summaries.to_dict("records"):
            _smoothing(values, row)


def _findings(values: Values, found: dict[str, float]) -> None:
    found |= {f"bbp_percent{end}": 100 * found[f"bbp{end}"] for end in ("", "_stderr") if f"bbp{end}" in found}
    for name, value in found.items():
        texts = {name: significant(value)}
        if name.endswith("_n") or name in ("sweep_n", "sweep_m"):
            texts = {name: integer(value)}
        elif name.endswith("_p"):
            texts = {name: probability(value)}
        elif f"{name}_low" in found:
            low, high = (number(100 * found[f"{name}_{end}"], 1) for end in ("low", "high"))
            texts = {name: number(100 * value, 1), f"{name}_interval": f"{low} to {high}"}
        elif f"{name}_stderr" in found:
            texts |= {f"{name}_pm": plus_minus(value, found[f"{name}_stderr"])}
        values.put("theory.", **texts)
    for name in NAMED:
        values.texts.setdefault(f"theory.{name}", MISSING)


def plus_minus(value: float, error: float) -> str:
    """Value and standard error with the decimals of an error of two digits."""
    if missing(error) or not error > 0:
        return significant(value)
    digits = int(max(0, 1 - np.floor(np.log10(error))))
    return rf"{number(value, digits)} $\pm$ {number(error, digits)}"


def _phases(values: Values, matrices: pd.DataFrame) -> None:
    def rate(own: pd.DataFrame) -> tuple[str, str]:
        right, total = (own["phase"] == own["expected_phase"]).sum(), len(own)
        if not total:
            return "", ""
        low, high = exact_interval(right, total)
        return percent(right / total), f"{percent(float(low))} to {percent(float(high))}"

    large, small = (matrices[size] for size in (matrices["n"] >= LARGE, matrices["n"] < LARGE))
    right, interval = rate(large)
    values.put("phases.", right=right, right_interval=interval, n=integer(len(large)), small=rate(small)[0])
    each = []
    for phase, own in large.groupby("expected_phase", sort=False):
        right, interval = rate(own)
        name = phase.lower().replace("-", "_").replace("+", "_")
        values.put("phases.", **{name: right, f"{name}_interval": interval, f"{name}_n": integer(len(own))})
        each.append(rf"{escape(phase)} {right}\,\%")
    values.put("phases.", each=", ".join(each))
    values.flag("phases.", large=len(large) > 0)


def _estimators(values: Values, validations: pd.DataFrame) -> None:
    pooled = pool(validations)
    values.put("estimators.", n=integer(pooled["estimator"].nunique()))
    for law in LAWS:
        for kind in ("bias_corrected", "normal"):
            values.put(f"coverage.{law}.{kind}.", low="", high="", mean="")
    for (law, kind), own in pooled[pooled["estimator"] == "power_law"].groupby(["law", "interval"]):
        known = own["coverage"].dropna()
        values.put(
            f"coverage.{law}.{kind}.", low=percent(known.min()), high=percent(known.max()), mean=percent(known.mean())
        )


def _smoothing(values: Values, row: Mapping) -> None:
    prefix = f"smoothing.{row['smoothing']}."
    for name in ("accuracy_before", "accuracy_after", "accuracy_change"):
        text = "" if missing(row[name]) else plus_minus(row[name], row[f"{name}_stderr"])
        values.put(prefix, **{name: text})
    values.put(prefix, kept_energy=percent(row["kept_energy"]), n_matrices=integer(row["n_matrices"]))
