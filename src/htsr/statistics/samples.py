"""Sampled random matrices (the table of collect_ensembles), picked by law and parameters, not by names of ensembles."""

import inspect
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from htsr.errors import InputError
from htsr.spectra import high_temperature, spiked, tracy_widom
from htsr.spectra.ensembles import LAWS


class Mean(NamedTuple):
    """Mean of n values and its standard error, NaN for a single value."""

    mean: float
    stderr: float
    n: int


def mean(values: pd.Series) -> Mean:
    """Mean of the values that are there."""
    values = values.dropna()
    n = len(values)
    return Mean(float(values.mean()), float(values.std(ddof=1) / np.sqrt(n)) if n > 1 else np.nan, n)


def ks_test(values: np.ndarray, cdf: np.ndarray) -> tuple[float, float]:
    """Two-sided Kolmogorov-Smirnov distance of values from a law, and its p. cdf: of the law at the sorted values.

    p by the limiting distribution with the correction of Stephens 1970 (J. R. Stat. Soc. B 32, 115) for n values.
    """
    from scipy.special import kolmogorov  # 0.3 s that most figures do not need

    n = len(values)
    steps = np.arange(n + 1) / n
    distance = float(max((steps[1:] - cdf).max(), (cdf - steps[:-1]).max()))
    return distance, float(kolmogorov((np.sqrt(n) + 0.12 + 0.11 / np.sqrt(n)) * distance))


def prepare(ensembles: pd.DataFrame) -> pd.DataFrame:
    """The table with every parameter of every law as a column, numbers as floats, defaults filled in; each matrix once.

    Two rows of one name (`layer`) are one matrix, whatever ensembles they stand in: its random numbers depend on the
    name alone.
    """
    table = ensembles.drop_duplicates("layer").reset_index(drop=True)
    for law, function in LAWS.items():
        own = table["law"] == law
        for parameter in list(inspect.signature(function).parameters.values())[3:]:
            if parameter.name not in table:
                table[parameter.name] = np.nan
            column = table[parameter.name].astype(object)
            if parameter.default is not parameter.empty:
                column = column.where(~own | column.notna(), parameter.default)
            flag = isinstance(parameter.default, bool)
            table[parameter.name] = column if flag else pd.to_numeric(column, errors="coerce")
    return table


def select(table: pd.DataFrame, law: str, **parameters: float | bool) -> pd.DataFrame:
    """Rows of a prepared table of one law with these parameters."""
    chosen = table["law"] == law
    for name, value in parameters.items():
        chosen &= table[name] == value
    return table[chosen]


def nearest_shape(rows: pd.DataFrame, q: float) -> pd.DataFrame:
    """The rows of one shape: that of the aspect ratio nearest q, the largest of these."""
    if not len(rows):
        return rows
    shapes = rows[["n", "m"]].drop_duplicates()
    off = np.log(shapes["n"] / shapes["m"] / q).abs().round(9)
    n, m = shapes.assign(off=off, fewer=-shapes["m"]).sort_values(["off", "fewer"]).iloc[0][["n", "m"]]
    return rows[(rows["n"] == n) & (rows["m"] == m)]


def spread(values: pd.Series, wanted: tuple[float, ...]) -> list[float]:
    """Of the different values at most one near each wanted one, ascending."""
    left, chosen = sorted(set(values.dropna())), []
    for target in wanted:
        if left:
            chosen.append(min(left, key=lambda value: abs(value - target)))
            left.remove(chosen[-1])
    return sorted(chosen)


def eigenvalues(spectra: Mapping[str, Mapping[str, np.ndarray]], row: Mapping) -> np.ndarray:
    """Eigenvalues of X = WᵀW/N of a row of the table. spectra: by ensemble and name.

    Raises InputError where the spectra are not those of the table.
    """
    try:
        return np.asarray(spectra[row["ensemble"]][row["layer"]])
    except KeyError as error:
        raise InputError(
            f"no spectrum {row['layer']!r} of {row['ensemble']!r}, which the table of ensembles has: make both anew"
        ) from error


def rescaled_edge(rows: pd.DataFrame) -> pd.Series:
    """(λmax·N - centre)/scale of matrices with entries of variance 1: Tracy-Widom for Gaussian ones."""
    scaling = np.array([tracy_widom.largest_eigenvalue(n, m) for n, m in zip(rows["n"], rows["m"], strict=True)])
    centre, scale = scaling.reshape(-1, 2).T
    return (rows["lambda_max"] * rows["n"] - centre) / scale


def one_signal(spiked: pd.DataFrame) -> pd.DataFrame:
    """Matrices of one shape with one signal in noise: the shape of the most strengths, the largest of these."""
    single = spiked[(spiked["spikes"] == 1) & spiked["strength"].notna()]
    if not len(single):
        return single
    counts = single.groupby(["n", "m"])["strength"].nunique().reset_index()
    n, m = counts.sort_values(["strength", "m", "n"], ascending=False).iloc[0][["n", "m"]]
    return single[(single["n"] == n) & (single["m"] == m)]


def entry_moments(row: Mapping) -> tuple[float, float]:
    """Mean and variance of the entries of Pareto, Lomax and Student's t matrices; NaN where they do not exist.

    For μ > 2: E x² = μ/(μ - 2) (pareto, student_t), 2/((μ - 1)(μ - 2)) (lomax); E|x| = μ/(μ - 1), 1/(μ - 1).
    """
    mu, law = row["mu"], row["law"]
    if law == "student_t":
        return 0.0, mu / (mu - 2) if mu > 2 else np.nan
    centre = 0.0 if row["signed"] else (mu if law == "pareto" else 1) / (mu - 1) if mu > 1 else np.nan
    if mu <= 2:
        return centre, np.nan
    square = mu / (mu - 2) if law == "pareto" else 2 / ((mu - 1) * (mu - 2))
    return centre, square - centre**2


def tail_exponent(row: Mapping) -> float:
    """Exponent of the tail of the spectral density in the limit of large matrices; NaN for a law without a tail.

    Entries of tail |x|^(-1-μ): 1 + μ/2. For μ < 2 it is that of the limiting law (Belinschi, Dembo, Guionnet 2009,
    Commun. Math. Phys. 289, 1023). For μ > 2 the limiting law is Marchenko-Pastur, as for all entries of finite
    variance; the largest of the N·M squared entries then make a tail of the same exponent beyond it, whose share of
    the eigenvalues vanishes as N^(1-μ/2) (a Poisson process for μ < 4: Auffinger, Ben Arous, Péché 2009, Ann. Inst. H.
    Poincaré 45, 589); for μ > 4 the largest eigenvalue returns to the edge.
    """
    if row["law"] in ("pareto", "lomax", "student_t"):
        return 1 + row["mu"] / 2
    if row["law"] == "htmp":
        return high_temperature.tail_exponent(row["q"], row["kappa"], bool(row["inverse"]))
    return np.nan


def mean_spike(row: Mapping) -> float:
    """Where the mean of the entries puts the largest eigenvalue: a signal of singular value mean·√(NM) in noise of
    their variance (`htsr.spectra.spiked.outlier`); NaN without a variance."""
    centre, variance = entry_moments(row)
    return float(spiked.outlier(centre * np.sqrt(row["m"] / variance), row["n"] / row["m"], variance))
