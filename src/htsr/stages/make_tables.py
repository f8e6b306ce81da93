"""Write the LaTeX tables of a paper: layer fits, model metrics, regressions, claims, origins, published numbers.

They need the packages booktabs, longtable and array, and fit a text width of 6.3 in. A table that is longer than a page
is a longtable, so include them outside of floats; a caption goes into \\tablecaption before (package caption).
"""

import logging
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from omegaconf import MISSING

from htsr.files import Arrays, read_table, whole
from htsr.stage import stage
from htsr.tables import published, results

log = logging.getLogger("htsr.make_tables")


@dataclass
class MakeTablesJob:
    """In: collect_metrics of every series, regressions, claims, and compute_esd of every model (headers only)."""

    metrics: list[str] = MISSING
    layers: list[str] = MISSING
    regressions: str = MISSING
    claims: str = MISSING
    listing: list[str] = MISSING
    titles: dict[str, str] = field(default_factory=dict)  # printed names of the series
    normalization: str = MISSING  # of the eigenvalues
    published: dict[str, Any] = field(default_factory=dict)  # config/published
    layer_fits: str = MISSING
    model_metrics: str = MISSING
    regressions_table: str = MISSING
    claims_table: str = MISSING
    models_table: str = MISSING
    published_models: str = MISSING
    published_regressions: str = MISSING


@stage(MakeTablesJob)
def main(job: MakeTablesJob) -> None:
    metrics = pd.concat([read_table(path) for path in job.metrics], ignore_index=True)
    layers = pd.concat([read_table(path) for path in job.layers], ignore_index=True)
    regressions = read_table(job.regressions)
    headers = [Arrays(path).header for path in job.listing]
    written = {
        job.layer_fits: results.layer_fits(layers, metrics, job.titles),
        job.model_metrics: results.model_metrics(metrics, job.titles, job.normalization),
        job.regressions_table: results.regressions(regressions, job.titles, job.normalization),
        job.claims_table: results.claims(read_table(job.claims)),
        job.models_table: results.models(metrics, headers, job.titles),
        job.published_models: published.models(metrics, job.published.get("models", {})),
        job.published_regressions: published.regressions(regressions, job.published.get("regressions", {}), job.titles),
    }
    for path, text in written.items():
        with whole(path) as partial:
            partial.write_text(text, encoding="utf-8")
        log.info("%s: %d lines", path, text.count("\n"))


if __name__ == "__main__":
    main()
