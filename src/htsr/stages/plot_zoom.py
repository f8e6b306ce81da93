"""Draw the spectra of selected layers on linear axes, whole and enlarged at the bulk, with its Marchenko-Pastur law."""

import logging
from dataclasses import dataclass

from omegaconf import MISSING

from htsr.config import PlotEsd
from htsr.figures import esd, style, zoom
from htsr.files import Arrays, read_table
from htsr.stage import stage

log = logging.getLogger("htsr.plot_zoom")


@dataclass
class PlotZoomJob(PlotEsd):
    """Of each shown model its printed name, compute_esd, fit_power_law and measure_layers file; `models` chooses them.

    spike_level: the setting of measure_layers.
    """

    names: list[str] = MISSING
    spectra: list[str] = MISSING
    fits: list[str] = MISSING
    measures: list[str] = MISSING
    spike_level: float = MISSING
    pdf: str = MISSING
    png: str = MISSING
    csv: str = MISSING


@stage(PlotZoomJob)
def main(job: PlotZoomJob) -> None:
    spectra, fits = list(map(Arrays, job.spectra)), list(map(read_table, job.fits))
    shown, without = esd.select(job.names, spectra, fits, job.layers_per_model, list(map(read_table, job.measures)))
    figure, drawn = zoom.draw(shown, job.spike_level, without)
    style.save(figure, drawn, job.pdf, job.png, job.csv)
    log.info("drew %s", ", ".join(f"{item.model} {item.spectrum.name}" for item in shown))


if __name__ == "__main__":
    main()
