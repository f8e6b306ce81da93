"""Draw ends, ratio and trace of Hessians of untrained and trained networks."""

import logging
from dataclasses import dataclass, field

from omegaconf import MISSING

from htsr.figures import hessian_ends, hessians, style
from htsr.files import read_tables
from htsr.stage import stage

log = logging.getLogger("htsr.plot_hessian_ends")


@dataclass
class PlotHessianEndsJob:
    """ends: compute_hessian/{set}.csv of one set or more. networks: collect_sweep/{sweep}_networks.csv and
    collect_metrics/{series}.csv of their networks; axes: settings that each sweep varies; dataset: name of the
    images.
    """

    ends: list[str] = MISSING
    networks: list[str] = MISSING
    axes: dict[str, list[str]] = field(default_factory=dict)
    dataset: str = MISSING
    pdf: str = MISSING
    png: str = MISSING
    csv: str = MISSING


@stage(PlotHessianEndsJob)
def main(job: PlotHessianEndsJob) -> None:
    ends = read_tables(job.ends)
    networks = read_tables(job.networks)
    titles = hessians.titles(ends["network"], networks, job.axes)
    figure, drawn = hessian_ends.draw(ends, titles, job.dataset)
    style.save(figure, drawn, job.pdf, job.png, job.csv)
    log.info("drew %d networks", drawn["network"].nunique())


if __name__ == "__main__":
    main()
