"""Write values.tex: every number that a paper's text may want, as the macros \\val and \\ifhas."""

import logging
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from omegaconf import MISSING

from htsr.files import read_table, whole
from htsr.stage import stage
from htsr.tables import theory
from htsr.tables.findings import collect
from htsr.tables.values import render

log = logging.getLogger("htsr.make_values")


@dataclass
class MakeValuesJob:
    """In: what the values are of, as in make_tables; settings: whatever the text may name, by stage."""

    metrics: list[str] = MISSING
    layers: list[str] = MISSING
    regressions: str = MISSING
    claims: str = MISSING
    ensembles: str | None = None
    validations: str | None = None
    summaries: list[str] = field(default_factory=list)
    titles: dict[str, str] = field(default_factory=dict)  # printed names of the series
    settings: dict[str, Any] = field(default_factory=dict)
    values: str = MISSING


@stage(MakeValuesJob)
def main(job: MakeValuesJob) -> None:
    metrics = pd.concat([read_table(path) for path in job.metrics], ignore_index=True)
    layers = pd.concat([read_table(path) for path in job.layers], ignore_index=True)
    values = collect(metrics, layers, read_table(job.regressions), read_table(job.claims), job.titles, job.settings)
    theory.collect(
        values,
        read_table(job.ensembles) if job.ensembles else None,
        read_table(job.validations) if job.validations else None,
        pd.concat(map(read_table, job.summaries)) if job.summaries else None,
    )
    with whole(job.values) as partial:
        partial.write_text(render(values), encoding="utf-8")
    log.info("%d values, %d flags", len(values.texts), len(values.flags))


if __name__ == "__main__":
    main()
