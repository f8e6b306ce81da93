"""Write values.tex: every number that a paper's text may want, as the macros \\val and \\ifhas."""

import logging
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from omegaconf import MISSING

from htsr.files import read_table, whole
from htsr.stage import stage
from htsr.tables import theory, training
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
    sweeps: list[str] = field(default_factory=list)
    networks: list[str] = field(default_factory=list)
    sweep_regressions: str | None = None
    sweep_titles: dict[str, str] = field(default_factory=dict)
    axes: dict[str, list[str]] = field(default_factory=dict)
    shown_sweeps: dict[str, str | None] = field(default_factory=dict)
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
    training.collect(
        values,
        pd.concat(map(read_table, job.sweeps), ignore_index=True) if job.sweeps else None,
        pd.concat(map(read_table, job.networks), ignore_index=True) if job.networks else None,
        read_table(job.sweep_regressions) if job.sweep_regressions else None,
        job.shown_sweeps,
        job.axes,
        job.sweep_titles,
    )
    with whole(job.values) as partial:
        partial.write_text(render(values), encoding="utf-8")
    log.info("%d values, %d flags", len(values.texts), len(values.flags))


if __name__ == "__main__":
    main()
