"""The table of the estimators' errors and coverages on samples of known exponent."""

import math
from collections.abc import Iterable

import pandas as pd

from htsr.tables.latex import MISSING, Column, Heading, escape, missing, number, percent, table
from htsr.tails.validation import BEYOND, pool

# Printed names of the laws, for LaTeX and matplotlib.
LAWS = {
    "pareto": "Pareto",
    "composite": "half lognormal, half Pareto",
    "bounded": "bounded Pareto",
    "matrix": "eigenvalues of heavy-tailed matrices",
}
_ROWS = {
    ("power_law", "bias_corrected"): "power law, bias-corrected bootstrap",
    ("power_law", "percentile"): "\\quad percentile",
    ("power_law", "ratio"): "\\quad ratio",
    ("power_law", "normal"): r"\quad $\pm 1.96\,(\alpha-1)/\sqrt{n_{\mathrm{tail}}}$",
    ("hill", "normal"): "Hill, $k = n/2$",
    ("hill_chosen", "normal"): "Hill, chosen $k$",
    ("moments", "normal"): "moments",
    ("kernel", "normal"): "kernel",
    ("bounded", "normal"): "bounded power law",
    ("farms", ""): "windows (FARMS)",
}
_ONCE = {("power_law", name) for name in ("percentile", "ratio")}  # intervals that are shown for one law
SHOWN = (50, 500)  # sizes whose bias and standard deviation are printed, where they were drawn


def estimators(validations: pd.DataFrame) -> str:
    """One row a law and estimator: bias and s.d. relative to α - 1 at some sizes, coverage at all.

    validations: rows of `htsr.tails.validation.validate`, pooled over the exponents here.
    """
    pooled = pool(validations) if len(validations) else pd.DataFrame(columns=["law", "n", "estimator", "interval"])
    sizes = sorted(pooled["n"].unique())
    shown = [n for n in sizes if n in SHOWN] or sizes[:1]
    columns = [
        Column(r"\% of $\alpha - 1$; \% of intervals", "l"),
        *(Column(rf"bias$_{{{n}}}$") for n in shown),
        *(Column(rf"s.d.$_{{{n}}}$") for n in shown),
        *(Column(str(n)) for n in sizes),
        Column("all"),
    ]
    rows: list = []
    for law, title in LAWS.items():
        own = pooled[pooled["law"] == law]
        if not len(own):
            continue
        rows.append(Heading(", ".join(filter(None, (title, _about(law))))))
        for key, label in _ROWS.items():
            curve = own[(own["estimator"] == key[0]) & (own["interval"] == key[1])].set_index("n")
            if not len(curve) or (key in _ONCE and law != "composite"):
                continue
            first = [""] * 2 * len(shown) if label.startswith(r"\quad") else _errors(curve, shown)
            rows.append([label, *first, *(_cell(curve, n, "coverage") for n in sizes), _every(curve)])
    error = _worst(pooled)
    note = r"Bias and standard deviation of $\hat\alpha$ in \% of $\alpha - 1$ for samples of the size below; then the "
    note += r"share of 95\,\% intervals that hold $\alpha$, by size of the sample and over all sizes"
    note += f" (Monte-Carlo error at most {error} for one size). " if error else ". "
    note += r"Intervals: where nothing is said $\hat\alpha \pm 1.96$ s.e.; chosen $k$: double bootstrap; "
    note += "moments, kernel: from the tail of the power law. "
    return table(columns, rows, note + _failed(pooled))


def _about(law: str) -> str:
    return escape(f"{100 * BEYOND:.0f} % of the pure law cut off") if law == "bounded" else ""


def _errors(curve: pd.DataFrame, shown: Iterable[int]) -> list[str]:
    return [_cell(curve, n, key) for key in ("bias", "std") for n in shown]


def _cell(curve: pd.DataFrame, n: int, key: str) -> str:
    if n not in curve.index or missing(value := float(curve.loc[n, key])):
        return MISSING
    if key == "coverage":
        return percent(value)
    return r"$>$1000" if abs(value) > 10 else number(100 * value, 1 if abs(value) < 0.0995 else 0)


def _every(curve: pd.DataFrame) -> str:
    known = curve[curve["coverage"].notna()]
    if not len(known):
        return MISSING
    weight = known["replicates"] - known["failures"]
    return number(100 * float((known["coverage"] * weight).sum() / weight.sum()), 1)


def _worst(pooled: pd.DataFrame) -> str:
    if not len(pooled) or pooled["coverage"].isna().all():
        return ""
    counts = pooled.loc[pooled["coverage"].notna(), "replicates"]
    return rf"{100 * math.sqrt(0.95 * 0.05 / counts.min()):.1f}\,\%"


def _failed(pooled: pd.DataFrame) -> str:
    failed = pooled[pooled["failures"] > 0] if len(pooled) else pooled
    if not len(failed):
        return ""
    names = failed["estimator"].str.replace("_chosen", "").unique()
    share = (failed["failures"] / failed["replicates"]).max()
    return rf"Samples without an estimate are left out ({escape(', '.join(names))}: at most {percent(share)}\,\%). "
