"""Collect the models of a series: one row a model with its accuracy and the means of its metrics.

In, one file a model in the order of `models`: tail fits (`fits`, CSV), measures (`measures`, CSV), measures of singular
vectors (`vectors`, CSV), spectra (`esds`, safetensors, their headers only) and lists of weights (`listings`, CSV of
extract_layers); where they are measured, also the Jacobians of all networks (`jacobians`, CSV of collect_jacobians).
Out: one row a model (`metrics`, CSV) and all rows of fits and measures side by side (`layers`, CSV).
"""

import logging
from dataclasses import dataclass

import pandas as pd
from omegaconf import MISSING

from htsr.errors import InputError
from htsr.files import Arrays, read_table, write_table
from htsr.metrics.averages import average_layers, depth, join_layers
from htsr.metrics.jacobians import of_networks
from htsr.stage import stage

log = logging.getLogger("htsr.collect_metrics")


@dataclass
class CollectMetricsJob:
    series: str = MISSING
    title: str = MISSING
    dataset: str = MISSING
    models: list[str] = MISSING
    titles: list[str] = MISSING
    fits: list[str] = MISSING
    measures: list[str] = MISSING
    vectors: list[str] = MISSING
    esds: list[str] = MISSING
    listings: list[str] = MISSING
    jacobians: str | None = None
    metrics: str = MISSING
    layers: str = MISSING


@stage(CollectMetricsJob)
def main(job: CollectMetricsJob) -> None:
    for key in ("titles", "fits", "measures", "vectors", "esds", "listings"):
        if len(getattr(job, key)) != len(job.models):
            raise InputError(f"series {job.series}: {len(job.models)} models, but {len(getattr(job, key))} {key}")
    jacobians = of_networks(read_table(job.jacobians)) if job.jacobians else None
    rows, tables = [], []
    for i, model in enumerate(job.models):
        try:
            layers = join_layers(*(read_table(files[i]) for files in (job.fits, job.measures, job.vectors)))
        except InputError as error:
            raise InputError(f"model {model!r}: {error}") from error
        header = Arrays(job.esds[i]).header
        accuracy = header.get("accuracy")
        row = {
            "series": job.series,
            "model": model,
            "title": job.titles[i],
            "dataset": job.dataset,
            "accuracy": accuracy,
            "error": None if accuracy is None else round(100 - accuracy, 10),
            **{key: header.get(key) for key in ("train_accuracy", "accuracy_source", "n_parameters")},
            "depth": depth(read_table(job.listings[i])),
            **average_layers(layers),
            **({} if jacobians is None else jacobians.reindex([model]).iloc[0].to_dict()),
        }
        log.info("%s: %d spectra, %d failed", model, row["n_matrices"], row["n_failed"])
        rows.append(row)
        layers.insert(0, "series", job.series)
        layers.insert(1, "model", model)
        tables.append(layers)
    write_table(job.metrics, rows)
    write_table(job.layers, pd.concat(tables))


if __name__ == "__main__":
    main()
