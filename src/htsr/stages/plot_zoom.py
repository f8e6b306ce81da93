"""Draw the spectra of selected layers on linear axes, whole and enlarged at the bulk, with its Marchenko-Pastur law."""

import logging
from dataclasses import dataclass

from omegaconf import MISSING

from htsr.config import PlotEsd
from htsr.errors import InputError
from htsr.figures import esd, style, zoom
from htsr.files import Arrays, read_table
from htsr.spectra.spectrum import from_arrays
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
    if not len(job.names) == len(job.spectra) == len(job.fits) == len(job.measures):
        raise InputError("plot_zoom: names, spectra, fits and measures are lists of one length: one entry a model")
    shown, without = [], []
    for name, spectra, fits, measures in zip(job.names, job.spectra, job.fits, job.measures, strict=True):
        table, arrays = read_table(fits), Arrays(spectra)
        chosen = esd.choose(table, job.layers_per_model)
        shown += esd.pick(name, from_arrays(arrays, arrays.header), table, chosen, read_table(measures))
        without += [] if chosen else [name]
    figure, drawn = zoom.draw(shown, job.spike_level, without)
    style.save(figure, drawn, job.pdf, job.png, job.csv)
    log.info("drew %s", ", ".join(f"{item.model} {item.spectrum.name}" for item in shown))


if __name__ == "__main__":
    main()
