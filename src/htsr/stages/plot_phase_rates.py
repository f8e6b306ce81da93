"""Draw how often the phase of random matrices is the one that their law stands for, and what it is at boundaries."""

import logging
from dataclasses import dataclass

from omegaconf import MISSING

from htsr.figures import phase_rates, style
from htsr.files import read_table
from htsr.stage import stage

log = logging.getLogger("htsr.plot_phase_rates")


@dataclass
class PlotPhaseRatesJob:
    """ensembles: collect_ensembles/ensembles.csv."""

    ensembles: str = MISSING
    pdf: str = MISSING
    png: str = MISSING
    csv: str = MISSING


@stage(PlotPhaseRatesJob)
def main(job: PlotPhaseRatesJob) -> None:
    figure, drawn = phase_rates.draw(read_table(job.ensembles))
    style.save(figure, drawn, job.pdf, job.png, job.csv)
    log.info("drew %d rates", len(drawn))


if __name__ == "__main__":
    main()
