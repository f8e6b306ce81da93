"""Draw the curvature of the loss across scales."""

import logging
from dataclasses import dataclass, field

from omegaconf import MISSING

from htsr.figures import hessian_scales, hessians, style
from htsr.files import read_tables
from htsr.stage import stage

log = logging.getLogger("htsr.plot_hessian_scales")


@dataclass
class PlotHessianScalesJob:
    """curvatures, ends: compute_hessian/{set}_curvature.csv and {set}.csv of one set or more. networks:
    collect_sweep/{sweep}_networks.csv and collect_metrics/{series}.csv of their networks; axes: settings that each
    sweep varies; dataset: name of the images.
    """

    curvatures: list[str] = MISSING
    ends: list[str] = MISSING
    networks: list[str] = MISSING
    axes: dict[str, list[str]] = field(default_factory=dict)
    dataset: str = MISSING
    pdf: str = MISSING
    png: str = MISSING
    csv: str = MISSING


@stage(PlotHessianScalesJob)
def main(job: PlotHessianScalesJob) -> None:
    curvature = read_tables(job.curvatures)
    ends = read_tables(job.ends)
    networks = read_tables(job.networks)
    titles = hessians.titles(ends["network"], networks, job.axes)
    figure, drawn = hessian_scales.draw(curvature, ends, titles, job.dataset)
    style.save(figure, drawn, job.pdf, job.png, job.csv)
    log.info("drew %d networks", drawn["network"].nunique())


if __name__ == "__main__":
    main()
