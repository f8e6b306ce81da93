"""Published numbers beside ours."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from htsr.tables.latex import Column, Heading, escape, integer, number, table, with_error, with_interval
from htsr.tables.results import of_accuracy, series_title, symbol

METRICS = ["log_norm", "log_spectral_norm", "log_alpha_norm", "alpha_weighted"]


def models(metrics: pd.DataFrame, published: Mapping[str, Mapping[str, Any]]) -> str:
    """Average metrics of single models, published and ours (with standard error over matrices), and the difference.

    metrics: one row a model. published: by model, its `source` and its `metrics` by column; others are left out.
    """
    columns = [Column("model", 2.0), Column("metric", "l"), Column("published"), Column("ours"), Column("difference")]
    rows: list = []
    for source in dict.fromkeys(entry["source"] for entry in published.values()):
        own = [
            (row, column, value)
            for row in metrics.to_dict("records")
            for column, value in published.get(row["model"], {"metrics": {}})["metrics"].items()
            if published[row["model"]]["source"] == source
        ]
        rows += [Heading(escape(source))] if own else []
        for row, column, value in own:
            ours = with_error(row[column], row[f"{column}_stderr"], 3)
            cells = [escape(row["title"]), symbol(column), number(value, 3), ours, number(row[column] - value, 3)]
            rows.append(cells)
    return table(columns, rows)


def regressions(
    regressions: pd.DataFrame,
    published: Mapping[str, Mapping[str, Any]],
    titles: Mapping[str, str],
    recomputed: pd.DataFrame | None = None,
    published_titles: Mapping[str, str] | None = None,
) -> str:
    """R² and Kendall tau of accuracy on each metric: as printed; from results that others published; of the experiment.

    regressions: one row for each series, metric and target. published: by series, `source`, `n`, `r2`, `kendall_tau`.
    recomputed: as regressions, of what others measured; published_titles: printed names of its series.
    """
    columns = [Column("series", 1.0), Column("$n$"), Column("", "l")]
    columns += [Column(symbol(metric), "l") for metric in METRICS]
    rows: list = []
    for source in dict.fromkeys(entry["source"] for entry in published.values()):
        rows.append(Heading(escape(source)))
        for name, entry in published.items():
            if entry["source"] == source:
                cells = [[number(entry[key].get(metric)) for metric in METRICS] for key in ("r2", "kendall_tau")]
                rows += _pair(escape(name) + ("*" if entry["note"] else ""), entry["n"], *cells)
    if recomputed is not None:
        rows.append(Heading("from the published results of each matrix [95\\,\\% interval]"))
        rows += _measured(recomputed, published_titles or {})
    rows.append(Heading("this experiment [95\\,\\% interval]"))
    rows += _measured(regressions, titles)
    notes = [f"* {escape(entry['note'])}" for entry in published.values() if entry["note"]]
    return table(columns, rows, ". ".join(notes))


def _measured(regressions: pd.DataFrame, titles: Mapping[str, str]) -> list[list[str]]:
    rows = []
    known = of_accuracy(regressions[regressions["metric"].isin(METRICS)])
    for name, own in known.groupby("series", sort=False):
        of = own.set_index("metric")
        r2 = [with_interval(*of.loc[metric, ["r2", "r2_low", "r2_high"]]) for metric in METRICS]
        tau = [with_interval(*of.loc[metric, ["kendall_tau", "kendall_low", "kendall_high"]]) for metric in METRICS]
        rows += _pair(series_title(name, titles), own["n"].max(), r2, tau)
    return rows


def _pair(name: str, n: Any, r2: list[str], tau: list[str]) -> list[list[str]]:
    return [[name, integer(n), "$R^2$", *r2], ["", "", r"$\tau$", *tau]]
