"""Draw one spectrum for each of the 5+1 phases of training."""

import logging
from dataclasses import dataclass

from omegaconf import MISSING

from htsr.figures import phases, style
from htsr.files import Arrays, read_table
from htsr.stage import stage

log = logging.getLogger("htsr.plot_phases")


@dataclass
class PlotPhasesJob:
    """ensembles: collect_ensembles/ensembles.csv. spectra: sample_ensemble/{ensemble}.safetensors of every ensemble."""

    ensembles: str = MISSING
    spectra: list[str] = MISSING
    pdf: str = MISSING
    png: str = MISSING
    csv: str = MISSING


@stage(PlotPhasesJob)
def main(job: PlotPhasesJob) -> None:
    spectra = {arrays.header["ensemble"]: arrays for arrays in map(Arrays, job.spectra)}
    figure, drawn = phases.draw(read_table(job.ensembles), spectra)
    style.save(figure, drawn, job.pdf, job.png, job.csv)
    log.info("drew %s", ", ".join(drawn["panel"].unique()))


if __name__ == "__main__":
    main()
