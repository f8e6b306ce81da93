"""Write values.tex: every number that a paper's text may want, as the macros \\val and \\ifhas."""

import logging
from collections import ChainMap
from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING

from htsr.config import ExperimentFiles
from htsr.files import Arrays, read_table, read_tables, whole
from htsr.stage import stage
from htsr.statistics.jacobian_states import states, with_distances
from htsr.tables import jacobians, landscape_values, landscapes, theory, training
from htsr.tables.findings import collect, published_results
from htsr.tables.values import render

log = logging.getLogger("htsr.make_values")


@dataclass
class MakeValuesJob(ExperimentFiles):
    """In, where not told there: as in make_tables. settings: whatever the text may name, by stage. jacobian_details:
    compute_jacobian of every series and sweep, for drawing.
    """

    claims: str = MISSING
    validations: str | None = None
    summaries: list[str] = field(default_factory=list)
    titles: dict[str, str] = field(default_factory=dict)  # printed names of the series
    published_titles: dict[str, str] = field(default_factory=dict)
    sweep_titles: dict[str, str] = field(default_factory=dict)
    jacobian_details: list[str] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    values: str = MISSING


@stage(MakeValuesJob)
def main(job: MakeValuesJob) -> None:
    metrics = read_tables(job.metrics)
    layers = read_tables(job.layers)
    regressions = read_table(job.regressions)
    values = collect(metrics, layers, regressions, read_table(job.claims), job.titles, job.settings)
    values.flag("results.", here=job.published_metrics)
    if job.published_metrics:
        tables = read_tables(job.published_metrics), read_table(job.published_regressions)
        published_results(values, *tables, job.published_titles)
    theory.collect(
        values,
        read_table(job.ensembles) if job.ensembles else None,
        read_table(job.validations) if job.validations else None,
        read_tables(job.summaries) if job.summaries else None,
    )
    networks = read_tables(job.networks) if job.networks else None
    sweep_regressions = read_table(job.sweep_regressions) if job.sweep_regressions else None
    training.collect(
        values,
        read_tables(job.sweeps) if job.sweeps else None,
        networks,
        sweep_regressions,
        job.shown_sweeps,
        job.axes,
        job.sweep_titles,
    )
    measured = None
    if job.jacobians:
        measured = with_distances(states(read_table(job.jacobians)), ChainMap(*map(Arrays, job.jacobian_spectra)))
        measured = jacobians.with_networks(measured, metrics, networks)
    details = ChainMap(*map(Arrays, job.jacobian_details))
    jacobians.collect(values, measured, details, regressions, sweep_regressions, job.shown_sweeps)
    landscape_values.collect(
        values,
        landscapes.describe(metrics, networks, job.axes),
        points=read_table(job.points) if job.points else None,
        summary=read_table(job.surface_summary) if job.surface_summary else None,
        ends=landscapes.concatenated(map(read_table, job.hessian_ends)),
        planes=landscapes.concatenated(map(read_table, job.hessian_planes)),
        curvatures=landscapes.concatenated(map(read_table, job.hessian_curvatures)),
        explained=landscapes.concatenated(map(read_table, job.explained)),
        pairs=read_table(job.solutions) if job.solutions else None,
        axes=job.axes,
    )
    with whole(job.values) as partial:
        partial.write_text(render(values), encoding="utf-8")
    log.info("%d values, %d flags", len(values.texts), len(values.flags))


if __name__ == "__main__":
    main()
