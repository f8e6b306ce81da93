"""Draw loss and accuracy along random directions by the settings of trainings: batch size, weight decay, optimizer."""

import logging
from dataclasses import dataclass, field

from omegaconf import MISSING

from htsr.config import PlotSurface
from htsr.figures import style, surface_lines
from htsr.files import read_table, read_tables
from htsr.stage import stage

log = logging.getLogger("htsr.plot_surface_lines")


@dataclass
class PlotSurfaceLinesJob(PlotSurface):
    """points: of collect_surfaces. networks: collect_sweep/{sweep}_networks.csv and collect_metrics/{series}.csv; axes:
    settings that each sweep varies. dataset: name of the images. compared: the setting whose values have a curve each
    in every panel.
    """

    points: str = MISSING
    networks: list[str] = MISSING
    axes: dict[str, list[str]] = field(default_factory=dict)
    dataset: str = MISSING
    compared: str = "batch_size"
    pdf: str = MISSING
    png: str = MISSING
    csv: str = MISSING


@stage(PlotSurfaceLinesJob)
def main(job: PlotSurfaceLinesJob) -> None:
    networks = read_tables(job.networks)
    figure, drawn = surface_lines.draw(
        read_table(job.points), networks, job.axes, job.dataset, compared=job.compared, log=job.log
    )
    style.save(figure, drawn, job.pdf, job.png, job.csv)
    log.info("drew %d networks", drawn["network"].nunique())


if __name__ == "__main__":
    main()
