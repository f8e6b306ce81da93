"""Draw trainings on the planes of their principal components, over the loss."""

import logging
from dataclasses import dataclass, field

from omegaconf import MISSING

from htsr.figures import style, trajectories
from htsr.files import read_table, read_tables
from htsr.stage import stage

log = logging.getLogger("htsr.plot_trajectories")


@dataclass
class PlotTrajectoriesJob:
    """points, places: collect_surfaces/points.csv and checkpoints.csv. coordinates, explained: project_trajectory/
    {surfaces}.csv and {surfaces}_explained.csv of every set with planes of principal components. networks:
    collect_sweep/{sweep}_networks.csv and collect_metrics/{series}.csv; axes: settings that each sweep varies; dataset:
    name of the images; level: of project_trajectory.
    """

    points: str = MISSING
    places: str = MISSING
    coordinates: list[str] = MISSING
    explained: list[str] = MISSING
    networks: list[str] = MISSING
    axes: dict[str, list[str]] = field(default_factory=dict)
    dataset: str = MISSING
    level: float = 0.95
    pdf: str = MISSING
    png: str = MISSING
    csv: str = MISSING


@stage(PlotTrajectoriesJob)
def main(job: PlotTrajectoriesJob) -> None:
    points, places = read_table(job.points), read_table(job.places)
    coordinates = read_tables(job.coordinates)
    explained = read_tables(job.explained)
    networks = read_tables(job.networks)
    figure, drawn = trajectories.draw(
        points, places, coordinates, explained, networks, job.axes, job.dataset, level=job.level
    )
    style.save(figure, drawn, job.pdf, job.png, job.csv)
    log.info("drew %d trainings", drawn["network"].nunique())


if __name__ == "__main__":
    main()
