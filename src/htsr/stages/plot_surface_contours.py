"""Draw contours of losses over random planes, of networks with and without shortcuts over depth and width."""

import logging
from dataclasses import dataclass, field

from omegaconf import MISSING

from htsr.config import PlotSurface
from htsr.figures import style, surface_contours
from htsr.files import read_table, read_tables
from htsr.stage import stage

log = logging.getLogger("htsr.plot_surface_contours")


@dataclass
class PlotSurfaceContoursJob(PlotSurface):
    """points, summary: of collect_surfaces. networks: collect_sweep/{sweep}_networks.csv of every sweep and
    collect_metrics/{series}.csv of every series; axes: settings that each sweep varies. dataset: name of the images.
    """

    points: str = MISSING
    summary: str = MISSING
    networks: list[str] = MISSING
    axes: dict[str, list[str]] = field(default_factory=dict)
    dataset: str = MISSING
    pdf: str = MISSING
    png: str = MISSING
    csv: str = MISSING


@stage(PlotSurfaceContoursJob)
def main(job: PlotSurfaceContoursJob) -> None:
    networks = read_tables(job.networks)
    tables = [read_table(path) for path in (job.points, job.summary)]
    figure, drawn = surface_contours.draw(*tables, networks, job.axes, job.dataset, log=job.log)
    style.save(figure, drawn, job.pdf, job.png, job.csv)
    log.info("drew %d planes", len(drawn[["surface", "network"]].drop_duplicates()))


if __name__ == "__main__":
    main()
