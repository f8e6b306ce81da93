"""Draw the spectra of selected layers with the laws fitted to their tails, and those of the permuted layers."""

import logging
from dataclasses import dataclass

from omegaconf import MISSING

from htsr.config import PlotEsd
from htsr.figures import esd, style
from htsr.files import Arrays, read_table
from htsr.stage import stage

log = logging.getLogger("htsr.plot_esd")


@dataclass
class PlotEsdJob(PlotEsd):
    """Of each shown model its printed name, compute_esd file and fit_power_law file; `models` chooses them."""

    names: list[str] = MISSING
    spectra: list[str] = MISSING
    fits: list[str] = MISSING
    pdf: str = MISSING
    png: str = MISSING
    csv: str = MISSING


@stage(PlotEsdJob)
def main(job: PlotEsdJob) -> None:
    spectra, fits = list(map(Arrays, job.spectra)), list(map(read_table, job.fits))
    shown, without = esd.select(job.names, spectra, fits, job.layers_per_model)
    figure, drawn = esd.draw(shown, without)
    style.save(figure, drawn, job.pdf, job.png, job.csv)
    log.info("drew %s", ", ".join(f"{item.model} {item.spectrum.name}" for item in shown))


if __name__ == "__main__":
    main()
