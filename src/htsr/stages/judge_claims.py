"""Judge published sentences (`config/claims/`) on an experiment's tables: effect, interval, p, n, verdict and reason.

The rules by which a claim is supported, not supported or inconclusive stand in `htsr.statistics.verdict`.
"""

import logging
from collections import ChainMap
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pandas as pd
from omegaconf import MISSING

from htsr.config import Claim, Comparison, ExperimentFiles, JudgeClaims
from htsr.errors import InputError
from htsr.files import Arrays, read_table, read_tables, write_table
from htsr.stage import stage
from htsr.statistics.claims import judge
from htsr.statistics.evidence import JacobianTables, Judging, LandscapeTables, Models, Tables, Training
from htsr.statistics.jacobian_states import KEYS, OF_SPECTRA, OF_STATES, states, with_distances
from htsr.statistics.metrics_table import combine
from htsr.statistics.samples import prepare

log = logging.getLogger("htsr.judge_claims")


@dataclass
class JudgeClaimsJob(ExperimentFiles, JudgeClaims):
    """comparison: model of each role. label_spectra: compute_esd of the sweep that plays `labels`. jacobian_details:
    compute_jacobian of every series and sweep. Claims about what is not given or empty are not measured.
    """

    claims: dict[str, Claim] = field(default_factory=dict)
    comparison: Comparison = field(default_factory=Comparison)
    label_spectra: str | None = None
    jacobian_details: list[str] = field(default_factory=list)
    verdicts: str = MISSING


REGRESSED = ["series", "metric", "target", "kendall_tau", "partial_tau", "status"]
MEASURED = [*KEYS, *OF_STATES, "spectrum", *OF_SPECTRA]
PLACED = ["surface", "network", "other", "plane", "dimensions", "normalization", "batch_norm"]
LANDSCAPES = {
    "points": [*PLACED, "seed", "a", "b", "level", "train_examples", "train_loss", "test_loss"],
    "surface_summary": [
        *PLACED,
        "split",
        "share_negative",
        "width_nat",
        "reached_nat",
        "train_barrier",
        "test_barrier",
    ],
    "hessian_ends": [
        "network",
        "epoch",
        "layer",
        "lambda_min",
        "lambda_max",
        "undetected",
        "trace",
        "filter_lambda_max",
    ],
    "hessian_planes": ["network", "batch_norm", "a", "b", "lambda_min", "lambda_max", "ratio"],
    "hessian_curvatures": ["network", "direction", "step", "exact", "gap"],
    "explained": ["network", "component", "cumulative", "cumulative_null", "cumulative_p"],
    "solutions": ["pair", "first", "second", "excess"],
}
SWEPT = ["sweep", "network", "seed", "epoch", "final", "layer", "weight_layer"]


def read(files: str | list[str], needed: list[str]) -> pd.DataFrame:
    """A table, or several in one, with the needed columns. Raises InputError where a file lacks one."""
    paths = [files] if isinstance(files, str) else files
    for path in paths:
        missing = [column for column in needed if column not in read_table(path, rows=0)]
        if missing:
            raise InputError(f"{path}: no column {', '.join(missing)}: not a table of this pipeline")
    return read_tables(paths)


def training(job: JudgeClaimsJob) -> Training | None:
    """The sweeps of trained networks, if there are any."""
    if not job.sweeps:
        return None
    if not job.networks or job.sweep_regressions is None:
        raise InputError("sweeps are judged together with `networks` and `sweep_regressions`: give all three")
    return Training(
        layers=read(job.sweeps, SWEPT),
        networks=read(job.networks, ["series", "model", "seed", "status"]),
        parts=job.shown_sweeps,
        axes=job.axes,
        regressions=read(job.sweep_regressions, REGRESSED),
        spectra=Arrays(job.label_spectra) if job.label_spectra else {},
    )


def published(job: JudgeClaimsJob) -> Models | None:
    """The models that others measured, if there are any."""
    if not job.published_metrics:
        return None
    if job.published_regressions is None:
        raise InputError("`published_metrics` are judged together with `published_regressions`: give both")
    models = combine({path: read_table(path) for path in job.published_metrics})
    return Models(models, read(job.published_regressions, REGRESSED))


def jacobians(job: JudgeClaimsJob) -> JacobianTables | None:
    """The Jacobians, if there are any."""
    if job.jacobians is None:
        return None
    spectra, details = (ChainMap(*map(Arrays, paths)) for paths in (job.jacobian_spectra, job.jacobian_details))
    return JacobianTables(with_distances(states(read(job.jacobians, MEASURED)), spectra), spectra, details)


def landscape(job: JudgeClaimsJob) -> LandscapeTables | None:
    """The loss landscapes, if there are any; files without rows are left out."""
    found = {}
    for name, needed in LANDSCAPES.items():
        given = getattr(job, name)
        files = [path for path in (given if isinstance(given, list) else [given]) if path and len(read_table(path))]
        tables = [read(path, needed) for path in files]
        if isinstance(given, list):
            tables = [table.assign(surface=Path(path).stem) for path, table in zip(files, tables, strict=True)]
        if tables:
            found[name] = pd.concat(tables, ignore_index=True)
    if not found:
        return None
    return LandscapeTables(
        points=found.get("points"),
        summary=found.get("surface_summary"),
        ends=found.get("hessian_ends"),
        plane=found.get("hessian_planes"),
        curvature=found.get("hessian_curvatures"),
        explained=found.get("explained"),
        solutions=found.get("solutions"),
    )


@stage(JudgeClaimsJob)
def main(job: JudgeClaimsJob) -> None:
    tables = Tables(
        models=combine({path: read_table(path) for path in job.metrics}),
        layers=read(job.layers, ["series", "model", "layer", "weight_layer"]).astype({"series": str, "model": str}),
        regressions=read(job.regressions, REGRESSED),
        comparison=asdict(job.comparison),
        ensembles=prepare(read(job.ensembles, ["ensemble", "layer", "law", "n", "m"])) if job.ensembles else None,
        published=published(job),
        training=training(job),
        jacobians=jacobians(job),
        landscape=landscape(job),
    )
    table = judge(job.claims, tables, Judging(job.resamples, job.significance, job.seed))
    for row in table.itertuples():
        log.info("%s: %s (%s)", row.claim, row.verdict, row.reason)
    write_table(job.verdicts, table)


if __name__ == "__main__":
    main()
