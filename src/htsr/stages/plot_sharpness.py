"""Draw test error and generalization gap against widths of loss surfaces and curvatures of the loss."""

import logging
from dataclasses import dataclass, field

import pandas as pd
from omegaconf import MISSING

from htsr.config import RegressAccuracy
from htsr.figures import sharpness, style
from htsr.files import read_table, read_tables
from htsr.stage import stage

log = logging.getLogger("htsr.plot_sharpness")


@dataclass
class PlotSharpnessJob(RegressAccuracy):
    """summary: of collect_surfaces, null for none. ends: compute_hessian/{set}.csv of every set. networks:
    collect_sweep/{sweep}_networks.csv and collect_metrics/{series}.csv; titles: printed names of sweeps and series.
    dataset: name of the images. width: `width_nat` or `width_double`, the widths whose points are drawn. Intervals of
    rank correlations as in regress_accuracy.
    """

    summary: str | None = None
    ends: list[str] = field(default_factory=list)
    networks: list[str] = MISSING
    titles: dict[str, str] = field(default_factory=dict)
    dataset: str = MISSING
    width: str = "width_nat"
    pdf: str = MISSING
    png: str = MISSING
    csv: str = MISSING


@stage(PlotSharpnessJob)
def main(job: PlotSharpnessJob) -> None:
    networks = read_tables(job.networks)
    summary = read_table(job.summary) if job.summary else pd.DataFrame()
    ends = read_tables(job.ends) if job.ends else pd.DataFrame()
    figure, drawn = sharpness.draw(
        summary,
        ends,
        networks,
        job.titles,
        job.dataset,
        width=job.width,
        resamples=job.resamples,
        level=job.level,
        seed=job.seed,
    )
    style.save(figure, drawn, job.pdf, job.png, job.csv)
    log.info("drew %d trainings", drawn["network"].nunique())


if __name__ == "__main__":
    main()
