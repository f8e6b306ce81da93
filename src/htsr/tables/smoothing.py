"""The table of smoothed models: what each method keeps and what it costs."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from htsr.tables.latex import Column, Heading, escape, integer, missing, number, percent, table, with_error

METHODS = {
    "rank": "largest",
    "edge": "beyond the edge",
    "shrinkage": "optimal shrinkage",
    "erg": "ERG tail",
    "power_law": "power-law tail",
}


def smoothing(summaries: pd.DataFrame, titles: Mapping[str, str]) -> str:
    """One row a smoothed model, under a heading with the accuracy of the model as it was.

    summaries: one row each (smooth_model). titles: printed names of the models.
    """
    columns = [
        Column("kept singular values", 1.6),
        Column("matrices"),
        Column(r"$\|\mathbf{W}\|_F^2$ (\%)"),
        Column(r"parameters (\%)"),
        Column("accuracy", "l"),
        Column("change", "l"),
        Column("training"),
    ]
    rows: list = []
    for model, own in summaries.groupby("model", sort=False):
        first = own.iloc[0]
        text = escape(titles.get(model) or model, breakable=True)
        if not missing(first["accuracy_before"]):
            before = with_error(first["accuracy_before"], first["accuracy_before_stderr"])
            text += rf": accuracy {before}\,\% on {integer(first['n_test'])} images"
        rows.append(Heading(text))
        rows += [_row(row) for row in own.to_dict("records")]
    note = r"Matrices: rebuilt/all; the others have nothing to keep and stay as they are. Share of the summed squared "
    note += r"norms, and of the parameters where a matrix of rank $k$ is stored as $k(N+M)$ numbers. Accuracies in \% "
    note += r"$\pm$ standard errors, binomial; of the change, that of paired answers."
    return table(columns, rows, note)


def _row(row: Mapping[str, Any]) -> list[str]:
    name = METHODS.get(row["method"], str(row["method"]))
    if row["method"] == "rank":
        size = rf"{percent(row['rank'])}\,\%" if row["rank"] < 1 else integer(row["rank"])
        name = f"{name} {size}"
    return [
        f"all but: {name}" if row["invert"] else name,
        f"{integer(row['n_matrices'] - row['n_unchanged'])}/{integer(row['n_matrices'])}",
        number(None if missing(row["kept_energy"]) else 100 * row["kept_energy"], 1),
        number(100 * row["kept_parameters"] / row["n_parameters"], 1),
        with_error(row["accuracy_after"], row["accuracy_after_stderr"]),
        with_error(row["accuracy_change"], row["accuracy_change_stderr"]),
        number(row["train_accuracy_after"]),
    ]
