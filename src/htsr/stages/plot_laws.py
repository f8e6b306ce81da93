"""Draw the laws of Gaussian random matrices over sampled ones: Marchenko-Pastur, the semicircle, Tracy-Widom."""

import logging
from dataclasses import dataclass

from omegaconf import MISSING

from htsr.figures import laws, style
from htsr.files import Arrays, read_table
from htsr.stage import stage

log = logging.getLogger("htsr.plot_laws")


@dataclass
class PlotLawsJob:
    """ensembles: collect_ensembles/ensembles.csv. spectra: sample_ensemble/{ensemble}.safetensors of every ensemble."""

    ensembles: str = MISSING
    spectra: list[str] = MISSING
    pdf: str = MISSING
    png: str = MISSING
    csv: str = MISSING


@stage(PlotLawsJob)
def main(job: PlotLawsJob) -> None:
    spectra = {arrays.header["ensemble"]: arrays for arrays in map(Arrays, job.spectra)}
    figure, drawn = laws.draw(read_table(job.ensembles), spectra)
    style.save(figure, drawn, job.pdf, job.png, job.csv)
    log.info("drew %s", ", ".join(drawn["curve"].unique()))


if __name__ == "__main__":
    main()
