"""Draw the tail fits of three feature maps of convolutions: those with the lowest, median and highest exponent."""

import logging
from dataclasses import dataclass

import pandas as pd
from omegaconf import MISSING

from htsr.errors import InputError
from htsr.figures import esd, feature_maps, style
from htsr.files import Arrays, read_table
from htsr.spectra.spectrum import from_arrays
from htsr.stage import stage

log = logging.getLogger("htsr.plot_feature_maps")


@dataclass
class PlotFeatureMapsJob:
    """Of each model its printed name, compute_esd file and fit_power_law file."""

    names: list[str] = MISSING
    spectra: list[str] = MISSING
    fits: list[str] = MISSING
    pdf: str = MISSING
    png: str = MISSING
    csv: str = MISSING


@stage(PlotFeatureMapsJob)
def main(job: PlotFeatureMapsJob) -> None:
    if not len(job.names) == len(job.spectra) == len(job.fits):
        raise InputError("plot_feature_maps: names, spectra and fits are lists of one length: one entry a model")
    tables = pd.concat([read_table(path).assign(place=i) for i, path in enumerate(job.fits)], ignore_index=True)
    candidates = feature_maps.candidates(tables)
    shown = []
    for row in feature_maps.choose(candidates).itertuples():
        arrays, table = Arrays(job.spectra[row.place]), tables[tables["place"] == row.place]
        shown += esd.pick(job.names[row.place], from_arrays(arrays, arrays.header), table, [row.layer])
    figure, drawn = feature_maps.draw(shown, len(candidates))
    style.save(figure, drawn, job.pdf, job.png, job.csv)
    log.info("drew %s", ", ".join(f"{item.model} {item.spectrum.name}" for item in shown) or "none")


if __name__ == "__main__":
    main()
