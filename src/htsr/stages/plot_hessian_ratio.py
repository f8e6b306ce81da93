"""Draw maps of the ratio of the Hessian's ends over planes."""

import logging
from dataclasses import dataclass, field

from omegaconf import MISSING

from htsr.figures import hessian_ratio, hessians, style
from htsr.files import read_tables
from htsr.stage import stage

log = logging.getLogger("htsr.plot_hessian_ratio")


@dataclass
class PlotHessianRatioJob:
    """planes: compute_hessian/{set}_plane.csv. networks: collect_sweep/{sweep}_networks.csv and collect_metrics/
    {series}.csv of their networks; axes: settings that each sweep varies; dataset: name of the images.
    """

    planes: list[str] = MISSING
    networks: list[str] = MISSING
    axes: dict[str, list[str]] = field(default_factory=dict)
    dataset: str = MISSING
    pdf: str = MISSING
    png: str = MISSING
    csv: str = MISSING


@stage(PlotHessianRatioJob)
def main(job: PlotHessianRatioJob) -> None:
    planes = read_tables(job.planes)
    networks = read_tables(job.networks)
    titles = hessians.titles(planes["network"], networks, job.axes)
    figure, drawn = hessian_ratio.draw(planes, titles, job.dataset)
    style.save(figure, drawn, job.pdf, job.png, job.csv)
    log.info("drew %d networks", drawn["network"].nunique())


if __name__ == "__main__":
    main()
