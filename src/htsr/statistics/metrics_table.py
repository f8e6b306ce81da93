"""Tables of models: what the regressions and claims read, from this pipeline or from a user."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from htsr.errors import InputError

POOLED = "pooled"
"""Name of the rows over all series."""

TARGETS = ("error", "accuracy")
GAP = "gap"
"""The third target, training less test accuracy in percentage points, where a table has it."""

SETTINGS = (
    *("seed", "width", "dropout", "skip", "loss", "optimizer", "epochs", "batch_size", "learning_rate", "momentum"),
    *("nesterov", "weight_decay", "group_lasso", "schedule", "milestones", "gamma", "label_noise", "label_noise_kind"),
    *(
        "input_noise",
        "early_stopping",
        "stop_at_loss",
        "checkpoints",
        "log_checkpoints",
        "evaluate_every",
        "validation_fraction",
    ),
    *("crop", "augment", "train_fraction", "start_from", "device", "threads", "epochs_trained", "train_loss"),
)
"""How a network was trained and how far: no metrics of its weights. Left out of tables with a column `seed`."""

_NOT_METRICS = ("series", "model", "title", "dataset", "accuracy_source", "train_accuracy", *TARGETS, GAP)


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


def average_seeds(table: pd.DataFrame) -> pd.DataFrame:
    """One row for the networks of a series that differ in their seed alone: the means of their numbers.

    table: as `combine` gives it. Where it has a column `seed`, models of a series whose names agree up to the ending
    _s<seed> are repetitions of one training: they are averaged, so that n counts trainings that differ, and one with
    many seeds does not pass for many. A network without an accuracy (it diverged) is left out. `n_seeds` counts the
    rest. Without the column the table comes back as it is.
    """
    if "seed" not in table:
        return table
    known = table[table["error"].notna()]
    name = known["model"].str.replace(r"_s\d+$", "", regex=True).where(known["seed"].notna(), known["model"])
    groups = known.assign(model=name, n_seeds=1).groupby(["series", "model"], sort=False)
    numbers = known.select_dtypes("number").columns
    how = {column: "mean" if column in numbers else "first" for column in known if column not in ("series", "model")}
    return groups.agg(how | {"n_seeds": "sum"}).reset_index()


def metric_columns(table: pd.DataFrame) -> list[str]:
    """Columns of numbers that may predict accuracy: no counts (`n_...`), standard errors, unnamed index columns or,
    in a table with a column `seed`, settings of training (SETTINGS).

    Raises InputError where there is none.
    """
    others = (*_NOT_METRICS, *(SETTINGS if "seed" in table else ()))
    names = [
        name
        for name in table.select_dtypes("number")
        if name not in others and not name.startswith(("n_", "Unnamed")) and not name.endswith("_stderr")
    ]
    if not names:
        raise InputError("the metrics tables have no numeric metric column beside series, model, error and accuracy")
    return names


def series_codes(table: pd.DataFrame) -> np.ndarray:
    """Integer code of each row's series, in order of appearance."""
    return pd.factorize(table["series"])[0]


def usable(table: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Rows that have all the columns, of series with at least two such rows."""
    whole, codes = table[columns].notna().to_numpy().all(axis=1), series_codes(table)
    return table[whole & (np.bincount(codes, whole)[codes] > 1)]


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
