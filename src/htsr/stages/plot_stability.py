"""Draw the exponent of selected spectra as a function of the number of eigenvalues that it is taken from."""

import logging
from dataclasses import dataclass

from omegaconf import MISSING

from htsr.config import PlotEsd
from htsr.figures import esd, stability, style
from htsr.files import Arrays, read_table
from htsr.stage import stage

log = logging.getLogger("htsr.plot_stability")


@dataclass
class PlotStabilityJob(PlotEsd):
    """Of each shown model its printed name, compute_esd file and fit_power_law file; `models` chooses them."""

    names: list[str] = MISSING
    spectra: list[str] = MISSING
    fits: list[str] = MISSING
    pdf: str = MISSING
    png: str = MISSING
    csv: str = MISSING


@stage(PlotStabilityJob)
def main(job: PlotStabilityJob) -> None:
    spectra, fits = list(map(Arrays, job.spectra)), list(map(read_table, job.fits))
    shown, without = esd.select(job.names, spectra, fits, job.layers_per_model)
    figure, drawn = stability.draw(shown, without)
    style.save(figure, drawn, job.pdf, job.png, job.csv)
    log.info("drew %d panels", drawn["panel"].nunique())


if __name__ == "__main__":
    main()
