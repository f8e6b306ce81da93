"""Collect a sweep: its settings, the course of every training, and the measures of all its weights over time.

In: the list of matrices (`listing`, CSV of extract_sweep), tail fits (`fits`) and measures (`measures`, CSV), and one
file a network in the order of `networks`: weights over time (`states`, their headers only) and `histories` (CSV).
Out: one row for each network, epoch and layer (`table`, CSV) and one row a network in its last state (`metrics`, CSV),
as collect_metrics gives it for models and regress_accuracy reads it. `gap` is training less test accuracy in percent.
"""

import logging
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from omegaconf import MISSING

from htsr.errors import InputError
from htsr.files import Arrays, read_table, write_table
from htsr.metrics.averages import average_layers, join_layers
from htsr.metrics.jacobians import of_networks
from htsr.stage import stage

log = logging.getLogger("htsr.collect_sweep")

SETTINGS = ("batch_size", "label_noise", "weight_decay", "learning_rate")
COURSE = ("loss", "train_accuracy", "true_accuracy", "test_loss", "test_accuracy")


@dataclass
class CollectSweepJob:
    """labels: for each network, its value or label on every axis of the sweep."""

    sweep: str = MISSING
    title: str = MISSING
    dataset: str = MISSING
    networks: list[str] = MISSING
    labels: list[dict[str, Any]] = field(default_factory=list)
    listing: str = MISSING
    fits: str = MISSING
    measures: str = MISSING
    states: list[str] = MISSING
    histories: list[str] = MISSING
    jacobians: str | None = None
    table: str = MISSING
    metrics: str = MISSING


@stage(CollectSweepJob)
def main(job: CollectSweepJob) -> None:
    for key in ("labels", "states", "histories"):
        if len(getattr(job, key)) != len(job.networks):
            raise InputError(f"sweep {job.sweep}: {len(job.networks)} networks, but {len(getattr(job, key))} {key}")
    listing = read_table(job.listing)
    try:
        layers = join_layers(read_table(job.fits), read_table(job.measures))
    except InputError as error:
        raise InputError(f"sweep {job.sweep}: {error}") from error
    if listing["layer"].tolist() != layers["layer"].tolist():
        raise InputError(f"{job.listing}: its matrices are not those of {job.fits}: make both anew")
    layers["layer"] = listing.pop("name")
    layers["weight_layer"] = layers["layer"].astype(str).str.replace(r"\[[^\[\]]*\]$", "", regex=True)
    layers = pd.concat([listing.drop(columns="layer"), layers], axis=1)
    jacobians = of_networks(read_table(job.jacobians)) if job.jacobians else None
    tables, rows = [], []
    for i, network in enumerate(job.networks):
        header = Arrays(job.states[i]).header
        own = settings(header["settings"]) | job.labels[i]
        history = read_table(job.histories[i])
        mine = layers[layers["network"] == network]
        course = history.set_index("epoch").reindex(mine["epoch"]).reset_index(drop=True)
        own |= {"depth": int(mine["depth"].iloc[0])} if len(mine) else {}
        table = mine.drop(columns="depth").reset_index(drop=True).copy()  # in one piece
        for column in reversed(COURSE):
            table.insert(3, column, course[column])
        for place, (name, value) in enumerate(own.items()):
            table.insert(1 + place, name, value)
        table.insert(0, "sweep", job.sweep)
        tables.append(table)
        rows.append(metrics(job, network, header, own, history, table))
        if jacobians is not None:
            rows[-1] |= jacobians.reindex([network]).iloc[0].to_dict()
    write_table(job.table, pd.concat(tables, ignore_index=True))
    write_table(job.metrics, rows)
    failed = [row["model"] for row in rows if row["status"] != "ok"]
    log.info("%s: %d networks, %d spectra, trainings that failed: %s", job.sweep, len(rows), len(layers), failed)


def settings(training: dict[str, Any]) -> dict[str, Any]:
    """What every table of a sweep tells of a training, whether or not it is an axis."""
    return {
        "seed": training["seed"],
        **{key: training[key] for key in SETTINGS},
        **{key: training["network"][key] for key in ("width", "depth")},
    }


def metrics(
    job: CollectSweepJob,
    network: str,
    header: dict[str, Any],
    own: dict[str, Any],
    history: pd.DataFrame,
    table: pd.DataFrame,
) -> dict[str, Any]:
    """One row of a network in its last state. It may have no matrices: where all are too small to be measured."""
    accuracy, train_accuracy = header["accuracy"], header["train_accuracy"]
    last = table[table["final"].astype(bool)]
    end = history[history["epoch"] == header["final_epoch"]]
    return {
        "series": job.sweep,
        "model": network,
        "title": " ".join(f"{axis} {value}" for axis, value in job.labels[job.networks.index(network)].items()),
        "dataset": job.dataset,
        "accuracy": accuracy,
        "error": None if accuracy is None else round(100 - accuracy, 10),
        "train_accuracy": train_accuracy,
        "gap": None if accuracy is None else train_accuracy - accuracy,
        "accuracy_source": header["accuracy_source"],
        "n_parameters": header["n_parameters"],
        **own,
        "epochs_trained": header["final_epoch"],
        "train_loss": end["loss"].iloc[-1] if len(end) else None,
        "status": header["status"],
        **average_layers(last),
        "distance": last["distance"].mean(),
    }


if __name__ == "__main__":
    main()
