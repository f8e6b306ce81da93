"""Draw mean norms and log stable rank against test accuracy, one row of panels for each series."""

import logging
from dataclasses import dataclass, field

from omegaconf import MISSING

from htsr.figures import accuracy, style
from htsr.files import read_table, read_tables
from htsr.stage import stage

log = logging.getLogger("htsr.plot_norms")

COLUMNS = ("log_norm", "log_spectral_norm", "log_alpha_norm", "log_stable_rank")


@dataclass
class PlotNormsJob:
    """metrics: collect_metrics/{series}.csv of every series; regressions: regress_accuracy/regressions.csv."""

    metrics: list[str] = MISSING
    regressions: str = MISSING
    titles: dict[str, str] = field(default_factory=dict)  # printed names of the series
    normalization: str = MISSING  # of the eigenvalues
    pdf: str = MISSING
    png: str = MISSING
    csv: str = MISSING


@stage(PlotNormsJob)
def main(job: PlotNormsJob) -> None:
    metrics = read_tables(job.metrics)
    regressions = read_table(job.regressions)
    figure, drawn = accuracy.draw(metrics, regressions, COLUMNS, job.titles, job.normalization, named=False)
    style.save(figure, drawn, job.pdf, job.png, job.csv)
    log.info("drew %d models", metrics["accuracy"].notna().sum())


if __name__ == "__main__":
    main()
