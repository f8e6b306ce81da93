"""Judge published sentences (`config/claims/`) on an experiment's tables: effect, interval, p, n, verdict and reason.

The rules by which a claim is supported, not supported or inconclusive stand in `htsr.statistics.verdict`.
"""

import logging
from dataclasses import asdict, dataclass, field

import pandas as pd
from omegaconf import MISSING

from htsr.config import Claim, Comparison, JudgeClaims
from htsr.errors import InputError
from htsr.files import read_table, write_table
from htsr.stage import stage
from htsr.statistics.claims import judge
from htsr.statistics.evidence import Judging, Tables
from htsr.statistics.metrics_table import combine
from htsr.statistics.samples import prepare

log = logging.getLogger("htsr.judge_claims")


@dataclass
class JudgeClaimsJob(JudgeClaims):
    """ensembles: collect_ensembles/ensembles.csv; without it, claims about random matrices are not measured."""

    claims: dict[str, Claim] = field(default_factory=dict)
    comparison: Comparison = field(default_factory=Comparison)
    metrics: list[str] = MISSING
    layers: list[str] = MISSING
    regressions: str = MISSING
    ensembles: str | None = None
    verdicts: str = MISSING


def read(path: str, needed: list[str]) -> pd.DataFrame:
    """A table with the needed columns. Raises InputError where one is missing."""
    table = read_table(path)
    missing = [column for column in needed if column not in table]
    if missing:
        raise InputError(f"{path}: no column {', '.join(missing)}: not a table of this pipeline")
    return table


@stage(JudgeClaimsJob)
def main(job: JudgeClaimsJob) -> None:
    layers = [read(path, ["series", "model", "layer", "weight_layer"]) for path in job.layers]
    tables = Tables(
        models=combine({path: read_table(path) for path in job.metrics}),
        layers=pd.concat(layers, ignore_index=True).astype({"series": str, "model": str}),
        regressions=read(job.regressions, ["series", "metric", "target", "kendall_tau", "partial_tau", "status"]),
        comparison=asdict(job.comparison),
        ensembles=prepare(read(job.ensembles, ["ensemble", "layer", "law", "n", "m"])) if job.ensembles else None,
    )
    table = judge(job.claims, tables, Judging(job.resamples, job.significance, job.seed))
    for row in table.itertuples():
        log.info("%s: %s (%s)", row.claim, row.verdict, row.reason)
    write_table(job.verdicts, table)


if __name__ == "__main__":
    main()
