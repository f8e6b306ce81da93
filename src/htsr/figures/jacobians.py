"""What the figures of Jacobians share: whose rows are drawn, their spectra, names, nulls, and what footnotes say.

The table of Jacobians (collect_jacobians/jacobians.csv) has one row for each collection (series or sweep), network,
state and spectrum. The settings of a network stand in the table of its collection's networks: collect_sweep/
{sweep}_networks.csv or collect_metrics/{series}.csv.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from htsr.errors import InputError
from htsr.figures import style, sweeps
from htsr.figures.densities import exponent, line
from htsr.files import Arrays
from htsr.spectra.spectrum import Spectrum, from_arrays

SOFTMAX = "softmax"
OTHERS = ("pixels", "untrained")  # states that are no point in the course of a training

WORDS = {
    "alpha": r"$\alpha_J$",
    "log_spectral_norm": r"$\log\,\lambda_{\mathrm{max}}$",
    "rank": "rank",
    "effective_rank": "effective rank",
    "norm": r"mean $\|J\|_F$",
    "correlation_alignment": "kernel alignment",
    "confidence": "mean confidence",
}
"""Measures of a state's Jacobian as axes call them; α and λ are those of the spectrum drawn."""

NULLS = {
    "alpha": "alpha_null",
    "log_spectral_norm": "log_spectral_norm_null",
    "correlation_alignment": "correlation_alignment_null",
}
"""Measure: column of the same measure for rows of the same norms in random directions, or for permuted classes."""

EIGENVALUES = r"Eigenvalues $\lambda$ of $\mathbf{X} = \mathcal{J}^{\!\top}\mathcal{J}$, not divided by $n$"
RANDOM_ROWS = "Grey: rows of the same norms, random directions"
PRECISION = r"$\alpha$ ± standard error, or with 95 % interval"
NEAR_ONE = r"An $\alpha$ near 1 that the null shares comes from the decades that row norms span"


def measured(jacobians: pd.DataFrame, spectrum: str = SOFTMAX) -> pd.DataFrame:
    """The rows of one spectrum that was computed, with the columns of NULLS.

    The null's λmax is the trace, which it shares with the data, over its mean stable rank.
    """
    rows = jacobians[(jacobians["spectrum"] == spectrum) & jacobians["lambda_max"].gt(0)].copy()
    largest = rows["lambda_max"] * rows["stable_rank"] / rows["stable_rank_null"]
    return rows.assign(log_spectral_norm_null=np.log10(largest.where(largest > 0)))


def of_sweep(
    jacobians: pd.DataFrame, networks: pd.DataFrame, axes: Sequence[str], spectrum: str = SOFTMAX
) -> tuple[pd.DataFrame, str]:
    """Rows of a sweep's networks in the course of their training with the settings `axes`, and a sentence that counts
    the diverged ones.

    networks: one row a network of the sweep, which `series` names.
    """
    rows = measured(jacobians, spectrum)
    rows = rows[rows["collection"].isin(networks["series"]) & ~rows["state"].isin(OTHERS)]
    settings = networks[list(dict.fromkeys(["model", "seed", *axes]))].rename(columns={"model": "network"})
    return sweeps.usable(rows.merge(settings, on="network"), networks, axes)


def by_collection(files: Iterable[Arrays]) -> dict[str, Arrays]:
    """Files of compute_jacobian by their series or sweep."""
    return {arrays.header["model"]: arrays for arrays in files}


def spectrum_of(files: Mapping[str, Arrays], row: Mapping, spectrum: str | None = None) -> Spectrum:
    """The spectrum of a row of the table, or another of the same state. files: of `by_collection`.

    Raises InputError where the files have none.
    """
    name = f"{row['network']}/{row['state']}/{spectrum or row['spectrum']}"
    arrays = files.get(row["collection"])
    entry = arrays.header["spectra"].get(name) if arrays else None
    if entry is None:
        raise InputError(f"no spectrum {name!r} of {row['collection']!r}, which the table of Jacobians has: make anew")
    return next(from_arrays(arrays, arrays.header | {"spectra": {name: entry}}))


def images(rows: pd.DataFrame, dataset: str) -> str:
    """Which images the Jacobians were taken at, for a footnote."""
    counts = sorted(set(rows["n_examples"].astype(int)))
    part = {"train": "training"}.get(rows["part"].iloc[0], rows["part"].iloc[0])
    name = {"cifar10_jpeg": "JPEG copies of CIFAR-10"}.get(dataset, dataset.replace("_", " "))
    return f"$n = {', '.join(map(str, counts))}$ {part} images ({style.plain(name, 30)})"


