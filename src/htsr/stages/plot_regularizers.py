"""Draw accuracy, generalization gap and measures of every layer for kinds of regularization."""

import logging
from dataclasses import dataclass, field

from omegaconf import MISSING

from htsr.figures import regularizers, style
from htsr.files import read_table
from htsr.stage import stage

log = logging.getLogger("htsr.plot_regularizers")


@dataclass
class PlotRegularizersJob:
    """sweep, networks: collect_sweep/{sweep}.csv and {sweep}_networks.csv of one sweep; axes: settings it varies."""

    sweep: str = MISSING
    networks: str = MISSING
    axes: list[str] = field(default_factory=list)
    normalization: str = MISSING  # of the eigenvalues
    pdf: str = MISSING
    png: str = MISSING
    csv: str = MISSING


@stage(PlotRegularizersJob)
def main(job: PlotRegularizersJob) -> None:
    networks = read_table(job.networks)
    figure, drawn = regularizers.draw(read_table(job.sweep), networks, job.axes, job.normalization)
    style.save(figure, drawn, job.pdf, job.png, job.csv)
    log.info("drew %d networks", networks["model"].nunique())


if __name__ == "__main__":
    main()
