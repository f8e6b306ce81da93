"""Tables of models: what the regressions and claims read, from this pipeline or from a user."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from htsr.errors import InputError

POOLED = "pooled"
"""Name of the rows over all series."""

TARGETS = ("error", "accuracy")
_NOT_METRICS = ("series", "model", "title", "dataset", "accuracy_source", "train_accuracy", *TARGETS)


def combine(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """One checked table of models from several: {where a table is from: table}.

    Needed columns: series, model, and error or accuracy (percent; the other is 100 minus it). Columns of numbers come
    back as floats, infinite values as missing. Raises InputError for missing columns, missing or repeated names, and
    columns in which numbers and text are mixed.
    """
    if not tables:
        raise InputError("no metrics table given: set metrics=[table.csv]")
    whole = pd.concat([_checked(name, table) for name, table in tables.items()], ignore_index=True)
    twice = whole[whole.duplicated(["series", "model"])]
    if len(twice):
        series, model = twice.iloc[0][["series", "model"]]
        raise InputError(f"{', '.join(tables)}: model {model!r} of series {series!r} stands there twice: rename one")
    return whole


def metric_columns(table: pd.DataFrame) -> list[str]:
    """Columns of numbers that may predict accuracy: no counts (`n_...`), standard errors or unnamed index columns.

    Raises InputError where there is none.
    """
    names = [
        name
        for name in table.select_dtypes("number")
        if name not in _NOT_METRICS and not name.startswith(("n_", "Unnamed")) and not name.endswith("_stderr")
    ]
    if not names:
        raise InputError("the metrics tables have no numeric metric column beside series, model, error and accuracy")
    return names


def series_codes(table: pd.DataFrame) -> np.ndarray:
    """Integer code of each row's series, in order of appearance."""
    return pd.factorize(table["series"])[0]


def usable(table: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Rows that have all the columns, of series with at least two such rows."""
    whole = table.dropna(subset=columns)
    return whole[whole.groupby("series")["model"].transform("size") > 1]


def _checked(name: str, table: pd.DataFrame) -> pd.DataFrame:
    table = table.copy()
    missing = [column for column in ("series", "model") if column not in table]
    if not set(TARGETS) & set(table):
        missing.append("error (or accuracy)")
    if missing:
        raise InputError(
            f"{name}: no column {', '.join(missing)}: a metrics table has the columns series, model, error and metrics"
        )
    for column in ("series", "model"):
        if table[column].isna().any():
            raise InputError(f"{name}: row {table[column].isna().to_numpy().argmax() + 1} has no {column}")
        table[column] = table[column].astype(str)
    if (table["series"] == POOLED).any():
        raise InputError(f"{name}: a series cannot be named {POOLED!r}: that is the name of all series together")
    for column in table.columns.difference(["series", "model"], sort=False):
        table[column] = _numbers(name, table, column)
    for column, other in (TARGETS, TARGETS[::-1]):
        known = table[other] if other in table else pd.Series(np.nan, table.index)
        table[column] = table[column].fillna(100 - known) if column in table else 100 - known
    return table


def _numbers(name: str, table: pd.DataFrame, column: str) -> pd.Series:
    """The column as floats; unchanged where it is a label (text or truth values throughout)."""
    values = table[column]
    if pd.api.types.is_bool_dtype(values):
        return values
    numbers = pd.to_numeric(values, errors="coerce").astype(float)
    text = numbers.isna() & values.notna()
    if text.any() and (column in TARGETS or (not text.all() and numbers.notna().any())):
        row = text.to_numpy().argmax()
        raise InputError(
            f"{name}: column {column!r}, model {table['model'].iloc[row]!r}: {values.iloc[row]!r} is not a number"
        )
    return values if text.any() else numbers.replace([np.inf, -np.inf], np.nan)