def state_words(row: Mapping) -> str:
    """What a state of a network is called."""
    if row["state"] == "untrained" or row["epoch"] == 0:
        return "untrained"
    if row["state"] == "pixels":
        return "permuted pixels"
    return "trained" if row["final"] else f"epoch {row['epoch']:g}"


def fit_words(row: Mapping) -> str:
    """The exponent of a row with its interval, or that it has none."""
    return exponent(row) if np.isfinite(row["alpha"]) else "no tail fitted"


def survival(axis: Axes, panel: str, curve: str, values: np.ndarray, **looks: Any) -> list[dict]:
    """Share of the values (ascending) that are at least as large as each positive one; returns its rows."""
    at = np.asarray(values)[np.asarray(values) > 0]
    return line(axis, panel, curve, at, 1 - np.searchsorted(values, at) / len(values), **looks)


def power_law_survival(axis: Axes, panel: str, curve: str, fit: Mapping, **looks: Any) -> list[dict]:
    """The fitted power law of `survival`, scaled by the share of the tail; nothing where there is no fit."""
    if not np.isfinite(fit["alpha"]):
        return []
    at = np.geomspace(fit["xmin"], fit["xmax"], 30)
    share = fit["n_tail"] / fit["n_eigenvalues"]
    return line(axis, panel, curve, at, share * (at / fit["xmin"]) ** (1 - fit["alpha"]), **looks)


def means(
    axis: Axes,
    rows: pd.DataFrame,
    key: str,
    columns: Sequence[str],
    at: Mapping[Hashable, float],
) -> list[dict]:
    """`sweeps.means` of measures at each value of `key`, with their nulls and the label of the axis; returns what was
    drawn."""
    drawn, panel = [], "_and_".join(columns)
    for index, column in enumerate(columns):
        own = null(axis, rows, key, column, at)
        drawn += [{"panel": panel, "curve": f"null of {column}"} | row for row in own]
        own = sweeps.means(axis, rows, key, column, at, style.look(index))
        drawn += [{"panel": panel, "curve": column} | row for row in own]
    say_where_nothing_is(axis, rows[list(columns)])
    axis.set_ylabel(", ".join(WORDS[column] for column in columns))
    return drawn


def null(axis: Axes, rows: pd.DataFrame, key: str, column: str, at: Mapping[Hashable, float]) -> list[dict]:
    """Mean null of a measure at each value of `key`, in grey, where it has one; returns what was drawn."""
    if column not in NULLS:
        return []
    found = sweeps.over_seeds(rows, key, NULLS[column])
    found = found.assign(position=found[key].map(at).astype(float)).sort_values("position")
    axis.plot(found["position"], found["mean"], color=style.NULL, linestyle="--", linewidth=0.9, marker=".", zorder=1)
    return [{"x": row[key], "value": row["mean"], "n": row["n"]} for row in found.to_dict("records")]


def say_where_nothing_is(axis: Axes, values: pd.DataFrame) -> None:
    """A panel without a single value says so: where no tail could be fitted there is no α."""
    if values.isna().all(axis=None):
        axis.text(0.5, 0.5, "no tail fitted", ha="center", va="center", color="0.4", transform=axis.transAxes)


def exponents(axis: Axes) -> None:
    """A logarithmic axis for exponents, whose nulls reach far beyond them, with plain numbers as ticks."""
    axis.set_yscale("log")
    low, high = axis.get_ylim()
    axis.set_ylim(max(min(low, 0.95), 0.9), high)
    axis.yaxis.set_major_locator(FixedLocator([1, 2, 3, 5, 10, 20, 50]))
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.yaxis.set_minor_locator(NullLocator())


def ranks(axis: Axes, rows: pd.DataFrame) -> None:
    """An axis for ranks from 0 to the largest that there can be."""
    axis.set_ylim(0, 1.08 * rows["n_examples"].max())


def null_handle(label: str = "null") -> Line2D:
    """Legend entry of a null."""
    return Line2D([], [], color=style.NULL, linestyle="--", linewidth=0.9, marker=".", label=label)


def tau_words(tau: float, low: float, high: float, n: int) -> str:
    """Kendall's τ with its interval and number of networks, or that there is none."""
    if not np.isfinite(tau):
        return rf"no $\tau$, $n = {n}$"
    bounds = f" [${low:.2f}$, ${high:.2f}$]" if np.isfinite([low, high]).all() else ""
    return rf"$\tau = {tau:.2f}${bounds}, $n = {n}$"
