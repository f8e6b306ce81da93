"""Draw loss and accuracy on the way between two states of networks, with the barriers between them."""

import logging
from dataclasses import dataclass, field

from omegaconf import MISSING

from htsr.figures import style, surface_paths
from htsr.files import read_table, read_tables
from htsr.stage import stage

log = logging.getLogger("htsr.plot_surface_paths")


@dataclass
class PlotSurfacePathsJob:
    """points, summary: of collect_surfaces. networks: collect_sweep/{sweep}_networks.csv and
    collect_metrics/{series}.csv; axes: settings that each sweep varies. dataset: name of the images. log: whether
    losses have a logarithmic axis.
    """

    points: str = MISSING
    summary: str = MISSING
    networks: list[str] = MISSING
    axes: dict[str, list[str]] = field(default_factory=dict)
    dataset: str = MISSING
    log: bool = False
    pdf: str = MISSING
    png: str = MISSING
    csv: str = MISSING


@stage(PlotSurfacePathsJob)
def main(job: PlotSurfacePathsJob) -> None:
    networks = read_tables(job.networks)
    figure, drawn = surface_paths.draw(
        read_table(job.points), read_table(job.summary), networks, job.axes, job.dataset, log=job.log
    )
    style.save(figure, drawn, job.pdf, job.png, job.csv)
    log.info("drew %d ways between networks", len(drawn[["surface", "network"]].drop_duplicates()))


if __name__ == "__main__":
    main()
