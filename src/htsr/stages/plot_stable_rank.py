"""Draw the exponent of every matrix against its log stable rank, series by series."""

import logging
from dataclasses import dataclass, field

from omegaconf import MISSING

from htsr.figures import stable_rank, style
from htsr.files import read_tables
from htsr.stage import stage

log = logging.getLogger("htsr.plot_stable_rank")


@dataclass
class PlotStableRankJob:
    """layers: collect_metrics/{series}_layers.csv of every series."""

    layers: list[str] = MISSING
    titles: dict[str, str] = field(default_factory=dict)  # printed names of the series
    normalization: str = MISSING  # of the eigenvalues
    pdf: str = MISSING
    png: str = MISSING
    csv: str = MISSING


@stage(PlotStableRankJob)
def main(job: PlotStableRankJob) -> None:
    layers = read_tables(job.layers)
    figure, drawn = stable_rank.draw(layers, job.titles, job.normalization)
    style.save(figure, drawn, job.pdf, job.png, job.csv)
    log.info("drew %d matrices", len(drawn))


if __name__ == "__main__":
    main()
