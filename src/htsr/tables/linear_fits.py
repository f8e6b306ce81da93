"""The table of tail fits of fully connected layers, as the tutorial gives it for pre-trained models."""

from collections.abc import Mapping

import pandas as pd

from htsr.tables.latex import Column, Heading, escape, integer, missing, number, table, with_interval
from htsr.tables.results import BEST_FIT, LAWS, model_title, series_title, symbol

MOST = 40  # layers that a paper can bear


def linear_fits(layers: pd.DataFrame, metrics: pd.DataFrame, titles: Mapping[str, str]) -> str:
    """Tail fits of the fully connected layers of all models, one row a matrix.

    layers: one row a spectrum (collect_metrics/{series}_layers.csv). metrics: one row a model. Where the table would
    have more than MOST rows it has the last model of each series before the others, keeps the first rows and says how
    many are left out.
    """
    columns = [
        Column("layer", 1.6),
        Column(symbol("q")),
        Column(r"($M \times N$)", "l"),
        Column(symbol("alpha"), "l"),
        Column(symbol("ks_distance")),
        Column("best fit", "l"),
    ]
    shown, left_out = _fitting(layers[layers["kind"] == "linear"], metrics)
    rows: list = []
    for (series, model), own in shown.groupby(["series", "model"], sort=False):
        known = metrics[metrics["model"] == model]
        name = model_title(known.iloc[0]) if len(known) else escape(model)
        rows.append(Heading(f"{name} ({series_title(series, titles)})"))
        rows += [_layer(row) for row in own.to_dict("records")]
    note = r"$\alpha$: exponent [its 95\,\% bootstrap interval]; $D$: distance of the tail from its power law. "
    note += f"{BEST_FIT}. The published table has the same columns for pre-trained ImageNet models, which are other "
    note += "networks: its rows are not repeated here."
    if left_out:
        note += f" {integer(left_out)} more layers are left out, those of the last model of each series last."
    return table(columns, rows, note)


def _fitting(layers: pd.DataFrame, metrics: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """The layers that the table has room for, and the number of the others."""
    if len(layers) <= MOST:
        return layers, 0
    last = layers["model"].isin(metrics.groupby("series", sort=False)["model"].last())
    return pd.concat([layers[last], layers[~last]])[:MOST], len(layers) - MOST


def _layer(row: Mapping) -> list[str]:
    fitted = not missing(row["alpha"])
    return [
        escape(row["layer"], breakable=True),
        number(row["q"]),
        rf"${integer(row['m'])} \times {integer(row['n'])}$",
        with_interval(row["alpha"], row["alpha_low"], row["alpha_high"]) if fitted else escape(row["status"]),
        number(row["ks_distance"], 3),
        escape(LAWS.get(row["best_fit"], row["best_fit"])) if fitted else "--",
    ]
