"""Bias, spread and coverage of the estimators of a tail's exponent on samples of known exponent."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, NullLocator

from htsr.figures import style
from htsr.tables.estimators import LAWS
from htsr.tails.validation import pool

NOMINAL, BAND = 0.95, (0.93, 0.97)
_DRAWN = ["law", "n", "estimator", "interval", "replicates", "bias", "std", "coverage", "coverage_stderr"]
# Estimator, interval: label, look and line; the same estimator with another interval has one colour.
_CURVES = {
    ("power_law", "bias_corrected"): (r"power law, bootstrap", 0, "-"),
    ("power_law", "normal"): (r"power law, $\pm 1.96\,(\alpha-1)/\sqrt{n_\mathrm{tail}}$", 0, ":"),
    ("hill", "normal"): (r"Hill, $k = n/2$", 1, "-"),
    ("hill_chosen", "normal"): ("Hill, chosen $k$", 1, ":"),
    ("moments", "normal"): ("moments", 2, "-"),
    ("kernel", "normal"): ("kernel", 3, "-"),
    ("bounded", "normal"): ("bounded power law", 5, "-"),
    ("farms", ""): ("windows (FARMS)", 6, "-"),
}
_QUANTITIES = {
    "bias": r"bias of $\alpha$, over $\alpha - 1$",
    "std": r"s.d. of $\alpha$, over $\alpha - 1$",
    "coverage": "held by 95 % interval",
}
_LIMITS = {"bias": (-0.3, 0.4), "std": (0.01, 1.2)}


def draw(validations: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """One row of panels a law: bias and standard deviation over α - 1, and coverage, against the size of the sample.

    validations: rows of `htsr.tails.validation.validate`; pooled over the exponents. The bars at the coverage are its
    Monte-Carlo error. Returns the figure and the pooled numbers drawn.
    """
    pooled = pool(validations) if len(validations) else pd.DataFrame(columns=_DRAWN)
    keys = pd.Series(list(zip(pooled["estimator"], pooled["interval"], strict=True)), pooled.index, dtype=object)
    pooled = pooled[keys.isin(list(_CURVES)) & (pooled["replicates"] > pooled.get("failures", 0))]
    laws = [law for law in LAWS if law in set(pooled["law"])]
    if not laws:
        return style.message("No estimator was validated."), pd.DataFrame(columns=_DRAWN)
    figure = style.new_figure(1.0 + 1.45 * len(laws))
    axes = figure.subplots(len(laws), len(_QUANTITIES), squeeze=False, sharex=True)
    present = [key for key in _CURVES if ((pooled["estimator"] == key[0]) & (pooled["interval"] == key[1])).any()]
    handles = {}
    for row, law in zip(axes, laws, strict=True):
        own = pooled[pooled["law"] == law]
        for axis, quantity in zip(row, _QUANTITIES, strict=True):
            for place, key in enumerate(present):
                curve = own[(own["estimator"] == key[0]) & (own["interval"] == key[1])].sort_values("n")
                if quantity in ("bias", "std") and key == ("power_law", "normal"):  # the same estimate once more
                    continue
                line = _curve(axis, curve, quantity, key, 1.03 ** (place - len(present) / 2))
                handles.setdefault(key, line)
            _frame(axis, own, quantity)
        row[0].set_title(LAWS[law], fontsize=8, loc="left", pad=4)
    for axis, quantity in zip(axes[0], _QUANTITIES, strict=True):
        axis.annotate(
            _QUANTITIES[quantity],
            (0.5, 1.0),
            (0, 17),
            xycoords="axes fraction",
            textcoords="offset points",
            ha="center",
        )
    sizes = sorted(pooled["n"].unique())
    for axis in axes[-1]:
        axis.set(xlabel="size $n$ of the sample", xscale="log")
        axis.set_xticks(sizes, [str(n) if index % 2 == 0 or len(sizes) < 5 else "" for index, n in enumerate(sizes)])
        axis.xaxis.set_minor_locator(NullLocator())
    shown = {key: handles[key] for key in present if key in handles}
    figure.legend(
        list(shown.values()), [_CURVES[key][0] for key in shown], loc="outside upper center", ncols=4, columnspacing=1.2
    )
    style.footnote(
        figure,
        "Pooled over the exponents. Shaded: 93 to 97 %; bars: Monte-Carlo error. What lies beyond an axis is not shown",
    )
    return figure, pooled[_DRAWN]


def _curve(axis: Axes, curve: pd.DataFrame, quantity: str, key: Sequence[str], shift: float):
    _, index, line = _CURVES[key]
    look = {**style.look(index), "linestyle": line, "markersize": 2.8}
    if line == ":":
        look |= {"markerfacecolor": "white"}
    x = curve["n"] * shift  # apart, so that bars do not hide each other
    if quantity == "coverage":
        return axis.errorbar(x, curve[quantity], curve["coverage_stderr"], elinewidth=0.6, **look)
    return axis.plot(x, curve[quantity].where(curve[quantity] != 0), **look)[0]


def _frame(axis: Axes, own: pd.DataFrame, quantity: str) -> None:
    values = own[quantity].dropna()
    if quantity == "coverage":
        axis.axhspan(*BAND, color=style.SHADE, zorder=0)
        axis.axhline(NOMINAL, color="0.5", linewidth=0.7, zorder=1)
        low = max(0.0, min(0.86, values.min() - 0.04) if len(values) else 0.86)
        axis.set(ylim=(low, 1.0 + 0.06 * (1 - low)))
        axis.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %" if value <= 1 else "")
        return
    low, high = _LIMITS[quantity]
    values = values[values.between(low, high)]
    if quantity == "std":
        if len(values):
            axis.set_yscale("log")
            axis.yaxis.set_minor_formatter(NullFormatter())
            axis.set_ylim(max(low, values.min() / 1.3), min(high, values.max() * 1.4))
    else:
        axis.axhline(0, color="0.5", linewidth=0.7, zorder=1)
        if len(values):
            axis.set_ylim(*style.span([*values, -0.05, 0.05]))
    axis.tick_params(labelsize=7)
