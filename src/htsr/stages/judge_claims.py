"""Judge published sentences (`config/claims/`) on an experiment's tables: effect, interval, p, n, verdict and reason.

The rules by which a claim is supported, not supported or inconclusive stand in `htsr.statistics.verdict`.
"""

import logging
from collections import ChainMap
from dataclasses import asdict, dataclass, field

import pandas as pd
from omegaconf import MISSING

from htsr.config import Claim, Comparison, JudgeClaims
from htsr.errors import InputError
from htsr.files import Arrays, read_table, write_table
from htsr.stage import stage
from htsr.statistics.claims import judge
from htsr.statistics.evidence import JacobianTables, Judging, Tables, Training
from htsr.statistics.jacobian_states import KEYS, OF_SPECTRA, OF_STATES, states, with_distances
from htsr.statistics.metrics_table import combine
from htsr.statistics.samples import prepare

log = logging.getLogger("htsr.judge_claims")


@dataclass
class JudgeClaimsJob(JudgeClaims):
    """ensembles: collect_ensembles/ensembles.csv; without it, claims about random matrices are not measured.

    sweeps, networks: collect_sweep of every sweep; axes: of each; shown_sweeps: the sweep that plays each part;
    sweep_regressions: regress_accuracy of networks; label_spectra: compute_esd of the sweep that plays `labels`.
    Without sweeps, claims about training are not measured.

    jacobians: collect_jacobians/jacobians.csv; jacobian_spectra, jacobian_details: compute_jacobian of every series and
    sweep in it. Without it, claims about Jacobians are not measured.
    """

    claims: dict[str, Claim] = field(default_factory=dict)
    comparison: Comparison = field(default_factory=Comparison)
    metrics: list[str] = MISSING
    layers: list[str] = MISSING
    regressions: str = MISSING
    ensembles: str | None = None
    sweeps: list[str] = field(default_factory=list)
    networks: list[str] = field(default_factory=list)
    sweep_regressions: str | None = None
    label_spectra: str | None = None
    axes: dict[str, list[str]] = field(default_factory=dict)
    shown_sweeps: dict[str, str | None] = field(default_factory=dict)
    jacobians: str | None = None
    jacobian_spectra: list[str] = field(default_factory=list)
    jacobian_details: list[str] = field(default_factory=list)
    verdicts: str = MISSING


REGRESSED = ["series", "metric", "target", "kendall_tau", "partial_tau", "status"]
MEASURED = [*KEYS, *OF_STATES, "spectrum", *OF_SPECTRA]
SWEPT = ["sweep", "network", "seed", "epoch", "final", "layer", "weight_layer"]


def read(path: str, needed: list[str]) -> pd.DataFrame:
    """A table with the needed columns. Raises InputError where one is missing."""
    table = read_table(path)
    missing = [column for column in needed if column not in table]
    if missing:
        raise InputError(f"{path}: no column {', '.join(missing)}: not a table of this pipeline")
    return table


def training(job: JudgeClaimsJob) -> Training | None:
    """The sweeps of trained networks, if there are any."""
    if not job.sweeps:
        return None
    if not job.networks or job.sweep_regressions is None:
        raise InputError("sweeps are judged together with `networks` and `sweep_regressions`: give all three")
    return Training(
        layers=pd.concat([read(path, SWEPT) for path in job.sweeps], ignore_index=True),
        networks=pd.concat([read(path, ["series", "model", "seed", "status"]) for path in job.networks]),
        parts=job.shown_sweeps,
        axes=job.axes,
        regressions=read(job.sweep_regressions, REGRESSED),
        spectra=Arrays(job.label_spectra) if job.label_spectra else {},
    )


def jacobians(job: JudgeClaimsJob) -> JacobianTables | None:
    """The Jacobians, if there are any."""
    if job.jacobians is None:
        return None
    spectra, details = (ChainMap(*map(Arrays, paths)) for paths in (job.jacobian_spectra, job.jacobian_details))
    return JacobianTables(with_distances(states(read(job.jacobians, MEASURED)), spectra), spectra, details)


@stage(JudgeClaimsJob)
def main(job: JudgeClaimsJob) -> None:
    layers = [read(path, ["series", "model", "layer", "weight_layer"]) for path in job.layers]
    tables = Tables(
        models=combine({path: read_table(path) for path in job.metrics}),
        layers=pd.concat(layers, ignore_index=True).astype({"series": str, "model": str}),
        regressions=read(job.regressions, REGRESSED),
        comparison=asdict(job.comparison),
        ensembles=prepare(read(job.ensembles, ["ensemble", "layer", "law", "n", "m"])) if job.ensembles else None,
        training=training(job),
        jacobians=jacobians(job),
    )
    table = judge(job.claims, tables, Judging(job.resamples, job.significance, job.seed))
    for row in table.itertuples():
        log.info("%s: %s (%s)", row.claim, row.verdict, row.reason)
    write_table(job.verdicts, table)


if __name__ == "__main__":
    main()
