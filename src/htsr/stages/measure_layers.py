"""Measure norms, ranks, Marchenko-Pastur bulk and edges, traps, ERG tail and phase of every spectrum of a model.

In: eigenvalues (`esd`, safetensors) and their tail fits (`fits`, CSV). Out: one row a spectrum (`measures`, CSV); where
only the fit failed, the columns that need α or xmin are empty.
"""

import logging
from dataclasses import dataclass

import pandas as pd
from omegaconf import MISSING

from htsr.config import MeasureLayers
from htsr.errors import InputError
from htsr.files import Arrays, read_table, write_table
from htsr.metrics.measures import COLUMNS, measure
from htsr.metrics.phase import PhaseRules
from htsr.spectra.spectrum import from_arrays
from htsr.stage import stage

log = logging.getLogger("htsr.measure_layers")


@dataclass
class MeasureLayersJob(MeasureLayers):
    esd: str = MISSING
    fits: str = MISSING
    measures: str = MISSING


@stage(MeasureLayersJob)
def main(job: MeasureLayersJob) -> None:
    for key in ("spike_level", "phase_bulk"):
        if not 0 < getattr(job, key) < 1:
            raise InputError(f"measure_layers.{key} is {getattr(job, key)}: it must lie between 0 and 1")
    rules = PhaseRules(job.phase_zeros, job.phase_heavy, job.phase_bulk, job.phase_edge, job.phase_near)
    arrays = Arrays(job.esd)
    spectra = list(from_arrays(arrays, arrays.header))
    fits = read_table(job.fits)
    if [s.name for s in spectra] != fits["layer"].tolist():
        raise InputError(f"{job.fits}: its layers are not those of {job.esd}: fit that file first")
    rows = []
    for spectrum, fit in zip(spectra, fits.to_dict("records"), strict=True):
        row = measure(spectrum, fit, job.spike_level, rules)
        log.info("%s: %s", spectrum.name, row.get("phase", row["status"]))
        rows.append(row)
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    whole_numbers = {column: "Int64" for column in ("n_spikes", "n_below", "erg_n", "matrix_rank")}
    write_table(job.measures, table.astype(whole_numbers))


if __name__ == "__main__":
    main()
