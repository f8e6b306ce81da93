"""Draw measures of Jacobians in the course of training and against the width and the depth of networks."""

import logging
from dataclasses import dataclass, field

from omegaconf import MISSING

from htsr.figures import jacobian_trends, style
from htsr.files import read_table, read_tables
from htsr.stage import stage

log = logging.getLogger("htsr.plot_jacobian_trends")


@dataclass
class PlotJacobianTrendsJob:
    """jacobians: of collect_jacobians. networks: collect_sweep/{sweep}_networks.csv of every sweep; axes: settings that
    each varies; shown_sweeps: which plays the parts `epochs` and `size`. dataset: name of the images.
    """

    jacobians: str = MISSING
    networks: list[str] = MISSING
    axes: dict[str, list[str]] = field(default_factory=dict)
    shown_sweeps: dict[str, str | None] = field(default_factory=dict)
    dataset: str = MISSING
    pdf: str = MISSING
    png: str = MISSING
    csv: str = MISSING


@stage(PlotJacobianTrendsJob)
def main(job: PlotJacobianTrendsJob) -> None:
    networks = read_tables(job.networks)
    figure, drawn = jacobian_trends.draw(read_table(job.jacobians), networks, job.axes, job.shown_sweeps, job.dataset)
    style.save(figure, drawn, job.pdf, job.png, job.csv)
    log.info("drew %d networks", drawn["network"].nunique())


if __name__ == "__main__":
    main()
