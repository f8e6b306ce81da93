"""The fitted exponent α of heavy-tailed random matrices against the exponent μ of their entries."""

from typing import NamedTuple

import pandas as pd

from htsr.statistics.linear_fits import Line, fit_line
from htsr.statistics.samples import select

VERY = (0.5, 2.0)
MODERATE = (2.0, 4.0)
"""Ranges of μ over which α is nearly a line: very and moderately heavy tails."""
SHAPE = (2000, 1000)  # N and M of the published lines


ENTRIES = {"pareto": ("pareto", True), "lomax": ("lomax", False), "lomax_signed": ("lomax", True)}
"""Entries by name: law and whether it has random signs; without them (as published) the mean is not 0."""


class SweepLines(NamedTuple):
    """shape: N and M. lines: by name of the entries and range of μ, None where there are fewer than two μ."""

    shape: tuple[int, int]
    lines: dict[str, dict[tuple[float, float], Line | None]]


def sweep(table: pd.DataFrame) -> pd.DataFrame:
    """Fitted rows of a prepared table with `entries` of ENTRIES, of shapes that have several μ."""
    rows = [select(table, law, signed=signed).assign(entries=name) for name, (law, signed) in ENTRIES.items()]
    rows = pd.concat(rows)
    rows = rows[rows["alpha"].notna()]
    return rows[rows.groupby(["entries", "n", "m"])["mu"].transform("nunique") > 2] if len(rows) else rows


def main_shape(rows: pd.DataFrame) -> tuple[int, int]:
    """SHAPE where it was sampled, else the largest M, then N, of the most μ."""
    counts = rows.groupby(["n", "m"])["mu"].nunique().reset_index()
    if ((counts["n"] == SHAPE[0]) & (counts["m"] == SHAPE[1])).any():
        return SHAPE
    n, m = counts.sort_values(["mu", "m", "n"], ascending=False).iloc[0][["n", "m"]]
    return int(n), int(m)


def fixed(rows: pd.DataFrame, same: str, varied: str) -> pd.DataFrame:
    """The rows whose side `same` ("n" or "m") has one value: that with the most values of the other side."""
    counts = rows.groupby(same)[varied].nunique().reset_index()
    value = counts.sort_values([varied, same], ascending=False).iloc[0][same]
    return rows[rows[same] == value]


def sweep_lines(rows: pd.DataFrame) -> SweepLines:
    """Least squares of α on μ of the main shape, by entries, over VERY and MODERATE, matrix by matrix."""
    n, m = main_shape(rows)
    own = rows[(rows["n"] == n) & (rows["m"] == m)]
    lines = {}
    for name in ENTRIES:
        of = own[own["entries"] == name]
        lines[name] = {}
        for low, high in (VERY, MODERATE):
            inside = of[of["mu"].between(low, high)]
            lines[name][low, high] = fit_line(inside["mu"], inside["alpha"])
    return SweepLines((n, m), lines)
