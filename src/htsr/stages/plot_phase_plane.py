"""Draw errors and phases against the share of random labels and another setting of training."""

import logging
from dataclasses import dataclass, field

from omegaconf import MISSING

from htsr.figures import phase_plane, style
from htsr.files import read_table
from htsr.stage import stage

log = logging.getLogger("htsr.plot_phase_plane")


@dataclass
class PlotPhasePlaneJob:
    """sweep, networks: collect_sweep/{sweep}.csv and {sweep}_networks.csv of one sweep; axes: settings that it varies.
    layer: null for the largest fully connected one.
    """

    sweep: str = MISSING
    networks: str = MISSING
    axes: list[str] = field(default_factory=list)
    layer: str | None = None
    pdf: str = MISSING
    png: str = MISSING
    csv: str = MISSING


@stage(PlotPhasePlaneJob)
def main(job: PlotPhasePlaneJob) -> None:
    networks = read_table(job.networks)
    figure, drawn = phase_plane.draw(read_table(job.sweep), networks, job.axes, job.layer)
    style.save(figure, drawn, job.pdf, job.png, job.csv)
    log.info("drew %d networks", networks["model"].nunique())


if __name__ == "__main__":
    main()
