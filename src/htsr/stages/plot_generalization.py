"""Draw test error and generalization gap against metrics of the weights, over all sweeps."""

import logging
from dataclasses import dataclass, field

from omegaconf import MISSING

from htsr.figures import generalization, style
from htsr.files import read_table, read_tables
from htsr.stage import stage

log = logging.getLogger("htsr.plot_generalization")


@dataclass
class PlotGeneralizationJob:
    """networks: collect_sweep/{sweep}_networks.csv of every sweep; regressions: of regress_accuracy over them."""

    networks: list[str] = MISSING
    regressions: str = MISSING
    titles: dict[str, str] = field(default_factory=dict)  # printed names of the sweeps
    normalization: str = MISSING  # of the eigenvalues
    pdf: str = MISSING
    png: str = MISSING
    csv: str = MISSING


@stage(PlotGeneralizationJob)
def main(job: PlotGeneralizationJob) -> None:
    networks = read_tables(job.networks)
    regressions = read_table(job.regressions)
    figure, drawn = generalization.draw(networks, regressions, job.titles, job.normalization)
    style.save(figure, drawn, job.pdf, job.png, job.csv)
    log.info("drew %d networks", len(networks))


if __name__ == "__main__":
    main()
