"""Collect what others have published of the models of a series: the tables of their matrices, and means over them.

Each model has a file, weightwatcher's table of details, looked for in the mirror, else downloaded, and verified. Out:
one row a model (`metrics`, CSV), columns as in collect_metrics, and all matrices (`layers`, CSV). Eigenvalues are those
of WᵀW; `depth` is the number of layers in the file, which leaves out those with fewer than 50 rows or columns.
"""

import logging
from dataclasses import dataclass, field

import pandas as pd
from omegaconf import MISSING

from htsr.config import DownloadModel, PublishedResults
from htsr.errors import InputError
from htsr.files import read_table, write_table
from htsr.metrics.averages import average_layers
from htsr.metrics.weightwatcher import from_details
from htsr.models.download import fetch_by
from htsr.stage import stage

log = logging.getLogger("htsr.collect_published")


@dataclass
class CollectPublishedJob(DownloadModel):
    """mirror: a folder looked at before the network; without it, the environment variable HTSR_MIRROR."""

    name: str = MISSING
    series: PublishedResults = field(default_factory=PublishedResults)
    mirror: str | None = None
    metrics: str = MISSING
    layers: str = MISSING


@stage(CollectPublishedJob)
def main(job: CollectPublishedJob) -> None:
    if not job.series.models:
        raise InputError(f"published_results {job.name}: no models")
    rows, tables = [], []
    for model, entry in job.series.models.items():
        url = f"{job.series.folder.rstrip('/')}/{entry.file}"
        try:
            path, _ = fetch_by(job, url, entry.sha256)
            layers = from_details(read_table(path))
        except InputError as error:
            raise InputError(f"published_results {job.name}, model {model}: {error}") from error
        rows.append(
            {
                "series": job.name,
                "model": model,
                "title": entry.title or model,
                "dataset": job.series.dataset,
                "accuracy": entry.accuracy,
                "error": round(100 - entry.accuracy, 10),
                "accuracy_source": job.series.accuracy_source,
                "source": job.series.source,
                "origin": url,
                "depth": layers["weight_layer"].nunique(),
                **average_layers(layers),
            }
        )
        log.info("%s: %s, %d matrices, %d without an exponent", model, url, len(layers), rows[-1]["n_failed"])
        layers.insert(0, "series", job.name)
        layers.insert(1, "model", model)
        tables.append(layers)
    write_table(job.metrics, rows)
    write_table(job.layers, pd.concat(tables))


if __name__ == "__main__":
    main()
