"""Draw spectral densities of Hessians, untrained and trained."""

import logging
from dataclasses import dataclass, field

from omegaconf import MISSING

from htsr.figures import hessian_density, hessians, style
from htsr.files import Arrays, read_tables
from htsr.stage import stage

log = logging.getLogger("htsr.plot_hessian_density")


@dataclass
class PlotHessianDensityJob:
    """densities, ends: compute_hessian/{set}_density.safetensors and {set}.csv of one set or more. networks:
    collect_sweep/{sweep}_networks.csv and collect_metrics/{series}.csv of their networks; axes: settings that each
    sweep varies; dataset: name of the images.
    """

    densities: list[str] = MISSING
    ends: list[str] = MISSING
    networks: list[str] = MISSING
    axes: dict[str, list[str]] = field(default_factory=dict)
    dataset: str = MISSING
    pdf: str = MISSING
    png: str = MISSING
    csv: str = MISSING


@stage(PlotHessianDensityJob)
def main(job: PlotHessianDensityJob) -> None:
    densities = [Arrays(path) for path in job.densities]
    ends = read_tables(job.ends)
    networks = read_tables(job.networks)
    titles = hessians.titles(ends["network"], networks, job.axes)
    figure, drawn = hessian_density.draw(densities, ends, titles, job.dataset)
    style.save(figure, drawn, job.pdf, job.png, job.csv)
    log.info("drew %d networks", drawn["network"].nunique())


if __name__ == "__main__":
    main()
