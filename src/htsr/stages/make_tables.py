"""Write the LaTeX tables of the papers, those that `tables` names, each to its file.

They need the packages booktabs, longtable and array, and fit a text width of 6.3 in. A table that is longer than a page
is a longtable, so include them outside of floats; a caption goes into \\tablecaption before (package caption).
"""

import logging
from collections import ChainMap
from dataclasses import dataclass, field
from functools import partial as bind
from typing import Any

from omegaconf import MISSING

from htsr.config import ExperimentFiles
from htsr.errors import InputError
from htsr.files import Arrays, read_table, read_tables, whole
from htsr.metrics import weightwatcher
from htsr.stage import stage
from htsr.statistics.jacobian_states import states, with_distances
from htsr.tables import jacobians, landscapes, published, results, sweeps
from htsr.tables.classes import classes
from htsr.tables.comparisons import comparisons
from htsr.tables.estimators import estimators
from htsr.tables.linear_fits import linear_fits
from htsr.tables.smoothing import smoothing

log = logging.getLogger("htsr.make_tables")


@dataclass
class MakeTablesJob(ExperimentFiles):
    """claims: judge_claims. esds: compute_esd of every model (headers only). validations: validate_estimators.
    summaries: smooth_model of every smoothed model. pairs: compare_models of every pair. titles, published_titles,
    sweep_titles: printed names of the series, of those of others, of the sweeps; model_titles: of the models.
    published: config/published. tables: name and file of each table.
    """

    claims: str = MISSING
    esds: list[str] = MISSING
    validations: str | None = None
    summaries: list[str] = field(default_factory=list)
    pairs: list[str] = field(default_factory=list)
    titles: dict[str, str] = field(default_factory=dict)
    model_titles: dict[str, str] = field(default_factory=dict)
    normalization: str = MISSING
    published: dict[str, Any] = field(default_factory=dict)
    published_titles: dict[str, str] = field(default_factory=dict)
    sweep_titles: dict[str, str] = field(default_factory=dict)
    tables: dict[str, str] = MISSING


@stage(MakeTablesJob)
def main(job: MakeTablesJob) -> None:
    metrics = read_tables(job.metrics)
    layers = read_tables(job.layers)
    regressions, claims = read_table(job.regressions), read_table(job.claims)
    headers = [Arrays(path).header for path in job.esds]
    known = {
        "models": bind(results.models, metrics, headers, job.titles),
        "layer_fits": bind(results.layer_fits, layers, metrics, job.titles),
        "model_metrics": bind(results.model_metrics, metrics, job.titles, job.normalization),
        "regressions": bind(results.regressions, regressions, job.titles, job.normalization),
        "published_models": bind(published.models, metrics, job.published.get("models", {})),
        "published_regressions": bind(
            published.regressions,
            regressions,
            job.published.get("regressions", {}),
            job.titles,
            read_table(job.published_regressions) if job.published_regressions else None,
            job.published_titles,
        ),
        "linear_fits": bind(linear_fits, layers, metrics, job.titles),
    }
    for paper in claims["paper"].unique():
        known[f"claims_{paper}"] = bind(results.claims, claims[claims["paper"] == paper])
    if job.published_metrics:
        known["published_metrics"] = bind(
            results.model_metrics,
            read_tables(job.published_metrics),
            job.published_titles,
            weightwatcher.NORMALIZATION,
            published.METRICS,
            sourced=True,
        )
    if job.ensembles:
        known["classes"] = bind(classes, read_table(job.ensembles))
    if job.validations:
        known["estimators"] = bind(estimators, read_table(job.validations))
    if job.summaries:
        known["smoothing"] = bind(smoothing, read_tables(job.summaries), job.model_titles)
    if job.pairs:
        known["comparisons"] = bind(comparisons, read_tables(job.pairs), job.model_titles)
    networks = read_tables(job.networks) if job.networks else None
    if job.sweeps:
        swept = read_tables(job.sweeps)
        batches, regularized = (job.shown_sweeps.get(part) for part in ("batch_size", "regularization"))
        if batches:
            numbers = job.published.get("batch_size")
            known["batch_size"] = bind(sweeps.batch_size, swept, networks, batches, numbers, job.normalization)
        if regularized:
            axis = job.axes[regularized][0]
            known["regularization"] = bind(sweeps.regularization, swept, networks, regularized, axis, job.normalization)
        known["sweep_regressions"] = bind(sweeps.sweep_regressions, read_table(job.sweep_regressions), job.sweep_titles)
    if job.jacobians:
        table = with_distances(states(read_table(job.jacobians)), ChainMap(*map(Arrays, job.jacobian_spectra)))
        table = jacobians.with_networks(table, metrics, networks)
        titles = job.titles | job.sweep_titles
        known["jacobian_networks"] = bind(jacobians.jacobian_networks, table, titles)
        known["jacobian_split"] = bind(jacobians.jacobian_split, table, titles)
        of_sweeps = read_table(job.sweep_regressions) if job.sweep_regressions else None
        known["jacobian_regressions"] = bind(jacobians.jacobian_regressions, regressions, of_sweeps, job.titles)
    described = landscapes.describe(metrics, networks, job.axes)
    summary = read_table(job.surface_summary) if job.surface_summary else None
    pairs = read_table(job.solutions) if job.solutions else None
    if summary is not None:
        points = read_table(job.points) if job.points else None
        known["surfaces"] = bind(landscapes.surfaces, summary, points, described)
    if job.hessian_ends:
        ends, planes = (
            landscapes.concatenated(map(read_table, paths)) for paths in (job.hessian_ends, job.hessian_planes)
        )
        known["hessians"] = bind(landscapes.hessians, ends, planes, described)
    if job.explained:
        explained = landscapes.concatenated(map(read_table, job.explained))
        known["trajectories"] = bind(landscapes.trajectories, explained, described)
    if summary is not None or pairs is not None:
        known["solutions"] = bind(landscapes.solutions, pairs, summary, described)
    for name in job.tables:
        if name not in known:
            raise InputError(f"make_tables: there is no table {name!r}; with these inputs there are {', '.join(known)}")
    for name, path in job.tables.items():
        text = known[name]()
        with whole(path) as partial:
            partial.write_text(text, encoding="utf-8")
        log.info("%s: %d lines", path, text.count("\n"))


if __name__ == "__main__":
    main()
